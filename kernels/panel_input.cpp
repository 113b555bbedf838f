// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "kernels/column_panels.h"
#include "kernels/panel_kernels.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cmath>
#include <limits>

#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))
#include <immintrin.h>
#endif

namespace bitloom::kernels {

namespace {

/// One block of n activations, and where its integers go.
struct Block {
    const float* x;
    const int16_t* offsets;
    int64_t n;
    int32_t limit;
    int16_t* q;
    int8_t *high, *low;
};

/// Rounds elements [first, n): gives Σ offset·q.
int32_t plainRound(const Block& b, int64_t first, float inverse) {
    int32_t start = 0;
    for (int64_t i = first; i < b.n; ++i) {
        // Adding and taking away 1.5·2^23 rounds to the nearest integer, ties to even.
        const float rounded = (b.x[i] * inverse + 12582912.f) - 12582912.f;
        const int32_t value = std::clamp(int32_t(rounded), -b.limit, b.limit);
        const int32_t upper = (value + panelRadix / 2) >> 8;
        b.q[i] = int16_t(value);
        b.high[i] = int8_t(upper);
        b.low[i] = int8_t(value - panelRadix * upper);
        start += b.offsets[i] * value;
    }
    return start;
}

/// Bits of the largest magnitude, which compare like integers: infinite above all numbers, what is
/// no number above that.
uint32_t plainLargest(const Block& b, int64_t first, uint32_t largest) {
    for (int64_t i = first; i < b.n; ++i)
        largest = std::max(largest, std::bit_cast<uint32_t>(b.x[i]) & 0x7fffffffu);
    return largest;
}

#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))

#define BITLOOM_AVX2 __attribute__((target("avx2")))

BITLOOM_AVX2 uint32_t wideLargest(const Block& b) {
    const __m256i magnitude = _mm256_set1_epi32(0x7fffffff);
    __m256i most = _mm256_setzero_si256();
    int64_t i = 0;
    for (; i + 8 <= b.n; i += 8)
        most = _mm256_max_epi32(
            most, _mm256_and_si256(_mm256_loadu_si256((const __m256i*)(b.x + i)), magnitude));
    uint32_t parts[8], largest = 0;
    _mm256_storeu_si256((__m256i*)parts, most);
    for (const uint32_t part : parts)
        largest = part > largest ? part : largest;
    return plainLargest(b, i, largest);
}

BITLOOM_AVX2 int32_t wideRound(const Block& b, float inverse) {
    const __m256 factor = _mm256_set1_ps(inverse);
    const __m256i most = _mm256_set1_epi32(b.limit), least = _mm256_set1_epi32(-b.limit);
    __m256i start = _mm256_setzero_si256();
    int64_t i = 0;
    for (; i + 16 <= b.n; i += 16) {
        __m256i value[2];
        for (int h = 0; h < 2; ++h)
            value[h] = _mm256_max_epi32(
                least, _mm256_min_epi32(most, _mm256_cvtps_epi32(_mm256_mul_ps(
                                                  _mm256_loadu_ps(b.x + i + 8 * h), factor))));
        const __m256i q = _mm256_permute4x64_epi64(_mm256_packs_epi32(value[0], value[1]), 0xD8);
        const __m256i upper =
            _mm256_srai_epi16(_mm256_add_epi16(q, _mm256_set1_epi16(panelRadix / 2)), 8);
        // The lower byte as it is: what 256·upper leaves.
        const __m256i lower = _mm256_srai_epi16(_mm256_slli_epi16(q, 8), 8);
        const __m256i bytes = _mm256_permute4x64_epi64(_mm256_packs_epi16(upper, lower), 0xD8);
        _mm256_storeu_si256((__m256i*)(b.q + i), q);
        _mm_storeu_si128((__m128i*)(b.high + i), _mm256_castsi256_si128(bytes));
        _mm_storeu_si128((__m128i*)(b.low + i), _mm256_extracti128_si256(bytes, 1));
        const __m256i offsets = _mm256_loadu_si256((const __m256i*)(b.offsets + i));
        start = _mm256_add_epi32(start, _mm256_madd_epi16(offsets, q));
    }
    int32_t parts[8], sum = 0;
    _mm256_storeu_si256((__m256i*)parts, start);
    for (const int32_t part : parts)
        sum += part;
    return sum + plainRound(b, i, inverse);
}

#undef BITLOOM_AVX2

#else

uint32_t wideLargest(const Block& b) {
    return plainLargest(b, 0, 0);
}
int32_t wideRound(const Block& b, float inverse) {
    return plainRound(b, 0, inverse);
}

#endif

} // namespace

void roundPanelInput(std::span<const PanelSegment> segments, std::span<const int16_t> offsets,
                     std::span<const float> x, int bytes, std::span<int16_t> q,
                     std::span<int8_t> high, std::span<int8_t> low, std::span<float> scale,
                     std::span<int32_t> start) {
    assert(x.size() == q.size() && x.size() == high.size() && x.size() == low.size());
    assert(x.size() == offsets.size() && (bytes == 1 || bytes == 2));
    static const bool wide = runsAvx2();
    constexpr float smallest = 1e-33f; // the inverse of less would be infinite
    // One more would round up to a high byte of 128.
    const int32_t limit = bytes == 2 ? 127 * panelRadix + 127 : 127;
    int64_t at = 0;
    size_t block = 0;
    for (const PanelSegment& segment : segments) {
        for (int64_t first = 0; first < segment.columns; first += panelBlock, ++block) {
            const int64_t n = std::min<int64_t>(panelBlock, segment.columns - first);
            const Block b{x.data() + at,    offsets.data() + at, n, limit, q.data() + at,
                          high.data() + at, low.data() + at};
            const auto largest =
                std::bit_cast<float>(wide ? wideLargest(b) : plainLargest(b, 0, 0));
            if (largest >= smallest && std::isfinite(largest)) {
                const float inverse = float(limit) / largest;
                scale[block] = largest / float(limit);
                start[block] = wide ? wideRound(b, inverse) : plainRound(b, 0, inverse);
            } else {
                std::fill_n(b.q, n, int16_t(0));
                std::fill_n(b.high, n, int8_t(0));
                std::fill_n(b.low, n, int8_t(0));
                scale[block] =
                    std::isfinite(largest) ? 0.f : std::numeric_limits<float>::quiet_NaN();
                start[block] = 0;
            }
            at += n;
        }
    }
    assert(at == int64_t(x.size()) && block == scale.size() && block == start.size());
}

} // namespace bitloom::kernels
