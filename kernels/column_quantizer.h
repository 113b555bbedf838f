// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include <cstdint>
#include <span>
#include <vector>

/// One column of a weight matrix (N weights that share an input channel) quantized to a small set
/// of values: k-means tables and affine grids, with outliers stored exactly. ALGORITHMS §2, FORMAT §1.
///
/// What these functions return is what will be stored: table entries are int8 with one fp16 scale,
/// grids have an fp16 scale and an fp16 (possibly fractional) zero.
namespace bitloom::kernels {

enum class PointKind : uint8_t { Table = 0, Grid = 1, Raw = 2 };

/// A fitted column. `value(c)` is what code c stands for.
struct ColumnCode {
    PointKind kind = PointKind::Table;
    int bits = 4;
    int8_t table[32] = {}; ///< 2^bits entries, non-decreasing, range limits as in FORMAT §1
    uint16_t scale = 0;    ///< fp16 bits
    uint16_t zero = 0;     ///< fp16 bits, grids only

    int entries() const { return 1 << bits; }
    float value(int code) const; ///< float(scale)*table[code], or float(scale)*(code - zero)
};

/// Scratch memory that is reused from column to column; one per thread.
struct ColumnScratch {
    std::vector<float> sorted;
    std::vector<uint32_t> order, orderTmp;
    std::vector<double> prefix, prefixSquares;
    std::vector<float> centroids;
    std::vector<uint32_t> keys;
};

/// Fits `kind`/`bits` to `weights` (N values; `fitOnly` gives those that the fit must serve: all but
/// the outliers) by Lloyd's algorithm on sorted prefix sums, starting from `start` where given
/// (a code of the same kind and width from a previous fit, or of one bit less), rounds the table to
/// what is stored and re-assigns. `weights` must be finite. Returns the code; `sse` (if not null) receives the
/// exact sum of squared errors over `weights` with nearest-value assignment, in double.
/// O(N log N) once for sorting, then O(2^bits log N) a Lloyd step.
ColumnCode fitColumn(std::span<const float> weights, PointKind kind, int bits,
                     ColumnScratch& scratch, const ColumnCode* start = nullptr,
                     double* sse = nullptr);

/// Nearest value for every weight (ties to the lower code): codes[n] in [0, 2^bits).
void assignColumn(std::span<const float> weights, const ColumnCode& code, std::span<uint8_t> codes);

/// Refits the values of `code` to given codes by least squares (cluster means for tables, scale and
/// zero for grids), rounds to what is stored. Empty clusters keep their value. Codes stay valid:
/// the table stays non-decreasing. Used by coordinate descent and polish.
ColumnCode refitColumn(std::span<const float> weights, std::span<const uint8_t> codes,
                       const ColumnCode& code);

/// Rounds `values` (2^bits, any order, any range) to a storable table: sorted, int8, one fp16
/// scale, the range limits of FORMAT §1. `permutation[i]` is the sorted place of values[i].
ColumnCode roundTable(std::span<const float> values, int bits, std::span<uint8_t> permutation);

/// Rows of the `count` weights that a fit should leave out: those farthest from the median, rows
/// ascending.
void chooseOutliers(std::span<const float> weights, int count, ColumnScratch& scratch,
                    std::span<uint32_t> rows);

/// One requested operating point of an error curve.
struct CurvePoint {
    PointKind kind;
    int bits;
    int outliers; ///< how many weights are stored exactly
};

/// SSE_k(b) of ALGORITHMS §2 for every point, warm-started from narrower widths, as sse[i] for
/// points[i]. Raw points give the error of rounding to fp16 (`rawIsExact` = false) or 0. Outliers
/// contribute the rounding of their stored fp16 difference.
void columnErrorCurve(std::span<const float> weights, std::span<const CurvePoint> points,
                      bool rawIsExact, ColumnScratch& scratch, std::span<float> sse);

} // namespace bitloom::kernels
