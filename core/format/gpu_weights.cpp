// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/format/gpu_weights.h"

#include "core/base/error.h"
#include "core/base/threads.h"
#include "core/format/kernel_columns.h"

#include <string>
#include <utility>
#include <vector>

namespace bitloom {

namespace {

using kernels::GpuColumn;
using kernels::GpuMatrix;

/// Columns and the codes of those whose entries take the codes' place.
struct Columns {
    std::vector<GpuColumn> columns;
    std::vector<std::vector<uint8_t>> replaced;
};

Columns columnsOf(const ColumnWeights& w) {
    Columns out;
    out.replaced.reserve(size_t(w.cols)); // pointers into it stay
    for (int64_t k = 0; k < w.cols; ++k) {
        if (w.classAt(k).kind == PointKind::Raw) continue;
        const KernelColumn own = kernelColumn(w, k);
        GpuColumn column;
        column.source = int32_t(k);
        column.kind = own.kind;
        column.entries = own.entries;
        column.scale = own.scale;
        column.remainder = own.remainder;
        column.offset = own.offset;
        if (w.codes.empty()) {
            out.columns.push_back(column);
            continue;
        }
        column.codes = w.columnCodes(k).data();
        if (std::vector<uint8_t> codes = replacedCodes(w, k); !codes.empty()) {
            out.replaced.push_back(std::move(codes));
            column.codes = out.replaced.back().data();
        }
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
    if (!w.codes.empty()) packTiles(m, columns.columns, order, threads);
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
        columns[size_t(k)].offset = gridOffset(8);
    }
    const kernels::GpuOrder order = kernels::orderGpuColumns(columns);
    GpuMatrix m = kernels::describeGpuMatrix(rows, cols, columns, order, {});
    m.rowScale.assign(rowScale.begin(), rowScale.end());
    packTiles(m, columns, order, threads);
    return m;
}

} // namespace bitloom
