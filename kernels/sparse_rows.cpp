// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "kernels/sparse_rows.h"

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

/// Sixteen vectors at a time, so that their sums stay in registers.
__attribute__((target("avx2,fma"))) void fmaRow(int64_t count, const uint16_t* column,
                                                const float* value, const float* x, int64_t width,
                                                float* sums) {
    for (int64_t v = 0; v < width; v += 16) {
        __m256 a = _mm256_loadu_ps(sums + v), b = _mm256_loadu_ps(sums + v + 8);
        for (int64_t i = 0; i < count; ++i) {
            const float* from = x + column[i] * width + v;
            const __m256 factor = _mm256_set1_ps(value[i]);
            a = _mm256_fmadd_ps(factor, _mm256_loadu_ps(from), a);
            b = _mm256_fmadd_ps(factor, _mm256_loadu_ps(from + 8), b);
        }
        _mm256_storeu_ps(sums + v, a);
        _mm256_storeu_ps(sums + v + 8, b);
    }
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
    float sums[sparseTile] = {};
    for (int64_t r = 0; r < rows; ++r) {
        const int64_t first = begin[r] - begin[0], count = begin[r + 1] - begin[r];
        if (count == 0) continue;
        for (int64_t v = 0; v < vectors; ++v)
            sums[v] = y[v * yStride + r];
        product(count, column + first, value + first, x, width, sums);
        for (int64_t v = 0; v < vectors; ++v)
            y[v * yStride + r] = sums[v];
    }
}

} // namespace bitloom::kernels
