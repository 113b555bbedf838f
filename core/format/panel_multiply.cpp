// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors

// Inputs of PanelWeights and products with them; panel_weights.cpp packs.

#include "core/format/panel_weights.h"
#include "kernels/dense_rows.h"
#include "kernels/sparse_panel.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <span>
#include <vector>

namespace bitloom {

using kernels::PanelKind;
using kernels::PanelSegment;

static_assert(PanelWeights::tokenTile == kernels::sparseTile);

namespace {

/// Asks for elements [begin, end), so that reading them need not wait for memory line by line.
template<class T>
void fetch(const std::vector<T>& values, int64_t begin, int64_t end) {
    const auto* at = reinterpret_cast<const char*>(values.data() + begin);
    const auto* stop = reinterpret_cast<const char*>(values.data() + end);
    for (; at < stop; at += 64)
        __builtin_prefetch(at);
}

} // namespace

void PanelWeights::begin(const float* x, int64_t tokens, int64_t stride, Input& input,
                         int bytes) const {
    const auto count = size_t(tokens), places = m_column.size() * count,
               all = size_t(blocks()) * count;
    input.tokens = tokens;
    input.bytes = bytes;
    input.x.resize(size_t(m_cols) * count);
    input.raw.clear();
    for (int64_t t = 0; t < tokens; ++t) {
        std::memcpy(input.x.data() + t * m_cols, x + t * stride, size_t(m_cols) * sizeof(float));
        for (const int64_t k : m_rawColumns)
            input.raw.push_back(x[t * stride + k]);
    }
    if (tokens > 1 && m_hasOutliers) {
        const int64_t tiles = (tokens + tokenTile - 1) / tokenTile;
        input.turned.resize(size_t(tiles * m_cols) *
                            size_t(kernels::sparseWidth(std::min(tokens, tokenTile))));
    }
    input.products.resize(tokens == 1 ? size_t(m_productColumns * kernels::panelProductBytes) : 0);
    input.stored.resize(places);
    input.q.resize(places);
    input.high.resize(places);
    input.low.resize(places);
    input.scale.resize(all);
    input.start.resize(all);
    input.bias.resize(all);
}

void PanelWeights::begin(std::span<const float> x, Input& input) const {
    begin(x.data(), 1, m_cols, input);
}

void PanelWeights::prepareBlocks(int64_t first, int64_t last, Input& input) const {
    const bool turn = input.tokens > 1 && m_hasOutliers;
    if (input.tokens == 1 && first < last) {
        // A step is so short that the processor's own prefetching begins when it is over.
        const int64_t begin = m_blockBegin[size_t(first)], end = m_blockBegin[size_t(last)];
        fetch(m_column, begin, end);
        fetch(m_scale, begin, end);
        fetch(m_offsets, begin, end);
        fetch(m_tables, m_blockTables[size_t(first)],
              last < blocks() ? m_blockTables[size_t(last)] : int64_t(m_tables.size()));
    }
    for (int64_t item = first; item < last; ++item) {
        const int64_t token = item / blocks(), b = item % blocks();
        const auto begin = size_t(m_blockBegin[size_t(b)]),
                   n = size_t(m_blockBegin[size_t(b) + 1]) - begin;
        const size_t at = size_t(token) * m_column.size() + begin;
        const float* x = input.x.data() + token * m_cols;
        const float* scale = m_scale.data() + begin;
        for (size_t i = 0; i < n; ++i) {
            const int32_t k = m_column[begin + i];
            input.stored[at + i] = k < 0 ? 0.f : scale[i] * x[size_t(k)];
        }
        // Grids alone have remainders; two sums, so that one need not wait for the other.
        double bias[2] = {};
        if (m_blockRemains[size_t(b)])
            for (size_t i = 0; i < n; ++i)
                if (const int32_t k = m_column[begin + i]; k >= 0)
                    bias[i % 2] += double(m_remainder[begin + i]) * double(x[size_t(k)]);
        if (turn) {
            const int64_t tile = token / tokenTile, left = input.tokens - tile * tokenTile;
            const int64_t width = kernels::sparseWidth(std::min(left, tokenTile));
            // Only the last tile can be narrower.
            float* turned = input.turned.data() +
                            tile * m_cols * kernels::sparseWidth(std::min(input.tokens, tokenTile));
            for (size_t i = 0; i < n; ++i)
                if (const int64_t k = m_column[begin + i]; k >= 0)
                    turned[k * width + token % tokenTile] = x[size_t(k)];
        }
        input.bias[size_t(item)] = bias[0] + bias[1];
        // One block is a segment of its own: blocks do not see each other.
        const PanelSegment block{m_blockKind[size_t(b)], int64_t(n)};
        const auto part = [&](auto& values) { return std::span(values).subspan(at, n); };
        const auto one = [&](auto& values) { return std::span(values).subspan(size_t(item), 1); };
        kernels::roundPanelInput({&block, 1}, std::span(m_offsets).subspan(begin, n),
                                 part(input.stored), input.bytes, part(input.q), part(input.high),
                                 part(input.low), one(input.scale), one(input.start));
        if (!input.products.empty() && block.kind == PanelKind::Table2)
            m_kernels->expand(m_tables.data() + m_blockTables[size_t(b)], input.q.data() + at,
                              block.columns,
                              input.products.data() +
                                  (int64_t(begin) + m_productColumns - int64_t(m_column.size())) *
                                      kernels::panelProductBytes);
    }
}

void PanelWeights::prepare(std::span<const float> x, Input& input) const {
    begin(x, input);
    prepareBlocks(0, blocks(), input);
}

/// A chain of fused multiply-adds for each row and token, columns ascending.
void PanelWeights::addOutliers(const Input& input, int64_t panel, int64_t token, int64_t tokens,
                               float* sums) const {
    const int64_t rows = std::min<int64_t>(m_rows - panel * kernels::panelRows, kernels::panelRows);
    const kernels::SparsePanel sparse{m_codes.data() + m_panelAt[size_t(panel)], rows,
                                      m_wideOutliers};
    if (input.tokens == 1) {
        kernels::denseRowKernels().addSparse(sparse, input.x.data(), sums);
    } else {
        const int64_t width = kernels::sparseWidth(std::min(input.tokens, tokenTile));
        kernels::addSparseRows(sparse, input.turned.data() + token / tokenTile * m_cols * width,
                               tokens, sums, kernels::panelRows);
    }
}

/// sums [tokens, panelRows] of one panel and the tokens from `token` on, tokenTile at most.
void PanelWeights::multiplyPanel(const Input& input, int64_t panel, int64_t token, int64_t tokens,
                                 float* sums) const {
    const int64_t begin = panel * kernels::panelRows;
    const int64_t rows = std::min<int64_t>(m_rows - begin, kernels::panelRows);
    for (int64_t t = 0; t < tokens; ++t) {
        const auto from = input.bias.begin() + (token + t) * blocks();
        std::fill_n(sums + t * kernels::panelRows, kernels::panelRows,
                    float(std::accumulate(from, from + blocks(), 0.0)));
    }
    if (m_hasOutliers) addOutliers(input, panel, token, tokens, sums);
    const kernels::PanelInput all{input.tokens, input.bytes, input.q,     input.high,
                                  input.low,    input.scale, input.start, input.products};
    m_kernels->product(m_segments, m_codes.data() + m_codesAt[size_t(panel)], m_tables.data(),
                       all.part(token, tokens), paddedRows(panel), sums, kernels::panelRows);
    if (!m_rawColumns.empty()) {
        const auto count = int64_t(m_rawColumns.size());
        const kernels::RowMatrix raw{m_raw.data() + begin,
                                     m_rawDtype == DType::BF16 ? kernels::RowType::BF16
                                                               : kernels::RowType::F16,
                                     count, rows, m_rows};
        kernels::denseRowKernels().combine(raw, {input.raw.data() + token * count, tokens, count},
                                           sums, kernels::panelRows);
    }
}

void PanelWeights::multiply(const Input& input, int64_t first, int64_t last, int64_t firstToken,
                            int64_t lastToken, float* y, int64_t stride) const {
    thread_local std::vector<float> sums;
    sums.resize(size_t(std::min(tokenTile, lastToken - firstToken) * kernels::panelRows));
    for (int64_t panel = first; panel < last; ++panel)
        for (int64_t token = firstToken; token < lastToken; token += tokenTile) {
            const int64_t tokens = std::min(tokenTile, lastToken - token);
            multiplyPanel(input, panel, token, tokens, sums.data());
            const int64_t begin = panel * kernels::panelRows;
            const int64_t rows = std::min<int64_t>(m_rows - begin, kernels::panelRows);
            for (int64_t t = 0; t < tokens; ++t) {
                const float* from = sums.data() + t * kernels::panelRows;
                float* to = y + (token + t) * stride + begin;
                if (m_rowScale.empty())
                    std::copy_n(from, rows, to);
                else
                    for (int64_t row = 0; row < rows; ++row)
                        to[row] = m_rowScale[size_t(begin + row)] * from[row];
            }
        }
}

void PanelWeights::multiply(const Input& input, int64_t first, int64_t last, float* y,
                            int64_t stride) const {
    multiply(input, first, last, 0, input.tokens, y, stride);
}

void PanelWeights::multiply(const Input& input, int64_t first, int64_t last,
                            std::span<float> y) const {
    multiply(input, first, last, 0, 1, y.data(), m_rows);
}

} // namespace bitloom
