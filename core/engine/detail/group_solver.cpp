// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors

#include "core/engine/detail/group_solver.h"

#include "core/base/threads.h"
#include "kernels/group_quantizer.h"
#include "kernels/half.h"

#include <algorithm>

namespace bitloom::detail {

namespace {

GroupWeights emptyGroups(int64_t rows, int64_t cols, const GroupFormat& format) {
    GroupWeights out;
    out.rows = rows;
    out.cols = cols;
    out.bits = format.bits;
    out.groupSize = format.groupSize;
    out.symmetric = format.symmetric;
    const size_t groups = size_t((cols + format.groupSize - 1) / format.groupSize);
    out.codes.resize(size_t(rows * cols));
    out.scale.resize(size_t(rows) * groups);
    out.zero.resize(size_t(rows) * groups);
    return out;
}

} // namespace

GroupWeights roundToNearest(const at::Tensor& weight, const GroupFormat& format, int threads,
                            const Progress& progress) {
    const int64_t rows = weight.size(0), cols = weight.size(1);
    GroupWeights out = emptyGroups(rows, cols, format);
    const int64_t groups = int64_t(out.scale.size()) / rows;
    const float* w = weight.data_ptr<float>();
    parallelFor(rows, 16, threads, [&](int64_t begin, int64_t end) {
        progress.check();
        for (int64_t n = begin; n < end; ++n)
            for (int64_t g = 0; g < groups; ++g) {
                const int64_t first = g * format.groupSize;
                const size_t count = size_t(std::min(format.groupSize, cols - first));
                const std::span group(w + n * cols + first, count);
                const kernels::GroupCode code =
                    kernels::fitGroup(group, {format.bits, format.symmetric, false});
                out.scale[size_t(n * groups + g)] = code.scale;
                out.zero[size_t(n * groups + g)] = code.zero;
                kernels::assignGroup(group, code, format.bits,
                                     {out.codes.data() + n * cols + first, count});
            }
    });
    return out;
}

GroupWeights groupGptq(const at::Tensor& weight, const FactoredHessian& hessian,
                       const GroupFormat& format, const Progress& progress) {
    const int64_t rows = weight.size(0), cols = weight.size(1), size = format.groupSize;
    GroupWeights out = emptyGroups(rows, cols, format);
    const int64_t groups = int64_t(out.scale.size()) / rows;
    if (format.actOrder) {
        out.groupIndex.resize(size_t(cols));
        for (int64_t k = 0; k < cols; ++k)
            out.groupIndex[size_t(hessian.order[size_t(k)])] = uint16_t(k / size);
    }
    const at::Tensor order =
        at::from_blob(const_cast<int64_t*>(hessian.order.data()), {cols}, at::kLong);
    const at::Tensor original = weight.t().index_select(0, order).contiguous(); // [K, N]
    at::Tensor errors = at::zeros_like(original);
    const float* w = original.data_ptr<float>();
    const float* f = hessian.feedback.data_ptr<float>();
    float* error = errors.data_ptr<float>();
    std::vector<kernels::GroupCode> codes(static_cast<size_t>(rows));
    std::vector<float> scales(static_cast<size_t>(rows)), column;

    // Blocks hold whole groups, so that a group sees all compensation when it is fitted.
    const int64_t block = size * std::max<int64_t>(1, 128 / size);
    for (int64_t begin = 0; begin < cols; begin += block) {
        progress.check();
        const int64_t end = std::min(begin + block, cols);
        at::Tensor target = original.narrow(0, begin, end - begin).clone();
        if (begin > 0)
            target.addmm_(hessian.feedback.narrow(0, 0, begin).narrow(1, begin, end - begin).t(),
                          errors.narrow(0, 0, begin));
        float* t = target.data_ptr<float>();
        for (int64_t k = begin; k < end; ++k) {
            const int64_t group = k / size;
            if (k % size == 0) {
                const int64_t count = std::min(size, cols - k);
                column.resize(size_t(count));
                for (int64_t n = 0; n < rows; ++n) {
                    for (int64_t j = 0; j < count; ++j)
                        column[size_t(j)] = t[(k - begin + j) * rows + n];
                    const kernels::GroupCode code =
                        kernels::fitGroup(column, {format.bits, format.symmetric, false});
                    codes[size_t(n)] = code;
                    scales[size_t(n)] = kernels::halfToFloat(code.scale);
                    out.scale[size_t(n * groups + group)] = code.scale;
                    out.zero[size_t(n * groups + group)] = code.zero;
                }
            }
            const int64_t source = hessian.order[size_t(k)];
            float* e = error + k * rows;
            for (int64_t n = 0; n < rows; ++n) {
                const uint8_t code =
                    kernels::quantizeScalar(t[(k - begin) * rows + n], scales[size_t(n)],
                                            codes[size_t(n)].zero, format.bits);
                out.codes[size_t(n * cols + source)] = code;
                e[n] = w[k * rows + n] -
                       scales[size_t(n)] * float(int(code) - int(codes[size_t(n)].zero));
            }
            for (int64_t j = k + 1; j < end; ++j) {
                const float factor = f[k * cols + j];
                float* row = t + (j - begin) * rows;
                for (int64_t n = 0; n < rows; ++n)
                    row[n] += factor * e[n];
            }
        }
    }
    return out;
}

} // namespace bitloom::detail
