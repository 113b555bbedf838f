#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The Bitloom authors
"""What the sample model loses under every method and budget, and how well that was predicted.

Runs the program as a user would (plan, quantize, eval) over a fixed list of plans, prints two tables,
and writes everything as JSON:

    tests/bench/sample_table.py build/release/bin/bitloom results.json [--only NAME…]

1. quality: true bits, perplexity, ΔNLL ± paired standard error, against the figures of the plain
   prototype in resources/models/bitloom-tales-4m/EXPECTED.md and their limits (cmpq+: at most 1.10×;
   baselines: within ±20 %, so that a weak baseline is noticed too);
2. prediction: predicted / measured ΔNLL, before any re-fit and after one measured point.
Exit code 1 if a limit is missed.
"""
import argparse
import json
import math
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

MODEL = pathlib.Path(__file__).resolve().parents[2] / "resources/models/bitloom-tales-4m"

# name, arguments of quantize, ΔNLL of the prototype, kind of limit
QUALITY = [
    ("cmpq+ 2.2 gptq", ["--bits", "2.2", "--passes", "0"], 0.1388, "own"),
    ("cmpq+ 2.2", ["--bits", "2.2"], 0.1263, "own"),
    ("cmpq+ 2.2 polish", ["--bits", "2.2", "--polish", "150"], 0.0857, "own"),
    ("cmpq+ 2.5 gptq", ["--bits", "2.5", "--passes", "0"], 0.0849, "own"),
    ("cmpq+ 2.5", ["--bits", "2.5"], 0.0761, "own"),
    ("cmpq+ 3 gptq", ["--bits", "3", "--passes", "0"], 0.0355, "own"),
    ("cmpq+ 3", ["--bits", "3"], 0.0333, "own"),
    ("cmpq+ 3 polish", ["--bits", "3", "--polish", "150"], 0.0208, "own"),
    ("cmpq+ 3.148 gptq", ["--bits", "3.148", "--passes", "0"], 0.0287, "own"),
    ("cmpq+ 3.148", ["--bits", "3.148"], 0.0277, "own"),
    ("cmpq+ 4 gptq", ["--bits", "4", "--passes", "0"], 0.0076, "own"),
    ("cmpq+ 4", ["--bits", "4"], 0.0072, "own"),
    ("cmpq+ 4.156 gptq", ["--bits", "4.156", "--passes", "0"], 0.0067, "own"),
    ("cmpq+ 4.156", ["--bits", "4.156"], 0.0070, "own"),
    ("cmpq 2.2", ["--method", "cmpq", "--bits", "2.2"], 0.1717, "baseline"),
    ("cmpq 2.5", ["--method", "cmpq", "--bits", "2.5"], 0.0996, "baseline"),
    ("cmpq 3", ["--method", "cmpq", "--bits", "3"], 0.0450, "baseline"),
    ("cmpq 3.148", ["--method", "cmpq", "--bits", "3.148"], 0.0346, "baseline"),
    ("cmpq 4", ["--method", "cmpq", "--bits", "4"], 0.0125, "baseline"),
    ("cmpq 4.156", ["--method", "cmpq", "--bits", "4.156"], 0.0109, "baseline"),
    ("rtn 3", ["--method", "rtn", "--bits", "3"], 0.0778, "baseline"),
    ("rtn 4", ["--method", "rtn", "--bits", "4"], 0.0180, "baseline"),
    ("gptq 3", ["--method", "gptq", "--bits", "3"], 0.0476, "baseline"),
    ("gptq 4", ["--method", "gptq", "--bits", "4"], 0.0106, "baseline"),
]

# Plans of other kinds, for the predictor: uniform, per layer, pinned.
PREDICTION = [
    ("plan 2.3", ["--bits", "2.3"]),
    ("plan 2.7", ["--bits", "2.7"]),
    ("plan 3.5", ["--bits", "3.5"]),
    ("plan 5", ["--bits", "5"]),
    ("plan 6", ["--bits", "6"]),
    # Everything is pinned: the budget is "most", which measure() fills in.
    ("uniform 2", ["--bits", "most", "--pin", ".=2t"]),
    ("uniform 3", ["--bits", "most", "--pin", ".=3t"]),
    ("uniform 4", ["--bits", "most", "--pin", ".=4t"]),
    ("mlp 2, attention 4", ["--bits", "most", "--pin", "mlp=2t", "--pin", "self_attn=4t"]),
    ("mlp 4, attention 2", ["--bits", "most", "--pin", "mlp=4t", "--pin", "self_attn=2t"]),
    ("first block 5, rest 3", ["--bits", "most", "--pin", ".=3t", "--pin", "layers\\.0\\.=5g"]),
    ("down pinned to 5, 3.5 over all", ["--bits", "3.5", "--pin", "down_proj=5"]),
    ("32 channels of down pinned to 8", ["--bits", "2.6", "--pin", "down_proj[0-31]=8"]),
]


def last_line(command):
    run = subprocess.run(command, capture_output=True, text=True)
    lines = [json.loads(line) for line in run.stdout.splitlines() if line.startswith("{")]
    return run, lines


