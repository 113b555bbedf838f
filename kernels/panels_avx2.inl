// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors

// Compiled twice by panels_avx2.cpp: BITLOOM_TARGET names the instruction set, BITLOOM_VNNI says
// whether it has VNNI. A tile is 64 rows, and its sums are eight registers, "octets", of 8 rows.

#define BITLOOM_INLINE BITLOOM_TARGET __attribute__((always_inline)) inline

constexpr int octets = 8;
constexpr int64_t tile = int64_t(octets) * 8;
constexpr int64_t ahead = 4096; ///< bytes between what is read and what is asked for

/// acc + words (0…255) of two columns times their activations. The empty assembly keeps compilers
/// from adding several products first, or moving sums around, and running out of registers.
BITLOOM_INLINE __m256i dot(__m256i acc, __m256i words, __m256i q) {
#if BITLOOM_VNNI
    acc = _mm256_dpwssd_avx_epi32(acc, words, q);
#else
    acc = _mm256_add_epi32(acc, _mm256_madd_epi16(words, q));
#endif
    __asm__("" : "+x"(acc));
    return acc;
}

/// The activations of two columns, repeated.
BITLOOM_INLINE __m256i pairOf(const int16_t* q) {
    int two;
    __builtin_memcpy(&two, q, 4);
    return _mm256_set1_epi32(two);
}

/// What is done with the words of an octet, for columns 0 and 1 (pair 0) or 2 and 3 of a step:
/// multiplied at once, or kept for many tokens. `Small`: bytes are at most 127.
template<bool Small>
struct Multiply {
    __m256i sums[octets];
    __m256i q[2];
    BITLOOM_INLINE void operator()(int octet, int pair, __m256i words) {
        sums[octet] = dot(sums[octet], words, q[pair]);
    }
    /// Bytes of two octets: the lower of each word belong to `even`. Those of small values need not
    /// be cut out: what the upper ones add is 256 times the other octet's sum, which `finish` takes
    /// away. Sums wrap around in between, and come out right because they fit in the end.
    BITLOOM_INLINE void operator()(int even, int odd, int pair, __m256i bytes) {
        (*this)(even, pair, Small ? bytes : _mm256_and_si256(bytes, _mm256_set1_epi16(255)));
        (*this)(odd, pair, _mm256_maddubs_epi16(bytes, _mm256_set1_epi16(256)));
    }
    BITLOOM_INLINE void finish() {
#pragma GCC unroll 4
        for (int o = 0; o < octets; o += 2)
            if (Small) sums[o] = _mm256_sub_epi32(sums[o], _mm256_slli_epi32(sums[o + 1], 8));
    }
};
struct Keep {
    __m256i* to; ///< [2][octets] of a step
    BITLOOM_INLINE void operator()(int octet, int pair, __m256i words) {
        _mm256_store_si256(to + pair * octets + octet, words);
    }
    BITLOOM_INLINE void operator()(int even, int odd, int pair, __m256i bytes) {
        (*this)(even, pair, _mm256_and_si256(bytes, _mm256_set1_epi16(255)));
        (*this)(odd, pair, _mm256_srli_epi16(bytes, 8));
    }
};

BITLOOM_INLINE __m256i line(const uint8_t* from, int which) {
    return _mm256_loadu_si256((const __m256i*)(from + 32 * which));
}
BITLOOM_INLINE __m256i table(const uint8_t* tables, int column) {
    return _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i*)(tables + 16 * column)));
}
/// Lower or upper nibbles, as indices.
BITLOOM_INLINE __m256i nibbles(__m256i v, int upper) {
    return _mm256_and_si256(upper ? _mm256_srli_epi16(v, 4) : v, _mm256_set1_epi8(15));
}

/// Half a tile of two columns, 32 rows each, as words.
template<class Use>
BITLOOM_INLINE void unpack(Use& use, int half, int pair, __m256i a, __m256i b) {
    use(4 * half, 4 * half + 1, pair, _mm256_unpacklo_epi16(a, b));
    use(4 * half + 2, 4 * half + 3, pair, _mm256_unpackhi_epi16(a, b));
}

