// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/engine/detail/panel_product.h"

#include <ATen/Parallel.h>

#include <algorithm>

namespace bitloom::detail {

at::Tensor panelProduct(const PanelWeights& weights, const at::Tensor& x) {
    const at::Tensor dense = x.contiguous();
    const int64_t vectors = dense.numel() / weights.cols();
    std::vector<int64_t> shape = dense.sizes().vec();
    shape.back() = weights.rows();
    at::Tensor out = at::empty(shape, at::kFloat);
    // Panels that are worth waking a thread for: about 20 microseconds of reading.
    const int64_t panelBytes = std::max<int64_t>(weights.bytes() / weights.panels(), 1);
    const int64_t grain = std::max<int64_t>(1, 400'000 / panelBytes);
    thread_local PanelWeights::Input input;
    for (int64_t v = 0; v < vectors; ++v) {
        weights.prepare({dense.data_ptr<float>() + v * weights.cols(), size_t(weights.cols())},
                        input);
        const std::span<float> y(out.data_ptr<float>() + v * weights.rows(),
                                 size_t(weights.rows()));
        const PanelWeights::Input& shared = input; // this thread's, for all
        at::parallel_for(0, weights.panels(), grain, [&](int64_t first, int64_t last) {
            weights.multiply(shared, first, last, y);
        });
    }
    return out;
}

} // namespace bitloom::detail
