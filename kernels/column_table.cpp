// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "kernels/column_table.h"

#include "kernels/column_loops.h"
#include "kernels/column_math.h"
#include "kernels/half.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace bitloom::kernels {

namespace {

constexpr uint16_t kLargestHalf = 0x7BFF;

/// Bins for the partition search: fewer for short columns, where the search is most of the work.
int binsFor(size_t n, int bits) {
    return bits == 5 || n >= 1024 ? 128 : 96;
}

/// Cuts the column into at most `maxBins` bins, each edge between two different weights. Density
/// follows the square root of the gaps: between that of the weights (too few edges in the tails)
/// and that of an optimal quantizer's values (too few in the middle, to judge a cluster's error).
int cutBins(const Column& column, int maxBins, ColumnScratch& scratch, uint32_t* edges) {
    const size_t gaps = column.size() - 1;
    ensure(scratch.centroids, gaps);
    float* gap = scratch.centroids.data();
    const float* w = column.w + column.first;
    const ColumnLoops& loops = columnLoops();
    double total = loops.gapRoots(w, gaps, gap);
    // A gap takes one edge only, however wide it is; what it cannot use goes to the others.
    float cap = 0;
    for (int round = 0; round < 3 && total > 0; ++round) {
        cap = float(total / maxBins);
        total = loops.cappedSum(gap, gaps, cap);
    }
    int bins = 0;
    edges[0] = uint32_t(column.first);
    const double share = total / maxBins;
    double have = 0, next = share;
    for (size_t i = 0; i < gaps && bins + 1 < maxBins; ++i) {
        have += double(std::min(gap[i], cap));
        if (gap[i] == 0.f || have < next * (1 - 1e-9)) continue;
        edges[++bins] = uint32_t(column.first + i + 1);
        next += share * std::max(1., std::floor((have - next) / share + 1));
    }
    edges[++bins] = uint32_t(column.last);
    return bins;
}

void partitionColumn(const Column& column, int maxBins, int layers, ColumnScratch& scratch,
                     Partition& partition) {
    partition.bins = cutBins(column, maxBins, scratch, partition.edges);
    partition.stride = (partition.bins + 15) / 16 * 16;
    partition.layers = std::min(layers, partition.bins);
    const size_t stride = size_t(partition.stride);
    double counts[kMaxBins + 1], sums[kMaxBins + 1], squares[kMaxBins + 1];
    for (int i = 0; i <= partition.bins; ++i) {
        const uint32_t e = partition.edges[i];
        counts[i] = double(e);
        sums[i] = column.sum[e];
        squares[i] = column.square[e];
    }
    for (int i = partition.bins + 1; i <= partition.stride; ++i) {
        counts[i] = counts[i - 1] + 1;
        sums[i] = sums[i - 1];
        squares[i] = squares[i - 1];
    }
    ensure(scratch.costs, stride * stride);
    ensure(scratch.splits, stride * kMaxTableEntries);
    const double spread = column.spread();
    const ColumnLoops& loops = columnLoops();
    loops.segmentCosts(counts, sums, squares, partition.bins, partition.stride,
                       spread > 0 ? 1 / spread : 0., scratch.costs.data());
    alignas(64) float best[kMaxBins], next[kMaxBins];
    loops.partition(scratch.costs.data(), partition.bins, partition.stride, partition.layers, best,
                    next, scratch.splits.data());
}

/// Means (minus the centre) of the best `count` clusters of the bins.
int partitionMeans(const Column& column, const Partition& partition, int count,
                   const ColumnScratch& scratch, double* means) {
    count = std::min(count, partition.bins);
    int end = partition.bins;
    for (int j = count; j >= 1; --j) {
        const int start =
            j > 1 ? scratch.splits[size_t(j - 2) * size_t(partition.stride) + size_t(end - 1)] : 0;
        const uint32_t a = partition.edges[start], b = partition.edges[end];
        means[j - 1] = (column.sum[b] - column.sum[a]) / double(b - a);
        end = start;
    }
    return count;
}

/// Lloyd's algorithm on `count` ascending centroids (minus the centre). Leaves in them the means of
/// `clusters`; an empty cluster keeps its centroid.
void lloyd(const Column& column, double* centroids, int count, int maxSteps, Clusters& clusters) {
    const double all = column.square[column.last] - column.square[column.first];
    double previous = kInfinity;
    for (int step = 0; step < maxSteps; ++step) {
        float bounds[kMaxTableEntries] = {};
        for (int j = 0; j + 1 < count; ++j)
            bounds[j] = float(column.centre + (centroids[j] + centroids[j + 1]) / 2);
        cut(column, bounds, count, clusters);
        double explained = 0;
        for (int j = 0; j < count; ++j) {
            const size_t a = clusters.begin[j], b = clusters.begin[j + 1];
            if (a == b) continue;
            const double sum = column.sum[b] - column.sum[a];
            centroids[j] = sum / double(b - a);
            explained += sum * centroids[j];
        }
        const double error = all - explained;
        if (previous - error <= 1e-4 * error) break;
        previous = error;
    }
}

/// Rounds x to an integer, ties to even, for |x| < 2^51: no library call, so loops vectorise.
double roundedInteger(double x) {
    return (x + 6755399441055744.0) - 6755399441055744.0;
}

/// Entries for one scale: rounded, held to FORMAT's limits. Returns Σ counts·(values -
/// scale·entry)².
double roundEntries(const double* values, const double* counts, int bits, double scale,
                    double* entries) {
    const int count = 1 << bits;
    const double inverse = 1 / scale;
    for (int j = 0; j < count; ++j)
        entries[j] = roundedInteger(std::clamp(values[j] * inverse, -128., 127.));
    if (bits <= 3) {
        if (entries[count - 1] - entries[0] > 127) {
            const bool holdTop = counts[count - 1] <= counts[0];
            const double low = holdTop ? entries[0] : entries[count - 1] - 127;
            for (int j = 0; j < count; ++j)
                entries[j] = std::clamp(entries[j], low, low + 127);
        }
    } else if (bits == 4) {
        // Clamping can move the middle if the two entries around it are far apart: until it holds.
        for (;;) {
            const int middle = (int(entries[7]) + int(entries[8])) >> 1;
            if (entries[0] >= middle - 128 && entries[15] <= middle + 126) break;
            for (int j = 0; j < count; ++j)
                entries[j] = std::clamp(entries[j], middle - 128., middle + 126.);
        }
    }
    double loss = 0;
    for (int j = 0; j < count; ++j) {
        const double e = values[j] - scale * entries[j];
        loss += counts[j] * e * e;
    }
    return loss;
}

/// Smallest scale that holds the values within FORMAT's limits, before rounding.
double feasibleScale(const double* values, int bits) {
    const int count = 1 << bits;
    const double low = values[0], high = values[count - 1];
    double scale = std::max({high / 127, -low / 128, 0.});
    if (bits <= 3) scale = std::max(scale, (high - low) / 127);
    if (bits == 4) {
        const double middle = (values[7] + values[8]) / 2;
        scale = std::max({scale, (high - middle) / 126, (middle - low) / 128});
    }
    return scale;
}

} // namespace

