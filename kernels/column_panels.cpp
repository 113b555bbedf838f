// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "kernels/column_panels.h"

#include "kernels/panel_kernels.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <string_view>
#include <vector>

namespace bitloom::kernels {

PanelInput PanelInput::part(int64_t first, int64_t count) const {
    const auto cut = [&](auto values) {
        const size_t each = values.size() / size_t(tokens);
        return values.subspan(size_t(first) * each, size_t(count) * each);
    };
    return {count, bytes, cut(q), cut(high), cut(low), cut(scale), cut(start), cut(products)};
}

namespace {

/// Values of one tile's block of columns: out[row·panelBlock + k].
void decodeTile(PanelLayout layout, PanelKind kind, int64_t height, int64_t columns,
                const uint8_t* codes, const uint8_t* tables, uint8_t* out) {
    const int64_t stepBytes = panelColumnUnit * height * panelBits(kind) / 8;
    const int64_t entries = packedEntries(layout, panelEntries(kind));
    for (int64_t row = 0; row < height; ++row)
        for (int64_t c = 0; c < panelColumnUnit; ++c) {
            const CodePlace place = codePlace(layout, kind, height, c, row);
            for (int64_t k = c; k < columns; k += panelColumnUnit) {
                const uint8_t* step = codes + k / panelColumnUnit * stepBytes;
                int code = 0;
                for (int p = 0; p < place.parts; ++p) {
                    const CodePart& at = place.part[p];
                    code |= (step[at.byte] >> at.shift & ((1 << at.bits) - 1)) << at.from;
                }
                out[row * panelBlock + k] = entries ? tables[k * entries + code] : uint8_t(code);
            }
        }
}

/// The definition: what every other version must give, bit for bit.
void scalarProduct(std::span<const PanelSegment> segments, const uint8_t* panel,
                   const uint8_t* tables, const PanelInput& input, int64_t rows, float* y,
                   int64_t stride) {
    constexpr PanelLayout layout = PanelLayout::Quads;
    const size_t width = input.q.size() / size_t(input.tokens);
    const size_t blocks = input.scale.size() / size_t(input.tokens);
    uint8_t values[largestTile * panelBlock];
    size_t block = 0, column = 0;
    for (const PanelSegment& segment : segments) {
        const int bits = panelBits(segment.kind), entries = panelEntries(segment.kind);
        for (int64_t first = 0; first < segment.columns; first += panelBlock, ++block) {
            const int64_t n = std::min<int64_t>(panelBlock, segment.columns - first);
            for (int64_t top = 0; top < rows; top += tileRows(layout)) {
                const int64_t height = std::min(tileRows(layout), rows - top);
                decodeTile(layout, segment.kind, height, n, panel, tables, values);
                panel += n * height * bits / 8;
                for (int64_t t = 0; t < input.tokens; ++t) {
                    const int16_t* q = input.q.data() + size_t(t) * width + column;
                    const size_t of = size_t(t) * blocks + block;
                    for (int64_t row = 0; row < height; ++row) {
                        int32_t sum = input.start[of];
                        for (int64_t k = 0; k < n; ++k)
                            sum += int32_t(values[row * panelBlock + k]) * int32_t(q[k]);
                        float& to = y[t * stride + top + row];
                        to = std::fma(input.scale[of], float(sum), to);
                    }
                }
            }
            tables += n * entries;
            column += size_t(n);
        }
    }
}

std::vector<PanelKernels> runnable() {
    std::vector<PanelKernels> out{{"scalar", PanelLayout::Quads, scalarProduct, nullptr}};
    if (panelProductAvx2 && runsAvx2())
        out.push_back({"avx2", PanelLayout::Rows, panelProductAvx2, panelExpandAvx2});
    if (panelProductAvxVnni && runsAvxVnni())
        out.push_back({"avxvnni", PanelLayout::Rows, panelProductAvxVnni, nullptr});
    if (panelProductAvx512 && runsAvx512Vnni())
        out.push_back({"avx512vnni", PanelLayout::Quads, panelProductAvx512, nullptr});
    return out;
}

} // namespace

std::span<const PanelKernels> allPanelKernels() {
    static const std::vector<PanelKernels> all = runnable();
    return all;
}

const PanelKernels& panelKernels() {
    static const PanelKernels& chosen = [&]() -> const PanelKernels& {
        const std::span all = allPanelKernels();
        const char* wanted = std::getenv("BITLOOM_KERNELS");
        for (const PanelKernels& kernels : all)
            if (wanted && std::string_view(wanted) == kernels.name) return kernels;
        return all.back();
    }();
    return chosen;
}

} // namespace bitloom::kernels
