// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/format/panel_weights.h"

#include "core/base/error.h"
#include "core/base/threads.h"
#include "core/format/kernel_columns.h"
#include "kernels/sparse_panel.h"

#include <algorithm>
#include <string>

namespace bitloom {

using kernels::PanelKind;
using kernels::PanelSegment;

/// From columns to rows: a row's outliers lie together, columns ascending.
struct PanelWeights::Outliers {
    std::vector<uint32_t> begin; ///< [N + 1], or empty
    std::vector<uint32_t> column;
    std::vector<uint16_t> value; ///< fp16

    Outliers() = default;
    explicit Outliers(const ColumnWeights& weights) {
        size_t count = 0;
        for (const auto& rows : weights.outlierRow)
            count += rows.size();
        if (count == 0) return;
        begin.assign(size_t(weights.rows) + 1, 0);
        for (const auto& rows : weights.outlierRow)
            for (const uint32_t row : rows)
                ++begin[row + 1];
        for (size_t row = 0; row < size_t(weights.rows); ++row)
            begin[row + 1] += begin[row];
        column.resize(count);
        value.resize(count);
        std::vector<uint32_t> next(begin.begin(), begin.end() - 1);
        for (size_t k = 0; k < weights.outlierRow.size(); ++k)
            for (size_t i = 0; i < weights.outlierRow[k].size(); ++i) {
                const uint32_t place = next[weights.outlierRow[k][i]]++;
                column[place] = uint32_t(k);
                value[place] = weights.outlierVal[k][i];
            }
    }
    kernels::SparseLists rows(int64_t first, int64_t count) const {
        return {std::span(begin).subspan(size_t(first), size_t(count) + 1),
                column.data() + begin[size_t(first)], value.data() + begin[size_t(first)]};
    }
};

PanelWeights::PanelWeights(const ColumnWeights& weights, int threads,
                           const kernels::PanelKernels& kernels)
    : m_kernels(&kernels), m_rows(weights.rows), m_cols(weights.cols),
      m_rawDtype(weights.rawDtype) {
    place(weights);
    packPanels(weights, threads);
}

PanelWeights::PanelWeights(std::span<const int8_t> codes, std::span<const float> rowScale,
                           int64_t cols, int threads, const kernels::PanelKernels& kernels)
    : m_kernels(&kernels), m_rows(int64_t(rowScale.size())), m_cols(cols),
      m_rowScale(rowScale.begin(), rowScale.end()) {
    for (int64_t k = 0; k < cols; ++k)
        addColumn(k, 1, 0, gridOffset(8));
    while (m_column.size() % size_t(kernels::panelColumnUnit))
        addColumn(-1, 0, 0, gridOffset(8));
    addSegment({PanelKind::Plain8, int64_t(m_column.size())});
    finishBlocks();
    m_tables.resize(size_t(kernels::packedTableBytes(kernels.layout, m_segments)));
    placePanels({});
    parallelFor(panels(), 1, threads, [&](int64_t begin, int64_t end) {
        std::vector<uint8_t> turned(size_t(cols * kernels::panelRows)); // a panel, [cols, rows]
        std::vector<const uint8_t*> columns(m_column.size(), nullptr);
        for (size_t k = 0; k < size_t(cols); ++k)
            columns[k] = turned.data() + k * size_t(kernels::panelRows);
        for (int64_t panel = begin; panel < end; ++panel) {
            const int64_t first = panel * kernels::panelRows;
            const int64_t rows = std::min<int64_t>(m_rows - first, kernels::panelRows);
            for (int64_t row = 0; row < rows; ++row)
                for (int64_t k = 0; k < cols; ++k)
                    turned[size_t(k * kernels::panelRows + row)] =
                        uint8_t(codes[size_t((first + row) * cols + k)] + 128);
            const std::span out(m_codes.data() + m_codesAt[size_t(panel)],
                                m_panelEnd[size_t(panel)] - m_codesAt[size_t(panel)]);
            kernels::packPanelSegment(kernels.layout, m_segments[0], columns, paddedRows(panel),
                                      rows, out);
        }
    });
}

void PanelWeights::addSegment(PanelSegment segment) {
    const int64_t begin = kernels::columnCount(m_segments);
    const auto tables = [&] { return kernels::packedTableBytes(m_kernels->layout, m_segments); };
    // Without the bytes behind the last table.
    const int64_t table = tables() - kernels::packedTableBytes(m_kernels->layout, {});
    m_segments.push_back(segment);
    const int64_t columnTable =
        (tables() - kernels::packedTableBytes(m_kernels->layout, {}) - table) / segment.columns;
    for (int64_t at = 0; at < segment.columns; at += kernels::panelBlock) {
        m_blockBegin.push_back(begin + at);
        m_blockKind.push_back(segment.kind);
        m_blockTables.push_back(table + at * columnTable);
    }
}

void PanelWeights::addColumn(int64_t column, float scale, float remainder, int16_t offset) {
    m_column.push_back(int32_t(column));
    m_scale.push_back(scale);
    m_remainder.push_back(remainder);
    m_offsets.push_back(offset);
}

/// Once all columns and segments are known.
void PanelWeights::finishBlocks() {
    m_blockBegin.push_back(int64_t(m_column.size()));
    for (size_t b = 0; b + 1 < m_blockBegin.size(); ++b)
        m_blockRemains.push_back(std::any_of(m_remainder.begin() + m_blockBegin[b],
                                             m_remainder.begin() + m_blockBegin[b + 1],
                                             [](float r) { return r != 0; }));
    if (m_kernels->expand && !m_segments.empty() && m_segments.back().kind == PanelKind::Table2)
        m_productColumns = m_segments.back().columns;
}

/// Stored order: by width, widest first as in the file, source order within; raw columns apart.
void PanelWeights::place(const ColumnWeights& weights) {
    std::vector<uint8_t> entriesOfAll;
    std::vector<std::vector<int64_t>> byKind(size_t(PanelKind::Plain8) + 1);
    for (int64_t k = 0; k < m_cols; ++k) {
        const ColumnClass& c = weights.classAt(k);
        if (c.kind == PointKind::Raw) {
            m_rawColumns.push_back(k);
            m_raw.insert(m_raw.end(), weights.raw[size_t(k)].begin(), weights.raw[size_t(k)].end());
        } else {
            byKind[size_t(kernelKind(c))].push_back(k);
        }
    }
    for (size_t kind = byKind.size(); kind-- > 0;) {
        std::vector<int64_t>& columns = byKind[kind];
        if (columns.empty()) continue;
        while (columns.size() % size_t(kernels::panelColumnUnit))
            columns.push_back(-1);
        addSegment({PanelKind(kind), int64_t(columns.size())});
        const int entries = kernels::panelEntries(PanelKind(kind));
        for (const int64_t k : columns) {
            KernelColumn column;
            column.scale = 0; // of padding
            if (k >= 0) column = kernelColumn(weights, k);
            addColumn(k, column.scale, column.remainder, column.offset);
            entriesOfAll.insert(entriesOfAll.end(), column.entries.begin(),
                                column.entries.begin() + entries);
        }
    }
    finishBlocks();
    m_tables.resize(size_t(kernels::packedTableBytes(m_kernels->layout, m_segments)));
    kernels::packPanelTables(m_kernels->layout, m_segments, entriesOfAll, m_tables);
}

int64_t PanelWeights::paddedRows(int64_t panel) const {
    const int64_t left = std::min<int64_t>(m_rows - panel * kernels::panelRows, kernels::panelRows);
    return (left + kernels::panelRowUnit - 1) / kernels::panelRowUnit * kernels::panelRowUnit;
}

/// Panels, and the codes in them, begin on lines of the cache.
void PanelWeights::placePanels(const Outliers& outliers) {
    const auto aligned = [](size_t at) {
        return (at + kernels::panelAlignment - 1) / kernels::panelAlignment *
               kernels::panelAlignment;
    };
    m_hasOutliers = !outliers.begin.empty();
    m_wideOutliers = m_cols > 65536;
    m_panelAt.assign(1, 0);
    for (int64_t panel = 0; panel < panels(); ++panel) {
        size_t at = m_panelAt.back();
        if (m_hasOutliers) {
            const int64_t first = panel * kernels::panelRows;
            const auto rows = std::min<int64_t>(m_rows - first, kernels::panelRows);
            at +=
                size_t(kernels::sparsePanelBytes(outliers.rows(first, rows).begin, m_wideOutliers));
        }
        m_codesAt.push_back(aligned(at));
        m_panelEnd.push_back(m_codesAt.back() +
                             size_t(kernels::panelBytes(m_segments, paddedRows(panel))));
        m_panelAt.push_back(aligned(m_panelEnd.back()));
    }
    m_codes = HugeBuffer(m_panelAt.back());
}

void PanelWeights::packPanels(const ColumnWeights& weights, int threads) {
    std::vector<std::vector<uint8_t>> replaced(static_cast<size_t>(m_cols));
    for (const int32_t k : m_column)
        if (k >= 0) replaced[size_t(k)] = replacedCodes(weights, k);
    const Outliers outliers(weights);
    placePanels(outliers);
    parallelFor(panels(), 1, threads, [&](int64_t begin, int64_t end) {
        std::vector<const uint8_t*> codes;
        for (int64_t panel = begin; panel < end; ++panel) {
            const int64_t rows = paddedRows(panel), first = panel * kernels::panelRows;
            const size_t start = m_panelAt[size_t(panel)], codesAt = m_codesAt[size_t(panel)];
            const std::span<uint8_t> out(m_codes.data() + codesAt,
                                         m_panelEnd[size_t(panel)] - codesAt);
            if (m_hasOutliers)
                kernels::packSparsePanel(
                    outliers.rows(first, std::min<int64_t>(m_rows - first, kernels::panelRows)),
                    m_wideOutliers, {m_codes.data() + start, codesAt - start});
            size_t at = 0, column = 0;
            for (const PanelSegment& segment : m_segments) {
                codes.clear();
                for (int64_t i = 0; i < segment.columns; ++i, ++column) {
                    const int64_t k = m_column[column];
                    codes.push_back(k < 0 ? nullptr
                                    : replaced[size_t(k)].empty()
                                        ? weights.columnCodes(k).data() + first
                                        : replaced[size_t(k)].data() + first);
                }
                const size_t bytes = size_t(kernels::segmentBytes(segment, rows));
                kernels::packPanelSegment(m_kernels->layout, segment, codes, rows, m_rows - first,
                                          out.subspan(at, bytes));
                at += bytes;
            }
        }
    });
}

int64_t PanelWeights::bytes() const {
    const auto bytes = int64_t(m_tables.size() + m_raw.size() * sizeof(uint16_t) +
                               m_rowScale.size() * sizeof(float));
    return bytes + int64_t(m_codes.size());
}

} // namespace bitloom
