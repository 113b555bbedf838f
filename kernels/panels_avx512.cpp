// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors

// Layout Quads. A step of four columns and 16 rows is one register of 64 lanes. `vpermb` looks all
// 64 up at once: its table register holds the tables of the four columns side by side (or
// repeated), and the lane's index is the code with the column's place above it. `vpdpbusd`
// multiplies by the four activations and adds the four products of a row to its int32. So a
// register of sums is 16 rows, and eight registers for each byte of the activations are a tile.
//
// Everything in here is static and free of inline functions of the standard library: code compiled
// for one instruction set must not be what the linker keeps for all.

#include "kernels/panel_kernels.h"

#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))

#include <immintrin.h>

#if defined(__GNUC__) && !defined(__clang__)
// The intrinsics of GCC 12 start from a register that they leave undefined on purpose.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif

namespace bitloom::kernels {

namespace {

#define BITLOOM_AVX512                                                                             \
    __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vnni")))

#define BITLOOM_INLINE BITLOOM_AVX512 __attribute__((always_inline)) inline

constexpr int64_t ahead = 4096; ///< bytes between what is read and what is asked for

/// acc + four values times four activations. The empty assembly keeps compilers from moving sums
/// around until they run out of registers.
BITLOOM_INLINE __m512i dot(__m512i acc, __m512i values, __m512i q) {
    acc = _mm512_dpbusd_epi32(acc, values, q);
    __asm__("" : "+v"(acc));
    return acc;
}

/// What is done with the values of a group: multiplied at once by both bytes of one token's
/// activations, or kept for many tokens.
template<int Groups, int Bytes>
struct Multiply {
    __m512i sums[Bytes][Groups];
    __m512i q[Bytes];
    BITLOOM_INLINE void operator()(int group, __m512i values) {
#pragma GCC unroll 2
        for (int b = 0; b < Bytes; ++b)
            sums[b][group] = dot(sums[b][group], values, q[b]);
    }
};
struct Keep {
    __m512i* to; ///< [groups] of a step
    BITLOOM_INLINE void operator()(int group, __m512i values) {
        _mm512_store_si512(to + group, values);
    }
};

BITLOOM_INLINE __m512i line(const uint8_t* from, int which) {
    return _mm512_loadu_si512(from + 64 * which);
}

/// The values of one step, for all groups of a tile.
template<PanelKind Kind, int Groups, class Use>
BITLOOM_INLINE void step(const uint8_t* codes, const uint8_t* tables, Use& use) {
    constexpr bool three = Kind == PanelKind::Table3;
    // What a lane's place among the four columns adds to its index.
    const __m512i place = _mm512_set1_epi32(three ? 0x18100800 : 0x30201000);
    const __m512i low2 = _mm512_set1_epi8(3), low4 = _mm512_set1_epi8(15);
    constexpr int or3 = 0xEA; // (a & b) | c
    if constexpr (Kind == PanelKind::Table2) {
        // A nibble is the codes of two groups, and looks up both: in a table that repeats over the
        // upper code, and in one that repeats over the lower.
        const __m512i entries = _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i*)tables));
        const __m512i column = _mm512_set_epi32(
            0x0C0C0C0C, 0x0C0C0C0C, 0x0C0C0C0C, 0x0C0C0C0C, 0x08080808, 0x08080808, 0x08080808,
            0x08080808, 0x04040404, 0x04040404, 0x04040404, 0x04040404, 0, 0, 0, 0);
        const __m512i lowerCode = _mm512_set1_epi32(0x03020100);
        const __m512i upperCode =
            _mm512_broadcast_i32x4(_mm_set_epi32(0x03030303, 0x02020202, 0x01010101, 0x00000000));
        const __m512i tableOf[2] = {
            _mm512_permutexvar_epi8(_mm512_or_si512(column, lowerCode), entries),
            _mm512_permutexvar_epi8(_mm512_or_si512(column, upperCode), entries)};
#pragma GCC unroll 8
        for (int g = 0; g < Groups; g += 2) {
            const __m512i v = line(codes, g / 4);
            const __m512i index =
                _mm512_ternarylogic_epi32(g % 4 ? _mm512_srli_epi16(v, 4) : v, low4, place, or3);
            use(g, _mm512_permutexvar_epi8(index, tableOf[0]));
            use(g + 1, _mm512_permutexvar_epi8(index, tableOf[1]));
        }
    } else if constexpr (Kind == PanelKind::Table3 && Groups == 8) {
        const __m512i table = _mm512_broadcast_i64x4(_mm256_loadu_si256((const __m256i*)tables));
        const __m512i low3 = _mm512_set1_epi8(7);
        // Groups 6 and 7: the bits above the others' three.
        __m512i last =
            _mm512_and_si512(_mm512_srli_epi16(line(codes, 0), 3), _mm512_set1_epi8(0x11));
        last = _mm512_ternarylogic_epi32(_mm512_srli_epi16(line(codes, 1), 2),
                                         _mm512_set1_epi8(0x22), last, or3);
        last = _mm512_ternarylogic_epi32(_mm512_srli_epi16(line(codes, 2), 1),
                                         _mm512_set1_epi8(0x44), last, or3);
#pragma GCC unroll 8
        for (int g = 0; g < Groups; ++g) {
            const __m512i v = g < 6 ? line(codes, g / 2) : last;
            use(g,
                _mm512_permutexvar_epi8(_mm512_ternarylogic_epi32(
                                            g % 2 ? _mm512_srli_epi16(v, 4) : v, low3, place, or3),
                                        table));
        }
    } else if constexpr (Kind == PanelKind::Table3) {
        const __m512i table = _mm512_broadcast_i64x4(_mm256_loadu_si256((const __m256i*)tables));
        const __m512i bit2 = _mm512_set1_epi8(4);
        uint64_t bits[Groups];
        __builtin_memcpy(bits, codes + 16 * Groups, sizeof bits);
#pragma GCC unroll 8
        for (int g = 0; g < Groups; ++g) {
            const __m512i v = line(codes, g / 4);
            const __m512i index = _mm512_ternarylogic_epi32(
                g % 4 ? _mm512_srli_epi16(v, unsigned(2 * (g % 4))) : v, low2, place, or3);
            use(g,
                _mm512_permutexvar_epi8(_mm512_mask_add_epi8(index, bits[g], index, bit2), table));
        }
    } else if constexpr (Kind == PanelKind::Table4) {
        const __m512i table = _mm512_loadu_si512(tables);
#pragma GCC unroll 8
        for (int g = 0; g < Groups; ++g) {
            const __m512i v = line(codes, g / 2);
            use(g,
                _mm512_permutexvar_epi8(_mm512_ternarylogic_epi32(
                                            g % 2 ? _mm512_srli_epi16(v, 4) : v, low4, place, or3),
                                        table));
        }
    } else if constexpr (Kind == PanelKind::Plain5) {
        const __m512i bit4 = _mm512_set1_epi8(16);
        uint64_t bits[Groups];
        __builtin_memcpy(bits, codes + 32 * Groups, sizeof bits);
#pragma GCC unroll 8
        for (int g = 0; g < Groups; ++g) {
            const __m512i v = line(codes, g / 2);
            const __m512i lower = _mm512_and_si512(g % 2 ? _mm512_srli_epi16(v, 4) : v, low4);
            use(g, _mm512_mask_add_epi8(lower, bits[g], lower, bit4));
        }
    } else if constexpr (Kind == PanelKind::Plain6) {
        const __m512i high2 = _mm512_set1_epi8(48);
#pragma GCC unroll 8
        for (int g = 0; g < Groups; ++g) {
            const __m512i v = line(codes, g / 2), top = line(codes, Groups / 2 + g / 4);
            const __m512i lower = _mm512_and_si512(g % 2 ? _mm512_srli_epi16(v, 4) : v, low4);
            const __m512i upper = g % 4 == 0   ? _mm512_slli_epi16(top, 4)
                                  : g % 4 == 1 ? _mm512_slli_epi16(top, 2)
                                  : g % 4 == 2 ? top
                                               : _mm512_srli_epi16(top, 2);
            use(g, _mm512_ternarylogic_epi32(upper, high2, lower, or3));
        }
    } else {
#pragma GCC unroll 8
        for (int g = 0; g < Groups; ++g)
            use(g, line(codes, g));
    }
}

