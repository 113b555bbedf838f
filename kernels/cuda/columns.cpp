// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors

// A matrix of columns in memory of the device.

#include "kernels/cuda/layer_launch.h"
#include "kernels/cuda/matrix.h"

#include <algorithm>
#include <cstring>

namespace bitloom::cuda {

namespace {

void checkSpec(const BitloomCudaMatrixSpec& spec) {
    require(spec.rows > 0 && spec.rows < (int64_t(1) << 31) - 256 && spec.cols > 0 &&
                spec.cols <= 65536,
            "a matrix on a GPU has 1 to 65,536 columns");
    require(spec.segments > 0 && spec.segments <= kernels::gpuMaxSegments && spec.segment,
            "a matrix on a GPU needs 1 to 6 segments");
    uint32_t seen = 0;
    for (int32_t i = 0; i < spec.segments; ++i) {
        const BitloomCudaSegment& s = spec.segment[i];
        require(s.kind >= 0 && s.kind < kernels::panelKinds && !(seen >> s.kind & 1) &&
                    s.columns > 0 && s.columns % kernels::gpuStep == 0 && s.columns < (1 << 20),
                "segments are of different kinds, their columns multiples of 64");
        seen |= 1u << s.kind;
    }
    require(!spec.hostWords || spec.hostColumns, "what describes the columns is missing");
    require(spec.hostColumn && spec.hostScale && spec.hostRemainder && spec.hostOffset,
            "what describes the columns is missing");
    require(spec.rawColumns == 0 || (spec.hostRaw && spec.hostRawColumn),
            "raw columns are missing");
    require(!spec.hostOutlierBegin ||
                (spec.hostOutlierRow && spec.hostOutlierColumn && spec.hostOutlierValue),
            "outliers are missing");
}

void packOnDevice(BitloomCudaContext& context, ColumnPart& m, const BitloomCudaMatrixSpec& spec) {
    const int64_t columns = m.view.layout.columns();
    std::vector<PackColumn> pack(static_cast<size_t>(columns));
    for (int64_t k = 0; k < columns; ++k) {
        const BitloomCudaColumn& c = spec.hostColumns[k];
        if (c.word != UINT64_MAX)
            require(c.bits >= 1 && c.bits <= 8 && c.word < spec.wordCount &&
                        (uint64_t(spec.rows) * uint64_t(c.bits) + 31) / 32 <=
                            spec.wordCount - c.word &&
                        (!c.replaced || c.bits <= 5),
                    "a column's codes lie outside of what was given");
        auto& to = pack[size_t(k)];
        to = {c.word, c.bits, c.replaced, {}};
        std::memcpy(to.entries, c.entries, sizeof to.entries);
    }
    const Memory words = Memory::of(spec.hostWords, spec.wordCount);
    const Memory described = Memory::of(pack);
    check(launchPack(m.view.layout, spec.rows, words.as<uint32_t>(), described.as<PackColumn>(),
                     m.codes.as<uint32_t>(), context.stream),
          "packing codes");
    check(cudaStreamSynchronize(context.stream), "packing codes");
}

void takeOutliers(ColumnPart& m, const BitloomCudaMatrixSpec& spec) {
    if (!spec.hostOutlierBegin || spec.hostOutlierBegin[m.tiles] == 0) return;
    const size_t count = spec.hostOutlierBegin[m.tiles];
    std::vector<uint32_t> entry(count);
    std::vector<uint8_t> row(count);
    for (int64_t t = 0; t < m.tiles; ++t)
        require(spec.hostOutlierBegin[t] <= spec.hostOutlierBegin[t + 1],
                "outliers are out of order");
    for (size_t i = 0; i < count; ++i) {
        require(spec.hostOutlierRow[i] < kernels::gpuTileRows &&
                    int64_t(spec.hostOutlierColumn[i]) < spec.cols,
                "an outlier lies outside of the matrix");
        entry[i] = spec.hostOutlierColumn[i] | uint32_t(spec.hostOutlierValue[i]) << 16;
        row[i] = uint8_t(spec.hostOutlierRow[i]);
    }
    m.view.outlierBegin = m.keep(spec.hostOutlierBegin, size_t(m.tiles) + 1);
    m.view.outlier = m.keep(entry.data(), count);
    m.view.outlierRow = m.keep(row.data(), count);
}

void describeColumns(ColumnPart& m, const BitloomCudaMatrixSpec& spec) {
    const kernels::GpuLayout& layout = m.view.layout;
    const auto columns = size_t(layout.columns());
    std::vector<int32_t> place(size_t(spec.cols), -1);
    for (size_t k = 0; k < columns; ++k) {
        const int32_t column = spec.hostColumn[k];
        require(column >= -1 && column < spec.cols, "a column lies outside of the matrix");
        if (column >= 0) place[size_t(column)] = int32_t(k);
    }
    for (int32_t j = 0; j < spec.rawColumns; ++j) {
        require(spec.hostRawColumn[j] >= 0 && spec.hostRawColumn[j] < spec.cols,
                "a column lies outside of the matrix");
        place[size_t(spec.hostRawColumn[j])] = int32_t(columns) + j;
    }
    m.place = Memory::of(place);
    std::vector<uint32_t> blocks;
    for (int32_t i = 0; i < layout.segments; ++i)
        for (int32_t s = 0; s < layout.segment[size_t(i)].steps; s += 2)
            blocks.push_back(uint32_t(layout.segment[size_t(i)].firstStep + s));
    m.view.blocks = int32_t(blocks.size());
    blocks.push_back(uint32_t(layout.steps));
    m.view.blockFirstStep = m.keep(blocks.data(), blocks.size());
    m.view.column = m.keep(spec.hostColumn, columns);
    m.view.scale = m.keep(spec.hostScale, columns);
    m.view.remainder = m.keep(spec.hostRemainder, columns);
    m.view.offset = m.keep(spec.hostOffset, columns);
    m.view.tables = reinterpret_cast<const uint32_t*>(
        m.keep(spec.hostTables, size_t(spec.hostTables ? layout.tableBytes : 0)));
    m.view.rawColumns = spec.rawColumns;
    m.view.rawBfloat16 = spec.rawBfloat16;
    m.view.rawColumn = m.keep(spec.hostRawColumn, size_t(spec.rawColumns));
    m.view.raw = m.keep(spec.hostRaw, size_t(spec.rawColumns) * size_t(spec.rows));
    m.view.rowScale = m.keep(spec.hostRowScale, size_t(spec.hostRowScale ? spec.rows : 0));
    m.view.bias = m.keep(spec.hostBias, size_t(spec.hostBias ? spec.rows : 0));
    m.view.remainders = std::any_of(spec.hostRemainder, spec.hostRemainder + columns,
                                    [](float remainder) { return remainder != 0; });
    m.view.extraLimit = spec.extraLimit;
}

void takeCodes(BitloomCudaContext& context, ColumnPart& m, const BitloomCudaMatrixSpec& spec) {
    const auto bytes = size_t(m.tiles * m.view.layout.tileBytes);
    if (spec.hostCodes) {
        m.codes = Memory::of(spec.hostCodes, bytes / 4);
        return;
    }
    m.codes = Memory(bytes);
    if (spec.hostWords)
        packOnDevice(context, m, spec);
    else
        check(launchRandomWords(m.codes.as<uint32_t>(), int64_t(bytes / 4), bytes, context.stream),
              "making up codes");
}

} // namespace

std::unique_ptr<ColumnPart> makeColumns(BitloomCudaContext& context,
                                        const BitloomCudaMatrixSpec& spec) {
    checkSpec(spec);
    auto made = std::make_unique<ColumnPart>();
    ColumnPart& m = *made;
    std::vector<kernels::PanelSegment> segments;
    for (int32_t i = 0; i < spec.segments; ++i)
        segments.push_back({kernels::PanelKind(spec.segment[i].kind), spec.segment[i].columns});
    m.view.layout = kernels::GpuLayout(segments);
    m.view.rows = spec.rows;
    m.view.cols = spec.cols;
    m.tiles = kernels::GpuLayout::tiles(spec.rows);
    require(m.view.layout.tableBytes == 0 || spec.hostTables, "tables are missing");
    describeColumns(m, spec);
    takeOutliers(m, spec);
    takeCodes(context, m, spec);
    m.view.codes = m.codes.as<uint32_t>();
    m.bytes = m.codes.bytes() + uint64_t(m.view.layout.tableBytes) +
              uint64_t(spec.rawColumns) * uint64_t(spec.rows) * 2 +
              (m.view.rowScale ? uint64_t(spec.rows) * 4 : 0) +
              (m.view.outlierBegin ? uint64_t(spec.hostOutlierBegin[m.tiles]) * 5 : 0);
    return made;
}

uint64_t ColumnPart::memoryBytes() const {
    uint64_t all = codes.bytes() + place.bytes();
    for (const Memory& memory : kept)
        all += memory.bytes();
    return all;
}

} // namespace bitloom::cuda
