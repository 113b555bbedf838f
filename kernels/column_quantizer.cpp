// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
//
// How a column is fitted.
//
// Everything works on the sorted column with prefix sums of w - median and its square (the median
// keeps the sums small, so that a column such as 1 ± 0.001 loses nothing to cancellation). A set of
// values then costs 2^bits binary searches, whatever N is. Outliers are the weights farthest from
// the median, so leaving them out is a narrower range of the same sorted array, and all points of
// an error curve share one sort.
//
// Tables. In one dimension the best clusters are intervals. The column is cut into 64 or 128 bins,
// dense where weights and gaps are, the best partition of the bins is found exactly by dynamic
// programming (one run gives the partitions for all widths), and Lloyd's algorithm moves the edges
// to where they belong. Then a scale is chosen among fp16 neighbours of the smallest feasible one,
// by the squared error that rounding the means to int8 adds, and the codes are re-assigned.
//
// Grids. offset + step·c is fitted by least squares to given codes, codes are re-assigned, and so
// on to a local optimum, from several starts: the full range, and clipped ranges found by a model
// (uniform error inside, clipping error outside) whose terms are prefix sums. Up to 4 bits a step
// costs 2^bits binary searches; above, it is one pass over the column (column_loops). At the end
// (scale, zero) is the pair of fp16 numbers near the optimum with the least loss, which matters
// where the zero is large: a column far from 0 has a zero of thousands, with few bits left for its
// fraction, and only some scales put the grid where it should be.
#include "kernels/column_quantizer.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cassert>
#include <cmath>
#include <limits>

#include "kernels/column_loops.h"
#include "kernels/column_math.h"
#include "kernels/half.h"