/// An octet of four columns.
template<class Use>
BITLOOM_INLINE void split(Use& use, int octet, __m256i v) {
    use(octet, 0, _mm256_and_si256(v, _mm256_set1_epi16(255)));
    use(octet, 1, _mm256_srli_epi16(v, 8));
}

/// The values of one step.
template<PanelKind Kind, class Use>
BITLOOM_INLINE void step(const uint8_t* codes, const uint8_t* tables, Use& use) {
    const __m256i low4 = _mm256_set1_epi8(15);
    if constexpr (Kind == PanelKind::Table2) {
#pragma GCC unroll 2
        for (int pair = 0; pair < 2; ++pair) {
            const __m256i a = table(tables, 2 * pair), b = table(tables, 2 * pair + 1);
#pragma GCC unroll 2
            for (int half = 0; half < 2; ++half) {
                const __m256i both = nibbles(line(codes, half), pair);
                unpack(use, half, pair, _mm256_shuffle_epi8(a, both), _mm256_shuffle_epi8(b, both));
            }
        }
    } else if constexpr (Kind == PanelKind::Table3) {
        // The fourth column: bit 3 of the nibbles of the others.
        const __m256i fourth = _mm256_or_si256(
            _mm256_or_si256(
                _mm256_and_si256(_mm256_srli_epi16(line(codes, 0), 3), _mm256_set1_epi8(0x11)),
                _mm256_and_si256(_mm256_srli_epi16(line(codes, 1), 2), _mm256_set1_epi8(0x22))),
            _mm256_and_si256(_mm256_srli_epi16(line(codes, 2), 1), _mm256_set1_epi8(0x44)));
#pragma GCC unroll 2
        for (int pair = 0; pair < 2; ++pair) {
            const __m256i a = table(tables, 2 * pair), b = table(tables, 2 * pair + 1);
#pragma GCC unroll 2
            for (int half = 0; half < 2; ++half)
                unpack(use, half, pair,
                       _mm256_shuffle_epi8(a, nibbles(line(codes, 2 * pair), half)),
                       _mm256_shuffle_epi8(b, pair ? half ? _mm256_srli_epi16(fourth, 4) : fourth
                                                   : nibbles(line(codes, 1), half)));
        }
    } else if constexpr (Kind == PanelKind::Table4) {
#pragma GCC unroll 2
        for (int pair = 0; pair < 2; ++pair) {
            const __m256i a = table(tables, 2 * pair), b = table(tables, 2 * pair + 1);
#pragma GCC unroll 2
            for (int half = 0; half < 2; ++half)
                unpack(use, half, pair,
                       _mm256_shuffle_epi8(a, nibbles(line(codes, 2 * pair), half)),
                       _mm256_shuffle_epi8(b, nibbles(line(codes, 2 * pair + 1), half)));
        }
    } else if constexpr (Kind == PanelKind::Plain5) {
        const __m256i top = line(codes, 4), bit4 = _mm256_set1_epi8(16);
#pragma GCC unroll 8
        for (int o = 0; o < octets; ++o) {
            const __m256i bits = o < 4   ? _mm256_slli_epi16(top, 4 - o)
                                 : o > 4 ? _mm256_srli_epi16(top, o - 4)
                                         : top;
            split(
                use, o,
                _mm256_or_si256(nibbles(line(codes, o / 2), o % 2), _mm256_and_si256(bits, bit4)));
        }
    } else if constexpr (Kind == PanelKind::Plain6) {
        const __m256i high2 = _mm256_set1_epi8(48);
#pragma GCC unroll 8
        for (int o = 0; o < octets; ++o) {
            const __m256i top = line(codes, 4 + o / 4);
            const __m256i bits = o % 4 == 0   ? _mm256_slli_epi16(top, 4)
                                 : o % 4 == 1 ? _mm256_slli_epi16(top, 2)
                                 : o % 4 == 2 ? top
                                              : _mm256_srli_epi16(top, 2);
            split(use, o,
                  _mm256_or_si256(_mm256_and_si256(o % 2 ? _mm256_srli_epi16(line(codes, o / 2), 4)
                                                         : line(codes, o / 2),
                                                   low4),
                                  _mm256_and_si256(bits, high2)));
        }
    } else {
#pragma GCC unroll 8
        for (int o = 0; o < octets; ++o)
            split(use, o, line(codes, o));
    }
}

