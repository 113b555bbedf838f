// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

/// Matrix times vector with column tables (layout `column`, FORMAT §1), at memory speed. KERNELS
/// §4.
///
/// y[n] = bias + Σ_blocks scale_b · Σ_{k in b} v_k(code[n,k]) · q_k, with activations rounded to
/// 15 bits in blocks of up to 128 columns. The inner sums are exact int32, the outer one is a chain
/// of fused multiply-adds in the order of the blocks: every instruction set gives the same bits.
///
/// In memory a matrix is cut into panels of up to 256 rows, and each panel is one sequential
/// stream: segment after segment (columns of one width), four columns at a time, all rows of the
/// panel. A lane of the stream is one row and one column, so that four columns' tables lie in one
/// register, and nothing is ever summed across lanes.
namespace bitloom::kernels {

inline constexpr int panelRows = 256;     ///< rows of a panel; the last may have less
inline constexpr int panelRowUnit = 64;   ///< a panel's rows are a multiple of this: padded
inline constexpr int panelColumnUnit = 4; ///< a segment's columns are a multiple of this: padded
inline constexpr int panelBlock = 128;    ///< columns that share an activation scale, at most

/// How the codes of a segment become values: entry of the column's table, or the code itself, plus
/// the column's offset. Entries of a table start at 0: they are at most 127 in Table2 and Table3
/// and at most 254 in Table4 (FORMAT's limits on tables), which lets every instruction set multiply
/// bytes without saturation.
enum class PanelKind : uint8_t {
    Table2, ///< 4 entries a column
    Table3, ///< 8
    Table4, ///< 16
    Plain5, ///< codes 0…31
    Plain6, ///< codes 0…63
    Plain8, ///< codes 0…255
};
int panelBits(PanelKind kind);
/// Entries of a column's table; 0 for plain kinds.
int panelEntries(PanelKind kind);

/// Columns of one width, in stored order. Padding columns have activation 0.
struct PanelSegment {
    PanelKind kind;
    int64_t columns; ///< a multiple of panelColumnUnit
};

/// Bytes of a panel of `rows` rows (a multiple of panelRowUnit).
int64_t panelBytes(std::span<const PanelSegment> segments, int64_t rows);
/// Bytes of all tables: entries of each column of the table segments, in order.
int64_t tableBytes(std::span<const PanelSegment> segments);
/// Activation blocks of all segments; blocks do not cross segments.
int64_t blockCount(std::span<const PanelSegment> segments);

/// Packs rows [0, rows) of one segment's four-column steps into `out` (the segment's part of the
/// panel). `codes[k]` points to the codes of column k from the panel's first row on, or is null for
/// padding; codes beyond `valid` rows are taken as 0.
void packPanelSegment(PanelSegment segment, std::span<const uint8_t* const> codes, int64_t rows,
                      int64_t valid, std::span<uint8_t> out);
int64_t segmentBytes(PanelSegment segment, int64_t rows);

/// An activation is the integer 254·high + low: two bytes, each of which the byte products of every
/// instruction set take. One byte alone would do for large models; on the bundled one it costs
/// 0.006 nats a token (tests/bench/bench_rounding).
inline constexpr int panelRadix = 254;

/// Rounded activations in stored order, padding included. Whoever fills them in decides which
/// source column stands where, and multiplies by the column's scale first.
struct PanelInput {
    std::span<const int8_t> high, low; ///< [Σ columns], −127…127
    std::span<const float> scale;      ///< [blockCount]
    std::span<const int32_t> start;    ///< [blockCount]: Σ offset·q, q = 254·high + low
    std::span<const int32_t> sum;      ///< [blockCount]: Σ q
};

/// Rounds `x` [Σ columns], in stored order and already multiplied by the columns' scales: scale =
/// largest magnitude of the block / 32384, q = nearest integer, ties to even. A block of zeros has
/// scale 0. `offsets` [Σ columns]. The same bits on every machine.
void roundPanelInput(std::span<const PanelSegment> segments, std::span<const int16_t> offsets,
                     std::span<const float> x, std::span<int8_t> high, std::span<int8_t> low,
                     std::span<float> scale, std::span<int32_t> start, std::span<int32_t> sum);

/// y[n] += the sum above, for the rows of one panel; y [rows] holds the bias before.
using PanelMatvec = void (*)(std::span<const PanelSegment> segments, const uint8_t* panel,
                             const uint8_t* tables, const PanelInput& input, int64_t rows,
                             float* y);

struct PanelKernels {
    const char* name; ///< "scalar", "avx2", "avxvnni", "avx512vnni"
    PanelMatvec matvec;
};

/// The fastest that this processor and its operating system run.
const PanelKernels& panelKernels();
/// All that run here, plainest first (for tests).
std::span<const PanelKernels> allPanelKernels();

} // namespace bitloom::kernels
