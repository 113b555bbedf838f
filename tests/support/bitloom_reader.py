# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The Bitloom authors
"""Reads a Bitloom checkpoint with NumPy and nothing else.

    from bitloom_reader import load
    weights = load("llama-3bit")    # {"model.layers.0.self_attn.q_proj.weight": float32 [N, K], ...}

Written from FORMAT.md alone, so that tests can hold the C++ reader against it; copy it into your
own project as you like. For plain Hugging Face weights use `bitloom export --to hf` instead.
"""
import json
import os
import struct

import numpy as np

DTYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "I64": "<i8", "I32": "<i4",
          "I16": "<i2", "I8": "i1", "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "u1"}
TABLE, GRID, RAW = 0, 1, 2  # class_kinds


def read_safetensors(path):
    """{name: array}; bfloat16 is widened to float32."""
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
        data = file.read()
    tensors = {}
    for name, info in header.items():
        if name == "__metadata__":
            continue
        begin, end = info["data_offsets"]
        array = np.frombuffer(data[begin:end], DTYPES[info["dtype"]])
        if info["dtype"] == "BF16":
            array = (array.astype("<u4") << 16).view("<f4")
        tensors[name] = array.reshape(info["shape"])
    return tensors


def unpack_bits(words, bits, count):
    """`count` codes of `bits` bits each from little-endian 32-bit words."""
    stream = np.unpackbits(words.view(np.uint8), bitorder="little")[:count * bits]
    return stream.reshape(count, bits) @ (1 << np.arange(bits))


def dequantize_columns(layer, rows, cols):
    """Layout `column`: columns are stored in the stable order of their classes."""
    out = np.empty((rows, cols), np.float32)
    word = entry = scaled = grid = raw = outlier = 0
    classes = zip(layer["class_bits"].tolist(), layer["class_kinds"], layer["class_outliers"])
    for number, (bits, kind, outliers) in enumerate(classes):
        for k in np.flatnonzero(layer["classes"] == number):
            if kind == RAW:
                out[:, k] = layer["raw"][raw]
                raw += 1
                continue
            length = (rows * bits + 31) // 32
            codes = unpack_bits(layer["codes"][word:word + length], bits, rows)
            word += length
            values = np.arange(1 << bits, dtype=np.float32)
            if kind == TABLE:
                values = layer["tables"][entry:entry + (1 << bits)].astype(np.float32)
                entry += 1 << bits
            else:
                values -= np.float32(layer["zero"][grid])
                grid += 1
            out[:, k] = (np.float32(layer["scale"][scaled]) * values)[codes]
            scaled += 1
            if outliers:
                here = slice(outlier, outlier + outliers)
                out[layer["out_row"][here], k] += layer["out_val"][here].astype(np.float32)
                outlier += outliers
    return out


def dequantize_groups(layer, rows, cols, bits, size, symmetric):
    """Layout `group`: value = scale * (code - zero) by row and group of columns."""
    codes = np.stack([unpack_bits(row, bits, cols) for row in layer["codes"]])
    group = layer.get("group_index", np.arange(cols) // size)
    zero = 1 << (bits - 1) if symmetric else layer["group_zero"].astype(np.int64)[:, group]
    return layer["group_scale"].astype(np.float32)[:, group] * (codes - zero).astype(np.float32)


def load(folder):
    """All weights of a checkpoint as {name: float32 array}, quantized layers as `name.weight`."""
    with open(os.path.join(folder, "config.json")) as file:
        quantization = json.load(file)["quantization_config"]
    assert quantization["quant_method"] == "bitloom" and quantization["format_version"] == 1
    index = os.path.join(folder, "model.safetensors.index.json")
    files = ["model.safetensors"]
    if os.path.exists(index):
        with open(index) as file:
            files = sorted(set(json.load(file)["weight_map"].values()))
    tensors = {}
    for name in files:
        tensors.update(read_safetensors(os.path.join(folder, name)))
    result = {}
    for name, info in quantization["layers"].items():
        parts = [key for key in tensors if key.startswith(name + ".") and key != name + ".bias"]
        layer = {key[len(name) + 1:]: tensors.pop(key) for key in parts}
        if info["layout"] == "column":
            result[name + ".weight"] = dequantize_columns(layer, *info["shape"])
        else:
            result[name + ".weight"] = dequantize_groups(
                layer, *info["shape"], info["bits"], info["group_size"], info["symmetric"])
    scales = {name: tensors.pop(name) for name in list(tensors) if name.endswith(".row_scale")}
    for name, tensor in tensors.items():
        result[name] = tensor.astype(np.float32)
        scale = scales.get(name.removesuffix(".weight") + ".row_scale")
        if scale is not None:
            result[name] *= scale.astype(np.float32)[:, None]
    return result