void roundToTable(const double* values, const double* counts, int bits, bool lattice,
                  ColumnCode& code) {
    const int count = 1 << bits;
    code.kind = PointKind::Table;
    code.bits = bits;
    code.scale = code.zero = 0;
    std::fill(std::begin(code.table), std::end(code.table), int8_t(0));
    const double feasible = feasibleScale(values, bits);
    if (!(feasible > 0)) return;
    double best = kInfinity, entries[kMaxTableEntries], bestEntries[kMaxTableEntries] = {};
    uint16_t bestScale = 0;
    auto consider = [&](uint16_t half) {
        const double loss = roundEntries(values, counts, bits, double(halfToFloat(half)), entries);
        if (loss < best) {
            best = loss;
            bestScale = half;
            std::copy_n(entries, count, bestEntries);
        }
    };
    const int start = std::max<int>(floatToFiniteHalf(float(std::min(feasible, 65504.))), 1);
    const int stride = std::clamp(start >> 8, 1, 4); // 1…4 units of an 11-bit significand
    for (int k = 0; k < 24; ++k) {
        const int half = start + k * stride;
        if (half > kLargestHalf) break;
        consider(uint16_t(half));
    }
    if (lattice) {
        // Weights q·s for integers q are exact with scale s·2^-p: one of these, for |q| <= 127.
        const double largest = std::max(-values[0], values[count - 1]);
        for (int m = 127; m >= 32; --m) {
            const double scale = largest / m;
            if (scale < feasible * 0.999 || scale > 65504) continue;
            const uint16_t half = floatToFiniteHalf(float(scale));
            if (half) consider(half);
        }
    }
    bool allZero = true;
    for (int j = 0; j < count; ++j) {
        code.table[j] = int8_t(int(bestEntries[j]));
        allZero &= code.table[j] == 0;
    }
    code.scale = allZero ? uint16_t(0) : bestScale;
}

