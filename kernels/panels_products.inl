// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors

// Included by panels_avx2.inl: products of one token with pairs of 2-bit columns, looked up.
//
// A nibble is the codes of two columns, and v_a·q_a + v_b·q_b has 16 values, the same for all rows:
// they are computed once for all panels. Less the lowest one possible they have 23 bits and are
// kept in four planes of 6, a 16-byte table each. What four pairs look up in a plane adds up to at
// most 252 and fits into a byte; then bytes become words. 46 instructions for 256 weights, none of
// them a multiplication by an activation, where multiplying takes 62.

constexpr int planes = 4, planeBits = 6;
constexpr int64_t pairBytes = 2 * panelProductBytes;
constexpr int largestEntry = 127; ///< of a 2-bit table

/// What the stored products of some columns leave out.
BITLOOM_TARGET inline int32_t lowest(const int16_t* q, int64_t columns) {
    int32_t sum = 0;
    for (int64_t k = 0; k < columns; ++k)
        sum += q[k] < 0 ? q[k] : 0;
    return largestEntry * sum;
}

/// out [pairs][planes][16].
BITLOOM_TARGET static void expand(const uint8_t* tables, const int16_t* q, int64_t columns,
                                  uint8_t* out) {
    const __m256i mask = _mm256_set1_epi32((1 << planeBits) - 1);
    const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    for (int64_t k = 0; k < columns; k += 2) {
        const __m128i a = _mm_loadu_si128((const __m128i*)(tables + 16 * k));
        const __m128i b = _mm_loadu_si128((const __m128i*)(tables + 16 * k + 16));
        const __m256i both = pairOf(q + k), least = _mm256_set1_epi32(lowest(q + k, 2));
        __m256i sums[2] = {_mm256_madd_epi16(_mm256_cvtepu8_epi16(_mm_unpacklo_epi8(a, b)), both),
                           _mm256_madd_epi16(_mm256_cvtepu8_epi16(_mm_unpackhi_epi8(a, b)), both)};
        __m256i words[planes];
        for (int half = 0; half < 2; ++half)
            sums[half] = _mm256_sub_epi32(sums[half], least);
#pragma GCC unroll 4
        for (int p = 0; p < planes; ++p)
            words[p] = _mm256_packus_epi32(
                _mm256_and_si256(_mm256_srli_epi32(sums[0], planeBits * p), mask),
                _mm256_and_si256(_mm256_srli_epi32(sums[1], planeBits * p), mask));
#pragma GCC unroll 2
        for (int p = 0; p < planes; p += 2)
            _mm256_storeu_si256(
                (__m256i*)(out + 16 * p),
                _mm256_permutevar8x32_epi32(_mm256_packus_epi16(words[p], words[p + 1]), order));
        out += pairBytes;
    }
}

/// Sums of 32 rows: in words, of the bytes as pairs, and of the upper ones alone.
struct PlaneSums {
    __m256i both[planes], upper[planes];
};

/// Up to four pairs of columns.
template<int Pairs>
BITLOOM_INLINE void lookUp(PlaneSums& sums, const __m256i* nibble, const uint8_t* products) {
#pragma GCC unroll 4
    for (int p = 0; p < planes; ++p) {
        __m256i bytes = _mm256_setzero_si256();
#pragma GCC unroll 4
        for (int i = 0; i < Pairs; ++i) {
            const __m256i found =
                _mm256_shuffle_epi8(table(products + i * pairBytes, p), nibble[i]);
            bytes = i ? _mm256_add_epi8(bytes, found) : found;
        }
        sums.both[p] = _mm256_add_epi16(sums.both[p], bytes);
        sums.upper[p] =
            _mm256_add_epi16(sums.upper[p], _mm256_maddubs_epi16(bytes, _mm256_set1_epi16(256)));
        __asm__("" : "+x"(sums.both[p]), "+x"(sums.upper[p])); // as in dot
    }
}

/// From planes of words to the sums of eight rows each.
BITLOOM_INLINE void join(const __m256i* words, __m256i& first, __m256i& second) {
    const __m256i factor = _mm256_set1_epi32((1 << (planeBits + 16)) | 1);
    __m256i low[2], high[2];
    for (int i = 0; i < 2; ++i) {
        low[i] = _mm256_madd_epi16(_mm256_unpacklo_epi16(words[2 * i], words[2 * i + 1]), factor);
        high[i] = _mm256_madd_epi16(_mm256_unpackhi_epi16(words[2 * i], words[2 * i + 1]), factor);
    }
    first = _mm256_add_epi32(low[0], _mm256_slli_epi32(low[1], 2 * planeBits));
    second = _mm256_add_epi32(high[0], _mm256_slli_epi32(high[1], 2 * planeBits));
}

/// A tile's block of 2-bit columns; `start` includes what the products leave out.
BITLOOM_TARGET inline void addProducts(const uint8_t* codes, const uint8_t* products, int64_t steps,
                                       float scale, int32_t start, float* y) {
    constexpr int64_t stepBytes = stepBytesOf<PanelKind::Table2>;
    const __m256i begin = _mm256_set1_epi32(start);
    for (int half = 0; half < 2; ++half) {
        PlaneSums sums;
        for (int p = 0; p < planes; ++p)
            sums.both[p] = sums.upper[p] = _mm256_setzero_si256();
        const uint8_t *at = codes, *of = products;
        int64_t s = 0;
        for (; s + 2 <= steps; s += 2) {
            if (half == 0) {
                prefetch<PanelKind::Table2>(at);
                prefetch<PanelKind::Table2>(at + stepBytes);
            }
            const __m256i first = line(at, half), second = line(at + stepBytes, half);
            const __m256i nibble[4] = {nibbles(first, 0), nibbles(first, 1), nibbles(second, 0),
                                       nibbles(second, 1)};
            lookUp<4>(sums, nibble, of);
            at += 2 * stepBytes;
            of += 4 * pairBytes;
        }
        if (s < steps) {
            const __m256i first = line(at, half);
            const __m256i nibble[2] = {nibbles(first, 0), nibbles(first, 1)};
            lookUp<2>(sums, nibble, of);
        }
        // Octets in the order of unpack: the lower bytes' words are even ones.
        __m256i octet[4];
        for (int p = 0; p < planes; ++p)
            sums.both[p] = _mm256_sub_epi16(sums.both[p], _mm256_slli_epi16(sums.upper[p], 8));
        join(sums.both, octet[0], octet[2]);
        join(sums.upper, octet[1], octet[3]);
        for (int o = 0; o < 4; ++o)
            addTo(y + 32 * half + 8 * o, _mm256_add_epi32(octet[o], begin), scale);
    }
}
