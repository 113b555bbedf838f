// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "kernels/column_panels.h"

/// Within kernels/: the versions of the panel kernels, one file for each instruction set, and the
/// definition of the layouts that all of them share.
namespace bitloom::kernels {

/// Rows of a tile; a panel's last tile may be half of one of Quads.
constexpr int64_t tileRows(PanelLayout layout) {
    return layout == PanelLayout::Quads ? 128 : 64;
}
inline constexpr int64_t largestTile = 128;

/// Some bits of a code and where they lie in the step (four columns) of a tile.
struct CodePart {
    int32_t byte;
    uint8_t shift; ///< in the byte
    uint8_t from;  ///< lowest bit of the code
    uint8_t bits;
};
struct CodePlace {
    int parts = 0;
    CodePart part[3] = {};
};
/// `column` in [0, 4), `row` in [0, rows of the tile).
CodePlace codePlace(PanelLayout layout, PanelKind kind, int64_t rows, int64_t column, int64_t row);

/// Bytes of a column's table, as packed.
constexpr int64_t packedEntries(PanelLayout layout, int entries) {
    return layout == PanelLayout::Rows && entries > 0 ? 16 : entries;
}

/// Null where the compiler does not know the instructions.
extern const PanelProduct panelProductAvx2, panelProductAvxVnni; ///< Rows
extern const PanelProduct panelProductAvx512;                    ///< Quads; with VBMI and VNNI
extern const PanelExpand panelExpandAvx2;
/// Processor and operating system both.
bool runsAvx2();
bool runsAvxVnni();
bool runsAvx512Vnni();

} // namespace bitloom::kernels
