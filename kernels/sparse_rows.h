// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include <cstdint>

/// Sparse rows times several vectors: the outliers of a layer, for prompts.
namespace bitloom::kernels {

/// Vectors that are multiplied together: the input is kept with `width` of them side by side.
inline constexpr int64_t sparseTile = 64;
/// For `vectors` ≤ sparseTile: room for whole registers.
constexpr int64_t sparseWidth(int64_t vectors) {
    return (vectors + 15) / 16 * 16;
}

/// y[v·yStride + r] += Σ_i value[i]·x[column[i]·width + v] for i in [begin[r], begin[r + 1]) −
/// begin[0] and v in [0, vectors): a chain of fused multiply-adds for each row and vector, the same
/// bits as one vector after another (DenseRowKernels::addSparse). x [columns, width] with width =
/// sparseWidth(vectors); what lies behind the vectors may be anything.
void addSparseRows(const uint32_t* begin, int64_t rows, const uint16_t* column, const float* value,
                   const float* x, int64_t vectors, float* y, int64_t yStride);

} // namespace bitloom::kernels
