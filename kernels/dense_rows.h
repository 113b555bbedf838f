// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "kernels/sparse_panel.h"

#include <cstdint>
#include <span>

/// Rows of plain numbers times float32 vectors: weights that are not quantized (FP16 models,
/// heads), and a KV cache's keys and values. All products and sums are float32.
///
/// A version's sums have a fixed order, which does not depend on the number of vectors: it repeats
/// its own bits. Versions differ from each other by float32's rounding.
namespace bitloom::kernels {

enum class RowType : uint8_t { F32, F16, BF16, I8 };
int64_t rowTypeBytes(RowType type);

struct RowMatrix {
    const void* data = nullptr; ///< [rows, cols]; any alignment
    RowType type = RowType::F32;
    int64_t rows = 0, cols = 0;
    int64_t stride = 0; ///< elements from row to row
};

/// Vectors [count, ≥ length], `stride` floats from one to the next.
struct RowVectors {
    const float* data = nullptr;
    int64_t count = 0, stride = 0;
};

/// From so many vectors on, multiplyMany is faster than multiply.
inline constexpr int64_t manyVectors = 9;
/// Rows that multiplyMany likes to be given: as many as stay in the second-level cache.
inline constexpr int64_t manyRows = 128;

struct DenseRowKernels {
    const char* name; ///< "scalar", "avx2", "avx512"
    /// y[v·yStride + r] = Σ_c matrix[r, c]·x[v, c]. A row is read from memory once for all vectors.
    void (*multiply)(const RowMatrix& matrix, const RowVectors& x, float* y, int64_t yStride);
    /// The same for many vectors (a prompt), where the numbers of a matrix are worth being turned
    /// into columns of floats first: each result is one chain of fused multiply-adds over c, the
    /// same bits in every version, other ones than those of `multiply`.
    void (*multiplyMany)(const RowMatrix& matrix, const RowVectors& x, float* y, int64_t yStride);
    /// y[v·yStride + c] += Σ_r x[v, r]·matrix[r, c]: attention's mixture of values. A chain of
    /// fused multiply-adds over r: the same bits in every version.
    void (*combine)(const RowMatrix& matrix, const RowVectors& x, float* y, int64_t yStride);
    /// x[i] = exp(x[i] − largest); gives the sum of them. Within 2e-7 of it, relatively.
    double (*exponentiate)(float* x, int64_t n, float largest);
    /// gate[i] = silu(gate[i])·up[i]
    void (*siluProduct)(float* gate, const float* up, int64_t n);
    /// Rounded to nearest, ties to even.
    void (*toHalf)(const float* x, uint16_t* out, int64_t n);
    /// y[r] += Σ value·x[column] over the panel's entries of row r: a chain in their order, the
    /// same in every version.
    void (*addSparse)(const SparsePanel& panel, const float* x, float* y);
};

/// The fastest that this processor and its operating system run, or that which belongs to the panel
/// kernels named by BITLOOM_KERNELS.
const DenseRowKernels& denseRowKernels();
/// All that run here, plainest first (for tests).
std::span<const DenseRowKernels> allDenseRowKernels();

} // namespace bitloom::kernels
