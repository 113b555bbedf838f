#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The Bitloom authors
"""Kills the program at random moments and resumes it: nothing finished may be lost.

    kill_resume.py PROGRAM [--moments 30] [--seed N] [--model DIR --ids FILE]

Moments are spread over calibration, quantization, polish and writing (a moment is a fraction
of the reported progress, so every phase gets its share). After every SIGKILL:
  * no folder of the output's final name exists, or it is complete;
  * the same command with --resume ends with files that equal an undisturbed run's, byte for byte;
  * everything that the journals held at the kill is reported as resumed, none of it as computed.
"""
import argparse
import hashlib
import json
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

SOURCE = pathlib.Path(__file__).resolve().parents[2]


def digest(path):
    """Hash of a file, or of every file of a folder with its name; lock files do not count."""
    if path.is_file():
        return hashlib.sha256(path.read_bytes()).hexdigest()
    return {str(f.relative_to(path)): hashlib.sha256(f.read_bytes()).hexdigest()
            for f in sorted(path.rglob("*")) if f.is_file() and not f.name.endswith(".lock")}


def result_of(run):
    lines = [json.loads(line) for line in run.stdout.splitlines() if line.startswith("{")]
    if run.returncode:
        sys.exit(f"FAILED {run.args}\n{lines[-1:]} {run.stderr}")
    return lines[-1]


def journal(path):
    """The entries that a journal holds; a torn last line does not count."""
    if not path.exists():
        return []
    entries = []
    for line in path.read_text(errors="replace").splitlines():
        start = line.find("{")
        try:
            entries.append(json.loads(line[start:]))
        except json.JSONDecodeError:
            break
    # A journal line is an object, or an object wrapped with its checksum.
    return [e.get("entry", e) if isinstance(e, dict) else e for e in entries]


def journaled(entries, key):
    return len({json.dumps(e[key], sort_keys=True) for e in entries if key in e})


class Killer:
    def __init__(self, options, work):
        self.o, self.work = options, work
        self.random = random.Random(options.seed)
        common = ["--threads", "2", "--json"]
        self.calibrate = [options.program, "calibrate", options.model, "--ids", options.ids,
                          "--sequences", "16", *common]
        self.quantize = [options.program, "quantize", options.model, "--bits", "3.5", "--head", "8",
                         "--polish", str(options.polish), *common]

    def run(self, command, kill_at=None):
        """Runs to the end, or kills as soon as the reported fraction reaches `kill_at`."""
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        lines = []
        for line in process.stdout:
            lines.append(line)
            if kill_at is None or not line.startswith('{"event":"progress"'):
                continue
            if json.loads(line)["fraction"] >= kill_at:
                # Up to 20 ms later, so that kills fall between progress reports too.
                time.sleep(self.random.random() * 0.02)
                process.send_signal(signal.SIGKILL)
                kill_at = None
        error = process.stderr.read()
        return subprocess.CompletedProcess(command, process.wait(), "".join(lines), error)

    def undisturbed(self):
        result = result_of(self.run(self.calibrate + ["--cache", self.work / "cache"]))
        self.statistics = pathlib.Path(result["statistics"])
        self.layers = result["layers_computed"]
        self.statistics_digest = digest(self.statistics)
        result_of(self.run(self.quantize + ["--stats", self.statistics,
                                            "-o", self.work / "reference"]))
        self.reference_digest = digest(self.work / "reference")

    def calibration(self, share):
        cache = self.work / "killed-cache"
        shutil.rmtree(cache, ignore_errors=True)
        command = self.calibrate + ["--cache", cache]
        killed = self.run(command, share)
        entries = [e for j in cache.rglob("*journal*") for e in journal(j)]
        held, held_gamma = journaled(entries, "layer"), journaled(entries, "gamma")
        result = result_of(self.run(command))
        if not result["cached"]:
            self.expect(result["layers_resumed"] == held, f"{held} layers journaled, {result}")
            self.expect(result["layers_computed"] == self.layers - held, f"computed again: {result}")
            self.expect(result["gammas_resumed"] == held_gamma, f"{held_gamma} gammas, {result}")
        self.expect(digest(pathlib.Path(result["statistics"])) == self.statistics_digest,
                    "statistics differ from an undisturbed run's")
        return f"calibration at {share:4.0%}: {'ended by itself' if killed.returncode == 0 else 'killed'}, " \
               f"{held} layers and {held_gamma} sensitivities kept"

    def quantization(self, share):
        out = self.work / "killed-out"
        partial = pathlib.Path(f"{out}.partial")
        for folder in (out, partial):
            shutil.rmtree(folder, ignore_errors=True)
        command = self.quantize + ["--stats", self.statistics, "-o", out]
        killed = self.run(command, share)
        if out.exists():
            self.expect(digest(out) == self.reference_digest, "a half-written folder got the final name")
            return f"quantization at {share:4.0%}: complete before the kill"
        self.expect(not (partial / "config.json").exists() or killed.returncode != 0,
                    "a partial folder looks like a model")
        entries = [e for j in partial.rglob("*journal*") for e in journal(j)]
        layers = len({e["mark"] for e in entries if str(e.get("mark", "")).startswith("layer ")})
        result = result_of(self.run(command + ["--resume"]))
        self.expect(result["layers_resumed"] == layers,
                    f"{layers} layers journaled, {result['layers_resumed']} resumed")
        self.expect(result["layers_resumed"] + result["layers_computed"] == self.layers, f"{result}")
        steps = result["polish_steps_resumed"] + result["polish_steps_computed"]
        self.expect(steps == self.o.polish, f"{steps} polish steps in all")
        self.expect(digest(out) == self.reference_digest, "the folder differs from an undisturbed run's")
        return f"quantization at {share:4.0%}: {layers} layers and " \
               f"{result['polish_steps_resumed']} polish steps kept"

    def expect(self, good, message):
        if not good:
            sys.exit(f"FAILED (seed {self.o.seed}): {message}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program", type=pathlib.Path)
    parser.add_argument("--moments", type=int, default=30)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    parser.add_argument("--polish", type=int, default=20)
    parser.add_argument("--model", default=str(SOURCE / "tests/data/goldens/llama2-gqa"))
    parser.add_argument("--ids", default=None)
    options = parser.parse_args()
    options.program = options.program.resolve()
    if options.ids is None:
        options.ids = str(pathlib.Path(options.model) / "golden.safetensors")
    with tempfile.TemporaryDirectory(prefix="bitloom-kill-") as folder:
        killer = Killer(options, pathlib.Path(folder))
        killer.undisturbed()
        print(f"seed {options.seed}", flush=True)
        for moment in range(options.moments):
            share = killer.random.random()
            phase = killer.calibration if moment % 3 == 0 else killer.quantization
            print(phase(share), flush=True)
    print(f"{options.moments} kills: every resumed run equals the undisturbed one")


if __name__ == "__main__":
    main()
