// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include <cstdint>
#include <span>

namespace bitloom::kernels {

/// IEEE 754 binary16 and bfloat16 as raw bits. Conversions from float round to nearest, ties to
/// even; overflow becomes infinity; NaN stays NaN.
uint16_t floatToHalf(float value);
float halfToFloat(uint16_t bits);
uint16_t floatToBfloat16(float value);
float bfloat16ToFloat(uint16_t bits);

/// `value` rounded to binary16 and back.
inline float roundToHalf(float value) {
    return halfToFloat(floatToHalf(value));
}

void halfToFloat(std::span<const uint16_t> in, std::span<float> out);
void bfloat16ToFloat(std::span<const uint16_t> in, std::span<float> out);
void floatToHalf(std::span<const float> in, std::span<uint16_t> out);
void floatToBfloat16(std::span<const float> in, std::span<uint16_t> out);

} // namespace bitloom::kernels
