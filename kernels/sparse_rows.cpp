// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "kernels/sparse_rows.h"

#include <algorithm>
#include <cmath>

#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))
#include <immintrin.h>
#endif

namespace bitloom::kernels {

namespace {

/// One row: sums [width] += its values times its columns' vectors.
using RowProduct = void (*)(int64_t count, const uint16_t* column, const float* value,
                            const float* x, int64_t width, float* sums);

void plainRow(int64_t count, const uint16_t* column, const float* value, const float* x,
              int64_t width, float* sums) {
    for (int64_t i = 0; i < count; ++i)
        for (int64_t v = 0; v < width; ++v)
            sums[v] = std::fma(value[i], x[column[i] * width + v], sums[v]);
}

#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))

/// Some vectors whose sums stay in registers.
template<int Registers>
__attribute__((target("avx2,fma"), always_inline)) inline void
fmaPart(int64_t count, const uint16_t* column, const float* value, const float* x, int64_t width,
        float* sums) {
    __m256 part[Registers];
#pragma GCC unroll 8
    for (int p = 0; p < Registers; ++p)
        part[p] = _mm256_loadu_ps(sums + 8 * p);
    for (int64_t i = 0; i < count; ++i) {
        const float* from = x + column[i] * width;
        const __m256 factor = _mm256_set1_ps(value[i]);
#pragma GCC unroll 8
        for (int p = 0; p < Registers; ++p)
            part[p] = _mm256_fmadd_ps(factor, _mm256_loadu_ps(from + 8 * p), part[p]);
    }
#pragma GCC unroll 8
    for (int p = 0; p < Registers; ++p)
        _mm256_storeu_ps(sums + 8 * p, part[p]);
}

__attribute__((target("avx2,fma"))) void fmaRow(int64_t count, const uint16_t* column,
                                                const float* value, const float* x, int64_t width,
                                                float* sums) {
    if (width == sparseTile) return fmaPart<8>(count, column, value, x, width, sums);
    for (int64_t v = 0; v < width; v += 16)
        fmaPart<2>(count, column, value, x + v, width, sums + v);
}

RowProduct chosen() {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? fmaRow : plainRow;
}

#else

RowProduct chosen() {
    return plainRow;
}

#endif

} // namespace

void addSparseRows(const uint32_t* begin, int64_t rows, const uint16_t* column, const float* value,
                   const float* x, int64_t vectors, float* y, int64_t yStride) {
    static const RowProduct product = chosen();
    const int64_t width = sparseWidth(vectors);
    // Rows in groups, so that every line of y is fetched once.
    constexpr int64_t together = 16;
    float sums[together][sparseTile] = {};
    for (int64_t top = 0; top < rows; top += together) {
        const int64_t n = std::min(together, rows - top);
        for (int64_t v = 0; v < vectors; ++v)
            for (int64_t r = 0; r < n; ++r)
                sums[r][v] = y[v * yStride + top + r];
        for (int64_t r = 0; r < n; ++r) {
            const int64_t first = begin[top + r] - begin[0];
            product(begin[top + r + 1] - begin[top + r], column + first, value + first, x, width,
                    sums[r]);
        }
        for (int64_t v = 0; v < vectors; ++v)
            for (int64_t r = 0; r < n; ++r)
                y[v * yStride + top + r] = sums[r][v];
    }
}

} // namespace bitloom::kernels
