// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors

// A step of four columns and 16 rows is one register of 64 lanes. `vpermb` looks all 64 up at once:
// its table register holds the tables of the four columns side by side (or repeated), and the
// lane's index is the code with the column's place above it. `vpdpbusd` multiplies by the four
// activations and adds the four products of a row to its int32. So a register of sums is 16 rows,
// and 16 registers are a panel.
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

struct Stream {
    const uint8_t* codes;
    const uint8_t* tables;
    const int8_t *high, *low;
};

/// Sums of the activations' high and low bytes, 16 rows a register.
template<int Groups>
struct Sums {
    __m512i high[Groups], low[Groups];
};

template<int Groups>
BITLOOM_AVX512 inline __attribute__((always_inline)) void
addProducts(Sums<Groups>& sums, int group, __m512i value, __m512i high, __m512i low) {
    sums.high[group] = _mm512_dpbusd_epi32(sums.high[group], value, high);
    sums.low[group] = _mm512_dpbusd_epi32(sums.low[group], value, low);
}

/// One block of columns of one kind, for the groups from s.codes on: Σ value·activation over
/// `steps` steps of four columns, which lie `stepBytes` apart.
template<PanelKind Kind, int Groups>
BITLOOM_AVX512 inline __attribute__((always_inline)) void
addBlock(Stream s, int64_t steps, int64_t stepBytes, Sums<Groups>& sums) {
    constexpr bool four = Kind == PanelKind::Table4, three = Kind == PanelKind::Table3;
    // What a lane's place among the four columns adds to its index.
    const __m512i place = _mm512_set1_epi32(four ? 0x30201000 : three ? 0x18100800 : 0x0C080400);
    const __m512i low2 = _mm512_set1_epi8(3), low4 = _mm512_set1_epi8(15);
    const __m512i bit2 = _mm512_set1_epi8(4), bit4 = _mm512_set1_epi8(16);
    constexpr int or3 = 0xEA; // (a & b) | c
    for (int64_t step = 0; step < steps; ++step) {
        int bytes;
        __builtin_memcpy(&bytes, s.high + 4 * step, 4);
        const __m512i high = _mm512_set1_epi32(bytes);
        __builtin_memcpy(&bytes, s.low + 4 * step, 4);
        const __m512i low = _mm512_set1_epi32(bytes);
        // The same place of the next block.
        const uint8_t *codes = s.codes + step * stepBytes, *ahead = codes + steps * stepBytes;
        if constexpr (Kind == PanelKind::Table2) {
            const __m512i table = _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i*)s.tables));
            s.tables += 16;