def most_bits(program, arguments, cache):
    """The largest budget that these pins leave: the program names it when asked for too much."""
    _, lines = last_line([program, "plan", MODEL, "--cache", cache, "--json", "-o", "/dev/null",
                          *["16" if a == "most" else a for a in arguments]])
    return re.search(r"--bits ([0-9.]+[0-9])", lines[-1]["hint"]).group(1)


def last_result(command):
    """The result object of a --json run; fails loudly with the program's own message."""
    run, lines = last_line(command)
    if run.returncode:
        sys.exit(f"{' '.join(map(str, command))}\n{lines[-1] if lines else run.stderr}")
    return lines[-1]


def measure(program, arguments, cache, work):
    out = work / "out"
    shutil.rmtree(out, ignore_errors=True)
    if "most" in arguments:
        most = most_bits(program, arguments, cache)
        arguments = [most if a == "most" else a for a in arguments]
    quantized = last_result([program, "quantize", MODEL, "-o", out, "--head", "16", "--cache", cache,
                             "--json", *arguments])
    evaluated = last_result([program, "eval", out, "--against", MODEL, "--text", MODEL / "valid.txt",
                             "--protocol", "gptq", "--context", "256", "--json"])
    assert quantized["bytes"] == quantized["predicted_bytes"], "predicted bytes are not those on disk"
    return {"arguments": arguments, "quantize": quantized, "eval": evaluated}


def rank_correlation(x, y):
    def ranks(v):
        order = sorted(range(len(v)), key=v.__getitem__)
        return {i: r for r, i in enumerate(order)}
    a, b, n = ranks(x), ranks(y), len(x)
    return 1 - 6 * sum((a[i] - b[i]) ** 2 for i in range(n)) / (n * (n * n - 1))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program")
    parser.add_argument("results")
    parser.add_argument("--only", nargs="*", default=None, help="names of rows to run")
    parser.add_argument("--cache", default=None)
    options = parser.parse_args()
    results = pathlib.Path(options.results)
    rows = json.loads(results.read_text()) if results.exists() else {}
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        cache = options.cache or work / "cache"
        for name, arguments, *_ in QUALITY + PREDICTION:
            if name in rows or (options.only is not None and name not in options.only):
                continue
            rows[name] = measure(options.program, arguments, cache, work)
            results.write_text(json.dumps(rows, indent=1))
            print(f"{name}: ΔNLL {rows[name]['eval']['delta_nll']:.4f}", file=sys.stderr)

    missed = 0
    print("| row | true bits | perplexity | ΔNLL | prototype | ratio | s |\n|---|---|---|---|---|---|---|")
    for name, _, expected, kind in QUALITY:
        if name not in rows:
            continue
        e, q = rows[name]["eval"], rows[name]["quantize"]
        ratio = e["delta_nll"] / expected
        good = ratio <= 1.10 if kind == "own" else 0.8 <= ratio <= 1.2
        missed += not good
        print(f"| {name} | {q['bits_per_weight']:.3f} | {e['ppl']:.4f} | {e['delta_nll']:.4f} ± "
              f"{e['delta_stderr']:.4f} | {expected:.4f} | {ratio:.2f}{'' if good else ' MISSED'} | "
              f"{q['seconds']:.0f} |")

    points = []
    for name, arguments, *_ in QUALITY + PREDICTION:
        if name not in rows or "--method" in arguments or "--polish" in arguments or "0" in arguments:
            continue
        e, q = rows[name]["eval"], rows[name]["quantize"]
        points.append((name, q["predicted_delta_nll"], e["delta_nll"], e["delta_stderr"]))
    if len(points) > 2:
        print("\n| plan | predicted ΔNLL | measured | predicted / measured |\n|---|---|---|---|")
        sure = [p for p in points if p[2] >= 5 * p[3]]
        for name, predicted, measured, error in points:
            ratio = predicted / measured
            judged = measured >= 5 * error
            good = not judged or 0.5 <= ratio <= 2
            missed += not good
            print(f"| {name} | {predicted:.4f} | {measured:.4f} ± {error:.4f} | {ratio:.2f}"
                  f"{'' if judged else ' (below 5 standard errors)'}{'' if good else ' MISSED'} |")
        # After one measured point: every plan in turn re-fits the scale, the others are judged.
        worst = max((abs(math.log((p / m) / (pa / ma))), a, n)
                    for a, pa, ma, _ in sure for n, p, m, _ in sure if n != a)
        centre = next(((p, m) for n, p, m, _ in sure if n == "cmpq+ 3"), sure[0][1:3])
        after = [(n, (p / m) / (centre[0] / centre[1])) for n, p, m, _ in sure]
        missed += sum(not 0.75 <= r <= 1.33 for _, r in after)
        print("\nafter one measured point (cmpq+ 3): " +
              ", ".join(f"{n} {r:.2f}" for n, r in after))
        print(f"worst pair: measured {worst[1]}, judged {worst[2]}: {math.exp(worst[0]):.2f}×")
        print(f"rank correlation {rank_correlation([p[1] for p in points], [p[2] for p in points]):.3f}")
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
