// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "kernels/column_panels.h"

#include "kernels/panel_kernels.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <vector>

namespace bitloom::kernels {

namespace {

struct KindInfo {
    int bits, entries;
};
constexpr KindInfo kKinds[] = {{2, 4}, {3, 8}, {4, 16}, {5, 0}, {6, 0}, {8, 0}};

const KindInfo& infoOf(PanelKind kind) {
    return kKinds[size_t(kind)];
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

int64_t tableBytes(std::span<const PanelSegment> segments) {
    int64_t bytes = 0;
    for (const PanelSegment& segment : segments)
        bytes += segment.columns * panelEntries(segment.kind);
    return bytes;
}

int64_t blockCount(std::span<const PanelSegment> segments) {
    int64_t blocks = 0;
    for (const PanelSegment& segment : segments)
        blocks += (segment.columns + panelBlock - 1) / panelBlock;
    return blocks;
}

// A step is four columns and `rows` rows, in groups of 16 rows. In a line of 64 bytes, byte
// 4·(row mod 16) + (column mod 4) belongs to one lane; how many groups share a line, and where the
// bits of a group lie in it, depends on the width:
//   2  one line for four groups, two bits each
//   3  the same for the low two bits, then 64 high bits for each of the four groups
//   4  one line for two groups, a nibble each
//   5  the same for the low four bits of two groups, then 64 high bits for each
//   6  two such lines of four groups' low bits, then one line of their high two bits
//   8  one line for each group
void packPanelSegment(PanelSegment segment, std::span<const uint8_t* const> codes, int64_t rows,
                      int64_t valid, std::span<uint8_t> out) {
    assert(segment.columns % panelColumnUnit == 0 && rows % panelRowUnit == 0);
    assert(int64_t(codes.size()) == segment.columns);
    assert(int64_t(out.size()) == segmentBytes(segment, rows));
    std::fill(out.begin(), out.end(), uint8_t(0));
    const int bits = panelBits(segment.kind);
    const int64_t stepBytes = panelColumnUnit * rows * bits / 8;
    for (int64_t column = 0; column < segment.columns; ++column) {
        const uint8_t* source = codes[size_t(column)];
        if (!source) continue;
        uint8_t* step = out.data() + column / panelColumnUnit * stepBytes;
        const int64_t place = column % panelColumnUnit;
        for (int64_t row = 0; row < std::min(rows, valid); ++row) {
            const int64_t group = row / 16, lane = 4 * (row % 16) + place;
            const uint8_t code = source[row];
            const auto highBit = [&](uint8_t* masks, int64_t of, int bit) {
                masks[8 * of + lane / 8] |= uint8_t(((code >> bit) & 1) << (lane % 8));
            };
            switch (bits) {
            case 2:
                step[group / 4 * 64 + lane] |= uint8_t((code & 3) << (2 * (group % 4)));
                break;
            case 3: {
                uint8_t* unit = step + group / 4 * 96;
                unit[lane] |= uint8_t((code & 3) << (2 * (group % 4)));
                highBit(unit + 64, group % 4, 2);
                break;
            }
            case 4:
                step[group / 2 * 64 + lane] |= uint8_t((code & 15) << (4 * (group % 2)));
                break;
            case 5: {
                uint8_t* unit = step + group / 2 * 80;
                unit[lane] |= uint8_t((code & 15) << (4 * (group % 2)));
                highBit(unit + 64, group % 2, 4);
                break;
            }
            case 6: {
                uint8_t* unit = step + group / 4 * 192;
                unit[group % 4 / 2 * 64 + lane] |= uint8_t((code & 15) << (4 * (group % 2)));
                unit[128 + lane] |= uint8_t((code >> 4) << (2 * (group % 4)));
                break;
            }
            default:
                step[group * 64 + lane] = code;
            }
        }
    }
}

void roundPanelInput(std::span<const PanelSegment> segments, std::span<const int16_t> offsets,
                     std::span<const float> x, std::span<int8_t> high, std::span<int8_t> low,
                     std::span<float> scale, std::span<int32_t> start, std::span<int32_t> sum) {
    assert(x.size() == high.size() && x.size() == low.size() && x.size() == offsets.size());
    constexpr int32_t limit = 127 * panelRadix + 126; // one more would round up to 128
    size_t at = 0, block = 0;
    for (const PanelSegment& segment : segments) {
        for (int64_t first = 0; first < segment.columns; first += panelBlock, ++block) {
            const size_t n = size_t(std::min<int64_t>(panelBlock, segment.columns - first));
            float largest = 0;
            for (size_t i = at; i < at + n; ++i)
                largest = std::max(largest, std::fabs(x[i]));
            scale[block] = largest / float(limit);
            const float inverse = largest > 0 ? float(limit) / largest : 0.f;
            int32_t total = 0, shifted = 0;
            for (size_t i = at; i < at + n; ++i) {
                // Adding and taking away 1.5·2^23 rounds to the nearest integer, ties to even.
                const float rounded = (x[i] * inverse + 12582912.f) - 12582912.f;
                const int32_t q = std::clamp(int32_t(rounded), -limit, limit);
                const float part = float(q) * (1.f / float(panelRadix));
                const auto upper = int32_t((part + 12582912.f) - 12582912.f);
                high[i] = int8_t(upper);
                low[i] = int8_t(q - panelRadix * upper);
                total += q;
                shifted += offsets[i] * q;
            }
            sum[block] = total;
            start[block] = shifted;
            at += n;
        }
    }
    assert(at == x.size() && block == scale.size() && block == start.size());
}

namespace {

/// The definition: what every other version must give, bit for bit.
void scalarMatvec(std::span<const PanelSegment> segments, const uint8_t* panel,
                  const uint8_t* tables, const PanelInput& input, int64_t rows, float* y) {
    const int8_t *high = input.high.data(), *low = input.low.data();
    size_t block = 0;
    for (const PanelSegment& segment : segments) {
        const int bits = panelBits(segment.kind), entries = panelEntries(segment.kind);
        const int64_t stepBytes = panelColumnUnit * rows * bits / 8;
        for (int64_t first = 0; first < segment.columns; first += panelBlock, ++block) {
            const int64_t n = std::min<int64_t>(panelBlock, segment.columns - first);
            for (int64_t row = 0; row < rows; ++row) {
                const int64_t group = row / 16;
                int32_t sum = input.start[block];
                for (int64_t k = 0; k < n; ++k) {
                    const int64_t lane = 4 * (row % 16) + k % 4;
                    const uint8_t* step = panel + k / 4 * stepBytes;
                    const auto bit = [&](const uint8_t* masks, int64_t of) {
                        return masks[8 * of + lane / 8] >> (lane % 8) & 1;
                    };
                    int code = 0;
                    switch (bits) {
                    case 2:
                        code = step[group / 4 * 64 + lane] >> (2 * (group % 4)) & 3;
                        break;
                    case 3: {
                        const uint8_t* unit = step + group / 4 * 96;
                        code = (unit[lane] >> (2 * (group % 4)) & 3) | bit(unit + 64, group % 4)
                                                                           << 2;
                        break;
                    }
                    case 4:
                        code = step[group / 2 * 64 + lane] >> (4 * (group % 2)) & 15;
                        break;
                    case 5: {
                        const uint8_t* unit = step + group / 2 * 80;
                        code = (unit[lane] >> (4 * (group % 2)) & 15) | bit(unit + 64, group % 2)
                                                                            << 4;
                        break;
                    }
                    case 6: {
                        const uint8_t* unit = step + group / 4 * 192;
                        code = (unit[group % 4 / 2 * 64 + lane] >> (4 * (group % 2)) & 15) |
                               (unit[128 + lane] >> (2 * (group % 4)) & 3) << 4;
                        break;
                    }
                    default:
                        code = step[group * 64 + lane];
                    }
                    sum += (entries ? tables[k * entries + code] : code) *
                           (panelRadix * int32_t(high[k]) + int32_t(low[k]));
                }
                y[row] = std::fma(input.scale[block], float(sum), y[row]);
            }
            panel += n / panelColumnUnit * stepBytes;
            tables += n * entries;
            high += n;
            low += n;
        }
    }
}

std::vector<PanelKernels> runnable() {
    std::vector<PanelKernels> out{{"scalar", scalarMatvec}};
    if (panelMatvecAvx2 && runsAvx2()) out.push_back({"avx2", panelMatvecAvx2});
    if (panelMatvecAvxVnni && runsAvxVnni()) out.push_back({"avxvnni", panelMatvecAvxVnni});
    if (panelMatvecAvx512 && runsAvx512Vnni()) out.push_back({"avx512vnni", panelMatvecAvx512});
    return out;
}

} // namespace

std::span<const PanelKernels> allPanelKernels() {
    static const std::vector<PanelKernels> all = runnable();
    return all;
}

const PanelKernels& panelKernels() {
    return allPanelKernels().back();
}

} // namespace bitloom::kernels
