// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "kernels/host_device.h"

#include <cmath>
#include <cstdint>

/// Activations and their fixed point, a value at a time, for the processor and the GPU. Every
/// operation rounds as IEEE 754 says and none is fused that is not written so: same bits on both.
namespace bitloom::kernels::fixed {

inline constexpr int32_t highLimit = 127 * 256 + 127; ///< of an activation
inline constexpr float smallest = 1e-33f;             ///< block of less: all 0

BITLOOM_HD float multiply(float a, float b) {
#ifdef __CUDA_ARCH__
    return __fmul_rn(a, b);
#else
    return a * b;
#endif
}
BITLOOM_HD float add(float a, float b) {
#ifdef __CUDA_ARCH__
    return __fadd_rn(a, b);
#else
    return a + b;
#endif
}
BITLOOM_HD float divide(float a, float b) {
#ifdef __CUDA_ARCH__
    return __fdiv_rn(a, b);
#else
    return a / b;
#endif
}
BITLOOM_HD float fusedMultiplyAdd(float a, float b, float c) {
#ifdef __CUDA_ARCH__
    return __fmaf_rn(a, b, c);
#else
    return std::fma(a, b, c);
#endif
}
BITLOOM_HD float bitsToFloat(uint32_t bits) {
#ifdef __CUDA_ARCH__
    return __uint_as_float(bits);
#else
    float value;
    __builtin_memcpy(&value, &bits, sizeof value);
    return value;
#endif
}
BITLOOM_HD uint32_t floatToBits(float value) {
#ifdef __CUDA_ARCH__
    return __float_as_uint(value);
#else
    uint32_t bits;
    __builtin_memcpy(&bits, &value, sizeof bits);
    return bits;
#endif
}
/// To the nearest, ties to even; what does not fit gives any value.
BITLOOM_HD int64_t nearest(float value) {
#ifdef __CUDA_ARCH__
    return __float2ll_rn(value);
#else
    return std::fabs(value) < 9e18f ? int64_t(std::nearbyintf(value)) : INT64_MIN;
#endif
}
BITLOOM_HD float fromInteger(int64_t value) {
#ifdef __CUDA_ARCH__
    return __ll2float_rn(value);
#else
    return float(value);
#endif
}

/// Magnitude as bits, which compare like integers: infinity above all numbers, NaN above that.
BITLOOM_HD uint32_t magnitude(float x) {
    return floatToBits(x) & 0x7fffffffu;
}
BITLOOM_HD bool finite(uint32_t magnitudeBits) {
    return magnitudeBits < 0x7f800000u;
}
BITLOOM_HD float notANumber() {
    return bitsToFloat(0x7fc00000u);
}

/// A block of activations whose largest magnitude is `largest` (as bits).
struct BlockScale {
    float scale, inverse; ///< of q = x·inverse; both 0 for a block of zeros
};
BITLOOM_HD BlockScale blockScale(uint32_t largest) {
    if (!finite(largest)) return {notANumber(), 0.f};
    const float value = bitsToFloat(largest);
    if (!(value >= smallest)) return {0.f, 0.f};
    return {divide(value, float(highLimit)), divide(float(highLimit), value)};
}
/// Integer of an activation of a block with that inverse.
BITLOOM_HD int32_t roundActivation(float x, float inverse) {
    if (inverse == 0.f) return 0;
    // Adding and taking away 1.5·2^23 rounds to the nearest integer, ties to even.
    const float rounded = add(add(multiply(x, inverse), 12582912.f), -12582912.f);
    const int32_t value = int32_t(rounded);
    return value < -highLimit ? -highLimit : value > highLimit ? highLimit : value;
}
BITLOOM_HD int32_t highByte(int32_t value) {
    return (value + 128) >> 8;
}

/// 2^e for e in [-149, 127].
BITLOOM_HD float powerOfTwo(int e) {
    return e >= -126 ? bitsToFloat(uint32_t(e + 127) << 23) : bitsToFloat(1u << (e + 149));
}

/// The unit of a token's sums, from the largest scale of its blocks (or what stands in for it).
struct Unit {
    float unit;       ///< 2^e, or NaN
    float inverse[2]; ///< 2^-e as a product; 0 where unit is NaN
};
BITLOOM_HD Unit unitFor(float largestScale) {
    const uint32_t bits = magnitude(largestScale);
    if (!finite(bits)) return {notANumber(), {0.f, 0.f}};
    // largestScale < 2^above; from the exponent field, denormal numbers count as 2^-126.
    const int above = int(bits >> 23) - 126;
    int e = above - 22;
    if (e < -140) e = -140;
    const int half = e / 2;
    return {powerOfTwo(e), {powerOfTwo(-half), powerOfTwo(half - e)}};
}
BITLOOM_HD int64_t inUnits(float value, float inverse0, float inverse1) {
    return nearest(multiply(multiply(value, inverse0), inverse1));
}

/// y of a sum: see gpu_columns.h.
BITLOOM_HD float finish(int64_t sum, float unit, float bias) {
    return fusedMultiplyAdd(fromInteger(sum), unit, bias);
}

} // namespace bitloom::kernels::fixed
