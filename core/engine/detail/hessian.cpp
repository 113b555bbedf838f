// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors

#include "core/engine/detail/hessian.h"

#include "core/base/error.h"

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

FactoredHessian factorHessian(at::Tensor hessian, double damping, ColumnOrder order,
                              bool wantMatrices, const std::string& where) {
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
        auto [lower, info] = at::linalg_cholesky_ex(flipped);
        if (info.item<int32_t>() == 0 && lower.diagonal().isfinite().all().item<bool>()) {
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
                              bool keep) {
    FactoredHessian out;
    // A copy in the quantizer's order, one of it that the factorisation takes, and its result.
    const int64_t beside = 3 * hessian.numel() * int64_t(sizeof(double));
    runPlaced(place.device(), "the factorisation for " + where, beside, [&](const Place& own) {
        if (!own.onDevice() && place.onDevice()) hessian = place.out(hessian);
        // The last attempt may take H over.
        at::Tensor taken = own.onDevice() ? hessian : std::move(hessian);
        out = factorHessian(std::move(taken), damping, order, wantMatrices, where);
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
