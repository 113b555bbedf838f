// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "kernels/column_quantizer.h"

#include <algorithm>
#include <cstddef>
#include <limits>
#include <span>
#include <vector>

/// Within kernels/: a column sorted once, with prefix sums, which all fits work on.
namespace bitloom::kernels {

inline constexpr int kMaxTableEntries = 32;
inline constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// Grows, never shrinks: no allocation once the longest column has been seen.
template<typename T>
void ensure(std::vector<T>& values, size_t size) {
    if (values.size() < size) values.resize(size);
}

/// A range of the sorted column: the weights that a fit serves.
struct Column {
    const float* w;       ///< sorted weights
    const double* sum;    ///< sum[i] = Σ_{j<i} (w[j] - centre)
    const double* square; ///< square[i] = Σ_{j<i} (w[j] - centre)²
    double centre;        ///< lower median of the whole column
    size_t first, last;   ///< half-open range

    size_t size() const { return last - first; }
    double low() const { return w[first]; }
    double high() const { return w[last - 1]; }
    /// Σ (w - mean)² of the range.
    double spread() const {
        const double s = sum[last] - sum[first];
        return std::max(0., square[last] - square[first] - s * s / double(size()));
    }
};

/// Sorts `weights` into the scratch memory, which the result points into.
Column prepareColumn(std::span<const float> weights, ColumnScratch& scratch);

/// Leaves out the `count` weights farthest from the median, in the order of chooseOutliers.
Column withoutOutliers(Column column, size_t count);

/// Number of different weights, counted up to `limit`.
int countDistinct(const Column& column, int limit);

/// Intervals of the sorted column: cluster j is [begin[j], begin[j+1]).
struct Clusters {
    size_t begin[kMaxTableEntries + 1];
};

/// Cuts the column at `count`-1 ascending bounds; a weight equal to a bound belongs below it.
void cut(const Column& column, const float* bounds, int count, Clusters& clusters);

/// Squared error with the nearest of `count` non-decreasing values; exact but for the rounding of
/// doubles. Fills `clusters`.
double valuesError(const Column& column, const float* values, int count, Clusters& clusters);

/// `code` with its error, unless the one that it started from is better.
template<typename Error>
double betterOf(const Column& column, ColumnCode& code, double error, const ColumnCode* start,
                Error errorOf) {
    if (!start || start->kind != code.kind || start->bits != code.bits) return error;
    const double before = errorOf(column, *start);
    if (before < error) {
        code = *start;
        return before;
    }
    return error;
}

} // namespace bitloom::kernels
