// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors

// Compiled twice by panels_avx2.cpp: BITLOOM_TARGET names the instruction set, BITLOOM_VNNI says
// whether it has VNNI.

#define BITLOOM_INLINE BITLOOM_TARGET __attribute__((always_inline)) inline

struct Activations {
    __m256i x; ///< four int8, repeated
#if !BITLOOM_VNNI
    __m256i magnitude;
#endif
};

BITLOOM_INLINE Activations activations(const int8_t* q) {
    int four;
    __builtin_memcpy(&four, q, 4);
    Activations a;
    a.x = _mm256_set1_epi32(four);
#if !BITLOOM_VNNI
    a.magnitude = _mm256_abs_epi8(a.x);
#endif
    return a;
}

/// acc + Σ of four bytes (0…127) times activations.
BITLOOM_INLINE __m256i dotSmall(__m256i acc, __m256i bytes, const Activations& a) {
#if BITLOOM_VNNI
    return _mm256_dpbusd_avx_epi32(acc, bytes, a.x);
#else
    return _mm256_add_epi32(
        acc, _mm256_madd_epi16(_mm256_maddubs_epi16(bytes, a.x), _mm256_set1_epi16(1)));
#endif
}

/// The same for entries of 4-bit tables, as `loadTable4` gives them.
BITLOOM_INLINE __m256i dotTable4(__m256i acc, __m256i bytes, const Activations& a) {
#if BITLOOM_VNNI
    return _mm256_dpbusd_avx_epi32(acc, bytes, a.x);
#else
    return _mm256_add_epi32(
        acc, _mm256_madd_epi16(_mm256_maddubs_epi16(a.magnitude, _mm256_sign_epi8(bytes, a.x)),
                               _mm256_set1_epi16(1)));
#endif
}

/// The same for bytes up to 255.
BITLOOM_INLINE __m256i dotByte(__m256i acc, __m256i bytes, const Activations& a) {
#if BITLOOM_VNNI
    return _mm256_dpbusd_avx_epi32(acc, bytes, a.x);
#else
    const __m256i upper = _mm256_and_si256(_mm256_srli_epi16(bytes, 1), _mm256_set1_epi8(127));
    const __m256i last = _mm256_and_si256(bytes, _mm256_set1_epi8(1));
    return dotSmall(dotSmall(dotSmall(acc, upper, a), upper, a), last, a);
#endif
}

BITLOOM_INLINE __m256i loadTable(const uint8_t* table) {
    return _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i*)table));
}

BITLOOM_INLINE __m256i loadTable4(const uint8_t* table) {
#if BITLOOM_VNNI
    return loadTable(table);
#else
    return _mm256_sub_epi8(loadTable(table), _mm256_set1_epi8(127));
#endif
}

BITLOOM_INLINE __m256i half(const uint8_t* line, int which) {
    return _mm256_loadu_si256((const __m256i*)(line + 32 * which));
}

/// 32 bits as `value` in the bytes whose bit is set.
BITLOOM_INLINE __m256i spread(const uint8_t* bits, int which, __m256i value) {
    int word;
    __builtin_memcpy(&word, bits + 4 * which, 4);
    const __m256i place = _mm256_setr_epi64x(0x0000000000000000, 0x0101010101010101,
                                             0x0202020202020202, 0x0303030303030303);
    const __m256i bit = _mm256_set1_epi64x(int64_t(0x8040201008040201));
    const __m256i bytes = _mm256_shuffle_epi8(_mm256_set1_epi32(word), place);
    return _mm256_and_si256(_mm256_cmpeq_epi8(_mm256_and_si256(bytes, bit), bit), value);
}

struct Sums {
    __m256i high[4], low[4];
};

/// Adds the products of one register of values to the sums of its group.
template<PanelKind Kind>
BITLOOM_INLINE void addProducts(Sums& sums, int group, __m256i value, const Activations& high,
                                const Activations& low) {
    if constexpr (Kind == PanelKind::Table4) {
        sums.high[group] = dotTable4(sums.high[group], value, high);
        sums.low[group] = dotTable4(sums.low[group], value, low);
    } else if constexpr (Kind == PanelKind::Plain8) {
        sums.high[group] = dotByte(sums.high[group], value, high);
        sums.low[group] = dotByte(sums.low[group], value, low);
    } else {
        sums.high[group] = dotSmall(sums.high[group], value, high);
        sums.low[group] = dotSmall(sums.low[group], value, low);
    }
}

