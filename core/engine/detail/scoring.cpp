// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors

#include "core/engine/detail/scoring.h"

#include <algorithm>
#include <cmath>

namespace bitloom::detail {

int64_t logitRows(int64_t vocab, int64_t memoryBytes) {
    const int64_t perRow = vocab * int64_t(sizeof(float)) * 4;
    return std::clamp<int64_t>(memoryBytes / 16 / perRow, 16, 2048);
}

at::Tensor scoreRows(const at::Tensor& rows, const at::Tensor& head, const at::Tensor& labels,
                     int64_t chunk, const at::Tensor& gradient) {
    const int64_t count = rows.size(0);
    at::Tensor nll = at::empty({count}, rows.options());
    for (int64_t first = 0; first < count; first += chunk) {
        const int64_t n = std::min(chunk, count - first);
        const at::Tensor label = labels.narrow(0, first, n).unsqueeze(1);
        at::Tensor logProb = at::log_softmax(at::mm(rows.narrow(0, first, n), head.t()), 1);
        nll.narrow(0, first, n).copy_(-logProb.gather(1, label).squeeze(1));
        if (gradient.defined()) {
            logProb
                .exp_(); // now the gradient of the sum with respect to the logits, less the labels
            logProb.scatter_add_(1, label, at::full({n, 1}, -1.0f, logProb.options()));
            at::Tensor slice = gradient.narrow(0, first, n);
            at::mm_out(slice, logProb, head);
        }
    }
    return nll;
}

MeanWithError meanWithError(std::span<const double> values) {
    MeanWithError out;
    if (values.empty()) return out;
    const double n = double(values.size());
    for (double v : values)
        out.mean += v / n;
    if (values.size() < 2) return out;
    double squares = 0;
    for (double v : values)
        squares += (v - out.mean) * (v - out.mean);
    out.standardError = std::sqrt(squares / (n - 1) / n);
    return out;
}

} // namespace bitloom::detail
