// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "kernels/dense_rows.h"

#include "kernels/dense_row_kernels.h"
#include "kernels/half.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <vector>

namespace bitloom::kernels {

int64_t rowTypeBytes(RowType type) {
    return type == RowType::F32 ? 4 : type == RowType::I8 ? 1 : 2;
}

namespace {

float elementOf(const RowMatrix& m, int64_t row, int64_t column) {
    const char* at =
        static_cast<const char*>(m.data) + (row * m.stride + column) * rowTypeBytes(m.type);
    float value = 0;
    uint16_t bits = 0;
    switch (m.type) {
    case RowType::F32:
        std::memcpy(&value, at, sizeof value);
        return value;
    case RowType::F16:
        std::memcpy(&bits, at, sizeof bits);
        return halfToFloat(bits);
    case RowType::BF16:
        std::memcpy(&bits, at, sizeof bits);
        return bfloat16ToFloat(bits);
    case RowType::I8:
        return float(static_cast<int8_t>(*at));
    }
    return value;
}

void multiply(const RowMatrix& m, const RowVectors& x, float* y, int64_t yStride) {
    for (int64_t r = 0; r < m.rows; ++r)
        for (int64_t v = 0; v < x.count; ++v) {
            float sum = 0;
            for (int64_t c = 0; c < m.cols; ++c)
                sum += elementOf(m, r, c) * x.data[v * x.stride + c];
            y[v * yStride + r] = sum;
        }
}

void multiplyMany(const RowMatrix& m, const RowVectors& x, float* y, int64_t yStride) {
    for (int64_t r = 0; r < m.rows; ++r)
        for (int64_t v = 0; v < x.count; ++v) {
            float sum = 0;
            for (int64_t c = 0; c < m.cols; ++c)
                sum = std::fma(elementOf(m, r, c), x.data[v * x.stride + c], sum);
            y[v * yStride + r] = sum;
        }
}

void combine(const RowMatrix& m, const RowVectors& x, float* y, int64_t yStride) {
    for (int64_t v = 0; v < x.count; ++v)
        for (int64_t r = 0; r < m.rows; ++r)
            for (int64_t c = 0; c < m.cols; ++c)
                y[v * yStride + c] =
                    std::fma(x.data[v * x.stride + r], elementOf(m, r, c), y[v * yStride + c]);
}

double exponentiate(float* x, int64_t n, float largest) {
    double sum = 0;
    for (int64_t i = 0; i < n; ++i) {
        x[i] = std::exp(x[i] - largest);
        sum += double(x[i]);
    }
    return sum;
}

void siluProduct(float* gate, const float* up, int64_t n) {
    for (int64_t i = 0; i < n; ++i)
        gate[i] = gate[i] / (1.f + std::exp(-gate[i])) * up[i];
}

void toHalf(const float* x, uint16_t* out, int64_t n) {
    floatToHalf({x, size_t(n)}, {out, size_t(n)});
}

template<class Column>
void addSparseOf(const SparsePanel& panel, const float* x, float* y) {
    const uint8_t* step = panel.entries();
    for (int64_t g = 0; g < panel.groups(); ++g) {
        const int64_t live = std::min<int64_t>(sparseLanes, panel.rows - g * sparseLanes);
        const uint8_t* row = panel.order() + g * sparseLanes;
        for (uint32_t i = 0; i < panel.steps()[g]; ++i) {
            Column column[sparseLanes];
            uint16_t value[sparseLanes];
            std::memcpy(column, step, sizeof column);
            std::memcpy(value, step + sizeof column, sizeof value);
            for (int64_t l = 0; l < live; ++l)
                y[row[l]] = std::fma(halfToFloat(value[l]), x[column[l]], y[row[l]]);
            step += sizeof column + sizeof value;
        }
    }
}

void addSparse(const SparsePanel& panel, const float* x, float* y) {
    panel.wide ? addSparseOf<uint32_t>(panel, x, y) : addSparseOf<uint16_t>(panel, x, y);
}

std::vector<DenseRowKernels> collect() {
    std::vector<DenseRowKernels> all{
        {"scalar", multiply, multiplyMany, combine, exponentiate, siluProduct, toHalf, addSparse}};
    if (denseRowsAvx2.multiply && runsDenseAvx2()) all.push_back(denseRowsAvx2);
    if (denseRowsAvx512.multiply && runsDenseAvx512()) all.push_back(denseRowsAvx512);
    return all;
}

} // namespace

std::span<const DenseRowKernels> allDenseRowKernels() {
    static const std::vector<DenseRowKernels> all = collect();
    return all;
}

const DenseRowKernels& denseRowKernels() {
    static const DenseRowKernels& chosen = [&]() -> const DenseRowKernels& {
        const std::span all = allDenseRowKernels();
        const char* wanted = std::getenv("BITLOOM_KERNELS");
        if (!wanted) return all.back();
        // The panels' names go further ("avxvnni", "avx512vnni"): the widest that is part of it.
        const std::string_view name(wanted);
        for (size_t i = all.size(); i-- > 1;)
            if (name.starts_with(all[i].name) || (name == "avxvnni" && i == 1)) return all[i];
        return name == all.front().name ? all.front() : all.back();
    }();
    return chosen;
}

} // namespace bitloom::kernels