#pragma GCC unroll 8
            for (int g = 0; g < Groups; g += 4) {
                const __m512i v = _mm512_loadu_si512(codes);
                _mm_prefetch((const char*)ahead, _MM_HINT_T0);
                codes += 64;
                ahead += 64;
#pragma GCC unroll 4
                for (int j = 0; j < 4; ++j) {
                    const __m512i index = _mm512_ternarylogic_epi32(
                        j ? _mm512_srli_epi16(v, unsigned(2 * j)) : v, low2, place, or3);
                    addProducts(sums, g + j, _mm512_permutexvar_epi8(index, table), high, low);
                }
            }
        } else if constexpr (Kind == PanelKind::Table3) {
            const __m512i table =
                _mm512_broadcast_i64x4(_mm256_loadu_si256((const __m256i*)s.tables));
            s.tables += 32;
#pragma GCC unroll 8
            for (int g = 0; g < Groups; g += 4) {
                const __m512i v = _mm512_loadu_si512(codes);
                _mm_prefetch((const char*)ahead, _MM_HINT_T0);
                uint64_t bits[4];
                __builtin_memcpy(bits, codes + 64, sizeof bits);
                codes += 96;
                ahead += 96;
#pragma GCC unroll 4
                for (int j = 0; j < 4; ++j) {
                    __m512i index = _mm512_ternarylogic_epi32(
                        j ? _mm512_srli_epi16(v, unsigned(2 * j)) : v, low2, place, or3);
                    index = _mm512_mask_add_epi8(index, bits[j], index, bit2);
                    addProducts(sums, g + j, _mm512_permutexvar_epi8(index, table), high, low);
                }
            }
        } else if constexpr (Kind == PanelKind::Table4) {
            const __m512i table = _mm512_loadu_si512(s.tables);
            s.tables += 64;
#pragma GCC unroll 8
            for (int g = 0; g < Groups; g += 2) {
                const __m512i v = _mm512_loadu_si512(codes);
                _mm_prefetch((const char*)ahead, _MM_HINT_T0);
                codes += 64;
                ahead += 64;
                const __m512i a = _mm512_ternarylogic_epi32(v, low4, place, or3);
                const __m512i b =
                    _mm512_ternarylogic_epi32(_mm512_srli_epi16(v, 4), low4, place, or3);
                addProducts(sums, g, _mm512_permutexvar_epi8(a, table), high, low);
                addProducts(sums, g + 1, _mm512_permutexvar_epi8(b, table), high, low);
            }
        } else if constexpr (Kind == PanelKind::Plain5) {
#pragma GCC unroll 8
            for (int g = 0; g < Groups; g += 2) {
                const __m512i v = _mm512_loadu_si512(codes);
                _mm_prefetch((const char*)ahead, _MM_HINT_T0);
                uint64_t bits[2];
                __builtin_memcpy(bits, codes + 64, sizeof bits);
                codes += 80;
                ahead += 80;
                const __m512i a = _mm512_and_si512(v, low4);
                const __m512i b = _mm512_and_si512(_mm512_srli_epi16(v, 4), low4);
                addProducts(sums, g, _mm512_mask_add_epi8(a, bits[0], a, bit4), high, low);
                addProducts(sums, g + 1, _mm512_mask_add_epi8(b, bits[1], b, bit4), high, low);
            }
        } else if constexpr (Kind == PanelKind::Plain6) {
            const __m512i high4 = _mm512_set1_epi8(48);
#pragma GCC unroll 8
            for (int g = 0; g < Groups; g += 4) {
                const __m512i v0 = _mm512_loadu_si512(codes);
                const __m512i v1 = _mm512_loadu_si512(codes + 64);
                const __m512i h = _mm512_loadu_si512(codes + 128);
                _mm_prefetch((const char*)ahead, _MM_HINT_T0);
                _mm_prefetch((const char*)ahead + 64, _MM_HINT_T0);
                _mm_prefetch((const char*)ahead + 128, _MM_HINT_T0);
                codes += 192;
                ahead += 192;
                const __m512i lower[4] = {
                    _mm512_and_si512(v0, low4), _mm512_and_si512(_mm512_srli_epi16(v0, 4), low4),
                    _mm512_and_si512(v1, low4), _mm512_and_si512(_mm512_srli_epi16(v1, 4), low4)};
                const __m512i upper[4] = {_mm512_slli_epi16(h, 4), _mm512_slli_epi16(h, 2), h,
                                          _mm512_srli_epi16(h, 2)};
#pragma GCC unroll 4
                for (int j = 0; j < 4; ++j)
                    addProducts(sums, g + j,
                                _mm512_ternarylogic_epi32(upper[j], high4, lower[j], or3), high,
                                low);
            }
        } else {
#pragma GCC unroll 16
            for (int g = 0; g < Groups; ++g) {
                const __m512i v = _mm512_loadu_si512(codes);
                _mm_prefetch((const char*)ahead, _MM_HINT_T0);
                codes += 64;
                ahead += 64;
                addProducts(sums, g, v, high, low);
            }
        }
    }
}

/// Groups of a tile: with sums of both bytes they fill half of the registers.
constexpr int tileGroups = 8;