/// One step for 8 rows (half `h`) of each of the four groups from `codes` on.
template<PanelKind Kind>
BITLOOM_INLINE void addStep(const uint8_t* codes, const uint8_t* tables, int h,
                            const Activations& high, const Activations& low, Sums& sums) {
    const __m256i low2 = _mm256_set1_epi8(3), low4 = _mm256_set1_epi8(15);
    if constexpr (Kind == PanelKind::Table2) {
        const __m256i table = loadTable(tables), place = _mm256_set1_epi32(0x0C080400);
        const __m256i v = half(codes, h);
#pragma GCC unroll 4
        for (int j = 0; j < 4; ++j) {
            const __m256i index =
                _mm256_or_si256(_mm256_and_si256(j ? _mm256_srli_epi16(v, 2 * j) : v, low2), place);
            addProducts<Kind>(sums, j, _mm256_shuffle_epi8(table, index), high, low);
        }
    } else if constexpr (Kind == PanelKind::Table3) {
        const __m256i table01 = loadTable(tables), table23 = loadTable(tables + 16);
        const __m256i place = _mm256_set1_epi32(0x08000800), bit2 = _mm256_set1_epi8(4);
        const __m256i v = half(codes, h);
#pragma GCC unroll 4
        for (int j = 0; j < 4; ++j) {
            __m256i index =
                _mm256_or_si256(_mm256_and_si256(j ? _mm256_srli_epi16(v, 2 * j) : v, low2), place);
            index = _mm256_or_si256(index, spread(codes + 64 + 8 * j, h, bit2));
            addProducts<Kind>(sums, j,
                              _mm256_blend_epi16(_mm256_shuffle_epi8(table01, index),
                                                 _mm256_shuffle_epi8(table23, index), 0xAA),
                              high, low);
        }
    } else if constexpr (Kind == PanelKind::Table4) {
        const __m256i t0 = loadTable4(tables), t1 = loadTable4(tables + 16),
                      t2 = loadTable4(tables + 32), t3 = loadTable4(tables + 48);
        // Columns 0 and 2 answer where their bytes are, 1 and 3 likewise.
        const __m256i even = _mm256_set1_epi16(int16_t(0x8000)),
                      odd = _mm256_set1_epi16(int16_t(0x0080));
#pragma GCC unroll 4
        for (int j = 0; j < 4; ++j) {
            const __m256i v = half(codes + 64 * (j / 2), h);
            const __m256i code = _mm256_and_si256(j % 2 ? _mm256_srli_epi16(v, 4) : v, low4);
            const __m256i e = _mm256_or_si256(code, even), o = _mm256_or_si256(code, odd);
            addProducts<Kind>(sums, j,
                              _mm256_or_si256(_mm256_blend_epi16(_mm256_shuffle_epi8(t0, e),
                                                                 _mm256_shuffle_epi8(t2, e), 0xAA),
                                              _mm256_blend_epi16(_mm256_shuffle_epi8(t1, o),
                                                                 _mm256_shuffle_epi8(t3, o), 0xAA)),
                              high, low);
        }
    } else if constexpr (Kind == PanelKind::Plain5) {
        const __m256i bit4 = _mm256_set1_epi8(16);
#pragma GCC unroll 4
        for (int j = 0; j < 4; ++j) {
            const uint8_t* unit = codes + 80 * (j / 2);
            const __m256i v = half(unit, h);
            const __m256i lower = _mm256_and_si256(j % 2 ? _mm256_srli_epi16(v, 4) : v, low4);
            addProducts<Kind>(sums, j,
                              _mm256_or_si256(lower, spread(unit + 64 + 8 * (j % 2), h, bit4)),
                              high, low);
        }
    } else if constexpr (Kind == PanelKind::Plain6) {
        const __m256i high2 = _mm256_set1_epi8(48);
        const __m256i top = half(codes + 128, h);
#pragma GCC unroll 4
        for (int j = 0; j < 4; ++j) {
            const __m256i v = half(codes + 64 * (j / 2), h);
            const __m256i lower = _mm256_and_si256(j % 2 ? _mm256_srli_epi16(v, 4) : v, low4);
            const __m256i upper = j == 0   ? _mm256_slli_epi16(top, 4)
                                  : j == 1 ? _mm256_slli_epi16(top, 2)
                                  : j == 2 ? top
                                           : _mm256_srli_epi16(top, 2);
            addProducts<Kind>(sums, j, _mm256_or_si256(lower, _mm256_and_si256(upper, high2)), high,
                              low);
        }
    } else {
#pragma GCC unroll 4
        for (int j = 0; j < 4; ++j)
            addProducts<Kind>(sums, j, half(codes + 64 * j, h), high, low);
    }
}

