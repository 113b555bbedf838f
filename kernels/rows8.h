// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include <cstdint>
#include <span>

/// Symmetric 8-bit rows with one fp16 scale each: embeddings and heads (`rows8` of FORMAT §1).
/// Pure functions, safe from any thread.
namespace bitloom::kernels {

/// row [D], finite -> codes [D] in [-127, 127] (never -128), value = halfToFloat(scaleBits)·code
/// with scale = max|row|/127 rounded to fp16 (at most 65504; 0 for a row of zeros or one too small
/// for fp16) and codes rounded to the nearest value.
void quantizeRow(std::span<const float> row, std::span<int8_t> codes, uint16_t& scaleBits);

/// out[d] = halfToFloat(scaleBits)·codes[d].
void dequantizeRow(std::span<const int8_t> codes, uint16_t scaleBits, std::span<float> out);

} // namespace bitloom::kernels
