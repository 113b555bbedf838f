// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "kernels/gpu_columns.h"
#include "kernels/host_device.h"

#include <cstdint>

/// Decode bodies: a step of 64 columns of a tile, from codes in memory to int32 sums in a warp's
/// registers. Written once over a `Warp`: DeviceWarp on the GPU, HostWarp in tests.
///
/// Two forms. `diagonal` (1 and 2 tokens): one PRMT gives the values of one column for 4 rows,
/// which become four "columns" of a tensor-core row; the activations are laid out so that each of
/// four result columns picks one of them, and the other four hold the lower bytes: both bytes at
/// once, nothing to turn. `transposed` (3 to 16 tokens): 4x4 bytes are turned in registers, which
/// costs 8 PRMT for 16 weights but uses all of the tensor core (KERNELS §3.3b).
namespace bitloom::kernels::decode {

/// Tokens of a form that one launch multiplies; activations are padded to it.
constexpr int diagonalTokens(int tokens) {
    return tokens;
}
constexpr int transposedTokens(int tiles) {
    return 4 * tiles;
}
/// Activations of a step for `tokens` (padded): bytes [tokens][high, low][64], then an int32
/// multiplier for each token. In words, a multiple of 4.
BITLOOM_HD constexpr int chunkWords(int tokens) {
    return 32 * tokens + (tokens + 3) / 4 * 4;
}
BITLOOM_HD constexpr int multiplierWord(int tokens) {
    return 32 * tokens;
}

BITLOOM_HD constexpr int bitsOf(PanelKind kind) {
    return kind == PanelKind::Table2   ? 2
           : kind == PanelKind::Table3 ? 3
           : kind == PanelKind::Table4 ? 4
           : kind == PanelKind::Plain5 ? 5
           : kind == PanelKind::Plain6 ? 6
                                       : 8;
}
BITLOOM_HD constexpr int tableWordsOf(PanelKind kind) { ///< of a column
    return kind == PanelKind::Table2   ? 1
           : kind == PanelKind::Table3 ? 2
           : kind == PanelKind::Table4 ? 4
                                       : 0;
}
BITLOOM_HD constexpr int blockWordsOf(PanelKind kind) { ///< of 64 rows of a step
    return gpuBlockRows * gpuStep * bitsOf(kind) / 32;
}

/// Words from the begin of codes, tables and activations at which a lane reads.
BITLOOM_HD constexpr uint32_t codesLane(uint32_t lane) {
    return lane * 4;
}
BITLOOM_HD constexpr uint32_t tablesLane(uint32_t lane) {
    return lane % 4 * 4;
}
BITLOOM_HD constexpr uint32_t diagonalLane(uint32_t lane) {
    return lane / 16 * 16 + lane % 4 * 4; // result columns 4-7 are of lower bytes
}
BITLOOM_HD constexpr uint32_t transposedLane(uint32_t lane) {
    return lane / 4 * 16 + lane % 4 * 4;
}

/// What a lane holds of one kind of step.
template<class Warp, PanelKind kind>
struct Step {
    using U32 = typename Warp::U32;
    using Quad = typename Warp::Quad;
    using Address = typename Warp::Address;
    static constexpr int bits = bitsOf(kind);
    static constexpr int tableWords = tableWordsOf(kind);
    static constexpr bool signedValues = kind == PanelKind::Table4;
    /// Bytes of four rows come as a sum of two look-ups.
    static constexpr int terms = kind == PanelKind::Table4 ? 2 : 1;

    struct Tables {
        U32 word[16 * tableWords + 1];
    };
    struct Codes {
        Quad vector[bits];
    };

