#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The Bitloom authors
"""Generation and prompt speed beside llama.cpp's (or ik_llama.cpp's) in one run, on the same shapes.

    tests/bench/compare_peers.py --bitloom build/release/bin/bitloom --shape 7b --layers 12 \\
        --peer llama.cpp=PATH/llama-bench --gguf Q4_0=PATH/q4_0.gguf --gguf Q2_K=PATH/q2_k.gguf

The peers' programs and models are the user's: GGUF files of the same shapes and number of blocks (weights
may be random). Prints a Markdown table; --json FILE keeps the figures with date, machine and versions.
"""
import argparse
import datetime
import json
import shlex
import subprocess
import sys


def named(text):
    name, _, path = text.partition("=")
    if not path:
        raise argparse.ArgumentTypeError(f"'{text}' is not NAME=PATH")
    return name, path


def run_peer(program, model, threads, prompt, tokens):
    """llama-bench's JSON: one entry for the prompt, one for generation."""
    out = subprocess.run(
        [*shlex.split(program), "-m", model, "-t", str(threads), "-p", str(prompt), "-n", str(tokens), "-r", "3",
         "-o", "json"], check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
    entries = json.loads(out)
    figures = {"version": entries[0].get("build_commit", "unknown")}
    for entry in entries:
        figures["prompt" if entry["n_prompt"] else "generation"] = entry["avg_ts"]
    figures["bytes"] = entries[0]["model_size"]
    return figures


def run_own(program, shape, layers, bits, outliers, threads, prompt, tokens):
    out = subprocess.run(
        [program, "bench", "--shape", shape, "--layers", str(layers), "--bits", bits, "--outliers",
         str(outliers), "--prompt", str(prompt), "--tokens", str(tokens), "--only", "model", "--threads",
         str(threads), "--json"], check=True, stdout=subprocess.PIPE).stdout
    return json.loads(out.decode().strip().splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bitloom", required=True)
    parser.add_argument("--shape", default="7b")
    parser.add_argument("--layers", type=int, required=True)
    parser.add_argument("--bits", default="2.4,3,4.2,16")
    parser.add_argument("--outliers", type=float, default=0.5, help="percent")
    parser.add_argument("--peer", type=named, action="append", default=[], help="NAME=llama-bench, options behind it if wanted")
    parser.add_argument("--gguf", type=named, action="append", default=[], help="TYPE=file")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--prompt", type=int, default=512)
    parser.add_argument("--tokens", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--json")
    o = parser.parse_args()

    # Rounds take turns, and each program's best counts: what else runs on a machine only takes away.
    best = {}

    def note(key, size, prompt, generation):
        _, p, g = best.get(key, (size, 0, 0))
        best[key] = (size, max(p, prompt), max(g, generation))

    for _ in range(o.rounds):
        own = run_own(o.bitloom, o.shape, o.layers, o.bits, o.outliers, o.threads, o.prompt, o.tokens)
        for model in own["models"]:
            name = "FP16" if model["bits"] >= 16 else f"{model['bits']:g} bits"
            note(("bitloom", name), model["weight_bytes"], model["prompt_tokens_per_second"],
                 model["tokens_per_second"])
        for peer, program in o.peer:
            for kind, path in o.gguf:
                try:
                    f = run_peer(program, path, o.threads, o.prompt, o.tokens)
                except (subprocess.CalledProcessError, ValueError, KeyError) as error:
                    print(f"{peer} {kind}: {error}", file=sys.stderr)
                    continue
                note((f"{peer} {f['version']}", kind), f["bytes"], f.get("prompt", 0), f["generation"])
    rows = [(*key, *figures) for key, figures in best.items()]
    print(f"{o.shape} shapes, {o.layers} blocks, {o.threads} threads, read bandwidth "
          f"{own['read_bandwidth'] / 1e9:.1f} GB/s before, {own['read_bandwidth_after'] / 1e9:.1f} after "
          f"Bitloom's rows; {own['processor']}, {own['kernels']}\n")
    print(f"| program | weights | GB | prompt of {o.prompt}, tokens/s | generation, tokens/s |")
    print("| --- | --- | --- | --- | --- |")
    for program, name, size, prompt, generation in rows:
        print(f"| {program} | {name} | {size / 1e9:.2f} | {prompt:.1f} | {generation:.2f} |")
    if o.json:
        with open(o.json, "w") as file:
            json.dump({"date": datetime.date.today().isoformat(), "command": sys.argv, "bitloom": own,
                       "rows": rows}, file, indent=1)


if __name__ == "__main__":
    main()
