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

constexpr int64_t prefetchAhead = 4096;

struct Stream {
    const uint8_t* codes;
    const uint8_t* tables;
    const int8_t* q;
};

/// One block of columns of one kind: acc[g] += Σ value·q over `steps` steps of four columns.
template<PanelKind Kind, int Groups>
BITLOOM_AVX512 inline __attribute__((always_inline)) void addBlock(Stream& s, int64_t steps,
                                                                   __m512i (&acc)[Groups]) {
    constexpr bool four = Kind == PanelKind::Table4, three = Kind == PanelKind::Table3;
    // What a lane's place among the four columns adds to its index.
    const __m512i place = _mm512_set1_epi32(four ? 0x30201000 : three ? 0x18100800 : 0x0C080400);
    const __m512i low2 = _mm512_set1_epi8(3), low4 = _mm512_set1_epi8(15);
    const __m512i bit2 = _mm512_set1_epi8(4), bit4 = _mm512_set1_epi8(16);
    constexpr int or3 = 0xEA; // (a & b) | c
    for (int64_t step = 0; step < steps; ++step) {
        int activations;
        __builtin_memcpy(&activations, s.q, 4);
        const __m512i x = _mm512_set1_epi32(activations);
        s.q += 4;
        if constexpr (Kind == PanelKind::Table2) {
            const __m512i table = _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i*)s.tables));
            s.tables += 16;
#pragma GCC unroll 8
            for (int g = 0; g < Groups; g += 4) {
                const __m512i v = _mm512_loadu_si512(s.codes);
                _mm_prefetch((const char*)s.codes + prefetchAhead, _MM_HINT_T0);
                s.codes += 64;
#pragma GCC unroll 4
                for (int j = 0; j < 4; ++j) {
                    const __m512i index = _mm512_ternarylogic_epi32(
                        j ? _mm512_srli_epi16(v, unsigned(2 * j)) : v, low2, place, or3);
                    acc[g + j] =
                        _mm512_dpbusd_epi32(acc[g + j], _mm512_permutexvar_epi8(index, table), x);
                }
            }
        } else if constexpr (Kind == PanelKind::Table3) {
            const __m512i table =
                _mm512_broadcast_i64x4(_mm256_loadu_si256((const __m256i*)s.tables));
            s.tables += 32;
#pragma GCC unroll 8
            for (int g = 0; g < Groups; g += 4) {
                const __m512i v = _mm512_loadu_si512(s.codes);
                _mm_prefetch((const char*)s.codes + prefetchAhead, _MM_HINT_T0);
                uint64_t high[4];
                __builtin_memcpy(high, s.codes + 64, sizeof high);
                s.codes += 96;
#pragma GCC unroll 4
                for (int j = 0; j < 4; ++j) {
                    __m512i index = _mm512_ternarylogic_epi32(
                        j ? _mm512_srli_epi16(v, unsigned(2 * j)) : v, low2, place, or3);
                    index = _mm512_mask_add_epi8(index, high[j], index, bit2);
                    acc[g + j] =
                        _mm512_dpbusd_epi32(acc[g + j], _mm512_permutexvar_epi8(index, table), x);
                }
            }
        } else if constexpr (Kind == PanelKind::Table4) {
            const __m512i table = _mm512_loadu_si512(s.tables);
            s.tables += 64;
#pragma GCC unroll 8
            for (int g = 0; g < Groups; g += 2) {
                const __m512i v = _mm512_loadu_si512(s.codes);
                _mm_prefetch((const char*)s.codes + prefetchAhead, _MM_HINT_T0);
                s.codes += 64;
                const __m512i a = _mm512_ternarylogic_epi32(v, low4, place, or3);
                const __m512i b =
                    _mm512_ternarylogic_epi32(_mm512_srli_epi16(v, 4), low4, place, or3);
                acc[g] = _mm512_dpbusd_epi32(acc[g], _mm512_permutexvar_epi8(a, table), x);
                acc[g + 1] = _mm512_dpbusd_epi32(acc[g + 1], _mm512_permutexvar_epi8(b, table), x);
            }
        } else if constexpr (Kind == PanelKind::Plain5) {
#pragma GCC unroll 8
            for (int g = 0; g < Groups; g += 2) {
                const __m512i v = _mm512_loadu_si512(s.codes);
                _mm_prefetch((const char*)s.codes + prefetchAhead, _MM_HINT_T0);
                uint64_t high[2];
                __builtin_memcpy(high, s.codes + 64, sizeof high);
                s.codes += 80;
                const __m512i a = _mm512_and_si512(v, low4);
                const __m512i b = _mm512_and_si512(_mm512_srli_epi16(v, 4), low4);
                acc[g] = _mm512_dpbusd_epi32(acc[g], _mm512_mask_add_epi8(a, high[0], a, bit4), x);
                acc[g + 1] =
                    _mm512_dpbusd_epi32(acc[g + 1], _mm512_mask_add_epi8(b, high[1], b, bit4), x);
            }
        } else if constexpr (Kind == PanelKind::Plain6) {
            const __m512i high4 = _mm512_set1_epi8(48);
#pragma GCC unroll 8
            for (int g = 0; g < Groups; g += 4) {
                const __m512i v0 = _mm512_loadu_si512(s.codes);
                const __m512i v1 = _mm512_loadu_si512(s.codes + 64);
                const __m512i h = _mm512_loadu_si512(s.codes + 128);
                _mm_prefetch((const char*)s.codes + prefetchAhead, _MM_HINT_T0);
                _mm_prefetch((const char*)s.codes + prefetchAhead + 64, _MM_HINT_T0);
                _mm_prefetch((const char*)s.codes + prefetchAhead + 128, _MM_HINT_T0);
                s.codes += 192;
                const __m512i low[4] = {
                    _mm512_and_si512(v0, low4), _mm512_and_si512(_mm512_srli_epi16(v0, 4), low4),
                    _mm512_and_si512(v1, low4), _mm512_and_si512(_mm512_srli_epi16(v1, 4), low4)};
                const __m512i high[4] = {_mm512_slli_epi16(h, 4), _mm512_slli_epi16(h, 2), h,
                                         _mm512_srli_epi16(h, 2)};
#pragma GCC unroll 4
                for (int j = 0; j < 4; ++j)
                    acc[g + j] = _mm512_dpbusd_epi32(
                        acc[g + j], _mm512_ternarylogic_epi32(high[j], high4, low[j], or3), x);
            }
        } else {
#pragma GCC unroll 16
            for (int g = 0; g < Groups; ++g) {
                const __m512i v = _mm512_loadu_si512(s.codes);
                _mm_prefetch((const char*)s.codes + prefetchAhead, _MM_HINT_T0);
                s.codes += 64;
                acc[g] = _mm512_dpbusd_epi32(acc[g], v, x);
            }
        }
    }
}

