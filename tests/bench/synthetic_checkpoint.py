#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The Bitloom authors
"""Writes a Llama-shaped Hugging Face checkpoint with random weights, for speed and memory tests.

    tests/bench/synthetic_checkpoint.py OUT --hidden 2048 --intermediate 5632 --bytes 4e9

Weights are normal with standard deviation 0.02 (F16), norms are 1; `ids.safetensors` holds random
token ids [sequences, length], since there is no tokenizer. Streams: memory stays under 200 MB.
"""
import argparse
import json
import pathlib
import struct

import numpy as np


def write_safetensors(path, tensors):
    """`tensors`: list of (name, dtype name, shape, function giving the bytes in pieces)."""
    sizes = {"F16": 2, "I32": 4}
    header, offset = {}, 0
    for name, dtype, shape, _ in tensors:
        size = sizes[dtype] * int(np.prod(shape))
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for *_, pieces in tensors:
            for piece in pieces():
                file.write(piece)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--hidden", type=int, default=2048)
    parser.add_argument("--intermediate", type=int, default=5632)
    parser.add_argument("--heads", type=int, default=16)
    parser.add_argument("--vocab", type=int, default=32000)
    parser.add_argument("--bytes", type=float, default=4e9, help="as many layers as come closest")
    parser.add_argument("--layers", type=int, default=0, help="instead of --bytes")
    parser.add_argument("--sequences", type=int, default=8)
    parser.add_argument("--length", type=int, default=256)
    o = parser.parse_args()
    h, i, v = o.hidden, o.intermediate, o.vocab
    layers = o.layers or round((o.bytes - 4 * v * h) / (2 * (4 * h * h + 3 * h * i)))
    random = np.random.default_rng(1)
    # Channels of very different size, as real activations have: norms spread over a factor of 30.
    spread = np.exp(random.normal(0, 0.6, h)).astype(np.float16)

    def normal(rows, cols):
        def pieces():
            for first in range(0, rows, 512):
                n = min(512, rows - first)
                yield (random.standard_normal((n, cols), np.float32) * 0.02).astype(np.float16).tobytes()
        return pieces

    def matrix(name, rows, cols):
        return (name, "F16", (rows, cols), normal(rows, cols))

    def norm(name):
        return (name, "F16", (h,), lambda: [spread.tobytes()])

    o.out.mkdir(parents=True)
    shards = [[matrix("model.embed_tokens.weight", v, h), norm("model.norm.weight"),
               matrix("lm_head.weight", v, h)]]
    for layer in range(layers):
        p = f"model.layers.{layer}."
        shards.append([norm(p + "input_layernorm.weight"), norm(p + "post_attention_layernorm.weight")]
                      + [matrix(p + f"self_attn.{x}_proj.weight", h, h) for x in "qkvo"]
                      + [matrix(p + "mlp.gate_proj.weight", i, h), matrix(p + "mlp.up_proj.weight", i, h),
                         matrix(p + "mlp.down_proj.weight", h, i)])
    weight_map = {}
    for number, shard in enumerate(shards, 1):
        name = f"model-{number:05d}-of-{len(shards):05d}.safetensors"
        write_safetensors(o.out / name, shard)
        weight_map.update({tensor[0]: name for tensor in shard})
    (o.out / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    (o.out / "config.json").write_text(json.dumps({
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu",
        "torch_dtype": "float16", "vocab_size": v, "hidden_size": h, "intermediate_size": i,
        "num_hidden_layers": layers, "num_attention_heads": o.heads, "num_key_value_heads": o.heads,
        "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "max_position_embeddings": 4096,
        "tie_word_embeddings": False, "bos_token_id": 1, "eos_token_id": 2}))
    ids = random.integers(3, v, (o.sequences, o.length), np.int32)
    write_safetensors(o.out / "ids.safetensors",
                      [("input_ids", "I32", ids.shape, lambda: [ids.tobytes()])])
    print(f"{o.out}: {layers} layers, {sum(f.stat().st_size for f in o.out.iterdir()) / 1e9:.2f} GB")


if __name__ == "__main__":
    main()