template<PanelKind Kind>
constexpr int bitsOf = Kind == PanelKind::Table2   ? 2
                       : Kind == PanelKind::Table3 ? 3
                       : Kind == PanelKind::Table4 ? 4
                       : Kind == PanelKind::Plain5 ? 5
                       : Kind == PanelKind::Plain6 ? 6
                                                   : 8;
template<PanelKind Kind>
constexpr int64_t stepBytesOf = panelColumnUnit* tile* bitsOf<Kind> / 8;
template<PanelKind Kind>
constexpr int64_t stepTables = bitsOf<Kind> <= 4 ? panelColumnUnit * 16 : 0;

template<PanelKind Kind>
BITLOOM_INLINE void prefetch(const uint8_t* codes) {
#pragma GCC unroll 8
    for (int64_t at = 0; at < stepBytesOf<Kind>; at += 64)
        _mm_prefetch((const char*)codes + ahead + at, _MM_HINT_T0);
}

/// y += scale·sums of 8 rows.
BITLOOM_INLINE void addTo(float* y, __m256i sums, float scale) {
    _mm256_storeu_ps(
        y, _mm256_fmadd_ps(_mm256_set1_ps(scale), _mm256_cvtepi32_ps(sums), _mm256_loadu_ps(y)));
}

/// A tile's block of columns times one token.
template<PanelKind Kind>
BITLOOM_INLINE void multiplyTile(const uint8_t* codes, const uint8_t* tables, int64_t steps,
                                 const int16_t* q, float scale, int32_t start, float* y) {
    constexpr bool small = Kind == PanelKind::Table2 || Kind == PanelKind::Table3;
    Multiply<small> use;
#pragma GCC unroll 8
    for (int o = 0; o < octets; ++o)
        use.sums[o] = _mm256_setzero_si256();
    for (int64_t s = 0; s < steps; ++s) {
        use.q[0] = pairOf(q + 4 * s);
        use.q[1] = pairOf(q + 4 * s + 2);
        prefetch<Kind>(codes);
        step<Kind>(codes, tables, use);
        codes += stepBytesOf<Kind>;
        tables += stepTables<Kind>;
    }
    use.finish();
#pragma GCC unroll 8
    for (int o = 0; o < octets; ++o)
        addTo(y + 8 * o, _mm256_add_epi32(use.sums[o], _mm256_set1_epi32(start)), scale);
}

/// The same, unpacked to words: [pairs of columns][octets].
template<PanelKind Kind>
BITLOOM_INLINE void unpackTile(const uint8_t* codes, const uint8_t* tables, int64_t steps,
                               __m256i* words) {
    Keep use{words};
    for (int64_t s = 0; s < steps; ++s) {
        prefetch<Kind>(codes);
        step<Kind>(codes, tables, use);
        codes += stepBytesOf<Kind>;
        tables += stepTables<Kind>;
        use.to += 2 * octets;
    }
}

/// Where a block's activations of the first of some tokens are, and how far apart the tokens.
struct BlockInput {
    const int16_t* q;
    const float* scale;
    const int32_t* start;
    int64_t columns, blocks;
};

/// Half a tile of words times some tokens: 4·Tokens sums in registers.
template<int Tokens>
BITLOOM_TARGET void multiplyWords(const __m256i* words, int64_t pairs, const BlockInput& in,
                                  float* y, int64_t stride) {
    __m256i sums[Tokens][4];
#pragma GCC unroll 4
    for (int t = 0; t < Tokens; ++t)
#pragma GCC unroll 4
        for (int o = 0; o < 4; ++o)
            sums[t][o] = _mm256_set1_epi32(in.start[t * in.blocks]);
    for (int64_t p = 0; p < pairs; ++p) {
        __m256i q[Tokens];
#pragma GCC unroll 4
        for (int t = 0; t < Tokens; ++t)
            q[t] = pairOf(in.q + t * in.columns + 2 * p);
#pragma GCC unroll 4
        for (int o = 0; o < 4; ++o) {
            const __m256i w = _mm256_load_si256(words + p * octets + o);
#pragma GCC unroll 4
            for (int t = 0; t < Tokens; ++t)
                sums[t][o] = dot(sums[t][o], w, q[t]);
        }
    }
#pragma GCC unroll 4
    for (int t = 0; t < Tokens; ++t)
#pragma GCC unroll 4
        for (int o = 0; o < 4; ++o)
            addTo(y + t * stride + 8 * o, sums[t][o], in.scale[t * in.blocks]);
}

