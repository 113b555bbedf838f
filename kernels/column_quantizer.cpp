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
#include <cassert>
#include <cmath>

#include "kernels/column_curve.h"
#include "kernels/column_grid.h"
#include "kernels/column_loops.h"
#include "kernels/column_math.h"
#include "kernels/column_table.h"
#include "kernels/half.h"
#include "kernels/sorted_column.h"

namespace bitloom::kernels {

namespace {

int tableLayers(int bits) {
    return 1 << bits;
}

/// What errorCurve asks for.
class ProcessorFits {
public:
    explicit ProcessorFits(ColumnScratch& scratch) : m_scratch(scratch) {}
    double table(const Column& column, int bits, Partition& partition, int layers,
                 ColumnCode& code) const {
        return fitTable(column, bits, m_scratch, partition, layers, nullptr, code);
    }
    double grid(const Column& column, int bits, ColumnCode& code) const {
        return fitGrid(column, bits, nullptr, code);
    }

private:
    ColumnScratch& m_scratch;
};

} // namespace

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
    errorCurve(ProcessorFits(scratch), all, points.data(), points.size(), rawIsExact, sse.data());
}

} // namespace bitloom::kernels
