// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "kernels/column_panels.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

/// Matrix times vectors with column tables on a GPU: what is computed, in which order of sums, and
/// how codes lie in its memory. Everything here is plain C++; kernels/cuda does the same on the
/// device, bit for bit.
///
/// The exact part is that of column_panels.h: activations rounded to two bytes in blocks of 128
/// columns, and for each block b the int32 sum s_{t,b,n} = start + Σ value·q. A processor adds the
/// blocks as a chain of float32 multiply-adds; the order of such a chain would tie the bits of a
/// result to how many multiprocessors share it. So on a GPU the blocks are added as integers:
///
///     y[t,n] = fma(float(Σ_b multiplier_{t,b}·s_{t,b,n} + Σ outliers + start_t), unit_t, bias_n)
///
/// in int64, where unit_t = 2^e and multiplier = scale_{t,b}/unit_t rounded to the nearest integer,
/// at most 2^22. Integer sums have no order: a product has the same bits on every device, however
/// it is cut, and whatever other tokens go with it.
///
/// Against the chain of column_panels.h this differs by at most
///     2^-23·Σ_b |s_b|·(unit·2^22 + (blocks + 2)·scale_b) + 2^-22·|y|
/// since a multiplier is off by half a unit and every step of either sum rounds once.
namespace bitloom::kernels {

inline constexpr int gpuTileRows = 256; ///< rows that are decoded together; the last are padded
inline constexpr int gpuBlockRows = 64; ///< rows of one tensor-core tile: 16 groups of 4
inline constexpr int gpuStep = 64;      ///< columns; a segment's columns are padded to this
inline constexpr int gpuMultiplierBits = 22;

/// A segment's place in a tile. `columns` is a multiple of gpuStep.
struct GpuSegment {
    PanelKind kind = PanelKind::Table2;
    int32_t firstStep = 0, steps = 0;
    int64_t codes = 0;  ///< bytes from the tile's begin
    int64_t tables = 0; ///< bytes from the tables' begin
};
inline constexpr int gpuMaxSegments = panelKinds;

/// How a matrix is laid out: tile after tile of 256 rows, in it segment after segment, in it step
/// after step of 64 columns: 2048 bytes for each bit of width, of which every block of 64 rows has
/// a quarter and every lane of a warp 16 bytes at a time.
struct GpuLayout {
    int32_t segments = 0;
    int32_t steps = 0; ///< of a tile
    int64_t tileBytes = 0, tableBytes = 0;
    std::array<GpuSegment, gpuMaxSegments> segment{};