namespace bitloom::kernels {
namespace {

constexpr int kMaxTableEntries = 32;
constexpr int kMaxBins = 128;
constexpr uint16_t kLargestHalf = 0x7BFF;
constexpr double kInfinity = std::numeric_limits<double>::infinity();

// ---------------------------------------------------------------------------------------- sorting

uint32_t keyOf(float w) {
    const uint32_t bits = std::bit_cast<uint32_t>(w + 0.f); // -0 becomes +0
    return bits ^ (uint32_t(int32_t(bits) >> 31) | 0x80000000u);
}

float weightOf(uint32_t key) {
    return std::bit_cast<float>(key ^ (key & 0x80000000u ? 0x80000000u : 0xFFFFFFFFu));
}

/// Least-significant-digit radix sort; digits that are the same in all keys cost nothing (weights
/// stored as bfloat16 have 16 zero bits).
template<int DigitBits>
void radixSort(std::span<const float> weights, ColumnScratch& scratch) {
    constexpr int kPasses = (32 + DigitBits - 1) / DigitBits;
    constexpr uint32_t kBuckets = 1u << DigitBits;
    const size_t n = weights.size();
    uint32_t counts[kPasses][kBuckets] = {};
    uint32_t* from = scratch.keys.data();
    uint32_t* to = scratch.orderTmp.data();
    for (size_t i = 0; i < n; ++i) {
        const uint32_t key = keyOf(weights[i]);
        from[i] = key;
        for (int p = 0; p < kPasses; ++p)
            ++counts[p][(key >> (p * DigitBits)) & (kBuckets - 1)];
    }
    for (int p = 0; p < kPasses; ++p) {
        uint32_t* count = counts[p];
        const int shift = p * DigitBits;
        if (count[(from[0] >> shift) & (kBuckets - 1)] == n) continue;
        uint32_t place = 0;
        for (uint32_t b = 0; b < kBuckets; ++b) {
            const uint32_t here = count[b];
            count[b] = place;
            place += here;
        }
        for (size_t i = 0; i < n; ++i)
            to[count[(from[i] >> shift) & (kBuckets - 1)]++] = from[i];
        std::swap(from, to);
    }
    for (size_t i = 0; i < n; ++i)
        scratch.sorted[i] = weightOf(from[i]);
}

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

Column prepareColumn(std::span<const float> weights, ColumnScratch& scratch) {
    const size_t n = weights.size();
    ensure(scratch.sorted, n);
    ensure(scratch.prefix, n + 1);
    ensure(scratch.prefixSquares, n + 1);
    if (n < 48) {
        for (size_t i = 0; i < n; ++i)
            scratch.sorted[i] = weights[i] + 0.f;
        std::sort(scratch.sorted.begin(), scratch.sorted.begin() + ptrdiff_t(n));
    } else {
        ensure(scratch.keys, n);
        ensure(scratch.orderTmp, n);
        if (n < 2048)
            radixSort<8>(weights, scratch);
        else
            radixSort<11>(weights, scratch);
    }
    const double centre = scratch.sorted[(n - 1) / 2];
    double sum = 0, square = 0;
    for (size_t i = 0; i < n; ++i) {
        scratch.prefix[i] = sum;
        scratch.prefixSquares[i] = square;
        const double d = double(scratch.sorted[i]) - centre;
        sum += d;
        square += d * d;
    }
    scratch.prefix[n] = sum;
    scratch.prefixSquares[n] = square;
    return {
        scratch.sorted.data(), scratch.prefix.data(), scratch.prefixSquares.data(), centre, 0, n};
}

/// Leaves out the `count` weights farthest from the median, in the order of chooseOutliers.
Column withoutOutliers(Column column, size_t count) {
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
int countDistinct(const Column& column, int limit) {
    int distinct = column.size() ? 1 : 0;
    for (size_t i = column.first + 1; i < column.last && distinct < limit; ++i)
        distinct += column.w[i] != column.w[i - 1];
    return distinct;
}

// --------------------------------------------------------------------------------------- clusters

/// Largest float that is not above x: w > x and w > floorToFloat(x) say the same of a float w.
float floorToFloat(double x) {
    float f = float(x);
    if (double(f) > x) f = std::nextafter(f, -std::numeric_limits<float>::infinity());
    return f;
}

/// Intervals of the sorted column: cluster j is [begin[j], begin[j+1]).
struct Clusters {
    size_t begin[kMaxTableEntries + 1];
};

/// Cuts the column at `count`-1 ascending bounds; a weight equal to a bound belongs below it.
/// Every search takes the same number of steps, so the processor runs them side by side.
void cut(const Column& column, const float* bounds, int count, Clusters& clusters) {
    size_t place[kMaxTableEntries];
    for (int j = 0; j < count - 1; ++j)
        place[j] = column.first;
    size_t length = column.size();
    while (length > 1) {
        const size_t half = length / 2;
        for (int j = 0; j < count - 1; ++j)
            place[j] += half & -size_t(column.w[place[j] + half - 1] <= bounds[j]); // no branch
        length -= half;
    }
    clusters.begin[0] = column.first;
    for (int j = 0; j < count - 1; ++j)
        clusters.begin[j + 1] = place[j] + (length && column.w[place[j]] <= bounds[j] ? 1 : 0);
    clusters.begin[count] = column.last;
}

/// Squared error with the nearest of `count` non-decreasing values; exact but for the rounding of
/// doubles. Fills `clusters`.
double valuesError(const Column& column, const float* values, int count, Clusters& clusters) {
    float bounds[kMaxTableEntries] = {};
    for (int j = 0; j + 1 < count; ++j)
        bounds[j] = floorToFloat((double(values[j]) + double(values[j + 1])) / 2);
    cut(column, bounds, count, clusters);
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

// ----------------------------------------------------------------------------------------- tables

/// Best partitions of a column's bins into 1…layers clusters.
struct Partition {
    int bins = 0, stride = 0, layers = 0;
    uint32_t edges[kMaxBins + 1];
};

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

/// Best storable table for non-decreasing values with weights `counts`. `lattice`: the column has
/// no more different weights than the table has entries, so that a scale may exist which loses
/// nothing.
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

// ------------------------------------------------------------------------------------------ grids

/// Code c stands for offset + step·c.
struct Affine {
    double step = 0, offset = 0;
};

/// One step of the alternation: the error of a grid with nearest codes, and the grid that fits
/// these codes best. The loss of another grid (s, o) with the same codes is, per weight, (o +
/// s·meanCode - refit.offset - refit.step·meanCode)² + codeVariance·(s - refit.step)².
struct AffineStep {
    double error = kInfinity;
    Affine refit;
    double meanCode = 0, codeVariance = 0;
};

AffineStep stepBySearch(const Column& column, const Affine& grid, int levels) {
    float bounds[kMaxTableEntries] = {};
    for (int c = 0; c + 1 < levels; ++c)
        bounds[c] = float(grid.offset + (c + 0.5) * grid.step);
    Clusters clusters;
    cut(column, bounds, levels, clusters);
    const double offset = grid.offset - column.centre, all = double(column.size());
    double error = 0, codes = 0, codeSquares = 0, sums = 0, products = 0;
    for (int c = 0; c < levels; ++c) {
        const size_t a = clusters.begin[c], b = clusters.begin[c + 1];
        const double n = double(b - a), s = column.sum[b] - column.sum[a];
        const double v = offset + grid.step * c;
        error += n * v * v - 2 * v * s;
        codes += n * c;
        codeSquares += n * c * c;
        sums += s;
        products += s * c;
    }
    AffineStep result;
    result.error = std::max(0., error + column.square[column.last] - column.square[column.first]);
    result.meanCode = codes / all;
    result.codeVariance = std::max(0., codeSquares / all - result.meanCode * result.meanCode);
    result.refit = grid;
    if (result.codeVariance > 0) {
        const double mean = sums / all;
        const double slope = (products / all - mean * result.meanCode) / result.codeVariance;
        if (slope > 0) result.refit.step = slope;
        result.refit.offset = column.centre + mean - result.refit.step * result.meanCode;
    }
    return result;
}

AffineStep stepByPass(const Column& column, const Affine& grid, int levels) {
    GridSums sums;
    const float step = float(grid.step), offset = float(grid.offset);
    const double middle = double(levels / 2), all = double(column.size());
    AffineStep result;
    result.refit = grid;
    if (!(step > std::numeric_limits<float>::min())) return result;
    columnLoops().gridPass(column.w + column.first, column.size(), offset, 1 / step,
                           float(levels - 1), float(middle), &sums);
    const double unit = double(step);
    const double meanM = sums.m1 / all, meanE = sums.e1 / all;
    result.error = sums.e2 * unit * unit;
    if (!std::isfinite(result.error)) { // weights beyond what fp16 scales can hold
        result.error = std::numeric_limits<double>::max();
        return result;
    }
    result.meanCode = meanM + middle;
    result.codeVariance = std::max(0., sums.m2 / all - meanM * meanM);
    if (result.codeVariance > 0) {
        const double slope = (sums.em / all - meanE * meanM) / result.codeVariance;
        if (slope > -1) {
            result.refit.step = unit * (1 + slope);
            // Mean of the weights = offset + step·(meanCode + meanE) in the old grid.
            const double mean = double(offset) + unit * (result.meanCode + meanE);
            result.refit.offset = mean - result.refit.step * result.meanCode;
        }
    }
    return result;
}

/// Searching takes 2^bits·log N steps, a pass N/16 of about four times the cost.
bool passIsFaster(const Column& column, int bits) {
    return bits > 4 || (bits == 4 && column.size() <= 512);
}

AffineStep stepGrid(const Column& column, const Affine& grid, int bits) {
    return passIsFaster(column, bits) ? stepByPass(column, grid, 1 << bits)
                                      : stepBySearch(column, grid, 1 << bits);
}

/// The error alone.
double gridError(const Column& column, const Affine& grid, int bits) {
    if (!passIsFaster(column, bits)) return stepBySearch(column, grid, 1 << bits).error;
    const float step = float(grid.step);
    if (!(step > std::numeric_limits<float>::min())) return kInfinity;
    const double unit = double(step);
    return unit * unit *
           columnLoops().gridSquares(column.w + column.first, column.size(), float(grid.offset),
                                     1 / step, float((1 << bits) - 1));
}

/// Clipped range by a model: clipping error outside plus a uniform error of step²/12 inside. The
/// ends are weights themselves, so that every term is a prefix sum.
void clippedRange(const Column& column, int levels, double& low, double& high) {
    const size_t n = column.size(), most = n / 4;
    const double c = column.centre;
    size_t left = 0, right = 0;
    auto tailLeft = [&](size_t count) {
        const double edge = double(column.w[column.first + count]) - c;
        const size_t b = column.first + count;
        return column.square[b] - column.square[column.first] -
               2 * edge * (column.sum[b] - column.sum[column.first]) + double(count) * edge * edge;
    };
    auto tailRight = [&](size_t count) {
        const double edge = double(column.w[column.last - 1 - count]) - c;
        const size_t a = column.last - count;
        return column.square[column.last] - column.square[a] -
               2 * edge * (column.sum[column.last] - column.sum[a]) + double(count) * edge * edge;
    };
    const double uniform = 1. / (12. * (levels - 1) * (levels - 1));
    auto inside = [&](size_t a, size_t b) {
        const double width =
            double(column.w[column.last - 1 - b]) - double(column.w[column.first + a]);
        return double(n - a - b) * width * width * uniform;
    };
    for (int round = 0; round < 2; ++round) {
        double best = kInfinity;
        size_t choice = 0;
        for (size_t t = 0; t <= most; t = t + 1 + t / 3) {
            const double cost = tailLeft(t) + inside(t, right);
            if (cost < best) {
                best = cost;
                choice = t;
            }
        }
        left = choice;
        best = kInfinity;
        for (size_t t = 0; t <= most; t = t + 1 + t / 3) {
            const double cost = tailRight(t) + inside(left, t);
            if (cost < best) {
                best = cost;
                choice = t;
            }
        }
        right = choice;
    }
    low = column.w[column.first + left];
    high = column.w[column.last - 1 - right];
}

/// The fp16 pair that loses least against the optimum `at.refit` for its codes.
void roundToGrid(const AffineStep& at, ColumnCode& code) {
    const double step = at.refit.step, target = at.refit.offset + step * at.meanCode;
    const double zero = at.meanCode - target / std::max(step, 1e-300);
    // A zero of thousands has few bits for its fraction: try more scales then, one of them fits.
    const double reach = std::fabs(zero);
    const int around = reach <= 16 ? 1 : reach <= 1024 ? 12 : 64;
    double lowest = step;
    lowest = std::max(lowest, std::fabs(target) / 65504);
    const int middle = floatToFiniteHalf(float(std::min(lowest, 65504.)));
    double best = kInfinity;
    for (int half = std::max(1, middle - around);
         half <= std::min<int>(kLargestHalf, middle + around); ++half) {
        const double scale = double(halfToFloat(uint16_t(half)));
        const double wanted = std::clamp(at.meanCode - target / scale, -65504., 65504.);
        const uint16_t zeroBits = floatToFiniteHalf(float(wanted));
        const double shift = target - scale * (at.meanCode - double(halfToFloat(zeroBits)));
        const double loss = shift * shift + at.codeVariance * (scale - step) * (scale - step);
        if (loss < best) {
            best = loss;
            code.scale = uint16_t(half);
            code.zero = zeroBits;
        }
    }
}

/// A column of one value: the product of two 11-bit numbers comes close to any float.
void constantGrid(double value, ColumnCode& code) {
    code.scale = code.zero = 0;
    if (value == 0) return;
    double best = kInfinity;
    for (int k = 0; k < 64; ++k) {
        const double zero = 1024 + 16 * k;
        for (const double z : {zero, zero / 1024}) {
            const uint16_t scale = floatToFiniteHalf(float(std::min(std::fabs(value) / z, 65504.)));
            const double error = std::fabs(std::fabs(value) - z * double(halfToFloat(scale)));
            if (error < best) {
                best = error;
                code.scale = scale;
                code.zero = floatToHalf(float(value > 0 ? -z : z));
            }
        }
    }
    if (code.scale == 0) code.zero = 0;
}

void gridValues(const ColumnCode& code, float* values) {
    const float scale = halfToFloat(code.scale), zero = halfToFloat(code.zero);
    for (int c = 0; c < code.entries(); ++c)
        values[c] = scale * (float(c) - zero);
}

double storedGridError(const Column& column, const ColumnCode& code) {
    if (code.bits <= 4) {
        float values[16];
        Clusters clusters;
        gridValues(code, values);
        return valuesError(column, values, code.entries(), clusters);
    }
    return columnLoops().gridError(column.w + column.first, column.size(), halfToFloat(code.scale),
                                   halfToFloat(code.zero), float(code.entries() - 1));
}

double fitGrid(const Column& column, int bits, const ColumnCode* start, ColumnCode& code) {
    const int levels = 1 << bits;
    code = {};
    code.kind = PointKind::Grid;
    code.bits = bits;
    const double low = column.low(), high = column.high();
    if (low == high) {
        constantGrid(low, code);
        return storedGridError(column, code);
    }
    const bool narrow = bits <= 4;
    AffineStep best;
    Affine bestGrid, lattice;
    auto descend = [&](Affine grid, int steps) {
        double previous = kInfinity;
        for (int k = 0; k < steps; ++k) {
            const AffineStep at = stepGrid(column, grid, bits);
            if (at.error < best.error) {
                best = at;
                bestGrid = grid;
            }
            if (!(previous - at.error > 2e-4 * at.error)) break;
            previous = at.error;
            grid = at.refit;
        }
    };
    auto range = [&](double a, double b) { return Affine{(b - a) / (levels - 1), a}; };
    descend(range(low, high), narrow ? 2 : 1);
    if (start && start->kind == PointKind::Grid && start->bits == bits && start->scale) {
        const double scale = double(halfToFloat(start->scale));
        descend({scale, -scale * double(halfToFloat(start->zero))}, 2);
    } else {
        double a, b;
        clippedRange(column, levels, a, b);
        // The model knows nothing of how a grid happens to meet the weights: move each end.
        double error = gridError(column, range(a, b), bits);
        const int rounds = bits > 6 ? 0 : column.size() > 2048 && !narrow ? 2 : 3;
        double reach = narrow ? 0.1 : 0.06;
        for (int round = 0; round < rounds; ++round, reach /= 2) {
            const double h = reach * (b - a);
            const Affine moves[4] = {range(a + h, b), range(a - h, b), range(a, b + h),
                                     range(a, b - h)};
            int choice = -1;
            for (int m = 0; m < 4; ++m) {
                const double moved = gridError(column, moves[m], bits);
                if (moved < error) {
                    error = moved;
                    choice = m;
                }
            }
            if (choice < 2) {
                a += choice < 0 ? 0 : choice == 0 ? h : -h;
            } else {
                b += choice == 2 ? h : -h;
            }
        }
        descend(range(a, b), narrow ? 2 : 1);
        // A lattice of no more values than there are codes is held exactly by a grid of its step.
        if (countDistinct(column, levels + 1) <= levels) {
            double gap = high - low;
            for (size_t i = column.first + 1; i < column.last; ++i)
                if (column.w[i] != column.w[i - 1])
                    gap = std::min(gap, double(column.w[i]) - double(column.w[i - 1]));
            const double steps = std::round((high - low) / gap);
            if (steps < levels) lattice = {(high - low) / steps, low};
        }
    }
    descend(best.refit, 10);

    double error = kInfinity;
    auto store = [&](AffineStep at) {
        for (int round = 0; round < 2; ++round) {
            ColumnCode next = code;
            roundToGrid(at, next);
            const double nextError = storedGridError(column, next);
            if (nextError < error) {
                error = nextError;
                code = next;
            }
            const double scale = double(halfToFloat(next.scale));
            const double zero = double(halfToFloat(next.zero));
            const bool coarse = std::fabs(zero) > 2 * levels;
            if (round == 1 || (!narrow && !coarse)) break;
            at = stepGrid(column, {scale, -scale * zero}, bits);
        }
    };
    if (best.error == kInfinity || best.error == std::numeric_limits<double>::max()) {
        best.refit = bestGrid; // weights beyond all scales: any grid will do
        best.meanCode = (levels - 1) / 2.;
        best.codeVariance = 1;
    }
    store(best);
    if (lattice.step > 0 && error > 0) {
        // Its own finalist: grids of other steps may hold the lattice too, but not when rounded.
        AffineStep at = stepGrid(column, lattice, bits);
        at.refit = lattice;
        store(at);
    }
    // fp16 scales end at 6e-8: tiny weights may be better off as zeros, or as they were.
    const double shift = column.centre, n = double(column.size());
    const double energy = column.square[column.last] - column.square[column.first] +
                          2 * shift * (column.sum[column.last] - column.sum[column.first]) +
                          n * shift * shift;
    if (energy < error) {
        code.scale = code.zero = 0;
        error = storedGridError(column, code);
    }
    // Where a few weights meet many codes, chance decides which grid fits, and fewer codes may find
    // a better one; with more codes it only gets better. Longer columns leave nothing to chance.
    if (column.size() <= 64 && bits > 2) {
        ColumnCode narrower;
        if (fitGrid(column, bits - 1, nullptr, narrower) < error) {
            narrower.bits = bits;
            const double embedded = storedGridError(column, narrower);
            if (embedded < error) {
                error = embedded;
                code = narrower;
            }
        }
    }
    return betterOf(column, code, error, start, storedGridError);
}

// -------------------------------------------------------------------------------------------- raw

double rawError(const Column& column) {
    double error = 0;
    for (size_t i = column.first; i < column.last; ++i) {
        const double e = double(column.w[i]) - double(halfToFloat(floatToFiniteHalf(column.w[i])));
        error += e * e;
    }
    return error;
}

int nearestGridCode(float w, float scale, float zero, int levels) {
    if (!(scale > 0.f)) return 0;
    uint8_t code;
    allColumnLoops().front().assignGrid(&w, 1, scale, zero, float(levels - 1), &code);
    return code;
}

/// Σ (w - value - stored difference)² of weights [from, to) of the sorted column.
double outlierError(const Column& column, size_t from, size_t to, const ColumnCode& code) {
    double error = 0;
    float values[kMaxTableEntries];
    const float scale = halfToFloat(code.scale), zero = halfToFloat(code.zero);
    if (code.kind == PointKind::Table) tableValues(code, values);
    for (size_t i = from; i < to; ++i) {
        const float w = column.w[i];
        float v;
        if (code.kind == PointKind::Table) {
            int c = 0;
            for (int j = 1; j < code.entries(); ++j) {
                if (std::fabs(double(w) - double(values[j])) <
                    std::fabs(double(w) - double(values[c])))
                    c = j;
            }
            v = values[c];
        } else {
            v = scale * (float(nearestGridCode(w, scale, zero, code.entries())) - zero);
        }
        const double e = double(w) - double(v) - double(halfToFloat(outlierCorrection(w, v)));
        error += e * e;
    }
    return error;
}

int tableLayers(int bits) {
    return 1 << bits;
}

} // namespace

// ------------------------------------------------------------------------------- public functions

float ColumnCode::value(int code) const {
    if (kind == PointKind::Table) return halfToFloat(scale) * float(table[code]);
    return halfToFloat(scale) * (float(code) - halfToFloat(zero));
}

ColumnCode fitColumn(std::span<const float> weights, PointKind kind, int bits,
                     ColumnScratch& scratch, const ColumnCode* start, double* sse) {
    assert(!weights.empty());
    ColumnCode code;
    double error = 0;
    if (kind == PointKind::Raw) {
        code.kind = PointKind::Raw;
        code.bits = 16;
        if (sse) *sse = rawError({weights.data(), nullptr, nullptr, 0, 0, weights.size()});
        return code;
    }
    const Column column = prepareColumn(weights, scratch);
    if (kind == PointKind::Table) {
        assert(bits >= 1 && bits <= 5);
        Partition partition;
        error = fitTable(column, bits, scratch, partition, tableLayers(bits), start, code);
    } else {
        assert(bits >= 2 && bits <= 8);
        error = fitGrid(column, bits, start, code);
    }
    if (sse) *sse = error;
    return code;
}

void assignColumn(std::span<const float> weights, const ColumnCode& code,
                  std::span<uint8_t> codes) {
    assert(code.kind != PointKind::Raw && weights.size() == codes.size());
    const float scale = halfToFloat(code.scale);
    if (!(scale > 0.f)) {
        std::fill(codes.begin(), codes.end(), uint8_t(0));
        return;
    }
    if (code.kind == PointKind::Grid) {
        columnLoops().assignGrid(weights.data(), weights.size(), scale, halfToFloat(code.zero),
                                 float(code.entries() - 1), codes.data());
        return;
    }
    // Equal entries are one value; the lowest code stands for it. Bounds between different entries
    // are exact in float: an 11-bit scale times the sum of two int8, halved.
    float bounds[kMaxTableEntries] = {};
    uint8_t lowest[kMaxTableEntries];
    int distinct = 0;
    lowest[0] = 0;
    for (int j = 1; j < code.entries(); ++j) {
        if (code.table[j] == code.table[j - 1]) continue;
        bounds[distinct++] = scale * float(int(code.table[j]) + int(code.table[j - 1])) * 0.5f;
        lowest[distinct] = uint8_t(j);
    }
    columnLoops().assignByBounds(weights.data(), weights.size(), bounds, distinct, codes.data());
    if (distinct + 1 < code.entries())
        for (uint8_t& c : codes)
            c = lowest[c];
}

ColumnCode refitColumn(std::span<const float> weights, std::span<const uint8_t> codes,
                       const ColumnCode& code) {
    assert(code.kind != PointKind::Raw && weights.size() == codes.size());
    const int entries = code.entries();
    // Four sets of sums, so that runs of equal codes do not wait for each other.
    double sums[4][256] = {};
    uint32_t tallies[4][256] = {};
    const size_t n = weights.size();
    if (n == 0) return code;
    const double centre = double(weights[0]);
    for (size_t i = 0; i < n; ++i) {
        const size_t set = i & 3;
        sums[set][codes[i]] += double(weights[i]) - centre;
        ++tallies[set][codes[i]];
    }
    double sum[256] = {}, count[256] = {};
    for (int c = 0; c < entries; ++c) {
        sum[c] = (sums[0][c] + sums[1][c]) + (sums[2][c] + sums[3][c]);
        count[c] = double(tallies[0][c]) + tallies[1][c] + tallies[2][c] + tallies[3][c];
    }
    // Error with these codes, up to a constant that all tables share.
    auto relativeError = [&](const ColumnCode& candidate) {
        double error = 0;
        for (int c = 0; c < entries; ++c) {
            const double v = double(candidate.value(c)) - centre;
            error += count[c] * v * v - 2 * v * sum[c];
        }
        return error;
    };
    ColumnCode result = code;
    if (code.kind == PointKind::Table) {
        // Pool adjacent violators: the best non-decreasing values for these clusters.
        struct Block {
            double sum, count;
            int first, last;
        } blocks[kMaxTableEntries];
        int used = 0;
        for (int c = 0; c < entries; ++c) {
            if (count[c] == 0) continue;
            blocks[used++] = {sum[c], count[c], c, c};
            while (used > 1 && blocks[used - 2].sum * blocks[used - 1].count >
                                   blocks[used - 1].sum * blocks[used - 2].count) {
                Block& merged = blocks[used - 2];
                merged.sum += blocks[used - 1].sum;
                merged.count += blocks[used - 1].count;
                merged.last = blocks[used - 1].last;
                --used;
            }
        }
        double values[kMaxTableEntries] = {};
        int next = 0;
        for (int b = 0; b < used; ++b) {
            const double mean = centre + blocks[b].sum / blocks[b].count;
            for (; next < blocks[b].first; ++next) // empty: its old value, between its neighbours
                values[next] = std::clamp(double(code.value(next)),
                                          next ? values[next - 1] : -kInfinity, mean);
            for (; next <= blocks[b].last; ++next)
                values[next] = mean;
        }
        for (; next < entries; ++next)
            values[next] = std::max(double(code.value(next)), values[next - 1]);
        roundToTable(values, count, code.bits, false, result);
    } else {
        double m0 = 0, m1 = 0, m2 = 0, s0 = 0, s1 = 0;
        const double middle = entries / 2;
        for (int c = 0; c < entries; ++c) {
            const double m = c - middle;
            m0 += count[c];
            m1 += count[c] * m;
            m2 += count[c] * m * m;
            s0 += sum[c];
            s1 += sum[c] * m;
        }
        AffineStep at;
        const double meanM = m1 / m0, mean = s0 / m0, variance = m2 / m0 - meanM * meanM;
        const double scale = double(halfToFloat(code.scale));
        at.meanCode = meanM + middle;
        at.codeVariance = std::max(0., variance);
        at.refit.step = scale;
        if (variance > 1e-12) {
            const double slope = (s1 / m0 - mean * meanM) / variance;
            if (slope > 0) at.refit.step = slope;
        }
        if (!(at.refit.step > 0)) return code;
        at.refit.offset = centre + mean - at.refit.step * at.meanCode;
        roundToGrid(at, result);
    }
    return relativeError(result) <= relativeError(code) ? result : code;
}

ColumnCode roundTable(std::span<const float> values, int bits, std::span<uint8_t> permutation) {
    const int count = 1 << bits;
    assert(bits >= 1 && bits <= 5 && values.size() == size_t(count) &&
           permutation.size() == size_t(count));
    uint8_t order[kMaxTableEntries];
    for (int j = 0; j < count; ++j)
        order[j] = uint8_t(j);
    // Ties by place, so that the permutation is the same everywhere.
    std::sort(order, order + count, [&](uint8_t a, uint8_t b) {
        return values[a] != values[b] ? values[a] < values[b] : a < b;
    });
    double sorted[kMaxTableEntries], weights[kMaxTableEntries];
    for (int j = 0; j < count; ++j) {
        permutation[order[j]] = uint8_t(j);
        sorted[j] = values[order[j]];
        weights[j] = 1;
    }
    ColumnCode code;
    roundToTable(sorted, weights, bits, true, code);
    return code;
}

void chooseOutliers(std::span<const float> weights, int count, ColumnScratch& scratch,
                    std::span<uint32_t> rows) {
    const size_t n = weights.size();
    assert(count >= 0 && size_t(count) <= n && rows.size() == size_t(count));
    if (count == 0) return;
    ensure(scratch.sorted, n);
    ensure(scratch.order, n);
    std::copy(weights.begin(), weights.end(), scratch.sorted.begin());
    const auto begin = scratch.sorted.begin();
    std::nth_element(begin, begin + ptrdiff_t((n - 1) / 2), begin + ptrdiff_t(n));
    const double median = scratch.sorted[(n - 1) / 2];
    uint32_t* order = scratch.order.data();
    for (size_t i = 0; i < n; ++i)
        order[i] = uint32_t(i);
    auto before = [&](uint32_t a, uint32_t b) {
        const double da = std::fabs(double(weights[a]) - median);
        const double db = std::fabs(double(weights[b]) - median);
        if (da != db) return da > db;
        if (weights[a] != weights[b]) return weights[a] > weights[b];
        return a < b;
    };
    if (size_t(count) < n) std::nth_element(order, order + count, order + n, before);
    std::sort(order, order + count);
    std::copy(order, order + count, rows.begin());
}

void columnErrorCurve(std::span<const float> weights, std::span<const CurvePoint> points,
                      bool rawIsExact, ColumnScratch& scratch, std::span<float> sse) {
    assert(points.size() == sse.size());
    if (weights.empty()) {
        std::fill(sse.begin(), sse.end(), 0.f);
        return;
    }
    const Column all = prepareColumn(weights, scratch);
    double raw = -1;
    for (size_t first = 0; first < points.size(); ++first) {
        // Each number of outliers is treated where it comes first, all its points together.
        const int outliers = points[first].outliers;
        bool seen = false;
        for (size_t i = 0; i < first; ++i)
            seen |= points[i].outliers == outliers;
        if (seen) continue;
        const Column column = withoutOutliers(all, size_t(std::max(outliers, 0)));
        int layers = 0;
        for (const CurvePoint& p : points)
            if (p.outliers == outliers && p.kind == PointKind::Table && p.bits <= 4)
                layers = std::max(layers, tableLayers(p.bits));
        Partition partition;
        for (size_t i = first; i < points.size(); ++i) {
            const CurvePoint& p = points[i];
            if (p.outliers != outliers) continue;
            if (p.kind == PointKind::Raw) {
                if (raw < 0) raw = rawIsExact ? 0. : rawError(all);
                sse[i] = float(raw);
                continue;
            }
            ColumnCode code;
            code.kind = p.kind;
            code.bits = p.bits;
            double error = 0;
            if (column.size() == 0) {
                // All weights are outliers of a code of zeros.
            } else if (p.kind == PointKind::Grid) {
                error = fitGrid(column, p.bits, nullptr, code);
            } else if (p.bits <= 4) {
                error = fitTable(column, p.bits, scratch, partition, layers, nullptr, code);
            } else {
                Partition own;
                error = fitTable(column, p.bits, scratch, own, tableLayers(p.bits), nullptr, code);
                partition.layers = 0; // its splits are gone
            }
            error += outlierError(all, all.first, column.first, code);
            error += outlierError(all, column.last, all.last, code);
            sse[i] = float(error);
        }
    }
}

} // namespace bitloom::kernels
