// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/format/gpu_weights.h"

#include "core/base/error.h"
#include "core/base/threads.h"
#include "kernels/half.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace bitloom {

namespace {

using kernels::GpuColumn;
using kernels::GpuMatrix;
using kernels::PanelKind;

PanelKind kindOf(const ColumnClass& c) {
    switch (c.bits) {
    case 1:
    case 2:
        return PanelKind::Table2;
    case 3:
        return PanelKind::Table3;
    case 4:
        return PanelKind::Table4;
    case 5:
        // A table of 32 entries is stored as the entries themselves.
        return c.kind == PointKind::Table ? PanelKind::Plain8 : PanelKind::Plain5;
    case 6:
        return PanelKind::Plain6;
    default:
        return PanelKind::Plain8;
    }
}

/// Columns and the codes of those whose entries take the codes' place.
struct Columns {
    std::vector<GpuColumn> columns;
    std::vector<std::vector<uint8_t>> replaced;
};

GpuColumn gridColumn(const ColumnWeights& w, int64_t k, const ColumnClass& c) {
    GpuColumn column;
    column.offset = int16_t(-(1 << (c.bits - 1)));
    column.remainder = column.scale = kernels::halfToFloat(w.scale[size_t(k)]);
    column.remainder *= float(-column.offset) - kernels::halfToFloat(w.zero[size_t(k)]);
    for (size_t e = 0; e < column.entries.size(); ++e)
        column.entries[e] = uint8_t(e);
    return column;
}

GpuColumn tableColumn(const ColumnWeights& w, int64_t k, const ColumnClass& c,
                      std::vector<std::vector<uint8_t>>& replaced) {
    GpuColumn column;
    const std::span<const int8_t> values(w.tables.data() + k * 32, size_t(1) << c.bits);
    column.scale = kernels::halfToFloat(w.scale[size_t(k)]);
    column.offset = *std::min_element(values.begin(), values.end());
    const int span = *std::max_element(values.begin(), values.end()) - column.offset;
    if (c.bits <= 4 && span > (c.bits <= 3 ? 127 : 254))
        throw Error("the table of column " + std::to_string(k) +
                    " is wider than the format allows");
    if (c.bits == 5) {
        replaced.emplace_back();
        for (const uint8_t code : w.columnCodes(k))
            replaced.back().push_back(uint8_t(values[code] - column.offset));
    } else {
        for (size_t e = 0; e < values.size(); ++e)
            column.entries[e] = uint8_t(values[e] - column.offset);
    }
    return column;
}

Columns columnsOf(const ColumnWeights& w) {
    Columns out;
    out.replaced.reserve(size_t(w.cols)); // pointers into it stay
    for (int64_t k = 0; k < w.cols; ++k) {
        const ColumnClass& c = w.classAt(k);
        if (c.kind == PointKind::Raw) continue;
        const size_t before = out.replaced.size();
        GpuColumn column =
            c.kind == PointKind::Grid ? gridColumn(w, k, c) : tableColumn(w, k, c, out.replaced);
        column.source = int32_t(k);
        column.kind = kindOf(c);
        column.codes =
            out.replaced.size() > before ? out.replaced.back().data() : w.columnCodes(k).data();
        out.columns.push_back(column);
    }
    return out;
}

void packTiles(GpuMatrix& m, const std::vector<GpuColumn>& columns, const kernels::GpuOrder& order,
               int threads) {
    const int64_t tiles = kernels::GpuLayout::tiles(m.rows);
    const auto words = size_t(m.layout.tileBytes / 4);
    m.codes.resize(size_t(tiles) * words);
    parallelFor(tiles, 1, threads, [&](int64_t begin, int64_t end) {
        for (int64_t tile = begin; tile < end; ++tile)
            kernels::packGpuTile(m, columns, order, tile,
                                 std::span(m.codes).subspan(size_t(tile) * words, words));
    });
}

void checkWidth(int64_t cols) {
    if (cols > 65536)
        throw Error("a layer of " + std::to_string(cols) +
                        " inputs is wider than the GPU kernels take",
                    "Compute with --device cpu.");
}

} // namespace

GpuMatrix gpuMatrixOf(const ColumnWeights& w, int threads) {
    checkWidth(w.cols);
    const Columns columns = columnsOf(w);
    std::vector<kernels::GpuOutlier> outliers;
    for (size_t k = 0; k < w.outlierRow.size(); ++k)
        for (size_t i = 0; i < w.outlierRow[k].size(); ++i)
            outliers.push_back({w.outlierRow[k][i], uint32_t(k), w.outlierVal[k][i]});
    const kernels::GpuOrder order = kernels::orderGpuColumns(columns.columns);
    GpuMatrix m =
        kernels::describeGpuMatrix(w.rows, w.cols, columns.columns, order, std::move(outliers));
    m.rawBfloat16 = w.rawDtype == DType::BF16;
    for (int64_t k = 0; k < w.cols; ++k) {
        if (w.classAt(k).kind != PointKind::Raw) continue;
        m.rawColumn.push_back(int32_t(k));
        m.raw.insert(m.raw.end(), w.raw[size_t(k)].begin(), w.raw[size_t(k)].end());
    }
    packTiles(m, columns.columns, order, threads);
    return m;
}

GpuMatrix gpuMatrixOf(std::span<const int8_t> codes, std::span<const float> rowScale, int64_t cols,
                      int threads) {
    checkWidth(cols);
    const auto rows = int64_t(rowScale.size());
    std::vector<uint8_t> turned(codes.size()); // [cols, rows]
    std::vector<GpuColumn> columns(static_cast<size_t>(cols));
    for (int64_t k = 0; k < cols; ++k) {
        uint8_t* own = turned.data() + k * rows;
        for (int64_t n = 0; n < rows; ++n)
            own[n] = uint8_t(codes[size_t(n * cols + k)] + 128);
        columns[size_t(k)].source = int32_t(k);
        columns[size_t(k)].codes = own;
        columns[size_t(k)].offset = -128;
    }
    const kernels::GpuOrder order = kernels::orderGpuColumns(columns);
    GpuMatrix m = kernels::describeGpuMatrix(rows, cols, columns, order, {});
    m.rowScale.assign(rowScale.begin(), rowScale.end());
    packTiles(m, columns, order, threads);
    return m;
}

} // namespace bitloom
