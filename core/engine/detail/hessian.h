// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/base/progress.h"
#include "core/engine/detail/transformer.h"

#include <ATen/ATen.h>

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace bitloom::detail {

/// Second moment H = (1/T) Σ x xᵀ of one input group (ALGORITHMS §1): float32 products of a batch,
/// added in float64.
class HessianAccumulator {
public:
    explicit HessianAccumulator(int64_t cols, const Place& place = {});
    void add(const at::Tensor& x); ///< [..., K]
    int64_t tokens() const { return m_tokens; }
    at::Tensor takeHessian(); ///< [K, K] float64, normalised; the accumulator is empty afterwards
    const at::Tensor& absmax() const { return m_absmax; } ///< [K]
    const Place& place() const { return m_place; }        ///< where all of these lie

private:
    Place m_place;
    at::Tensor m_sum, m_absmax;
    int64_t m_tokens = 0;
};

enum class ColumnOrder { Descending, Natural }; ///< by H_kk, ties by index; or as stored

/// H' = H + damping·mean(diag H)·I in the quantizer's order, factored as H' = R Rᵀ with R upper
/// triangular. With U = chol_upper(H'⁻¹) of ALGORITHMS §2, R = U⁻¹: so c_k = 1/U_kk² = R_kk², and
/// one Cholesky factorisation of the reversed matrix gives what the textbook takes an inversion and
/// two factorisations for.
struct FactoredHessian {
    std::vector<int64_t> order;     ///< position → source column
    std::vector<float> conditional; ///< [K] c_k in source order
    Place place;                    ///< where the two matrices lie
    at::Tensor damped;              ///< [K, K] float32 H', permuted; undefined unless asked for
    at::Tensor feedback;            ///< [K, K] float32 R·diag(1/R_kk), unit upper triangular
    std::vector<float> pivot;       ///< [K] c_k in the permuted order
    double damping = 0.01;          ///< what was used in the end
    bool climbed = false;           ///< the ladder 0.01 → 0.1 → 1 had to be climbed
};

/// The lower Cholesky factor of a symmetric float64 matrix, of which only the lower half is read;
/// undefined where it is not positive definite. One on the processor with more than `whole` columns
/// is factored by panels, because one call would take up to minutes, and asks `progress` (may be
/// null) between them; that takes a few hundredths longer, the fewer the larger the matrix.
at::Tensor choleskyFactor(const at::Tensor& matrix, const Progress* progress, int64_t whole = 8192);

/// The factors lie where H does. Asks `progress` (may be null) whether to stop. Throws Error if
/// even damping 1 leaves it indefinite (NaN inputs).
FactoredHessian factorHessian(at::Tensor hessian, double damping, ColumnOrder order,
                              bool wantMatrices, const std::string& where,
                              const Progress* progress = nullptr);
/// The same on the device that `place` names if it has room, else on the processor. Matrices are on
/// the processor afterwards, or, `keep`, where they were made.
FactoredHessian factorHessian(const Place& place, at::Tensor hessian, double damping,
                              ColumnOrder order, bool wantMatrices, const std::string& where,
                              bool keep = false, const Progress* progress = nullptr);
/// The same with its matrices on the processor.
FactoredHessian onProcessor(const FactoredHessian& hessian);

} // namespace bitloom::detail