    static BITLOOM_HD void loadTables(Address tables, Tables& out) {
        BITLOOM_UNROLL
        for (int v = 0; v < 4 * tableWords; ++v) {
            const Quad quad = Warp::load(tables, v * 16);
            BITLOOM_UNROLL
            for (int w = 0; w < 4; ++w)
                out.word[4 * v + w] = quad.word[w];
        }
    }
    static BITLOOM_HD void loadCodes(Address codes, int block, Codes& out) {
        BITLOOM_UNROLL
        for (int v = 0; v < bits; ++v)
            out.vector[v] = Warp::load(codes, block * blockWordsOf(kind) + v * 128);
    }
    /// Values of rows 4·(g + 8·upper) … + 3 for the lane's column q = sub·8 + s·2 + h, which is
    /// its sub·8 + h·4 + s: out[upper][term].
    static BITLOOM_HD void values(const Codes& codes, const Tables& tables, int q,
                                  U32 (&out)[2][terms]) {
        [[maybe_unused]] const int column = q / 8 * 8 + q % 2 * 4 + q % 8 / 2;
        if constexpr (kind == PanelKind::Table2) {
            const U32 w = codes.vector[q / 8].word[q % 8 / 2];
            const U32 select = (q % 2 ? w >> 2 : w) & U32(0x33333333u);
            const U32 table = tables.word[column];
            out[0][0] = Warp::prmt(table, table, select);
            out[1][0] = Warp::prmt(table, table, select >> 16);
        } else if constexpr (kind == PanelKind::Table3) {
            const U32 a = codes.vector[0].word[q / 4], b = codes.vector[1].word[q / 4],
                      c = codes.vector[2].word[q / 4];
            const U32 select = q % 4 == 0   ? a & U32(0x77777777u)
                               : q % 4 == 1 ? b & U32(0x77777777u)
                               : q % 4 == 2
                                   ? c & U32(0x77777777u)
                                   : ((a >> 3) & U32(0x11111111u)) | ((b >> 2) & U32(0x22222222u)) |
                                         ((c >> 1) & U32(0x44444444u));
            const U32 t0 = tables.word[2 * column], t1 = tables.word[2 * column + 1];
            out[0][0] = Warp::prmt(t0, t1, select);
            out[1][0] = Warp::prmt(t0, t1, select >> 16);
        } else if constexpr (kind == PanelKind::Table4) {
            const U32 w = codes.vector[q / 4].word[q % 4], r = w ^ U32(0x88888888u);
            const U32* t = tables.word + 4 * column;
            out[0][0] = Warp::prmt(t[0], t[1], w);
            out[0][1] = Warp::prmt(t[2], t[3], r);
            out[1][0] = Warp::prmt(t[0], t[1], w >> 16);
            out[1][1] = Warp::prmt(t[2], t[3], r >> 16);
        } else if constexpr (kind == PanelKind::Plain8) {
            out[0][0] = codes.vector[q / 2].word[q % 2 * 2];
            out[1][0] = codes.vector[q / 2].word[q % 2 * 2 + 1];
        } else {
            const U32 w = codes.vector[q / 4].word[q % 4];
            BITLOOM_UNROLL
            for (int upper = 0; upper < 2; ++upper) {
                const U32 low = (upper ? w >> 4 : w) & U32(0x0F0F0F0Fu);
                const int at =
                    kind == PanelKind::Plain5 ? 2 * (q % 4) + upper : 4 * (q % 2) + 2 * upper;
                const U32 high = kind == PanelKind::Plain5
                                     ? codes.vector[4].word[q / 4]
                                     : codes.vector[4 + q / 8].word[q / 2 % 4];
                const U32 moved = at > 4 ? high >> (at - 4) : high << (4 - at);
                out[upper][0] =
                    low | (moved & U32(kind == PanelKind::Plain5 ? 0x10101010u : 0x30303030u));
            }
        }
    }
};

/// Byte of an activation word for result column g: byte s at place g % 4, zeros elsewhere.
template<class Warp>
BITLOOM_HD typename Warp::U32 pickByte(uint32_t s) {
    return Warp::fromLane([s](uint32_t lane) {
        const uint32_t one = 1u << (4 * (lane / 4 % 4));
        return 0x4444u - 4 * one + s * one;
    });
}

/// One step of `blocks` times 64 rows for `tokens` 1 or 2: adds to sums[block][token], or, `fresh`,
/// begins them. `codes`, `tables`, `chunk`: of the step, in shared memory on a GPU.
template<class Warp, PanelKind kind, int tokens, int blocks, bool fresh>
BITLOOM_HD void diagonalStep(typename Warp::Address codes, typename Warp::Address tables,
                             typename Warp::Address activations,
                             typename Warp::I32 (*sums)[tokens][4]) {
    using U32 = typename Warp::U32;
    using S = Step<Warp, kind>;
    typename S::Tables table;
    S::loadTables(tables, table);
    U32 b0[tokens][8], b1[tokens][8];
    BITLOOM_UNROLL
    for (int n = 0; n < tokens; ++n) {
        const typename Warp::Quad x = Warp::load(activations, n * 32);
        BITLOOM_UNROLL
        for (int s = 0; s < 8; ++s) {
            const U32 pick = pickByte<Warp>(uint32_t(s % 4));
            b0[n][s] = Warp::prmt(x.word[s / 4 * 2], U32(0u), pick);
            b1[n][s] = Warp::prmt(x.word[s / 4 * 2 + 1], U32(0u), pick);
        }
    }
    BITLOOM_UNROLL
    for (int block = 0; block < blocks; ++block) {
        typename S::Codes code;
        S::loadCodes(codes, block, code);
        BITLOOM_UNROLL
        for (int s = 0; s < 8; ++s) {
            U32 first[2][S::terms], second[2][S::terms];
            S::values(code, table, 2 * s, first);
            S::values(code, table, 2 * s + 1, second);
            BITLOOM_UNROLL
            for (int term = 0; term < S::terms; ++term) {
                const U32 a[4] = {first[0][term], first[1][term], second[0][term], second[1][term]};
                BITLOOM_UNROLL
                for (int n = 0; n < tokens; ++n)
                    if (fresh && s == 0 && term == 0)
                        Warp::template mmaFresh<S::signedValues>(sums[block][n], a, b0[n][s],
                                                                 b1[n][s]);
                    else
                        Warp::template mma<S::signedValues>(sums[block][n], a, b0[n][s], b1[n][s]);
            }
        }
    }
}

/// 4x4 bytes turned: byte i of in[s] becomes byte s of out[i].
template<class Warp>
BITLOOM_HD void turn(const typename Warp::U32 (&in)[4], typename Warp::U32 (&out)[4]) {
    using U32 = typename Warp::U32;
    const U32 low0 = Warp::prmt(in[0], in[1], U32(0x5140u)),
              high0 = Warp::prmt(in[0], in[1], U32(0x7362u)),
              low1 = Warp::prmt(in[2], in[3], U32(0x5140u)),
              high1 = Warp::prmt(in[2], in[3], U32(0x7362u));
    out[0] = Warp::prmt(low0, low1, U32(0x5410u));
    out[1] = Warp::prmt(low0, low1, U32(0x7632u));
    out[2] = Warp::prmt(high0, high1, U32(0x5410u));
    out[3] = Warp::prmt(high0, high1, U32(0x7632u));
}

/// One step of 64 rows for 4·tiles tokens: adds to sums[i][tile], where i is the row in a group, or
/// begins them.
template<class Warp, PanelKind kind, int tiles, bool fresh>
BITLOOM_HD void transposedStep(typename Warp::Address codes, typename Warp::Address tables,
                               typename Warp::Address activations,
                               typename Warp::I32 (&sums)[4][tiles][4]) {
    using U32 = typename Warp::U32;
    using S = Step<Warp, kind>;
    typename S::Tables table;
    S::loadTables(tables, table);
    typename S::Codes code;
    S::loadCodes(codes, 0, code);
    typename Warp::Quad x[tiles];
    BITLOOM_UNROLL
    for (int n = 0; n < tiles; ++n)
        x[n] = Warp::load(activations, n * 128);
    BITLOOM_UNROLL
    for (int sub = 0; sub < 2; ++sub) {
        U32 turned[2][2][4]; // half, upper, row in the group
        BITLOOM_UNROLL
        for (int h = 0; h < 2; ++h) {
            U32 words[2][4];
            BITLOOM_UNROLL
            for (int s = 0; s < 4; ++s) {
                U32 value[2][S::terms];
                S::values(code, table, sub * 8 + s * 2 + h, value);
                BITLOOM_UNROLL
                for (int upper = 0; upper < 2; ++upper)
                    if constexpr (S::terms == 2)
                        // Added byte by byte: the first term is negative in every byte (its own
                        // value or -1), the second is not, so that no carry leaves a byte.
                        words[upper][s] = ((value[upper][0] & U32(0x7F7F7F7Fu)) + value[upper][1]) ^
                                          U32(0x80808080u);
                    else
                        words[upper][s] = value[upper][0];
            }
            turn<Warp>(words[0], turned[h][0]);
            turn<Warp>(words[1], turned[h][1]);
        }
        BITLOOM_UNROLL
        for (int i = 0; i < 4; ++i) {
            const U32 a[4] = {turned[0][0][i], turned[0][1][i], turned[1][0][i], turned[1][1][i]};
            BITLOOM_UNROLL
            for (int n = 0; n < tiles; ++n)
                if (fresh && sub == 0)
                    Warp::template mmaFresh<S::signedValues>(sums[i][n], a, x[n].word[0],
                                                             x[n].word[1]);
                else
                    Warp::template mma<S::signedValues>(sums[i][n], a, x[n].word[2 * sub],
                                                        x[n].word[2 * sub + 1]);
        }
    }
}

/// What a warp of the diagonal form keeps: a tile of 256 rows.
template<class Warp, int tokens>
struct DiagonalSums {
    static constexpr int blocks = gpuTileRows / gpuBlockRows;
    typename Warp::I32 part[blocks][tokens][4];
    typename Warp::I64 sum[blocks][tokens][4];

