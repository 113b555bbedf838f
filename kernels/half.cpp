// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "kernels/half.h"

#include <bit>
#include <cassert>
#include <cstddef>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace bitloom::kernels {

// The scalar functions give the bits that F16C gives, NaN payloads included (truncated, made
// quiet), so that results never depend on which path an element took.

uint16_t floatToHalf(float value) {
    const uint32_t bits = std::bit_cast<uint32_t>(value);
    const auto sign = static_cast<uint16_t>((bits >> 16) & 0x8000u);
    const uint32_t magnitude = bits & 0x7fffffffu;
    if (magnitude > 0x7f800000u)
        return static_cast<uint16_t>(sign | 0x7e00u | ((magnitude >> 13) & 0x3ffu));
    if (magnitude >= 0x477ff000u) return static_cast<uint16_t>(sign | 0x7c00u); // from 65520 up
    if (magnitude >= 0x38800000u) { // normal in binary16; a carry may move into the exponent
        const uint32_t rounded = magnitude + 0xfffu + ((magnitude >> 13) & 1u);
        return static_cast<uint16_t>(sign | ((rounded - 0x38000000u) >> 13));
    }
    // Subnormal: adding 0.5 puts the unit in the last place at 2^-24, so the hardware rounds.
    const float aligned = std::bit_cast<float>(magnitude) + 0.5f;
    return static_cast<uint16_t>(sign | (std::bit_cast<uint32_t>(aligned) - 0x3f000000u));
}

float halfToFloat(uint16_t bits) {
    const uint32_t sign = static_cast<uint32_t>(bits & 0x8000u) << 16;
    const uint32_t exponent = (bits >> 10) & 0x1fu;
    const uint32_t mantissa = bits & 0x3ffu;
    uint32_t result;
    if (exponent == 0x1f)
        result = 0x7f800000u | (mantissa << 13) | (mantissa != 0 ? 0x400000u : 0u);
    else if (exponent != 0)
        result = ((exponent + 112) << 23) | (mantissa << 13);
    else // zero or subnormal: mantissa * 2^-24, exact in float
        result = std::bit_cast<uint32_t>(static_cast<float>(mantissa) * 0x1p-24f);
    return std::bit_cast<float>(sign | result);
}

uint16_t floatToBfloat16(float value) {
    const uint32_t bits = std::bit_cast<uint32_t>(value);
    if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<uint16_t>((bits >> 16) | 0x40u);
    return static_cast<uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

float bfloat16ToFloat(uint16_t bits) {
    return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16);
}

#if defined(__x86_64__)
namespace {

bool hasF16cAndAvx2() {
    static const bool has = __builtin_cpu_supports("f16c") && __builtin_cpu_supports("avx2");
    return has;
}

// Each returns how many elements it did: the largest multiple of its step.

__attribute__((target("f16c,avx2"))) size_t halfToFloatAvx2(const uint16_t* in, float* out,
                                                            size_t n) {
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        const __m128i half = _mm_loadu_si128(reinterpret_cast<const __m128i*>(in + i));
        _mm256_storeu_ps(out + i, _mm256_cvtph_ps(half));
    }
    return i;
}

__attribute__((target("f16c,avx2"))) size_t floatToHalfAvx2(const float* in, uint16_t* out,
                                                            size_t n) {
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        const __m128i half =
            _mm256_cvtps_ph(_mm256_loadu_ps(in + i), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
        _mm_storeu_si128(reinterpret_cast<__m128i*>(out + i), half);
    }
    return i;
}

__attribute__((target("avx2"))) size_t bfloat16ToFloatAvx2(const uint16_t* in, float* out,
                                                           size_t n) {
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        const __m128i half = _mm_loadu_si128(reinterpret_cast<const __m128i*>(in + i));
        const __m256i wide = _mm256_slli_epi32(_mm256_cvtepu16_epi32(half), 16);
        _mm256_storeu_ps(out + i, _mm256_castsi256_ps(wide));
    }
    return i;
}

__attribute__((target("avx2"))) size_t floatToBfloat16Avx2(const float* in, uint16_t* out,
                                                           size_t n) {
    const __m256i one = _mm256_set1_epi32(1), bias = _mm256_set1_epi32(0x7fff);
    const __m256i quiet = _mm256_set1_epi32(0x40);
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        const __m256 value = _mm256_loadu_ps(in + i);
        const __m256i bits = _mm256_castps_si256(value);
        const __m256i high = _mm256_srli_epi32(bits, 16);
        const __m256i rounded = _mm256_srli_epi32(
            _mm256_add_epi32(_mm256_add_epi32(bits, bias), _mm256_and_si256(high, one)), 16);
        const __m256i isNan = _mm256_castps_si256(_mm256_cmp_ps(value, value, _CMP_UNORD_Q));
        const __m256i result = _mm256_blendv_epi8(rounded, _mm256_or_si256(high, quiet), isNan);
        const __m256i packed = _mm256_permute4x64_epi64(_mm256_packus_epi32(result, result), 0x08);
        _mm_storeu_si128(reinterpret_cast<__m128i*>(out + i), _mm256_castsi256_si128(packed));
    }
    return i;
}

} // namespace
#endif

void halfToFloat(std::span<const uint16_t> in, std::span<float> out) {
    assert(in.size() == out.size());
    size_t i = 0;
#if defined(__x86_64__)
    if (hasF16cAndAvx2()) i = halfToFloatAvx2(in.data(), out.data(), in.size());
#endif
    for (; i < in.size(); ++i)
        out[i] = halfToFloat(in[i]);
}

void floatToHalf(std::span<const float> in, std::span<uint16_t> out) {
    assert(in.size() == out.size());
    size_t i = 0;
#if defined(__x86_64__)
    if (hasF16cAndAvx2()) i = floatToHalfAvx2(in.data(), out.data(), in.size());
#endif
    for (; i < in.size(); ++i)
        out[i] = floatToHalf(in[i]);
}

void bfloat16ToFloat(std::span<const uint16_t> in, std::span<float> out) {
    assert(in.size() == out.size());
    size_t i = 0;
#if defined(__x86_64__)
    if (hasF16cAndAvx2()) i = bfloat16ToFloatAvx2(in.data(), out.data(), in.size());
#endif
    for (; i < in.size(); ++i)
        out[i] = bfloat16ToFloat(in[i]);
}

void floatToBfloat16(std::span<const float> in, std::span<uint16_t> out) {
    assert(in.size() == out.size());
    size_t i = 0;
#if defined(__x86_64__)
    if (hasF16cAndAvx2()) i = floatToBfloat16Avx2(in.data(), out.data(), in.size());
#endif
    for (; i < in.size(); ++i)
        out[i] = floatToBfloat16(in[i]);
}

} // namespace bitloom::kernels
