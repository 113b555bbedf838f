# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The Bitloom authors
"""check_python_reader.py WRITE_SAMPLE_CHECKPOINT GOLDENS

Holds the reader in C++ and the one in NumPy, which was written from FORMAT.md alone, against each
other: every weight of sample checkpoints must come out the same to the last bit.
"""
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "support"))
import numpy as np  # noqa: E402

from bitloom_reader import load, read_safetensors  # noqa: E402

# Model, storage of embedding and head, largest shard.
CASES = [("llama2-gqa", "keep", 10**9), ("llama2-gqa", "rows8", 60_000),
         ("qwen2-bias-tied", "rows8", 10**9), ("qwen3-qknorm", "keep", 10**9)]


def check(program, model, head, shard):
    with tempfile.TemporaryDirectory() as folder:
        out, dump = os.path.join(folder, "out"), os.path.join(folder, "dump.safetensors")
        subprocess.run([program, model, out, dump, head, str(shard)], check=True)
        expected, found = read_safetensors(dump), load(out)
    assert set(expected) == set(found), set(expected) ^ set(found)
    quantized = 0
    for name, values in expected.items():
        assert found[name].dtype == np.float32 and found[name].shape == values.shape, name
        same = found[name].view(np.uint32) == values.view(np.uint32)
        assert same.all(), f"{name}: {np.count_nonzero(~same)} of {same.size} values differ"
        quantized += name.endswith("proj.weight")
    assert quantized > 10
    return len(expected)


def main():
    program, goldens = sys.argv[1:]
    for model, head, shard in CASES:
        count = check(program, os.path.join(goldens, model), head, shard)
        print(f"{model}, {head}: {count} tensors are the same")


if __name__ == "__main__":
    main()
