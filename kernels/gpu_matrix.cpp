// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors

// Matrices for a GPU from columns; gpu_columns.cpp says what is computed with them.

#include "kernels/gpu_columns.h"
#include "kernels/half.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <tuple>

namespace bitloom::kernels {

GpuOrder orderGpuColumns(std::span<const GpuColumn> columns) {
    GpuOrder order;
    struct Placed {
        int32_t index;
        int16_t shift;
        bool replaced;
    };
    std::array<std::vector<Placed>, panelKinds> byKind;
    for (size_t i = 0; i < columns.size(); ++i) {
        const GpuColumn& c = columns[i];
        int shift = 0;
        const bool splits = c.kind != PanelKind::Table4 || gpuTableShift(c.entries, shift);
        byKind[size_t(splits ? c.kind : PanelKind::Plain8)].push_back(
            {int32_t(i), int16_t(shift), !splits});
    }
    // A layer of raw columns alone has a step of nothing: there is always one.
    if (columns.empty()) byKind[size_t(PanelKind::Table2)].push_back({-1, 0, false});
    for (size_t kind = byKind.size(); kind-- > 0;) {
        std::vector<Placed>& placed = byKind[kind];
        if (placed.empty()) continue;
        while (placed.size() % gpuStep)
            placed.push_back({-1, 0, false});
        order.segments.push_back({PanelKind(kind), int64_t(placed.size())});
        for (const Placed& p : placed) {
            order.place.push_back(p.index);
            order.replace.push_back(p.replaced);
            if (PanelKind(kind) == PanelKind::Table4) order.shifts.push_back(p.shift);
        }
    }
    return order;
}

GpuMatrix describeGpuMatrix(int64_t rows, int64_t cols, std::span<const GpuColumn> columns,
                            const GpuOrder& order, std::vector<GpuOutlier> outliers) {
    GpuMatrix m;
    m.rows = rows;
    m.cols = cols;
    m.layout = GpuLayout(order.segments);
    std::vector<uint8_t> entries;
    double remainders = 0;
    size_t place = 0, shifted = 0;
    for (const PanelSegment& segment : order.segments) {
        const int used = panelEntries(segment.kind);
        for (int64_t k = 0; k < segment.columns; ++k, ++place) {
            const GpuColumn c =
                order.place[place] < 0 ? GpuColumn() : columns[size_t(order.place[place])];
            const bool table4 = segment.kind == PanelKind::Table4;
            const int shift = table4 ? order.shifts[shifted++] : 0;
            entries.insert(entries.end(), c.entries.begin(), c.entries.begin() + used);
            m.column.push_back(c.source);
            m.scale.push_back(c.source < 0 ? 0 : c.scale);
            m.remainder.push_back(c.source < 0 ? 0 : c.remainder);
            m.offset.push_back(c.source < 0 ? int16_t(0) : int16_t(c.offset + shift));
            remainders += std::abs(double(m.remainder.back()));
        }
    }
    m.tables.resize(size_t(m.layout.tableBytes));
    packGpuTables(m.layout, entries, order.shifts, m.tables);

    double mostOutliers = 0;
    if (!outliers.empty()) {
        std::sort(outliers.begin(), outliers.end(), [](const GpuOutlier& a, const GpuOutlier& b) {
            return std::tie(a.row, a.column) < std::tie(b.row, b.column);
        });
        std::vector<double> ofRow(size_t(rows), 0);
        m.outlierBegin.assign(size_t(GpuLayout::tiles(rows)) + 1, 0);
        for (const GpuOutlier& o : outliers) {
            ++m.outlierBegin[o.row / gpuTileRows + 1];
            m.outlierRow.push_back(o.row % gpuTileRows);
            m.outlierColumn.push_back(o.column);
            m.outlierValue.push_back(o.value);
            ofRow[o.row] += std::abs(double(halfToFloat(o.value)));
        }
        for (size_t tile = 1; tile < m.outlierBegin.size(); ++tile)
            m.outlierBegin[tile] += m.outlierBegin[tile - 1];
        mostOutliers = *std::max_element(ofRow.begin(), ofRow.end());
    }
    m.extraLimit = float((mostOutliers + remainders) * 1.0001);
    return m;
}

void packGpuTile(const GpuMatrix& matrix, std::span<const GpuColumn> columns, const GpuOrder& order,
                 int64_t tile, std::span<uint32_t> out) {
    const int64_t first = tile * gpuTileRows;
    const int64_t valid = std::min<int64_t>(matrix.rows - first, gpuTileRows);
    std::vector<const uint8_t*> codes;
    std::vector<std::vector<uint8_t>> replaced;
    size_t at = 0;
    for (const PanelSegment& segment : order.segments) {
        codes.clear();
        replaced.clear();
        replaced.reserve(size_t(segment.columns)); // pointers into it stay
        for (int64_t k = 0; k < segment.columns; ++k, ++at) {
            if (order.place[at] < 0) {
                codes.push_back(nullptr);
                continue;
            }
            const GpuColumn& c = columns[size_t(order.place[at])];
            codes.push_back(c.codes + first);
            if (!order.replace[at]) continue;
            replaced.emplace_back(size_t(valid));
            for (int64_t row = 0; row < valid; ++row)
                replaced.back()[size_t(row)] = c.entries[c.codes[first + row]];
            codes.back() = replaced.back().data();
        }
        const auto words =
            size_t(segment.columns / gpuStep * gpuStepBytes(panelBits(segment.kind)) / 4);
        packGpuSegment(segment.kind, codes, valid, out.first(words));
        out = out.subspan(words);
    }
    assert(out.empty());
}

GpuMatrix buildGpuMatrix(int64_t rows, int64_t cols, std::span<const GpuColumn> columns,
                         std::vector<GpuOutlier> outliers) {
    const GpuOrder order = orderGpuColumns(columns);
    GpuMatrix m = describeGpuMatrix(rows, cols, columns, order, std::move(outliers));
    const auto words = size_t(m.layout.tileBytes / 4);
    m.codes.resize(size_t(GpuLayout::tiles(rows)) * words);
    for (int64_t tile = 0; tile < GpuLayout::tiles(rows); ++tile)
        packGpuTile(m, columns, order, tile,
                    std::span(m.codes).subspan(size_t(tile) * words, words));
    return m;
}

} // namespace bitloom::kernels
