// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

/// Matrix times vectors with column tables (layout `column`, FORMAT §1): one vector at the speed of
/// memory, many at that of the byte multipliers. KERNELS §4.
///
/// y[t,n] = bias + Σ_blocks scale_{t,b} · Σ_{k in b} v_k(code[n,k]) · q_{t,k}, with activations
/// rounded to integers in blocks of up to 128 columns. The inner sums are exact int32, the outer
/// one is a chain of fused multiply-adds in the order of the blocks: every instruction set and
/// every number of tokens gives the same bits.
///
/// In memory a matrix is cut into panels of up to 256 rows, and each panel is one sequential
/// stream: segment after segment (columns of one width), in it block after block, in it tile after
/// tile of rows, and in a tile four columns at a time. What a byte of a tile holds is up to the
/// instruction set (PanelLayout). All functions are pure and may run on any thread.
namespace bitloom::kernels {

inline constexpr int panelRows = 256;     ///< rows of a panel; the last may have less
inline constexpr int panelRowUnit = 64;   ///< a panel's rows are a multiple of this: padded
inline constexpr int panelColumnUnit = 4; ///< a segment's columns are a multiple of this: padded
inline constexpr int panelBlock = 128;    ///< columns that share an activation scale, at most
/// Codes and tables should begin at a multiple of this; huge pages help.
inline constexpr int panelAlignment = 64;

/// How the codes of a segment become values: entry of the column's table, or the code itself, plus
/// the column's offset. Entries of a table start at 0: they are at most 127 in Table2 and Table3
/// and at most 254 in Table4 (FORMAT's limits on tables).
enum class PanelKind : uint8_t {
    Table2, ///< 4 entries a column
    Table3, ///< 8
    Table4, ///< 16
    Plain5, ///< codes 0…31
    Plain6, ///< codes 0…63
    Plain8, ///< codes 0…255
};
inline constexpr int panelKinds = 6;
int panelBits(PanelKind kind);
/// Entries of a column's table; 0 for plain kinds.
int panelEntries(PanelKind kind);

/// Order of codes within a tile, each the one that a family of instructions asks for.
enum class PanelLayout : uint8_t {
    Quads, ///< tiles of 128 rows; a byte is a row and one of four columns (64-byte look-ups)
    Rows,  ///< tiles of 64 rows; a byte of table kinds is a row of one column (16-byte look-ups)
};

/// Columns of one width, in stored order. Padding columns have activation 0.
struct PanelSegment {
    PanelKind kind;
    int64_t columns; ///< a multiple of panelColumnUnit
};

/// Bytes of a panel of `rows` rows (a multiple of panelRowUnit), in either layout.
int64_t panelBytes(std::span<const PanelSegment> segments, int64_t rows);
int64_t segmentBytes(PanelSegment segment, int64_t rows);
/// Entries of all tables: those of each column of the table segments, in order.
int64_t tableEntries(std::span<const PanelSegment> segments);
/// Columns, and activation blocks, of all segments; blocks do not cross segments.
int64_t columnCount(std::span<const PanelSegment> segments);
int64_t blockCount(std::span<const PanelSegment> segments);

/// Packs rows [0, rows) of one segment into `out` (the segment's part of the panel). `codes[k]`
/// points to the codes of column k from the panel's first row on, or is null for padding; codes
/// beyond `valid` rows are taken as 0.
void packPanelSegment(PanelLayout layout, PanelSegment segment,
                      std::span<const uint8_t* const> codes, int64_t rows, int64_t valid,
                      std::span<uint8_t> out);

/// Tables as the kernels of a layout read them, from entries [tableEntries]: `out` has
/// packedTableBytes, a few more than are used because whole registers are read.
int64_t packedTableBytes(PanelLayout layout, std::span<const PanelSegment> segments);
void packPanelTables(PanelLayout layout, std::span<const PanelSegment> segments,
                     std::span<const uint8_t> entries, std::span<uint8_t> out);

/// An activation is an integer of two bytes, 256·high + low, or of one, low. With one byte the
/// products of many tokens take half the time where bytes are multiplied (Quads); those of one
/// token do not, since they wait for memory. On the bundled model one byte costs 0.006 nats a token
/// (tests/bench/bench_rounding); two bytes cost nothing that can be measured.
inline constexpr int panelRadix = 256;

/// Rounded activations of some tokens, columns in stored order, padding included. Whoever fills
/// them in decides which source column stands where, and multiplies by the column's scale first.
struct PanelInput {
    int64_t tokens = 1;
    int bytes = 2;                     ///< of an activation
    std::span<const int16_t> q;        ///< [tokens, columns]
    std::span<const int8_t> high, low; ///< [tokens, columns]: its bytes, low signed
    std::span<const float> scale;      ///< [tokens, blocks]
    std::span<const int32_t> start;    ///< [tokens, blocks]: Σ offset·q
    /// One token, optional: what PanelKernels::expand makes of the Table2 segments' columns, in
    /// order.
    std::span<const uint8_t> products;

    /// Tokens [first, first + count).
    PanelInput part(int64_t first, int64_t count) const;
};

/// Rounds one token's `x` [columns], in stored order and already multiplied by the columns' scales:
/// scale = largest magnitude of the block / 32639 (two bytes) or / 127 (one), q = nearest integer,
/// ties to even. A block of zeros (less than 1e-33) has scale 0, one with a value that is infinite
/// or not a number has a scale that is not a number, and so have the results. `offsets` [columns].
/// The outputs are that token's part of PanelInput's. The same bits on every machine.
void roundPanelInput(std::span<const PanelSegment> segments, std::span<const int16_t> offsets,
                     std::span<const float> x, int bytes, std::span<int16_t> q,
                     std::span<int8_t> high, std::span<int8_t> low, std::span<float> scale,
                     std::span<int32_t> start);

/// y[t·stride + n] += the sum above, for the rows of one panel and all tokens; y holds the bias
/// before. Codes are read once, whatever the number of tokens. More than 64 tokens at a time
/// gain nothing and push `y` out of the cache.
using PanelProduct = void (*)(std::span<const PanelSegment> segments, const uint8_t* panel,
                              const uint8_t* tables, const PanelInput& input, int64_t rows,
                              float* y, int64_t stride);

/// What a version may want to look up instead of values: for each pair of Table2 columns the sums
/// of their products with one token's activations, for all 16 pairs of codes. `tables` as packed,
/// `q` [columns], `out` [columns · panelProductBytes]; a multiple of panelColumnUnit columns.
using PanelExpand = void (*)(const uint8_t* tables, const int16_t* q, int64_t columns,
                             uint8_t* out);
inline constexpr int panelProductBytes = 32; ///< of a column

struct PanelKernels {
    const char* name; ///< "scalar", "avx2", "avxvnni", "avx512vnni"
    PanelLayout layout;
    PanelProduct product;
    PanelExpand expand; ///< null where nothing is gained
};

/// The fastest that this processor and its operating system run, or the one that the environment
/// variable BITLOOM_KERNELS names (for tests and measurements), if it runs here.
const PanelKernels& panelKernels();
/// All that run here, plainest first (for tests and measurements).
std::span<const PanelKernels> allPanelKernels();

} // namespace bitloom::kernels