/// A tile of words times all tokens.
BITLOOM_TARGET inline void multiplyAll(const __m256i* words, int64_t pairs, BlockInput in,
                                       int64_t tokens, float* y, int64_t stride) {
    // As many sums as leave registers for the operands: plain AVX2 needs one for the product too.
    constexpr int most = BITLOOM_VNNI ? 3 : 2;
    for (int64_t t = 0; t < tokens;) {
        const int64_t left = tokens - t;
        const int n = left == 4 ? 2 : left < most ? int(left) : most;
        for (int half = 0; half < 2; ++half) {
            const __m256i* from = words + 4 * half;
            float* to = y + t * stride + 32 * half;
            if (n == 1)
                multiplyWords<1>(from, pairs, in, to, stride);
            else if (n == 2)
                multiplyWords<2>(from, pairs, in, to, stride);
            else
                multiplyWords<most>(from, pairs, in, to, stride);
        }
        in.q += n * in.columns;
        in.scale += n * in.blocks;
        in.start += n * in.blocks;
        t += n;
    }
}

#if !BITLOOM_VNNI
#include "kernels/panels_products.inl"
#endif

template<PanelKind Kind>
BITLOOM_TARGET void segment(const uint8_t*& codes, const uint8_t*& tables, BlockInput& in,
                            const uint8_t*& products, int64_t columns, int64_t rows, int64_t tokens,
                            float* y, int64_t stride) {
    alignas(64) __m256i words[panelBlock / 2 * octets];
    for (int64_t first = 0; first < columns; first += panelBlock) {
        const int64_t n = columns - first < panelBlock ? columns - first : panelBlock;
        const int64_t steps = n / panelColumnUnit;
        for (int64_t row = 0; row < rows; row += tile) {
#if !BITLOOM_VNNI
            if (Kind == PanelKind::Table2 && products) {
                addProducts(codes, products, steps, *in.scale, *in.start + lowest(in.q, n),
                            y + row);
                codes += steps * stepBytesOf<Kind>;
                continue;
            }
#endif
            if (tokens == 1) {
                multiplyTile<Kind>(codes, tables, steps, in.q, *in.scale, *in.start, y + row);
            } else {
                unpackTile<Kind>(codes, tables, steps, words);
                multiplyAll(words, 2 * steps, in, tokens, y + row, stride);
            }
            codes += steps * stepBytesOf<Kind>;
        }
        tables += steps * stepTables<Kind>;
        if (Kind == PanelKind::Table2 && products) products += n * panelProductBytes;
        in.q += n;
        ++in.scale;
        ++in.start;
    }
}

static void product(std::span<const PanelSegment> segments, const uint8_t* codes,
                    const uint8_t* tables, const PanelInput& input, int64_t rows, float* y,
                    int64_t stride) {
    const int64_t tokens = input.tokens;
    BlockInput in{input.q.data(), input.scale.data(), input.start.data(),
                  int64_t(input.q.size()) / tokens, int64_t(input.scale.size()) / tokens};
    const uint8_t* products = input.products.empty() ? nullptr : input.products.data();
    for (const PanelSegment& s : segments) {
        const auto run = [&](auto* version) {
            version(codes, tables, in, products, s.columns, rows, tokens, y, stride);
        };
        switch (s.kind) {
        case PanelKind::Table2:
            run(segment<PanelKind::Table2>);
            break;
        case PanelKind::Table3:
            run(segment<PanelKind::Table3>);
            break;
        case PanelKind::Table4:
            run(segment<PanelKind::Table4>);
            break;
        case PanelKind::Plain5:
            run(segment<PanelKind::Plain5>);
            break;
        case PanelKind::Plain6:
            run(segment<PanelKind::Plain6>);
            break;
        case PanelKind::Plain8:
            run(segment<PanelKind::Plain8>);
            break;
        }
    }
}

#undef BITLOOM_INLINE
