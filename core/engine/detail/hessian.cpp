// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors

#include "core/engine/detail/hessian.h"

#include "core/base/error.h"
#include "core/base/stretch.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <numeric>
#include <utility>

namespace bitloom::detail {

HessianAccumulator::HessianAccumulator(int64_t cols, const Place& place)
    : m_place(place),
      m_sum(at::zeros({cols, cols}, at::TensorOptions(at::kDouble).device(place.torch()))),
      m_absmax(at::zeros({cols}, at::TensorOptions(at::kFloat).device(place.torch()))) {}

void HessianAccumulator::add(const at::Tensor& x) {
    const at::Tensor rows = x.reshape({-1, x.size(-1)});
    m_sum.add_(at::mm(rows.t(), rows));
    m_absmax = at::maximum(m_absmax, at::amax(rows.abs(), {0}));
    m_tokens += rows.size(0);
}

at::Tensor HessianAccumulator::takeHessian() {
    at::Tensor out = std::move(m_sum);
    m_sum = at::Tensor();
    return out.div_(double(std::max<int64_t>(m_tokens, 1)));
}

at::Tensor choleskyFactor(const at::Tensor& matrix, const Progress* progress, int64_t whole) {
    constexpr int64_t panel = 512;
    constexpr double operations = 1e10; // between two questions
    const int64_t n = matrix.size(0);
    if (!matrix.is_cpu() || n <= whole) {
        const Stretch stretch(matrix.is_cpu() ? Stretch::On::Processor : Stretch::On::Gpu,
                              double(n) * double(n) * double(n) / 3, at::get_num_threads());
        auto [lower, info] = at::linalg_cholesky_ex(matrix);
        return info.item<int32_t>() == 0 ? lower : at::Tensor();
    }
    // Left-looking: a panel is what its columns are less the products of all panels before it.
    at::Tensor lower = matrix.tril();
    for (int64_t k = 0; k < n; k += panel) {
        const int64_t width = std::min(panel, n - k);
        const int64_t rows =
            std::max(panel, int64_t(operations / (2.0 * double(width) * double(k + panel))));
        const auto part = [&](int64_t row, int64_t count, int64_t col, int64_t cols) {
            return lower.narrow(0, row, count).narrow(1, col, cols);
        };
        for (int64_t row = k; row < n;) {
            if (progress) progress->check();
            const bool first = row == k;
            const int64_t count = first ? width : std::min(rows, n - row);
            at::Tensor here = part(row, count, k, width);
            if (k > 0)
                here.addmm_(part(row, count, 0, k), part(k, width, 0, k).t(), /*beta=*/1,
                            /*alpha=*/-1);
            if (first) {
                auto [diagonal, info] = at::linalg_cholesky_ex(here);
                if (info.item<int32_t>() != 0) return {};
                here.copy_(diagonal);
            } else {
                here.copy_(at::linalg_solve_triangular(part(k, width, k, width).t(), here,
                                                       /*upper=*/true, /*left=*/false));
            }
            row += count;
        }
    }
    return lower;
}

FactoredHessian factorHessian(at::Tensor hessian, double damping, ColumnOrder order,
                              bool wantMatrices, const std::string& where,
                              const Progress* progress) {
    const int64_t cols = hessian.size(0);
    FactoredHessian out;
    std::vector<double> diagonal(static_cast<size_t>(cols));
    {
        const at::Tensor d = hessian.diagonal().contiguous().cpu();
        std::copy_n(d.data_ptr<double>(), cols, diagonal.begin());
    }
    out.order.resize(size_t(cols));
    std::iota(out.order.begin(), out.order.end(), 0);
    if (order == ColumnOrder::Descending)
        std::stable_sort(out.order.begin(), out.order.end(), [&](int64_t a, int64_t b) {
            return diagonal[size_t(a)] > diagonal[size_t(b)];
        });
    double mean = std::accumulate(diagonal.begin(), diagonal.end(), 0.0) / double(cols);
    if (!(mean > 0)) mean = 1; // an input that is always zero: any positive diagonal will do

    // Permute and reverse in one step: the Cholesky factor of the reversed matrix, reversed back,
    // is the upper factor R.
    std::vector<int64_t> reversed(out.order.rbegin(), out.order.rend());
    const at::Tensor perm = at::from_blob(reversed.data(), {cols}, at::kLong).to(hessian.device());
    at::Tensor flipped = hessian.index_select(0, perm);
    hessian = at::Tensor();
    flipped = flipped.index_select(1, perm);

    at::Tensor factor;
    double applied = 0;
    for (double step : {damping, std::max(0.1, damping), std::max(1.0, damping)}) {
        flipped.diagonal().add_((step - applied) * mean);
        applied = step;
        const at::Tensor lower = choleskyFactor(flipped, progress);
        if (lower.defined() && lower.diagonal().isfinite().all().item<bool>()) {
            factor = lower;
            break;
        }
        out.climbed = true;
    }
    out.damping = applied;
    if (!factor.defined())
        throw Error("the activations that reach " + where + " are not finite",
                    "Check the model's weights for damage, or calibrate on another text.");

    out.conditional.resize(size_t(cols));
    out.pivot.resize(size_t(cols));
    const at::Tensor diagonalR = factor.diagonal().flip(0).contiguous().cpu();
    const double* r = diagonalR.data_ptr<double>();
    for (int64_t k = 0; k < cols; ++k) {
        out.pivot[size_t(k)] = float(r[k] * r[k]);
        out.conditional[size_t(out.order[size_t(k)])] = float(r[k] * r[k]);
    }
    if (wantMatrices) {
        out.damped = flipped.to(at::kFloat).flip({0, 1}).contiguous();
        flipped = at::Tensor();
        out.feedback = factor.div_(factor.diagonal().clone().unsqueeze(0))
                           .to(at::kFloat)
                           .flip({0, 1})
                           .contiguous();
    }
    return out;
}

FactoredHessian factorHessian(const Place& place, at::Tensor hessian, double damping,
                              ColumnOrder order, bool wantMatrices, const std::string& where,
                              bool keep, const Progress* progress) {
    FactoredHessian out;
    // A copy in the quantizer's order, one of it that the factorisation takes, and its result.
    const int64_t beside = 3 * hessian.numel() * int64_t(sizeof(double));
    runPlaced(place.device(), "the factorisation for " + where, beside, [&](const Place& own) {
        if (!own.onDevice() && place.onDevice()) hessian = place.out(hessian);
        // The last attempt may take H over.
        at::Tensor taken = own.onDevice() ? hessian : std::move(hessian);
        out = factorHessian(std::move(taken), damping, order, wantMatrices, where, progress);
        out.place = own;
        if (!keep) out = onProcessor(out);
    });
    return out;
}

FactoredHessian onProcessor(const FactoredHessian& hessian) {
    FactoredHessian out = hessian;
    out.damped = hessian.place.out(hessian.damped);
    out.feedback = hessian.place.out(hessian.feedback);
    out.place = {};
    return out;
}

} // namespace bitloom::detail
