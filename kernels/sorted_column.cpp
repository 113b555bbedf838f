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

} // namespace bitloom::kernels
