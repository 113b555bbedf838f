// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "kernels/panel_kernels.h"

#include <algorithm>
#include <array>
#include <cassert>

namespace bitloom::kernels {

namespace {

struct KindInfo {
    int bits, entries;
};
constexpr KindInfo kKinds[panelKinds] = {{2, 4}, {3, 8}, {4, 16}, {5, 0}, {6, 0}, {8, 0}};

const KindInfo& infoOf(PanelKind kind) {
    return kKinds[size_t(kind)];
}

CodePart part(int64_t byte, int64_t shift, int from, int bits) {
    return {int32_t(byte), uint8_t(shift), uint8_t(from), uint8_t(bits)};
}

// Groups of 16 rows; in a line of 64 bytes, byte 4·(row mod 16) + column belongs to one lane. First
// come the lines of the lower bits of all groups (two bits: four groups a line; four: two), then
// what is above them: 64 single bits for each group, or two bits in lines like the others. Three
// bits of a whole tile: six groups in the nibbles of three lines, as in placeInRows, and the bits
// that are left over for the other two.
CodePlace placeInQuads(PanelKind kind, int64_t rows, int64_t column, int64_t row) {
    const int64_t groups = rows / 16, group = row / 16, lane = 4 * (row % 16) + column;
    const int64_t pairLine = group / 2 * 64 + lane, fourLine = group / 4 * 64 + lane;
    const auto mask = [&](int64_t lines) { return lines * 64 + 8 * group + lane / 8; };
    switch (kind) {
    case PanelKind::Table2:
        return {1, {part(fourLine, 2 * (group % 4), 0, 2)}};
    case PanelKind::Table3:
        if (groups == 8 && group < 6) return {1, {part(pairLine, 4 * (group % 2), 0, 3)}};
        if (groups == 8) {
            const int64_t shift = 4 * (group % 2) + 3;
            return {3,
                    {part(lane, shift, 0, 1), part(64 + lane, shift, 1, 1),
                     part(128 + lane, shift, 2, 1)}};
        }
        return {2, {part(fourLine, 2 * (group % 4), 0, 2), part(mask(groups / 4), lane % 8, 2, 1)}};
    case PanelKind::Table4:
        return {1, {part(pairLine, 4 * (group % 2), 0, 4)}};
    case PanelKind::Plain5:
        return {2, {part(pairLine, 4 * (group % 2), 0, 4), part(mask(groups / 2), lane % 8, 4, 1)}};
    case PanelKind::Plain6:
        return {2,
                {part(pairLine, 4 * (group % 2), 0, 4),
                 part(groups / 2 * 64 + fourLine, 2 * (group % 4), 4, 2)}};
    case PanelKind::Plain8:
        break;
    }
    return {1, {part(group * 64 + lane, 0, 0, 8)}};
}

// Table kinds: a line of 32 bytes is 32 rows, in the order in which the unpacking of two columns
// into words (panels_avx2.inl) puts rows 8 to a register. Two bits: a line for 32 rows of all four
// columns. Four: a line for a column, nibbles for the two halves of the tile. Three: such lines for
// three columns; the bits that are left over in each hold one bit of the fourth column.
//
// Plain kinds: a line is eight rows of four columns (0, 2, 1, 3, so that every other byte is a pair
// of neighbours); lower nibbles of all rows first, then what is above them.
CodePlace placeInRows(PanelKind kind, int64_t column, int64_t row) {
    const int64_t half = row / 32, in32 = row % 32;
    const int64_t lane = 16 * (in32 % 8 / 4) + 8 * (in32 / 16) + 2 * (in32 % 4) + in32 / 8 % 2;
    constexpr std::array<int64_t, 4> order{0, 2, 1, 3};
    const int64_t octet = row / 8, plain = 4 * (row % 8) + order[size_t(column)];
    switch (kind) {
    case PanelKind::Table2:
        return {1, {part(32 * half + lane, 2 * column, 0, 2)}};
    case PanelKind::Table3:
        if (column < 3) return {1, {part(32 * column + lane, 4 * half, 0, 3)}};
        return {3,
                {part(lane, 4 * half + 3, 0, 1), part(32 + lane, 4 * half + 3, 1, 1),
                 part(64 + lane, 4 * half + 3, 2, 1)}};
    case PanelKind::Table4:
        return {1, {part(32 * column + lane, 4 * half, 0, 4)}};
    case PanelKind::Plain5:
        return {2,
                {part(32 * (octet / 2) + plain, 4 * (octet % 2), 0, 4),
                 part(128 + plain, octet, 4, 1)}};
    case PanelKind::Plain6:
        return {2,
                {part(32 * (octet / 2) + plain, 4 * (octet % 2), 0, 4),
                 part(128 + 32 * (octet / 4) + plain, 2 * (octet % 4), 4, 2)}};
    case PanelKind::Plain8:
        break;
    }
    return {1, {part(32 * octet + plain, 0, 0, 8)}};
}

} // namespace

int panelBits(PanelKind kind) {
    return infoOf(kind).bits;
}
int panelEntries(PanelKind kind) {
    return infoOf(kind).entries;
}
int64_t segmentBytes(PanelSegment segment, int64_t rows) {
    return segment.columns * rows * panelBits(segment.kind) / 8;
}

int64_t panelBytes(std::span<const PanelSegment> segments, int64_t rows) {
    int64_t bytes = 0;
    for (const PanelSegment& segment : segments)
        bytes += segmentBytes(segment, rows);
    return bytes;
}

int64_t tableEntries(std::span<const PanelSegment> segments) {
    int64_t entries = 0;
    for (const PanelSegment& segment : segments)
        entries += segment.columns * panelEntries(segment.kind);
    return entries;
}

int64_t columnCount(std::span<const PanelSegment> segments) {
    int64_t columns = 0;
    for (const PanelSegment& segment : segments)
        columns += segment.columns;
    return columns;
}

int64_t blockCount(std::span<const PanelSegment> segments) {
    int64_t blocks = 0;
    for (const PanelSegment& segment : segments)
        blocks += (segment.columns + panelBlock - 1) / panelBlock;
    return blocks;
}

CodePlace codePlace(PanelLayout layout, PanelKind kind, int64_t rows, int64_t column, int64_t row) {
    return layout == PanelLayout::Quads ? placeInQuads(kind, rows, column, row)
                                        : placeInRows(kind, column, row);
}

void packPanelSegment(PanelLayout layout, PanelSegment segment,
                      std::span<const uint8_t* const> codes, int64_t rows, int64_t valid,
                      std::span<uint8_t> out) {
    assert(segment.columns % panelColumnUnit == 0 && rows % panelRowUnit == 0);
    assert(int64_t(codes.size()) == segment.columns);
    assert(int64_t(out.size()) == segmentBytes(segment, rows));
    std::fill(out.begin(), out.end(), uint8_t(0));
    const int bits = panelBits(segment.kind);
    uint8_t* tile = out.data();
    for (int64_t first = 0; first < segment.columns; first += panelBlock) {
        const int64_t columns = std::min<int64_t>(panelBlock, segment.columns - first);
        for (int64_t top = 0; top < rows; top += tileRows(layout)) {
            const int64_t height = std::min(tileRows(layout), rows - top);
            const int64_t stepBytes = panelColumnUnit * height * bits / 8;
            for (int64_t c = 0; c < panelColumnUnit; ++c)
                for (int64_t row = 0; row < std::min(height, valid - top); ++row) {
                    const CodePlace place = codePlace(layout, segment.kind, height, c, row);
                    for (int64_t k = c; k < columns; k += panelColumnUnit) {
                        const uint8_t* source = codes[size_t(first + k)];
                        if (!source) continue;
                        uint8_t* step = tile + k / panelColumnUnit * stepBytes;
                        for (int p = 0; p < place.parts; ++p) {
                            const CodePart& at = place.part[p];
                            step[at.byte] |= uint8_t(
                                (source[top + row] >> at.from & ((1 << at.bits) - 1)) << at.shift);
                        }
                    }
                }
            tile += columns / panelColumnUnit * stepBytes;
        }
    }
}

int64_t packedTableBytes(PanelLayout layout, std::span<const PanelSegment> segments) {
    int64_t bytes = 64;
    for (const PanelSegment& segment : segments)
        bytes += segment.columns * packedEntries(layout, panelEntries(segment.kind));
    return bytes;
}

void packPanelTables(PanelLayout layout, std::span<const PanelSegment> segments,
                     std::span<const uint8_t> entries, std::span<uint8_t> out) {
    assert(int64_t(entries.size()) == tableEntries(segments));
    assert(int64_t(out.size()) == packedTableBytes(layout, segments));
    std::fill(out.begin(), out.end(), uint8_t(0));
    const uint8_t* from = entries.data();
    uint8_t* to = out.data();
    for (const PanelSegment& segment : segments) {
        const int used = panelEntries(segment.kind);
        const int64_t size = packedEntries(layout, used);
        for (int64_t k = 0; k < segment.columns; ++k, from += used, to += size)
            for (int64_t e = 0; e < size; ++e)
                // Rows, two bits: a nibble is the codes of two columns. The first of them looks
                // at its own two bits alone, the second at the others.
                to[e] = segment.kind == PanelKind::Table2 && size == 16
                            ? from[k % 2 ? e / 4 : e % 4]
                            : from[e % used];
    }
}

} // namespace bitloom::kernels