template<PanelKind Kind>
constexpr int bitsOf = Kind == PanelKind::Table2   ? 2
                       : Kind == PanelKind::Table3 ? 3
                       : Kind == PanelKind::Table4 ? 4
                       : Kind == PanelKind::Plain5 ? 5
                       : Kind == PanelKind::Plain6 ? 6
                                                   : 8;
template<PanelKind Kind, int Groups>
constexpr int64_t stepBytesOf = panelColumnUnit * 16 * Groups* bitsOf<Kind> / 8;
template<PanelKind Kind>
constexpr int64_t stepTables = bitsOf<Kind> <= 4 ? panelColumnUnit << bitsOf<Kind> : 0;

template<int64_t Bytes>
BITLOOM_INLINE void prefetch(const uint8_t* codes) {
#pragma GCC unroll 8
    for (int64_t at = 0; at < Bytes; at += 64)
        _mm_prefetch((const char*)codes + ahead + at, _MM_HINT_T0);
}

/// Where a block's activations of the first of some tokens are, and how far apart the tokens.
struct BlockInput {
    const int8_t *high, *low;
    const float* scale;
    const int32_t* start;
    int64_t columns, blocks;
};

BITLOOM_INLINE __m512i fourOf(const int8_t* q) {
    int bytes;
    __builtin_memcpy(&bytes, q, 4);
    return _mm512_set1_epi32(bytes);
}