template<PanelKind Kind, int Groups>
BITLOOM_AVX512 void segment(Stream& s, int64_t columns, const float*& scale, const int32_t*& start,
                            float* y) {
    for (int64_t first = 0; first < columns; first += panelBlock) {
        const int64_t n = columns - first < panelBlock ? columns - first : panelBlock;
        __m512i acc[Groups];
#pragma GCC unroll 16
        for (int g = 0; g < Groups; ++g)
            acc[g] = _mm512_set1_epi32(*start);
        ++start;
        addBlock<Kind, Groups>(s, n / panelColumnUnit, acc);
        const __m512 factor = _mm512_set1_ps(*scale++);
#pragma GCC unroll 16
        for (int g = 0; g < Groups; ++g)
            _mm512_storeu_ps(y + 16 * g, _mm512_fmadd_ps(factor, _mm512_cvtepi32_ps(acc[g]),
                                                         _mm512_loadu_ps(y + 16 * g)));
    }
}

template<int Groups>
BITLOOM_AVX512 void panelOf(const PanelSegment* segments, size_t count, Stream s,
                            const float* scale, const int32_t* start, float* y) {
    for (size_t i = 0; i < count; ++i) {
        const int64_t columns = segments[i].columns;
        switch (segments[i].kind) {
        case PanelKind::Table2:
            segment<PanelKind::Table2, Groups>(s, columns, scale, start, y);
            break;
        case PanelKind::Table3:
            segment<PanelKind::Table3, Groups>(s, columns, scale, start, y);
            break;
        case PanelKind::Table4:
            segment<PanelKind::Table4, Groups>(s, columns, scale, start, y);
            break;
        case PanelKind::Plain5:
            segment<PanelKind::Plain5, Groups>(s, columns, scale, start, y);
            break;
        case PanelKind::Plain6:
            segment<PanelKind::Plain6, Groups>(s, columns, scale, start, y);
            break;
        case PanelKind::Plain8:
            segment<PanelKind::Plain8, Groups>(s, columns, scale, start, y);
            break;
        }
    }
}

void matvec(std::span<const PanelSegment> segments, const uint8_t* panel, const uint8_t* tables,
            const PanelInput& input, int64_t rows, float* y) {
    const Stream s{panel, tables, input.q.data()};
    const float* scale = input.scale.data();
    const int32_t* start = input.start.data();
    switch (rows / panelRowUnit) {
    case 1:
        return panelOf<4>(segments.data(), segments.size(), s, scale, start, y);
    case 2:
        return panelOf<8>(segments.data(), segments.size(), s, scale, start, y);
    case 3:
        return panelOf<12>(segments.data(), segments.size(), s, scale, start, y);
    default:
        return panelOf<16>(segments.data(), segments.size(), s, scale, start, y);
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
