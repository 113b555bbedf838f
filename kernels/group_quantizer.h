// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include <cstdint>
#include <span>

/// Uniform quantization of groups: g weights of one row share a scale and an integer zero point
/// (`group` layout of FORMAT §1; RTN, GPTQ, AWQ). Pure functions, safe from any thread.
///
///     value(c) = scale·(c - zero),   c in [0, 2^bits - 1],   bits in 2…8
///
/// Symmetric: zero = 2^(bits-1), which is not stored. Asymmetric: zero in [0, 2^bits - 1].
namespace bitloom::kernels {

struct GroupCode {
    uint16_t scale = 0; ///< fp16 bits
    uint8_t zero = 0;

    float value(int code) const; ///< halfToFloat(scale)·(code - zero)
};

struct GroupOptions {
    int bits = 4;
    bool symmetric = false;
    /// Tries ranges shrunk in 24 steps of 2.5 % down to 0.4 and keeps the smallest squared error;
    /// otherwise the full range is used.
    bool clipSearch = false;
};

/// Scale and zero point for `weights` [g], finite, g >= 1. The range always holds 0:
///     symmetric   scale = max|w| / (2^(bits-1) - 1/2)
///     asymmetric  scale = (max(w,0) - min(w,0)) / (2^bits - 1),  zero = round(-min(w,0)/scale)
/// before the scale is rounded to fp16 (at least the smallest fp16 where a weight is not 0; scale 0
/// and all values 0 for a group of zeros). `sse` (if not null) receives the sum of squared errors
/// with nearest codes.
GroupCode fitGroup(std::span<const float> weights, const GroupOptions& options,
                   double* sse = nullptr);

/// Code of the value nearest to `weight`, ties to the lower code; `zero` where scale is 0. What
/// GPTQ calls weight by weight: `scale` = halfToFloat(GroupCode::scale).
uint8_t quantizeScalar(float weight, float scale, int zero, int bits);

/// quantizeScalar for every weight: codes [g].
void assignGroup(std::span<const float> weights, const GroupCode& code, int bits,
                 std::span<uint8_t> codes);

/// out[i] = code.value(codes[i]).
void dequantizeGroup(const GroupCode& code, std::span<const uint8_t> codes, std::span<float> out);

} // namespace bitloom::kernels