/// y += scale·(256·high + low) of 16 rows; `sums` has the low bytes first.
template<int Bytes>
BITLOOM_INLINE void addTo(float* y, __m512i low, __m512i high, float scale) {
    const __m512i sum = Bytes == 2 ? _mm512_add_epi32(_mm512_slli_epi32(high, 8), low) : low;
    _mm512_storeu_ps(
        y, _mm512_fmadd_ps(_mm512_set1_ps(scale), _mm512_cvtepi32_ps(sum), _mm512_loadu_ps(y)));
}

/// A tile's block of columns times one token.
template<PanelKind Kind, int Groups, int Bytes>
BITLOOM_INLINE void multiplyTile(const uint8_t* codes, const uint8_t* tables, int64_t steps,
                                 const BlockInput& in, float* y) {
    Multiply<Groups, Bytes> use;
#pragma GCC unroll 8
    for (int g = 0; g < Groups; ++g) {
        use.sums[0][g] = _mm512_set1_epi32(*in.start);
        if (Bytes == 2) use.sums[Bytes - 1][g] = _mm512_setzero_si512();
    }
    for (int64_t s = 0; s < steps; ++s) {
        use.q[0] = fourOf(in.low + 4 * s);
        if (Bytes == 2) use.q[Bytes - 1] = fourOf(in.high + 4 * s);
        prefetch<stepBytesOf<Kind, Groups>>(codes);
        step<Kind, Groups>(codes, tables, use);
        codes += stepBytesOf<Kind, Groups>;
        tables += stepTables<Kind>;
    }
#pragma GCC unroll 8
    for (int g = 0; g < Groups; ++g)
        addTo<Bytes>(y + 16 * g, use.sums[0][g], use.sums[Bytes - 1][g], *in.scale);
}