    GpuLayout() = default;
    /// At most one segment of each kind; columns a multiple of gpuStep.
    explicit GpuLayout(std::span<const PanelSegment> of);
    constexpr int64_t columns() const { return int64_t(steps) * gpuStep; }
    static constexpr int64_t tiles(int64_t rows) { return (rows + gpuTileRows - 1) / gpuTileRows; }
};
/// Bytes of a step of one tile, and of its tables.
constexpr int64_t gpuStepBytes(int bits) {
    return int64_t(gpuTileRows) * gpuStep * bits / 8;
}
constexpr int64_t gpuStepTableBytes(PanelKind kind) {
    return kind == PanelKind::Table2   ? 4 * gpuStep
           : kind == PanelKind::Table3 ? 8 * gpuStep
           : kind == PanelKind::Table4 ? 16 * gpuStep
                                       : 0;
}

/// Some bits of a code: bits [from, from + bits) lie in bits [shift, …) of a 32-bit word.
struct GpuCodePart {
    int32_t word; ///< of the step of a tile
    int8_t shift, from, bits;
};
struct GpuCodePlace {
    int parts;
    GpuCodePart part[3];
};
/// Where the code of column 0…63 of a step and row 0…255 of a tile lies. The lane 4·g + t of a warp
/// owns rows 4·g + i and 4·(g + 8) + i of every 64 and columns 16·t … 16·t + 15, in the order in
/// which PRMT and the registers of m16n8k32 want them (KERNELS §2.3, §3.3b).
GpuCodePlace gpuCodePlace(PanelKind kind, int column, int row);

/// Packs one segment of one tile. `codes[k]` points to column k's codes from the tile's first row
/// on, or is null for padding; codes beyond `valid` rows are taken as 0.
void packGpuSegment(PanelKind kind, std::span<const uint8_t* const> codes, int64_t valid,
                    std::span<uint32_t> out);

/// A table of 4 bits on a GPU is two tables of 8, looked up one after the other and added: entries
/// minus `shift` from -128 to -1 in the lower, entries minus shift plus 1 from 0 to 127 in the
/// upper half, so that a look-up of the other half gives -1 and 0 (KERNELS §2.3). False where no
/// shift fits: such columns are stored as their entries, 8 bits each. `entries` as
/// column_panels.h has them, from 0 on and not decreasing.
bool gpuTableShift(std::span<const uint8_t> entries, int& shift);

/// Tables as lanes read them. `entries` [tableEntries]; `shifts` [columns of Table4 segments].
void packGpuTables(const GpuLayout& layout, std::span<const uint8_t> entries,
                   std::span<const int16_t> shifts, std::span<uint8_t> out);

/// One token's integers for a GPU: roundPanelInput's, with what turns blocks into int64 sums.
struct GpuToken {
    std::vector<int8_t> high, low;   ///< [columns]
    std::vector<int32_t> multiplier; ///< [steps]: of the block that the step is in
    int64_t start = 0;         ///< Σ_b multiplier·start_b and what fractional zeros of grids add
    float unit = 0;            ///< 2^e; not a number where an activation is none
    float inverse[2] = {0, 0}; ///< their product is 1/unit; 0 where unit is not a number
};

/// A matrix as both definitions see it: what a column's codes mean, and what is not a code.
struct GpuMatrix {
    int64_t rows = 0, cols = 0;
    GpuLayout layout;
    std::vector<uint32_t> codes;  ///< [tiles · tileBytes / 4]
    std::vector<uint8_t> tables;  ///< [tableBytes]
    std::vector<int32_t> column;  ///< [columns] source column, -1 = padding
    std::vector<float> scale;     ///< [columns]
    std::vector<float> remainder; ///< [columns]: what a fractional zero adds per unit of x
    std::vector<int16_t> offset;  ///< [columns]: added to the value that codes and tables give
    /// Outliers of each tile [tiles + 1], sorted by row: entry i adds value·x[column] to its row.
    std::vector<uint32_t> outlierBegin;
    std::vector<uint32_t> outlierRow, outlierColumn;
    std::vector<uint16_t> outlierValue; ///< fp16
    /// Columns of 16 bits, [raw columns, rows]: added after all else, a chain of fused
    /// multiply-adds in this order.
    std::vector<int32_t> rawColumn; ///< source columns
    std::vector<uint16_t> raw;
    bool rawBfloat16 = false;    ///< else fp16
    std::vector<float> rowScale; ///< [rows], or empty = 1: times what came so far
    std::vector<float> bias;     ///< [rows], or empty; last of all
    /// Largest of Σ|outlier| of a row and of Σ|remainder|: bounds what they add.
    float extraLimit = 0;
};

/// One column of a matrix as it is stored: what its codes mean.
struct GpuColumn {
    int32_t source = -1; ///< column of x
    PanelKind kind = PanelKind::Plain8;
    const uint8_t* codes = nullptr;    ///< [rows]
    std::array<uint8_t, 16> entries{}; ///< of table kinds, from 0 on, not decreasing
    float scale = 1;
    float remainder = 0;
    int16_t offset = 0; ///< added to entries or codes
};
/// An outlier: value·x[column] is added to its row. In any order.
struct GpuOutlier {
    uint32_t row, column;
    uint16_t value; ///< fp16
};
/// What each stored column of a matrix is: an index into the columns given, or padding. Sorted by
/// kind, widest first as in PanelWeights, each kind padded to whole steps. Columns whose table of
/// four bits has no shift (gpuTableShift) stand among those of 8 bits.
struct GpuOrder {
    std::vector<PanelSegment> segments;
    std::vector<int32_t> place;   ///< [columns] index of a GpuColumn, -1 = padding
    std::vector<int16_t> shifts;  ///< of the Table4 columns
    std::vector<uint8_t> replace; ///< [columns] 1: entries take the place of codes
};
GpuOrder orderGpuColumns(std::span<const GpuColumn> columns);
/// Everything but the codes.
GpuMatrix describeGpuMatrix(int64_t rows, int64_t cols, std::span<const GpuColumn> columns,
                            const GpuOrder& order, std::vector<GpuOutlier> outliers);
/// The codes of one tile: [tileBytes / 4].
void packGpuTile(const GpuMatrix& matrix, std::span<const GpuColumn> columns, const GpuOrder& order,
                 int64_t tile, std::span<uint32_t> out);
/// All of it, on the calling thread.
GpuMatrix buildGpuMatrix(int64_t rows, int64_t cols, std::span<const GpuColumn> columns,
                         std::vector<GpuOutlier> outliers = {});

/// Rounds `x` [cols], source order. The integers and their blocks are those of roundPanelInput.
void roundGpuInput(const GpuMatrix& matrix, std::span<const float> x, GpuToken& token);

/// y [rows]: the definition above, for one token. `x` [cols] is what outliers are multiplied with.
/// `values`: of gpuValues, for many products with one matrix; empty: worked out.
void gpuProduct(const GpuMatrix& matrix, const GpuToken& token, std::span<const float> x,
                std::span<float> y, std::span<const int16_t> values = {});
/// The int64 sums alone, [tiles · 256]; without `start`.
std::vector<int64_t> gpuSums(const GpuMatrix& matrix, const GpuToken& token,
                             std::span<const float> x, std::span<const int16_t> values = {});
/// What codes and tables give, [columns, tiles · 256]; without offsets.
std::vector<int16_t> gpuValues(const GpuMatrix& matrix);
float gpuFinish(int64_t sum, const GpuToken& token);

/// Work of a product cut into `parts` of equal bytes: part p takes [begin[p], begin[p + 1]) of the
/// list of all steps, tile after tile. Cuts fall between steps.
std::vector<uint32_t> cutByBytes(const GpuLayout& layout, int64_t tiles, int64_t parts);

/// How many thread blocks have a part of a tile, and which of them is the first.
struct GpuTileShare {
    uint32_t first, count;
};
/// Work of a product for thread blocks of some crews each: crew c of thread block b takes the steps
/// [cuts[b·crews + c], cuts[b·crews + c + 1]). No thread block is without work.
struct GpuSchedule {
    int threadBlocks = 0, crews = 0;
    std::vector<uint32_t> cuts;
    std::vector<GpuTileShare> share; ///< [tiles]
};
GpuSchedule gpuSchedule(const GpuLayout& layout, int64_t tiles, int threadBlocks, int crews);

} // namespace bitloom::kernels
