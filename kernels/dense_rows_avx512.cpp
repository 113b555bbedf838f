// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors

#include "kernels/dense_row_kernels.h"

#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))

#include <algorithm>
#include <immintrin.h>

#if defined(__GNUC__) && !defined(__clang__)
// The intrinsics of GCC 12 start from a register that they leave undefined on purpose.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif

namespace bitloom::kernels {

namespace {

#define BITLOOM_TARGET __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,f16c,fma,avx2")))
#define BITLOOM_OP BITLOOM_TARGET inline __attribute__((always_inline))

using Vec = __m512;
constexpr int lanes = 16;

BITLOOM_OP Vec load(const float* p) {
    return _mm512_loadu_ps(p);
}
BITLOOM_OP Vec loadF16(const uint16_t* p) {
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i*)p));
}
BITLOOM_OP Vec loadBf16(const uint16_t* p) {
    const __m512i wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i*)p));
    return _mm512_castsi512_ps(_mm512_slli_epi32(wide, 16));
}
BITLOOM_OP Vec loadI8(const int8_t* p) {
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i*)p)));
}
BITLOOM_OP float elementF16(uint16_t bits) {
    return _cvtsh_ss(bits);
}
BITLOOM_OP void store(float* p, Vec v) {
    _mm512_storeu_ps(p, v);
}
BITLOOM_OP Vec zero() {
    return _mm512_setzero_ps();
}
BITLOOM_OP Vec set(float v) {
    return _mm512_set1_ps(v);
}
BITLOOM_OP Vec add(Vec a, Vec b) {
    return _mm512_add_ps(a, b);
}
BITLOOM_OP Vec sub(Vec a, Vec b) {
    return _mm512_sub_ps(a, b);
}
BITLOOM_OP Vec mul(Vec a, Vec b) {
    return _mm512_mul_ps(a, b);
}
BITLOOM_OP Vec div(Vec a, Vec b) {
    return _mm512_div_ps(a, b);
}
BITLOOM_OP Vec fma(Vec a, Vec b, Vec c) {
    return _mm512_fmadd_ps(a, b, c);
}
BITLOOM_OP Vec maximum(Vec a, Vec b) {
    return _mm512_max_ps(a, b);
}
BITLOOM_OP Vec minimum(Vec a, Vec b) {
    return _mm512_min_ps(a, b);
}
BITLOOM_OP Vec nearest(Vec a) {
    return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
BITLOOM_OP Vec scaleByPowerOfTwo(Vec a, Vec n) {
    return _mm512_scalef_ps(a, n);
}
BITLOOM_OP float total_(Vec v) {
    return _mm512_reduce_add_ps(v);
}

/// total_ of eight, the same bits: halves of two registers are added at a time, then quarters of
/// four, then pairs of all.
BITLOOM_OP void totals(const Vec (&v)[8], float* out) {
    __m512 halves[4], quarters[2];
    for (int i = 0; i < 4; ++i)
        halves[i] = _mm512_add_ps(_mm512_shuffle_f32x4(v[2 * i], v[2 * i + 1], 0x44),
                                  _mm512_shuffle_f32x4(v[2 * i], v[2 * i + 1], 0xEE));
    for (int i = 0; i < 2; ++i)
        quarters[i] = _mm512_add_ps(_mm512_shuffle_f32x4(halves[2 * i], halves[2 * i + 1], 0x88),
                                    _mm512_shuffle_f32x4(halves[2 * i], halves[2 * i + 1], 0xDD));
    // A lane: the two sums of numbers 0 and 2, then those of 1 and 3.
    const __m512 pairs = _mm512_add_ps(_mm512_unpacklo_ps(quarters[0], quarters[1]),
                                       _mm512_unpackhi_ps(quarters[0], quarters[1]));
    float all[16];
    _mm512_storeu_ps(all, _mm512_add_ps(pairs, _mm512_permute_ps(pairs, 0x4E)));
    for (int i = 0; i < 4; ++i) {
        out[i] = all[4 * i];
        out[4 + i] = all[4 * i + 1];
    }
}
constexpr int rowsTogether = 2;     ///< with four vectors: the sums fill the registers
constexpr int vectorsTogether = 12; ///< with two registers of rows, likewise

#include "kernels/dense_rows.inl"

BITLOOM_TARGET void toHalf(const float* x, uint16_t* out, int64_t n) {
    int64_t i = 0;
    for (; i + lanes <= n; i += lanes)
        _mm256_storeu_si256((__m256i*)(out + i),
                            _mm512_cvtps_ph(load(x + i), _MM_FROUND_TO_NEAREST_INT));
    for (; i < n; ++i)
        out[i] = _cvtss_sh(x[i], _MM_FROUND_TO_NEAREST_INT);
}

} // namespace

const DenseRowKernels denseRowsAvx512{"avx512",     multiplyAny, multiplyManyAny, combineAny,
                                      exponentiate, siluProduct, toHalf,          addSparse};

bool runsDenseAvx512() {
    // GCC's and clang's run-time asks XGETBV whether the system keeps the wide registers.
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
           runsDenseAvx2();
}

} // namespace bitloom::kernels

#else

namespace bitloom::kernels {

const DenseRowKernels denseRowsAvx512{};
bool runsDenseAvx512() {
    return false;
}

} // namespace bitloom::kernels

#endif
