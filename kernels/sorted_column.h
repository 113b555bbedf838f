// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "kernels/column_quantizer.h"
#include "kernels/device_half.h"
#include "kernels/host_device.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <vector>

/// Within kernels/: a column sorted once, with prefix sums, which all fits work on.
///
/// Fits are templates over the loops that they are made of (ProcessorLoops here, TeamLoops for a
/// warp of a GPU), which give the same bits; so does everything else, as nothing is ever fused.
namespace bitloom::kernels {

inline constexpr int kMaxTableEntries = 32;
inline constexpr int kMaxBins = 128;
inline constexpr uint16_t kLargestHalf = 0x7BFF;
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

    BITLOOM_BOTH size_t size() const { return last - first; }
    BITLOOM_BOTH double low() const { return w[first]; }
    BITLOOM_BOTH double high() const { return w[last - 1]; }
    /// Σ (w - mean)² of the range.
    BITLOOM_BOTH double spread() const {
        const double s = sum[last] - sum[first];
        return std::max(0., square[last] - square[first] - s * s / double(size()));
    }
};

/// Sorts `weights` into the scratch memory, which the result points into.
Column prepareColumn(std::span<const float> weights, ColumnScratch& scratch);

/// Memory that a fit works in, beside what the column takes. Of a column of N weights;
/// uninitialised.
struct FitMemory {
    float* gaps;     ///< [N]
    float* costs;    ///< [kMaxBins, kMaxBins], error of every run of bins
    int32_t* splits; ///< [kMaxTableEntries, kMaxBins]
    uint32_t* edges; ///< [kMaxBins + 1]
};

/// Held to ±65504 instead of becoming infinite.
BITLOOM_BOTH inline uint16_t nearestFiniteHalf(float value) {
    return nearestHalf(std::clamp(value, -65504.f, 65504.f));
}

/// Leaves out the `count` weights farthest from the median, in the order of chooseOutliers.
BITLOOM_BOTH inline Column withoutOutliers(Column column, size_t count) {
    for (; count && column.first < column.last; --count) {
        const double below = column.centre - double(column.w[column.first]);
        const double above = double(column.w[column.last - 1]) - column.centre;
        if (above >= below)
            --column.last;
        else
            ++column.first;
    }
    return column;
}

/// Number of different weights, counted up to `limit`.
BITLOOM_BOTH inline int countDistinct(const Column& column, int limit) {
    int distinct = column.size() ? 1 : 0;
    for (size_t i = column.first + 1; i < column.last && distinct < limit; ++i)
        distinct += column.w[i] != column.w[i - 1];
    return distinct;
}

/// Intervals of the sorted column: cluster j is [begin[j], begin[j+1]).
struct Clusters {
    size_t begin[kMaxTableEntries + 1];
};

/// Largest float that is not above x: w > x and w > floorToFloat(x) say the same of a float w.
BITLOOM_BOTH inline float floorToFloat(double x) {
    float f = float(x);
    if (double(f) > x) f = std::nextafterf(f, -std::numeric_limits<float>::infinity());
    return f;
}

/// Squared error with the nearest of `count` non-decreasing values; exact but for the rounding of
/// doubles. Fills `clusters`.
template<class Loops>
BITLOOM_BOTH double valuesError(const Loops& loops, const Column& column, const float* values,
                                int count, Clusters& clusters) {
    float bounds[kMaxTableEntries] = {};
    for (int j = 0; j + 1 < count; ++j)
        bounds[j] = floorToFloat((double(values[j]) + double(values[j + 1])) / 2);
    loops.cut(column, bounds, count, clusters);
    double error = 0;
    for (int j = 0; j < count; ++j) {
        const size_t a = clusters.begin[j], b = clusters.begin[j + 1];
        const double v = double(values[j]) - column.centre;
        error += (column.square[b] - column.square[a]) - 2 * v * (column.sum[b] - column.sum[a]) +
                 double(b - a) * v * v;
    }
    // Where nearly everything cancels (a column that its values hold exactly) add up the errors.
    if (error > 1e-7 * (column.square[column.last] - column.square[column.first])) return error;
    error = 0;
    for (int j = 0; j < count; ++j) {
        for (size_t i = clusters.begin[j]; i < clusters.begin[j + 1]; ++i) {
            const double e = double(column.w[i]) - double(values[j]);
            error += e * e;
        }
    }
    return error;
}

/// `code` with its error, unless the one that it started from is better.
template<typename Error>
BITLOOM_BOTH double betterOf(ColumnCode& code, double error, const ColumnCode* start,
                             const Error& errorOf) {
    if (!start || start->kind != code.kind || start->bits != code.bits) return error;
    const double before = errorOf(*start);
    if (before < error) {
        code = *start;
        return before;
    }
    return error;
}

} // namespace bitloom::kernels
