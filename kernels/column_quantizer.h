// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include <cstdint>
#include <span>
#include <vector>

/// One column of a weight matrix (N weights that share an input channel) quantized to a small set
/// of values: k-means tables and affine grids, with outliers stored exactly. ALGORITHMS §2, FORMAT
/// §1.
///
/// What these functions return is what will be stored: table entries are int8 with one fp16 scale,
/// grids have an fp16 scale and an fp16 (possibly fractional) zero.
namespace bitloom::kernels {

enum class PointKind : uint8_t { Table = 0, Grid = 1, Raw = 2 };

/// A fitted column. `value(c)` is what code c stands for.
/// A table of all zeros has scale 0.
struct ColumnCode {
    PointKind kind = PointKind::Table;
    int bits = 4;
    int8_t table[32] = {}; ///< 2^bits entries, non-decreasing, range limits as in FORMAT §1
    uint16_t scale = 0;    ///< fp16 bits
    uint16_t zero = 0;     ///< fp16 bits, grids only

    int entries() const { return 1 << bits; }
    float value(int code) const; ///< float(scale)*table[code], or float(scale)*(code - zero)
};

/// Scratch memory that is reused from column to column; one per thread. Its contents never
/// influence a result, and once it has seen the longest column nothing is allocated any more.
struct ColumnScratch {
    std::vector<float> sorted;
    std::vector<uint32_t> order, orderTmp;
    std::vector<double> prefix, prefixSquares;
    std::vector<float> centroids; ///< gaps between neighbours, where bins are cut
    std::vector<uint32_t> keys;
    std::vector<float> costs;    ///< error of every run of bins
    std::vector<int32_t> splits; ///< best last run for every number of clusters
};

/// Fits `kind`/`bits` to `weights` (N >= 1 finite values: those that the fit must serve, so without
/// the outliers) and rounds it to what is stored. Tables (1…5 bits): the optimal partition of a few
/// dozen bins, then Lloyd's algorithm on sorted prefix sums. Grids (2…8 bits): least squares for
/// scale and zero in turn with re-assignment, from the full range and from clipped ones. Raw:
/// `bits` is ignored and `sse` is the error of rounding to fp16. `start`, if of the same kind and
/// width, replaces the search for a starting point (faster, for a column that changed a little);
/// any other start is ignored. Returns the code; `sse` (if not null) receives the sum of squared
/// errors over `weights` with nearest-value assignment, in double. O(N) for radix sorting, then
/// O(2^bits log N) a Lloyd step, O(N) a step of a grid of 5 bits or more.
ColumnCode fitColumn(std::span<const float> weights, PointKind kind, int bits,
                     ColumnScratch& scratch, const ColumnCode* start = nullptr,
                     double* sse = nullptr);

/// Nearest value for every weight (ties to the lower code): codes[n] in [0, 2^bits).
void assignColumn(std::span<const float> weights, const ColumnCode& code, std::span<uint8_t> codes);

/// Refits the values of `code` to given codes [N] by least squares (cluster means for tables, scale
/// and zero for grids), rounds to what is stored. Empty clusters keep their value as far as order
/// allows. Codes stay valid: the table stays non-decreasing (isotonic regression where the means
/// are not). Never worse than `code` for these codes: returns `code` where rounding would lose.
/// Used by coordinate descent and polish.
ColumnCode refitColumn(std::span<const float> weights, std::span<const uint8_t> codes,
                       const ColumnCode& code);

/// Rounds `values` (2^bits, any order, any range) to a storable table: sorted, int8, one fp16
/// scale, the range limits of FORMAT §1. `permutation[i]` is the sorted place of values[i].
ColumnCode roundTable(std::span<const float> values, int bits, std::span<uint8_t> permutation);

/// Rows of the `count` <= N weights that a fit should leave out, rows ascending: those farthest
/// from the (lower) median; of equally far ones the larger weight first, then the lower row.
void chooseOutliers(std::span<const float> weights, int count, ColumnScratch& scratch,
                    std::span<uint32_t> rows);

/// One requested operating point of an error curve.
struct CurvePoint {
    PointKind kind;
    int bits;
    int outliers; ///< how many weights are stored exactly
};

/// SSE_k(b) of ALGORITHMS §2 for every point, as sse[i] for points[i]: what chooseOutliers,
/// fitColumn on the rest and assignColumn on all give, from one sort. Raw points give the error of
/// rounding to fp16 (`rawIsExact` = false) or 0, whatever their outliers. Outliers contribute the
/// rounding of their stored fp16 difference (outlierCorrection). More outliers than weights count
/// as N.
void columnErrorCurve(std::span<const float> weights, std::span<const CurvePoint> points,
                      bool rawIsExact, ColumnScratch& scratch, std::span<float> sse);

} // namespace bitloom::kernels
