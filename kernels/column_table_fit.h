// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "kernels/sorted_column.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

/// Within kernels/: k-means tables of a sorted column. column_quantizer.cpp says how they are made.
namespace bitloom::kernels {

/// Best partitions of a column's bins into 1…layers clusters, by dynamic programming. Edges and
/// splits lie in the memory of the fit: they are gone when another one is made.
struct Partition {
    int bins = 0, stride = 0, layers = 0;
};

/// Bins for the partition search: fewer for short columns, where the search is most of the work.
BITLOOM_BOTH inline int binsFor(size_t n, int bits) {
    return bits == 5 || n >= 1024 ? 128 : 96;
}

/// Cuts the column into at most `maxBins` bins, each edge between two different weights. Density
/// follows the square root of the gaps: between that of the weights (too few edges in the tails)
/// and that of an optimal quantizer's values (too few in the middle, to judge a cluster's error).
template<class Loops>
BITLOOM_BOTH int cutBins(const Loops& loops, const Column& column, int maxBins, float* gap,
                         uint32_t* edges) {
    const size_t gaps = column.size() - 1;
    const float* w = column.w + column.first;
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

template<class Loops>
BITLOOM_BOTH void partitionColumn(const Loops& loops, const Column& column, int maxBins, int layers,
                                  const FitMemory& memory, Partition& partition) {
    partition.bins = cutBins(loops, column, maxBins, memory.gaps, memory.edges);
    partition.stride = (partition.bins + 15) / 16 * 16;
    partition.layers = std::min(layers, partition.bins);
    const double spread = column.spread();
    loops.partition(column, memory.edges, partition.bins, partition.stride, partition.layers,
                    spread > 0 ? 1 / spread : 0., memory);
}

/// Means (minus the centre) of the best `count` clusters of the bins.
BITLOOM_BOTH inline int partitionMeans(const Column& column, const Partition& partition, int count,
                                       const FitMemory& memory, double* means) {
    count = std::min(count, partition.bins);
    int end = partition.bins;
    for (int j = count; j >= 1; --j) {
        const int start =
            j > 1 ? memory.splits[size_t(j - 2) * size_t(partition.stride) + size_t(end - 1)] : 0;
        const uint32_t a = memory.edges[start], b = memory.edges[end];
        means[j - 1] = (column.sum[b] - column.sum[a]) / double(b - a);
        end = start;
    }
    return count;
}

/// Lloyd's algorithm on `count` ascending centroids (minus the centre). Leaves in them the means of
/// `clusters`; an empty cluster keeps its centroid.
template<class Loops>
BITLOOM_BOTH void lloyd(const Loops& loops, const Column& column, double* centroids, int count,
                        int maxSteps, Clusters& clusters) {
    const double all = column.square[column.last] - column.square[column.first];
    double previous = kInfinity;
    for (int step = 0; step < maxSteps; ++step) {
        float bounds[kMaxTableEntries] = {};
        for (int j = 0; j + 1 < count; ++j)
            bounds[j] = float(column.centre + (centroids[j] + centroids[j + 1]) / 2);
        loops.cut(column, bounds, count, clusters);
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
BITLOOM_BOTH inline double roundedInteger(double x) {
    return (x + 6755399441055744.0) - 6755399441055744.0;
}

/// Entries for one scale: rounded, held to FORMAT's limits. Returns Σ counts·(values -
/// scale·entry)².
BITLOOM_BOTH inline double roundEntries(const double* values, const double* counts, int bits,
                                        double scale, double* entries) {
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
BITLOOM_BOTH inline double feasibleScale(const double* values, int bits) {
    const int count = 1 << bits;
    const double low = values[0], high = values[count - 1];
    double scale = std::max(std::max(high / 127, -low / 128), 0.);
    if (bits <= 3) scale = std::max(scale, (high - low) / 127);
    if (bits == 4) {
        const double middle = (values[7] + values[8]) / 2;
        scale = std::max(std::max(scale, (high - middle) / 126), (middle - low) / 128);
    }
    return scale;
}

/// Best storable table for non-decreasing values with weights `counts`. `lattice`: the column has
/// no more different weights than the table has entries, so that a scale may exist which loses
/// nothing.
BITLOOM_BOTH inline void roundToTable(const double* values, const double* counts, int bits,
                                      bool lattice, ColumnCode& code) {
    const int count = 1 << bits;
    code.kind = PointKind::Table;
    code.bits = bits;
    code.scale = code.zero = 0;
    for (int8_t& entry : code.table)
        entry = 0;
    const double feasible = feasibleScale(values, bits);
    if (!(feasible > 0)) return;
    double best = kInfinity, entries[kMaxTableEntries], bestEntries[kMaxTableEntries] = {};
    uint16_t bestScale = 0;
    const auto consider = [&](uint16_t half) {
        const double loss = roundEntries(values, counts, bits, double(halfValue(half)), entries);
        if (loss < best) {
            best = loss;
            bestScale = half;
            for (int j = 0; j < count; ++j)
                bestEntries[j] = entries[j];
        }
    };
    const int start = std::max<int>(nearestFiniteHalf(float(std::min(feasible, 65504.))), 1);
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
            const uint16_t half = nearestFiniteHalf(float(scale));
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

/// What the codes of a stored table stand for: [2^bits].
BITLOOM_BOTH inline void tableValues(const ColumnCode& code, float* values) {
    const float scale = halfValue(code.scale);
    for (int j = 0; j < (1 << code.bits); ++j)
        values[j] = scale * float(code.table[j]);
}

/// Error of a stored table, and better entries for its scale where re-assignment offers them.
template<class Loops>
BITLOOM_BOTH double settleTable(const Loops& loops, const Column& column, bool lattice,
                                ColumnCode& code) {
    const int count = (1 << code.bits);
    float values[kMaxTableEntries];
    Clusters clusters;
    tableValues(code, values);
    double error = valuesError(loops, column, values, count, clusters);
    if (code.scale == 0 || lattice) return error;
    const double scale = double(halfValue(code.scale));
    for (int round = 0; round < 2; ++round) {
        double means[kMaxTableEntries] = {}, counts[kMaxTableEntries] = {};
        double entries[kMaxTableEntries] = {};
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
        const double nextError = valuesError(loops, column, values, count, clusters);
        if (nextError >= error) break;
        error = nextError;
        code = next;
    }
    return error;
}

template<class Loops>
BITLOOM_BOTH double storedTableError(const Loops& loops, const Column& column,
                                     const ColumnCode& code) {
    float values[kMaxTableEntries];
    Clusters clusters;
    tableValues(code, values);
    return valuesError(loops, column, values, (1 << code.bits), clusters);
}

/// Fewer centroids than entries: the free entries go to the middle of the widest gap around the
/// middle of the range, where they cost the range limits nothing.
BITLOOM_BOTH inline void spreadEntries(double* means, double* counts, int used, int count) {
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

/// Fits a table to `column`; `partition` is made, for up to `layers` clusters, if it has none yet,
/// and used for the widths after it. Returns the squared error of the stored table.
template<class Loops>
BITLOOM_BOTH double fitTable(const Loops& loops, const Column& column, int bits,
                             const FitMemory& memory, Partition& partition, int layers,
                             const ColumnCode* start, ColumnCode& code) {
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
                means[j] = double(halfValue(start->scale) * float(start->table[j])) - column.centre;
        } else {
            if (partition.layers == 0)
                partitionColumn(loops, column, binsFor(column.size(), bits), layers, memory,
                                partition);
            used = partitionMeans(column, partition, count, memory, means);
        }
        Clusters clusters;
        lloyd(loops, column, means, used, 16, clusters);
        for (int j = 0; j < used; ++j) {
            means[j] += column.centre;
            counts[j] = double(clusters.begin[j + 1] - clusters.begin[j]);
        }
    }
    if (used < count) spreadEntries(means, counts, used, count);
    roundToTable(means, counts, bits, lattice, code);
    const double error = settleTable(loops, column, lattice, code);
    return betterOf(code, error, start, [&](const ColumnCode& other) {
        return storedTableError(loops, column, other);
    });
}

} // namespace bitloom::kernels
