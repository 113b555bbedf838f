// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/engine/runtime/many_tokens.h"

#include "core/base/threads.h"
#include "kernels/half.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cstring>

namespace bitloom::runtime {

namespace {

void toFloat(const kernels::RowMatrix& m, int64_t row, std::span<float> out) {
    const auto* at =
        static_cast<const std::byte*>(m.data) + row * m.stride * kernels::rowTypeBytes(m.type);
    if (m.type == kernels::RowType::F32) {
        std::memcpy(out.data(), at, out.size_bytes());
        return;
    }
    std::vector<uint16_t> bits(out.size()); // rows of a file may lie anywhere
    std::memcpy(bits.data(), at, bits.size() * sizeof(uint16_t));
    if (m.type == kernels::RowType::F16)
        kernels::denseRowKernels().fromHalf(bits.data(), out.data(), int64_t(out.size()));
    else
        kernels::bfloat16ToFloat(bits, out);
}

} // namespace

void multiplyMany(const Linear& linear, const float* x, int64_t count, float* y, int threads) {
    at::NoGradGuard noGrad;
    const int64_t rows = linear.rowCount(), cols = linear.colCount();
    const auto input = at::from_blob(const_cast<float*>(x), {count, cols}, at::kFloat);
    at::Tensor out = at::from_blob(y, {count, rows}, at::kFloat);
    const kernels::RowMatrix& m = linear.matrix();
    if (m.type == kernels::RowType::F32 &&
        reinterpret_cast<uintptr_t>(m.data) % alignof(float) == 0) {
        const auto weight = at::from_blob(const_cast<void*>(m.data), {rows, cols}, at::kFloat);
        at::mm_out(out, input, weight.t());
        return;
    }
    const int64_t tile = std::clamp<int64_t>((32 << 20) / (cols * 4), 1, rows);
    at::Tensor weight = at::empty({tile, cols}, at::kFloat);
    for (int64_t first = 0; first < rows; first += tile) {
        const int64_t n = std::min(tile, rows - first);
        parallelFor(n, 16, threads, [&](int64_t begin, int64_t end) {
            for (int64_t r = begin; r < end; ++r)
                toFloat(m, first + r, {weight.data_ptr<float>() + r * cols, size_t(cols)});
        });
        out.narrow(1, first, n).copy_(at::mm(input, weight.narrow(0, 0, n).t()));
    }
}

} // namespace bitloom::runtime
