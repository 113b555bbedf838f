// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors

#include "kernels/dense_row_kernels.h"

#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))

#include <algorithm>
#include <immintrin.h>

namespace bitloom::kernels {

namespace {

#define BITLOOM_TARGET __attribute__((target("avx2,fma,f16c")))
#define BITLOOM_OP BITLOOM_TARGET inline __attribute__((always_inline))

using Vec = __m256;
constexpr int lanes = 8;

BITLOOM_OP Vec load(const float* p) {
    return _mm256_loadu_ps(p);
}
BITLOOM_OP Vec loadF16(const uint16_t* p) {
    return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i*)p));
}
BITLOOM_OP Vec loadBf16(const uint16_t* p) {
    const __m256i wide = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i*)p));
    return _mm256_castsi256_ps(_mm256_slli_epi32(wide, 16));
}
BITLOOM_OP Vec loadI8(const int8_t* p) {
    return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i*)p)));
}
BITLOOM_OP float elementF16(uint16_t bits) {
    return _cvtsh_ss(bits);
}
BITLOOM_OP void store(float* p, Vec v) {
    _mm256_storeu_ps(p, v);
}
BITLOOM_OP Vec zero() {
    return _mm256_setzero_ps();
}
BITLOOM_OP Vec set(float v) {
    return _mm256_set1_ps(v);
}
BITLOOM_OP Vec add(Vec a, Vec b) {
    return _mm256_add_ps(a, b);
}
BITLOOM_OP Vec sub(Vec a, Vec b) {
    return _mm256_sub_ps(a, b);
}
BITLOOM_OP Vec mul(Vec a, Vec b) {
    return _mm256_mul_ps(a, b);
}
BITLOOM_OP Vec div(Vec a, Vec b) {
    return _mm256_div_ps(a, b);
}
BITLOOM_OP Vec fma(Vec a, Vec b, Vec c) {
    return _mm256_fmadd_ps(a, b, c);
}
BITLOOM_OP Vec maximum(Vec a, Vec b) {
    return _mm256_max_ps(a, b);
}
BITLOOM_OP Vec minimum(Vec a, Vec b) {
    return _mm256_min_ps(a, b);
}
BITLOOM_OP Vec nearest(Vec a) {
    return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
/// In two steps, so that results below 2^-126 come out too.
BITLOOM_OP Vec scaleByPowerOfTwo(Vec a, Vec n) {
    const __m256i whole = _mm256_cvtps_epi32(n);
    const __m256i half = _mm256_srai_epi32(whole, 1);
    const __m256i rest = _mm256_sub_epi32(whole, half);
    const __m256i bias = _mm256_set1_epi32(127);
    const Vec first = _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(half, bias), 23));
    const Vec second = _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(rest, bias), 23));
    return mul(mul(a, first), second);
}
BITLOOM_OP float total_(Vec v) {
    __m128 four = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    four = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(four, _mm_movehdup_ps(four)));
}

/// total_ of four, the same bits.
BITLOOM_OP void totals(const Vec (&v)[4], float* out) {
    __m128 four[4];
    for (int i = 0; i < 4; ++i)
        four[i] = _mm_add_ps(_mm256_castps256_ps128(v[i]), _mm256_extractf128_ps(v[i], 1));
    const __m128 a =
        _mm_add_ps(_mm_unpacklo_ps(four[0], four[1]), _mm_unpackhi_ps(four[0], four[1]));
    const __m128 b =
        _mm_add_ps(_mm_unpacklo_ps(four[2], four[3]), _mm_unpackhi_ps(four[2], four[3]));
    _mm_storeu_ps(out, _mm_add_ps(_mm_movelh_ps(a, b), _mm_movehl_ps(b, a)));
}
constexpr int rowsTogether = 1;    ///< with four vectors: the sums fill the registers
constexpr int vectorsTogether = 6; ///< with two registers of rows, likewise

#include "kernels/dense_rows.inl"

BITLOOM_TARGET void toHalf(const float* x, uint16_t* out, int64_t n) {
    int64_t i = 0;
    for (; i + lanes <= n; i += lanes)
        _mm_storeu_si128((__m128i*)(out + i),
                         _mm256_cvtps_ph(load(x + i), _MM_FROUND_TO_NEAREST_INT));
    for (; i < n; ++i)
        out[i] = _cvtss_sh(x[i], _MM_FROUND_TO_NEAREST_INT);
}

} // namespace

const DenseRowKernels denseRowsAvx2{"avx2",       multiplyAny, multiplyManyAny, combineAny,
                                    exponentiate, siluProduct, toHalf,          addSparse};

bool runsDenseAvx2() {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
           __builtin_cpu_supports("f16c");
}

} // namespace bitloom::kernels

#else

namespace bitloom::kernels {

const DenseRowKernels denseRowsAvx2{};
bool runsDenseAvx2() {
    return false;
}

} // namespace bitloom::kernels

#endif