template<PanelKind Kind, int Groups>
BITLOOM_AVX512 inline __attribute__((always_inline)) void
tile(const Stream& s, int64_t steps, int64_t stepBytes, float scale, int32_t start, float* y) {
    Sums<Groups> sums;
#pragma GCC unroll 8
    for (int g = 0; g < Groups; ++g) {
        sums.high[g] = _mm512_setzero_si512();
        sums.low[g] = _mm512_set1_epi32(start);
    }
    addBlock<Kind, Groups>(s, steps, stepBytes, sums);
    const __m512 factor = _mm512_set1_ps(scale);
    const __m512i radix = _mm512_set1_epi32(panelRadix);
#pragma GCC unroll 8
    for (int g = 0; g < Groups; ++g) {
        const __m512i sum = _mm512_add_epi32(_mm512_mullo_epi32(sums.high[g], radix), sums.low[g]);
        _mm512_storeu_ps(y + 16 * g, _mm512_fmadd_ps(factor, _mm512_cvtepi32_ps(sum),
                                                     _mm512_loadu_ps(y + 16 * g)));
    }
}

template<PanelKind Kind>
BITLOOM_AVX512 void segment(Stream& s, int64_t columns, int64_t rows, const float*& scale,
                            const int32_t*& start, float* y) {
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
    constexpr int64_t groupBytes = panelColumnUnit * 16 * bits / 8;
    const int64_t stepBytes = panelColumnUnit * rows * bits / 8, groups = rows / 16;
    for (int64_t first = 0; first < columns; first += panelBlock) {
        const int64_t n = columns - first < panelBlock ? columns - first : panelBlock;
        const int64_t steps = n / panelColumnUnit;
        int64_t group = 0;
        for (; group + tileGroups <= groups; group += tileGroups)
            tile<Kind, tileGroups>({s.codes + group * groupBytes, s.tables, s.high, s.low}, steps,
                                   stepBytes, *scale, *start, y + 16 * group);
        if (group < groups) // a panel's groups come in fours
            tile<Kind, 4>({s.codes + group * groupBytes, s.tables, s.high, s.low}, steps, stepBytes,
                          *scale, *start, y + 16 * group);
        ++scale;
        ++start;
        s.codes += steps * stepBytes;
        s.tables += n * entries;
        s.high += n;
        s.low += n;
    }
}

void matvec(std::span<const PanelSegment> segments, const uint8_t* panel, const uint8_t* tables,
            const PanelInput& input, int64_t rows, float* y) {
    Stream s{panel, tables, input.high.data(), input.low.data()};
    const float* scale = input.scale.data();
    const int32_t* start = input.start.data();
    for (const PanelSegment& of : segments) {
        switch (of.kind) {
        case PanelKind::Table2:
            segment<PanelKind::Table2>(s, of.columns, rows, scale, start, y);
            break;
        case PanelKind::Table3:
            segment<PanelKind::Table3>(s, of.columns, rows, scale, start, y);
            break;
        case PanelKind::Table4:
            segment<PanelKind::Table4>(s, of.columns, rows, scale, start, y);
            break;
        case PanelKind::Plain5:
            segment<PanelKind::Plain5>(s, of.columns, rows, scale, start, y);
            break;
        case PanelKind::Plain6:
            segment<PanelKind::Plain6>(s, of.columns, rows, scale, start, y);
            break;
        case PanelKind::Plain8:
            segment<PanelKind::Plain8>(s, of.columns, rows, scale, start, y);
            break;
        }
    }
}

} // namespace

const PanelMatvec panelMatvecAvx512 = matvec;

bool runsAvx512Vnni() {
    // GCC's and clang's run-time asks XGETBV whether the system keeps the wide registers.
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512vnni");
}

} // namespace bitloom::kernels

#else

namespace bitloom::kernels {

const PanelMatvec panelMatvecAvx512 = nullptr;

bool runsAvx512Vnni() {
    return false;
}

} // namespace bitloom::kernels

#endif
