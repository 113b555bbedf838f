// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "kernels/sorted_column.h"

#include <array>
#include <bit>
#include <cmath>

namespace bitloom::kernels {

namespace {

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

/// Largest float that is not above x: w > x and w > floorToFloat(x) say the same of a float w.
float floorToFloat(double x) {
    float f = float(x);
    if (double(f) > x) f = std::nextafter(f, -std::numeric_limits<float>::infinity());
    return f;
}

} // namespace

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

int countDistinct(const Column& column, int limit) {
    int distinct = column.size() ? 1 : 0;
    for (size_t i = column.first + 1; i < column.last && distinct < limit; ++i)
        distinct += column.w[i] != column.w[i - 1];
    return distinct;
}

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

} // namespace bitloom::kernels