void tableValues(const ColumnCode& code, float* values) {
    const float scale = halfToFloat(code.scale);
    for (int j = 0; j < code.entries(); ++j)
        values[j] = scale * float(code.table[j]);
}

namespace {

/// Error of a stored table, and better entries for its scale where re-assignment offers them.
double settleTable(const Column& column, bool lattice, ColumnCode& code) {
    const int count = code.entries();
    float values[kMaxTableEntries];
    Clusters clusters;
    tableValues(code, values);
    double error = valuesError(column, values, count, clusters);
    if (code.scale == 0 || lattice) return error;
    const double scale = double(halfToFloat(code.scale));
    for (int round = 0; round < 2; ++round) {
        double means[kMaxTableEntries] = {}, counts[kMaxTableEntries] = {};
        double entries[kMaxTableEntries];
        for (int j = 0; j < count; ++j) {
            const size_t a = clusters.begin[j], b = clusters.begin[j + 1];
            counts[j] = double(b - a);
            means[j] = a == b ? double(values[j])
                              : column.centre + (column.sum[b] - column.sum[a]) / counts[j];
        }
        roundEntries(means, counts, code.bits, scale, entries);
        bool same = true;
        for (int j = 0; j < count; ++j)
            same &= int(entries[j]) == code.table[j];
        if (same) break;
        ColumnCode next = code;
        for (int j = 0; j < count; ++j)
            next.table[j] = int8_t(int(entries[j]));
        tableValues(next, values);
        const double nextError = valuesError(column, values, count, clusters);
        if (nextError >= error) break;
        error = nextError;
        code = next;
    }
    return error;
}

double storedTableError(const Column& column, const ColumnCode& code) {
    float values[kMaxTableEntries];
    Clusters clusters;
    tableValues(code, values);
    return valuesError(column, values, code.entries(), clusters);
}

/// Fewer centroids than entries: the free entries go to the middle of the widest gap around the
/// middle of the range, where they cost the range limits nothing.
void spreadEntries(double* means, double* counts, int used, int count) {
    const double middle = (means[0] + means[used - 1]) / 2;
    int split = 1;
    while (split < used && means[split] <= middle)
        ++split;
    const int free = count - used;
    for (int j = used - 1; j >= split; --j) {
        means[j + free] = means[j];
        counts[j + free] = counts[j];
    }
    const double value = split < used ? middle : means[used - 1];
    for (int j = split; j < split + free; ++j) {
        means[j] = std::max(value, means[split - 1]);
        counts[j] = 0;
    }
}

} // namespace

double fitTable(const Column& column, int bits, ColumnScratch& scratch, Partition& partition,
                int layers, const ColumnCode* start, ColumnCode& code) {
    const int count = 1 << bits;
    double means[kMaxTableEntries], counts[kMaxTableEntries];
    int used = countDistinct(column, count + 1);
    const bool lattice = used <= count;
    if (lattice) {
        int j = -1;
        for (size_t i = column.first; i < column.last; ++i) {
            if (j < 0 || double(column.w[i]) != means[j]) {
                means[++j] = column.w[i];
                counts[j] = 0;
            }
            ++counts[j];
        }
    } else {
        used = count;
        if (start && start->kind == PointKind::Table && start->bits == bits && start->scale) {
            for (int j = 0; j < count; ++j)
                means[j] = double(start->value(j)) - column.centre;
        } else {
            if (partition.layers == 0)
                partitionColumn(column, binsFor(column.size(), bits), layers, scratch, partition);
            used = partitionMeans(column, partition, count, scratch, means);
        }
        Clusters clusters;
        lloyd(column, means, used, 16, clusters);
        for (int j = 0; j < used; ++j) {
            means[j] += column.centre;
            counts[j] = double(clusters.begin[j + 1] - clusters.begin[j]);
        }
    }
    if (used < count) spreadEntries(means, counts, used, count);
    roundToTable(means, counts, bits, lattice, code);
    const double error = settleTable(column, lattice, code);
    return betterOf(column, code, error, start, storedTableError);
}

} // namespace bitloom::kernels