/// The same, as bytes: [steps][Groups].
template<PanelKind Kind, int Groups>
BITLOOM_INLINE void unpackTile(const uint8_t* codes, const uint8_t* tables, int64_t steps,
                               __m512i* values) {
    Keep use{values};
    for (int64_t s = 0; s < steps; ++s) {
        prefetch<stepBytesOf<Kind, Groups>>(codes);
        step<Kind, Groups>(codes, tables, use);
        codes += stepBytesOf<Kind, Groups>;
        tables += stepTables<Kind>;
        use.to += Groups;
    }
}

/// Four groups of values, `Groups` registers from step to step, times some tokens:
/// 4·Tokens·Bytes sums in registers.
template<int Groups, int Bytes, int Tokens>
BITLOOM_AVX512 void multiplyValues(const __m512i* values, int64_t steps, const BlockInput& in,
                                   float* y, int64_t stride) {
    __m512i sums[Tokens][Bytes][4];
#pragma GCC unroll 8
    for (int t = 0; t < Tokens; ++t)
#pragma GCC unroll 4
        for (int g = 0; g < 4; ++g) {
            sums[t][0][g] = _mm512_set1_epi32(in.start[t * in.blocks]);
            if (Bytes == 2) sums[t][Bytes - 1][g] = _mm512_setzero_si512();
        }
    for (int64_t s = 0; s < steps; ++s) {
        __m512i v[4];
#pragma GCC unroll 4
        for (int g = 0; g < 4; ++g)
            v[g] = _mm512_load_si512(values + s * Groups + g);
#pragma GCC unroll 8
        for (int t = 0; t < Tokens; ++t)
#pragma GCC unroll 2
            for (int b = 0; b < Bytes; ++b) {
                const __m512i q = fourOf((b ? in.high : in.low) + t * in.columns + 4 * s);
#pragma GCC unroll 4
                for (int g = 0; g < 4; ++g)
                    sums[t][b][g] = dot(sums[t][b][g], v[g], q);
            }
    }
#pragma GCC unroll 8
    for (int t = 0; t < Tokens; ++t)
#pragma GCC unroll 4
        for (int g = 0; g < 4; ++g)
            addTo<Bytes>(y + t * stride + 16 * g, sums[t][0][g], sums[t][Bytes - 1][g],
                         in.scale[t * in.blocks]);
}

/// A tile of values times all tokens.
template<int Groups, int Bytes>
BITLOOM_AVX512 void multiplyAll(const __m512i* values, int64_t steps, BlockInput in, int64_t tokens,
                                float* y, int64_t stride) {
    constexpr int most = 6 / Bytes; // 24 sums, 4 values, one activation
    for (int64_t t = 0; t < tokens;) {
        const int64_t left = tokens - t;
        // Never a lone token at the end if two evener parts do as well.
        const int n = int(left <= most ? left : left < 2 * most ? (left + 1) / 2 : most);
        for (int g = 0; g < Groups; g += 4) {
            const __m512i* from = values + g;
            float* to = y + t * stride + 16 * g;
            switch (n) {
            case 1:
                multiplyValues<Groups, Bytes, 1>(from, steps, in, to, stride);
                break;
            case 2:
                multiplyValues<Groups, Bytes, 2>(from, steps, in, to, stride);
                break;
            case 3:
                multiplyValues<Groups, Bytes, 3>(from, steps, in, to, stride);
                break;
            case 4:
                multiplyValues < Groups, Bytes, most<4 ? most : 4>(from, steps, in, to, stride);
                break;
            case 5:
                multiplyValues < Groups, Bytes, most<5 ? most : 5>(from, steps, in, to, stride);
                break;
            default:
                multiplyValues<Groups, Bytes, most>(from, steps, in, to, stride);
            }
        }
        in.high += n * in.columns;
        in.low += n * in.columns;
        in.scale += n * in.blocks;
        in.start += n * in.blocks;
        t += n;
    }
}

