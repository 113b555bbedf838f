// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/base/progress.h"
#include "core/engine/detail/hessian.h"
#include "core/format/column_weights.h"

#include <ATen/ATen.h>

#include <cstdint>

namespace bitloom::detail {

/// Quantizes one linear layer to column tables with error compensation (ALGORITHMS §5).
///
/// GPTQ in its LDLQ form: with H' = R Rᵀ, R upper, and F = R·diag(1/R_kk), column k is fitted to
/// w_k + Σ_{j<k} (w_j − q_j)·F_jk, and tr(E H' Eᵀ) = Σ_k c_k·‖fitted target − q_k‖². Then passes of
/// coordinate descent on the same objective, whose value never rises.
///
/// All matrices are held column by column, [K, N] in the permuted order. One object a layer; the
/// methods use torch's threads as the caller set them up. Deterministic.
///
/// Where the Hessian's matrices lie on a device, the large products are computed there, and 128
/// columns at a time come to the processor, which fits them.
class ColumnSolver {
public:
    /// `weight` [N, K] float32, `layer` empty with classes set (ColumnWeights::make), in source
    /// order.
    ColumnSolver(const at::Tensor& weight, const FactoredHessian& hessian, ColumnWeights& layer);

    void gptq(const Progress& progress);
    /// One pass over all columns; returns the new objective.
    double descend(const Progress& progress);
    /// tr(E H' Eᵀ), from the definition.
    double objective() const;
    /// What the last step believes the objective to be.
    double trackedObjective() const { return m_objective; }

    static constexpr int64_t blockColumns = 128; ///< columns between two large matrix products
    static constexpr int64_t innerColumns = 16;  ///< columns between two small ones

private:
    struct Fit; ///< a candidate for one column
    /// Rows and columns [begin, end) of a square matrix, on the processor; indices from `begin`.
    struct Corner {
        at::Tensor matrix;
        const float* data = nullptr;
        int64_t stride = 0;
        float at(int64_t k, int64_t j) const { return data[k * stride + j]; }
        at::Tensor part(int64_t row, int64_t rowEnd, int64_t column, int64_t columnEnd) const {
            return matrix.narrow(0, row, rowEnd - row).narrow(1, column, columnEnd - column);
        }
    };
    Corner corner(const at::Tensor& matrix, int64_t begin, int64_t end) const;
    at::Tensor targets(int64_t begin, int64_t end) const;
    void descendBlock(int64_t begin, int64_t end, const at::Tensor& gradient, at::Tensor& change,
                      Fit& fit);
    void fit(std::span<const float> target, int64_t column, bool keepOutliers, Fit& out);
    void store(int64_t column, const Fit& fit);

    const FactoredHessian& m_hessian;
    ColumnWeights& m_layer;
    int64_t m_rows, m_cols;
    at::Tensor m_weight;      ///< [K, N] permuted
    at::Tensor m_error;       ///< [K, N] w − q
    at::Tensor m_deviceError; ///< the same on the device
    double m_objective = 0;
    kernels::ColumnScratch m_scratch;
    std::vector<float> m_rest; ///< a column without its outliers
};

} // namespace bitloom::detail
