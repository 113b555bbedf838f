// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include <cstdint>
#include <span>

#include "kernels/column_quantizer.h"

/// From codes back to weights. Pure functions, safe from any thread.
namespace bitloom::kernels {

/// out[n] = code.value(codes[n]) for a table or grid column; codes[n] in [0, 2^bits), both spans
/// [N].
void dequantizeColumn(const ColumnCode& code, std::span<const uint8_t> codes, std::span<float> out);

/// The fp16 bits stored for an outlier: exact - dequantized, rounded to nearest and held to ±65504
/// instead of becoming infinite. The reader adds halfToFloat(bits) to the dequantized weight.
uint16_t outlierCorrection(float exact, float dequantized);

/// fp16 bits of `value`, held to ±65504 instead of becoming infinite.
uint16_t floatToFiniteHalf(float value);

} // namespace bitloom::kernels