    BITLOOM_HD void clear() {
        BITLOOM_UNROLL
        for (int i = 0; i < blocks; ++i)
            BITLOOM_UNROLL
        for (int n = 0; n < tokens; ++n)
            BITLOOM_UNROLL
        for (int c = 0; c < 4; ++c)
            sum[i][n][c] = 0;
    }
    /// Adds the int32 sums of (part of) a block of activations, times its multiplier.
    /// `multipliers`: of the tokens.
    BITLOOM_HD void flush(typename Warp::Address multipliers) {
        // Columns 0-3, of lanes with t < 2, hold what the upper bytes give.
        const typename Warp::U32 worth =
            Warp::fromLane([](uint32_t lane) { return lane % 4 < 2 ? 256u : 1u; });
        BITLOOM_UNROLL
        for (int n = 0; n < tokens; ++n) {
            const typename Warp::I32 multiplier =
                Warp::timesWorth(Warp::loadOne(multipliers, n), worth);
            BITLOOM_UNROLL
            for (int i = 0; i < blocks; ++i)
                BITLOOM_UNROLL
            for (int c = 0; c < 4; ++c) {
                Warp::addProduct(sum[i][n][c], part[i][n][c], multiplier);
            }
        }
    }
    /// Row of the tile that sum[block][·][c] of a lane is part of; lanes t and t + 2 have the same.
    static BITLOOM_HD constexpr uint32_t row(uint32_t lane, int block, int c) {
        return uint32_t(block * gpuBlockRows) + 4 * (lane / 4 + 8 * uint32_t(c / 2)) +
               2 * (lane % 2) + uint32_t(c % 2);
    }
};

/// What a warp of the transposed form keeps: 64 rows.
template<class Warp, int tiles>
struct TransposedSums {
    typename Warp::I32 part[4][tiles][4];
    typename Warp::I64 sum[4][tiles][2];