BITLOOM_INLINE __m256i joined(__m256i high, __m256i low) {
    return _mm256_add_epi32(_mm256_mullo_epi32(high, _mm256_set1_epi32(panelRadix)), low);
}

template<PanelKind Kind>
BITLOOM_TARGET void segment(const uint8_t*& codes, const uint8_t*& tables, const int8_t*& high,
                            const int8_t*& low, int64_t columns, int64_t rows, const float*& scale,
                            const int32_t*& start, const int32_t*& sum, float* y) {
    constexpr int bits = Kind == PanelKind::Table2   ? 2
                         : Kind == PanelKind::Table3 ? 3
                         : Kind == PanelKind::Table4 ? 4
                         : Kind == PanelKind::Plain5 ? 5
                         : Kind == PanelKind::Plain6 ? 6
                                                     : 8;
    constexpr int entries = Kind == PanelKind::Table2   ? 4
                            : Kind == PanelKind::Table3 ? 8
                            : Kind == PanelKind::Table4 ? 16
                                                        : 0;
    constexpr int64_t unit = panelColumnUnit * panelRowUnit * bits / 8; // a step of 64 rows
    const int64_t stepBytes = panelColumnUnit * rows * bits / 8;
    for (int64_t first = 0; first < columns; first += panelBlock) {
        const int64_t n = columns - first < panelBlock ? columns - first : panelBlock;
        const int64_t steps = n / panelColumnUnit;
        const __m256 factor = _mm256_set1_ps(*scale++);
        int32_t begin = *start++;
#if !BITLOOM_VNNI
        if (Kind == PanelKind::Table4) begin += 127 * *sum;
#endif
        ++sum;
        for (int64_t tile = 0; tile < 2 * (rows / panelRowUnit); ++tile) {
            // Rows 8h … 8h + 7 of the four groups of a unit of 64 rows.
            const int h = int(tile % 2);
            Sums sums;
#pragma GCC unroll 4
            for (int g = 0; g < 4; ++g) {
                sums.high[g] = _mm256_setzero_si256();
                sums.low[g] = _mm256_set1_epi32(begin);
            }
            const uint8_t* at = codes + tile / 2 * unit;
            for (int64_t step = 0; step < steps; ++step) {
                // The same place of the next block.
                if (h == 0)
#pragma GCC unroll 8
                    for (int64_t line = 0; line < unit; line += 64)
                        _mm_prefetch((const char*)at + steps * stepBytes + line, _MM_HINT_T0);
                addStep<Kind>(at, tables + step * panelColumnUnit * entries, h,
                              activations(high + step * panelColumnUnit),
                              activations(low + step * panelColumnUnit), sums);
                at += stepBytes;
            }
            float* out = y + tile / 2 * panelRowUnit + 8 * h;
#pragma GCC unroll 4
            for (int g = 0; g < 4; ++g)
                _mm256_storeu_ps(
                    out + 16 * g,
                    _mm256_fmadd_ps(factor, _mm256_cvtepi32_ps(joined(sums.high[g], sums.low[g])),
                                    _mm256_loadu_ps(out + 16 * g)));
        }
        codes += steps * stepBytes;
        tables += n * entries;
        high += n;
        low += n;
    }
}

static void matvec(std::span<const PanelSegment> segments, const uint8_t* codes,
                   const uint8_t* tables, const PanelInput& input, int64_t rows, float* y) {
    const float* scale = input.scale.data();
    const int32_t *start = input.start.data(), *sum = input.sum.data();
    const int8_t *high = input.high.data(), *low = input.low.data();
    for (const PanelSegment& s : segments) {
        switch (s.kind) {
        case PanelKind::Table2:
            segment<PanelKind::Table2>(codes, tables, high, low, s.columns, rows, scale, start, sum,
                                       y);
            break;
        case PanelKind::Table3:
            segment<PanelKind::Table3>(codes, tables, high, low, s.columns, rows, scale, start, sum,
                                       y);
            break;
        case PanelKind::Table4:
            segment<PanelKind::Table4>(codes, tables, high, low, s.columns, rows, scale, start, sum,
                                       y);
            break;
        case PanelKind::Plain5:
            segment<PanelKind::Plain5>(codes, tables, high, low, s.columns, rows, scale, start, sum,
                                       y);
            break;
        case PanelKind::Plain6:
            segment<PanelKind::Plain6>(codes, tables, high, low, s.columns, rows, scale, start, sum,
                                       y);
            break;
        case PanelKind::Plain8:
            segment<PanelKind::Plain8>(codes, tables, high, low, s.columns, rows, scale, start, sum,
                                       y);
            break;
        }
    }
}

#undef BITLOOM_INLINE