/// The block of one tile of 16·Groups rows.
template<PanelKind Kind, int Groups, int Bytes>
BITLOOM_AVX512 void block(const uint8_t*& codes, const uint8_t* tables, int64_t steps,
                          const BlockInput& in, int64_t tokens, float* y, int64_t stride) {
    if (tokens == 1) {
        multiplyTile<Kind, Groups, Bytes>(codes, tables, steps, in, y);
    } else {
        alignas(64) __m512i values[panelBlock / panelColumnUnit * Groups];
        unpackTile<Kind, Groups>(codes, tables, steps, values);
        multiplyAll<Groups, Bytes>(values, steps, in, tokens, y, stride);
    }
    codes += steps * stepBytesOf<Kind, Groups>;
}

template<PanelKind Kind, int Bytes>
BITLOOM_AVX512 void segment(const uint8_t*& codes, const uint8_t*& tables, BlockInput& in,
                            int64_t columns, int64_t rows, int64_t tokens, float* y,
                            int64_t stride) {
    constexpr int64_t tile = tileRows(PanelLayout::Quads);
    for (int64_t first = 0; first < columns; first += panelBlock) {
        const int64_t n = columns - first < panelBlock ? columns - first : panelBlock;
        const int64_t steps = n / panelColumnUnit;
        int64_t row = 0;
        for (; row + tile <= rows; row += tile)
            block<Kind, tile / 16, Bytes>(codes, tables, steps, in, tokens, y + row, stride);
        if (row < rows) // a panel's rows come in units of half a tile
            block<Kind, tile / 32, Bytes>(codes, tables, steps, in, tokens, y + row, stride);
        tables += steps * stepTables<Kind>;
        in.high += n;
        in.low += n;
        ++in.scale;
        ++in.start;
    }
}

template<int Bytes>
void productOf(std::span<const PanelSegment> segments, const uint8_t* codes, const uint8_t* tables,
               const PanelInput& input, int64_t rows, float* y, int64_t stride) {
    const int64_t tokens = input.tokens;
    BlockInput in{input.high.data(),
                  input.low.data(),
                  input.scale.data(),
                  input.start.data(),
                  int64_t(input.low.size()) / tokens,
                  int64_t(input.scale.size()) / tokens};
    for (const PanelSegment& s : segments) {
        const auto run = [&](auto* version) {
            version(codes, tables, in, s.columns, rows, tokens, y, stride);
        };
        switch (s.kind) {
        case PanelKind::Table2:
            run(segment<PanelKind::Table2, Bytes>);
            break;
        case PanelKind::Table3:
            run(segment<PanelKind::Table3, Bytes>);
            break;
        case PanelKind::Table4:
            run(segment<PanelKind::Table4, Bytes>);
            break;
        case PanelKind::Plain5:
            run(segment<PanelKind::Plain5, Bytes>);
            break;
        case PanelKind::Plain6:
            run(segment<PanelKind::Plain6, Bytes>);
            break;
        case PanelKind::Plain8:
            run(segment<PanelKind::Plain8, Bytes>);
            break;
        }
    }
}

void product(std::span<const PanelSegment> segments, const uint8_t* panel, const uint8_t* tables,
             const PanelInput& input, int64_t rows, float* y, int64_t stride) {
    if (input.bytes == 1)
        productOf<1>(segments, panel, tables, input, rows, y, stride);
    else
        productOf<2>(segments, panel, tables, input, rows, y, stride);
}

} // namespace

const PanelProduct panelProductAvx512 = product;

bool runsAvx512Vnni() {
    // GCC's and clang's run-time asks XGETBV whether the system keeps the wide registers.
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512vnni");
}

} // namespace bitloom::kernels

#else

namespace bitloom::kernels {

const PanelProduct panelProductAvx512 = nullptr;

bool runsAvx512Vnni() {
    return false;
}

} // namespace bitloom::kernels

#endif
