// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "kernels/gpu_columns.h"

#include "kernels/cuda/code_place.h"
#include "kernels/cuda/fixed_point.h"
#include "kernels/half.h"

#include <algorithm>
#include <cassert>
#include <cmath>

namespace bitloom::kernels {

namespace {

int valueOf(const GpuLayout& layout, const GpuMatrix& m, const GpuSegment& segment, int64_t tile,
            int64_t column, int row) {
    const int64_t step = column / gpuStep;
    const int64_t words = gpuStepBytes(panelBits(segment.kind)) / 4;
    const uint32_t* codes =
        m.codes.data() + (tile * layout.tileBytes + segment.codes) / 4 + step * words;
    const GpuCodePlace place = gpuCodePlace(segment.kind, int(column % gpuStep), row);
    int code = 0;
    for (int p = 0; p < place.parts; ++p)
        code |=
            int(codes[place.part[p].word] >> place.part[p].shift & ((1u << place.part[p].bits) - 1))
            << place.part[p].from;
    const int64_t tableBytes = gpuStepTableBytes(segment.kind);
    if (tableBytes == 0) return code;
    // Tables of 16 columns belong to a lane, in vectors of 16 bytes that alternate between lanes.
    const int64_t entries = tableBytes / gpuStep, in = column % gpuStep % 16;
    const auto entry = [&](int64_t i) {
        const int64_t at = in * entries + i;
        return m.tables[size_t(segment.tables + step * tableBytes +
                               (at / 16 * 4 + column % gpuStep / 16) * 16 + at % 16)];
    };
    if (segment.kind == PanelKind::Table4 && code >= 8) return int(entry(code)) - 1;
    return segment.kind == PanelKind::Table4 ? int(int8_t(entry(code))) : int(entry(code));
}

} // namespace

GpuLayout::GpuLayout(std::span<const PanelSegment> of) : segments(int32_t(of.size())) {
    assert(of.size() <= gpuMaxSegments);
    for (size_t i = 0; i < of.size(); ++i) {
        assert(of[i].columns % gpuStep == 0);
        const auto n = int32_t(of[i].columns / gpuStep);
        segment[i] = {of[i].kind, steps, n, tileBytes, tableBytes};
        steps += n;
        tileBytes += n * gpuStepBytes(panelBits(of[i].kind));
        tableBytes += n * gpuStepTableBytes(of[i].kind);
    }
}

GpuCodePlace gpuCodePlace(PanelKind kind, int column, int row) {
    return codePlaceOnGpu(kind, column, row);
}

void packGpuSegment(PanelKind kind, std::span<const uint8_t* const> codes, int64_t valid,
                    std::span<uint32_t> out) {
    const int64_t words = gpuStepBytes(panelBits(kind)) / 4;
    assert(codes.size() % gpuStep == 0);
    assert(int64_t(out.size()) == int64_t(codes.size()) / gpuStep * words);
    std::fill(out.begin(), out.end(), 0u);
    const int rows = int(std::min<int64_t>(valid, gpuTileRows));
    for (size_t k = 0; k < codes.size(); ++k) {
        if (!codes[k]) continue;
        uint32_t* step = out.data() + int64_t(k) / gpuStep * words;
        for (int row = 0; row < rows; ++row) {
            const GpuCodePlace place = gpuCodePlace(kind, int(k % gpuStep), row);
            for (int p = 0; p < place.parts; ++p) {
                const GpuCodePart& at = place.part[p];
                step[at.word] |= (uint32_t(codes[k][row]) >> at.from & ((1u << at.bits) - 1))
                                 << at.shift;
            }
        }
    }
}

bool gpuTableShift(std::span<const uint8_t> entries, int& shift) {
    assert(entries.size() == 16);
    const int least = std::max<int>(entries[7] + 1, entries[15] - 126);
    const int most = std::min<int>(entries[0] + 128, entries[8] + 1);
    shift = least;
    return least <= most && std::is_sorted(entries.begin(), entries.end());
}

void packGpuTables(const GpuLayout& layout, std::span<const uint8_t> entries,
                   std::span<const int16_t> shifts, std::span<uint8_t> out) {
    assert(int64_t(out.size()) == layout.tableBytes);
    const uint8_t* from = entries.data();
    size_t shifted = 0;
    for (int32_t i = 0; i < layout.segments; ++i) {
        const GpuSegment& segment = layout.segment[size_t(i)];
        const int64_t used = panelEntries(segment.kind);
        if (used == 0) continue;
        for (int64_t column = 0; column < segment.steps * gpuStep; ++column, from += used) {
            const int shift = segment.kind == PanelKind::Table4 ? shifts[shifted++] : 0;
            uint8_t* step =
                out.data() + segment.tables + column / gpuStep * gpuStepTableBytes(segment.kind);
            const int64_t lane = column % gpuStep / 16;
            for (int64_t e = 0; e < used; ++e) {
                const int64_t at = column % 16 * used + e;
                const int value = from[e] - shift + (segment.kind == PanelKind::Table4 && e >= 8);
                step[(at / 16 * 4 + lane) * 16 + at % 16] = uint8_t(value);
            }
        }
    }
}

void roundGpuInput(const GpuMatrix& matrix, std::span<const float> x, GpuToken& token) {
    assert(int64_t(x.size()) == matrix.cols);
    const size_t columns = matrix.column.size();
    std::vector<float> stored(columns);
    for (size_t i = 0; i < columns; ++i)
        stored[i] = matrix.column[i] < 0 ? 0.f : matrix.scale[i] * x[size_t(matrix.column[i])];
    std::vector<PanelSegment> segments;
    for (int32_t i = 0; i < matrix.layout.segments; ++i)
        segments.push_back({matrix.layout.segment[size_t(i)].kind,
                            int64_t(matrix.layout.segment[size_t(i)].steps) * gpuStep});
    const auto blocks = size_t(blockCount(segments));
    std::vector<int16_t> q(columns);
    std::vector<float> scale(blocks);
    std::vector<int32_t> start(blocks);
    token.high.resize(columns);
    token.low.resize(columns);
    roundPanelInput(segments, matrix.offset, stored, 2, q, token.high, token.low, scale, start);

    float largest = 0, most = 0;
    for (const float s : scale)
        largest = std::isnan(s) ? s : std::isnan(largest) ? largest : std::max(largest, s);
    for (const float value : x)
        most = std::isnan(value)  ? value
               : std::isnan(most) ? most
                                  : std::max(most, std::abs(value));
    if (matrix.extraLimit > 0) {
        const float extra = matrix.extraLimit * fixed::powerOfTwo(-38) * most;
        largest = !(extra <= largest) && !std::isnan(largest) ? extra : largest;
    }
    const fixed::Unit unit = fixed::unitFor(largest);
    token.unit = unit.unit;
    token.inverse[0] = unit.inverse[0];
    token.inverse[1] = unit.inverse[1];
    token.multiplier.assign(size_t(matrix.layout.steps), 0);
    token.start = 0;
    if (std::isnan(token.unit)) return;
    size_t block = 0;
    int64_t step = 0;
    for (const PanelSegment& segment : segments)
        for (int64_t first = 0; first < segment.columns; first += panelBlock, ++block) {
            const auto m = int32_t(fixed::inUnits(scale[block], unit.inverse[0], unit.inverse[1]));
            token.start += int64_t(m) * start[block];
            for (int64_t k = first; k < std::min(first + panelBlock, segment.columns); k += gpuStep)
                token.multiplier[size_t(step++)] = m;
        }
    for (size_t i = 0; i < columns; ++i)
        if (matrix.column[i] >= 0 && matrix.remainder[i] != 0)
            token.start += fixed::inUnits(matrix.remainder[i] * x[size_t(matrix.column[i])],
                                          unit.inverse[0], unit.inverse[1]);
}

std::vector<int16_t> gpuValues(const GpuMatrix& matrix) {
    const GpuLayout& layout = matrix.layout;
    const int64_t rows = GpuLayout::tiles(matrix.rows) * gpuTileRows;
    std::vector<int16_t> out(size_t(layout.columns() * rows));
    for (int32_t i = 0; i < layout.segments; ++i) {
        const GpuSegment& segment = layout.segment[size_t(i)];
        for (int64_t k = 0; k < segment.steps * gpuStep; ++k)
            for (int64_t row = 0; row < rows; ++row)
                out[size_t((segment.firstStep * gpuStep + k) * rows + row)] = int16_t(
                    valueOf(layout, matrix, segment, row / gpuTileRows, k, int(row % gpuTileRows)));
    }
    return out;
}

std::vector<int64_t> gpuSums(const GpuMatrix& matrix, const GpuToken& token,
                             std::span<const float> x, std::span<const int16_t> values) {
    const int64_t tiles = GpuLayout::tiles(matrix.rows);
    const auto rows = size_t(tiles * gpuTileRows);
    std::vector<int16_t> own;
    if (values.empty()) values = own = gpuValues(matrix);
    std::vector<int64_t> sums(rows, 0);
    std::vector<int32_t> part(rows); // exact
    for (size_t step = 0; step < token.multiplier.size(); ++step) {
        std::fill(part.begin(), part.end(), 0);
        for (size_t k = step * gpuStep; k < (step + 1) * gpuStep; ++k) {
            const int32_t q = panelRadix * token.high[k] + token.low[k];
            const int16_t* column = values.data() + k * rows;
            for (size_t n = 0; n < rows; ++n)
                part[n] += column[n] * q;
        }
        for (size_t n = 0; n < rows; ++n)
            sums[n] += int64_t(token.multiplier[step]) * part[n];
    }
    if (!matrix.outlierBegin.empty() && token.inverse[0] != 0)
        for (int64_t tile = 0; tile < tiles; ++tile)
            for (uint32_t i = matrix.outlierBegin[size_t(tile)];
                 i < matrix.outlierBegin[size_t(tile) + 1]; ++i)
                sums[size_t(tile * gpuTileRows) + matrix.outlierRow[i]] +=
                    fixed::inUnits(halfToFloat(matrix.outlierValue[i]) * x[matrix.outlierColumn[i]],
                                   token.inverse[0], token.inverse[1]);
    return sums;
}

float gpuFinish(int64_t sum, const GpuToken& token) {
    return fixed::finish(sum + token.start, token.unit, 0.f);
}

void gpuProduct(const GpuMatrix& matrix, const GpuToken& token, std::span<const float> x,
                std::span<float> y, std::span<const int16_t> values) {
    const std::vector<int64_t> sums = gpuSums(matrix, token, x, values);
    for (size_t n = 0; n < y.size(); ++n) {
        float value = gpuFinish(sums[n], token);
        for (size_t j = 0; j < matrix.rawColumn.size(); ++j) {
            const uint16_t bits = matrix.raw[j * size_t(matrix.rows) + n];
            value = fixed::fusedMultiplyAdd(matrix.rawBfloat16 ? bfloat16ToFloat(bits)
                                                               : halfToFloat(bits),
                                            x[size_t(matrix.rawColumn[j])], value);
        }
        if (!matrix.rowScale.empty()) value = matrix.rowScale[n] * value;
        y[n] = matrix.bias.empty() ? value : value + matrix.bias[n];
    }
}

std::vector<uint32_t> cutByBytes(const GpuLayout& layout, int64_t tiles, int64_t parts) {
    std::vector<uint32_t> begin;
    const int64_t all = tiles * layout.tileBytes;
    int32_t segment = 0;
    int64_t tile = 0;
    for (int64_t p = 0; p < parts; ++p) {
        // all·p may not fit in 64 bits where the matrix is larger than memory.
        const int64_t wanted = all / parts * p + all % parts * p / parts;
        if (wanted / layout.tileBytes != tile) segment = 0;
        tile = wanted / layout.tileBytes;
        const int64_t in = wanted % layout.tileBytes;
        while (segment + 1 < layout.segments && layout.segment[size_t(segment) + 1].codes <= in)
            ++segment;
        const GpuSegment& s = layout.segment[size_t(segment)];
        const int64_t stepBytes = gpuStepBytes(panelBits(s.kind));
        const int64_t step = s.firstStep + (in - s.codes + stepBytes / 2) / stepBytes;
        begin.push_back(uint32_t(tile * layout.steps + step));
    }
    begin.push_back(uint32_t(tiles * layout.steps));
    return begin;
}

GpuSchedule gpuSchedule(const GpuLayout& layout, int64_t tiles, int threadBlocks, int crews) {
    GpuSchedule s;
    s.crews = crews;
    s.share.assign(size_t(tiles), {0, 0});
    const auto all = cutByBytes(layout, tiles, int64_t(threadBlocks) * crews);
    const auto steps = uint32_t(layout.steps);
    for (size_t b = 0; b + 1 < all.size(); b += size_t(crews)) {
        const uint32_t begin = all[b], end = all[b + size_t(crews)];
        if (begin == end) continue;
        for (uint32_t tile = begin / steps; tile <= (end - 1) / steps; ++tile)
            if (s.share[tile].count++ == 0) s.share[tile].first = uint32_t(s.threadBlocks);
        s.cuts.insert(s.cuts.end(), all.begin() + long(b), all.begin() + long(b) + crews);
        ++s.threadBlocks;
    }
    s.cuts.push_back(all.back());
    return s;
}

} // namespace bitloom::kernels