    BITLOOM_HD void clear() {
        BITLOOM_UNROLL
        for (int i = 0; i < 4; ++i)
            BITLOOM_UNROLL
        for (int n = 0; n < tiles; ++n) {
            sum[i][n][0] = 0, sum[i][n][1] = 0;
        }
    }
    /// `multipliers`: of the lane's tokens, t, 4 + t, ….
    BITLOOM_HD void flush(typename Warp::Address multipliers) {
        BITLOOM_UNROLL
        for (int n = 0; n < tiles; ++n) {
            const typename Warp::I32 multiplier = Warp::loadOne(multipliers, 4 * n);
            BITLOOM_UNROLL
            for (int i = 0; i < 4; ++i)
                BITLOOM_UNROLL
            for (int j = 0; j < 2; ++j) {
                Warp::addProduct(sum[i][n][j],
                                 Warp::twoBytes(part[i][n][2 * j], part[i][n][2 * j + 1]),
                                 multiplier);
            }
        }
    }
    /// Row of the warp's 64 and token that sum[i][n][j] of a lane belongs to.
    static BITLOOM_HD constexpr uint32_t row(uint32_t lane, int i, int j) {
        return 4 * (lane / 4 + 8 * uint32_t(j)) + uint32_t(i);
    }
    static BITLOOM_HD constexpr uint32_t token(uint32_t lane, int n) {
        return uint32_t(4 * n) + lane % 4;
    }
};

/// A place in the list of steps, tile after tile.
struct Cursor {
    uint32_t at, end;    ///< in the list
    uint32_t tile, step; ///< where `at` is
    int32_t segment;     ///< of the step
    BITLOOM_HD Cursor(const GpuLayout& layout, uint32_t begin, uint32_t last)
        : at(begin), end(last), tile(begin / uint32_t(layout.steps)),
          step(begin % uint32_t(layout.steps)), segment(0) {
        seek(layout);
    }
    BITLOOM_HD void seek(const GpuLayout& layout) {
        while (segment + 1 < layout.segments &&
               uint32_t(layout.segment[segment + 1].firstStep) <= step)
            ++segment;
    }
    BITLOOM_HD void advance(const GpuLayout& layout) {
        ++at;
        if (++step == uint32_t(layout.steps)) {
            step = 0, segment = 0;
            ++tile;
        } else {
            seek(layout);
        }
    }
    /// `count` steps on, of which only the last may end the segment.
    BITLOOM_HD void skip(const GpuLayout& layout, uint32_t count) {
        at += count - 1, step += count - 1;
        advance(layout);
    }
    BITLOOM_HD bool done() const { return at >= end; }
    /// The block of activations ends with this step: two steps have the same multiplier.
    BITLOOM_HD bool endsBlock(const GpuLayout& layout) const {
        const GpuSegment& s = layout.segment[segment];
        const uint32_t in = step - uint32_t(s.firstStep);
        return in % 2 == 1 || in + 1 == uint32_t(s.steps);
    }
};

} // namespace bitloom::kernels::decode
