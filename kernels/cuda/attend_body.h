// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "kernels/cuda/bitloom_cuda.h"
#include "kernels/cuda/cache_body.h"
#include "kernels/cuda/numbers.h"
#include "kernels/cuda/rows_body.h"

#include <cstdint>

/// Attention: queries over the cache, with an online softmax over tiles of 64 positions. A thread
/// block has one key/value head, some of the queries that share it (heads of the group of one or
/// several tokens) and a part of the positions; where positions are split, the last thread block of
/// the queries combines the parts, always in the same order. Written once over a thread block
/// (block_host.h, block_device.cuh).
namespace bitloom::cuda {

constexpr int attendKeys = 64;      ///< positions of a tile
constexpr int attendFewTokens = 16; ///< up to here thread blocks append the keys that they need

/// How queries and positions are cut; host and device know it from the arguments alone.
struct AttendGrid {
    int32_t rows;    ///< queries of a thread block: 1, 2, 4, 8 or 16
    int32_t tiles;   ///< of queries, of a key/value head
    int32_t splits;  ///< of positions
    int32_t appends; ///< 1: appending is a launch of its own
};
/// `wanted`: thread blocks that fill the device.
BITLOOM_HD constexpr AttendGrid attendGrid(const Attention& a, int wanted) {
    const int queries = a.tokens * (a.heads / a.kvHeads);
    AttendGrid g{1, 1, 1, a.tokens > attendFewTokens ? 1 : 0};
    while (g.rows < 16 && g.rows < queries)
        g.rows *= 2;
    g.tiles = (queries + g.rows - 1) / g.rows;
    // Few thread blocks: the context is split. More than 32 parts are not worth being combined.
    const int others = a.kvHeads * g.tiles;
    while (!g.appends && g.splits < 32 && others * g.splits * 2 <= wanted)
        g.splits *= 2;
    return g;
}
/// Scratch: counters, then of every thread block sums, largest and results. Counters are 0 between
/// calls, and as many whatever the number of tokens is: what was another grid's result must not
/// become a counter. Only few tokens split: their tiles of a key/value head are not more than the
/// head has queries of a token, so [heads] of them suffice.
BITLOOM_HD constexpr int64_t attendCounters(int heads) {
    return (int64_t(heads) + 3) / 4 * 4;
}
BITLOOM_HD constexpr int64_t attendPartFloats(const AttendGrid& g, int headDim) {
    return int64_t(g.rows) * (headDim + 2);
}
BITLOOM_HD constexpr int64_t attendScratchBytes(const AttendGrid& g, const Attention& a) {
    const int64_t owners = int64_t(a.kvHeads) * g.tiles;
    return g.splits == 1
               ? 0
               : 4 * (attendCounters(a.heads) + owners * g.splits * attendPartFloats(g, a.headDim));
}

/// Shared memory of a thread block. Rows of keys are a multiple of 32 numbers and 32 more: the
/// lanes that read side by side meet in no bank.
struct AttendShared {
    float* query;                  ///< [rows, padded]
    uint16_t *keys, *values;       ///< [64, stride] fp16
    float *keyScale, *valueScale;  ///< [64]
    float* score;                  ///< [rows, 64]
    float *largest, *sum, *factor; ///< [rows]
    float* merge;                  ///< over keys and values: [slices, rows, 2 · pairs]

    static BITLOOM_HD constexpr int padded(int headDim) { return (headDim + 31) / 32 * 32; }
    static BITLOOM_HD constexpr int stride(int headDim) { return (headDim + 63) / 64 * 64 + 32; }
    /// Pairs of neighbouring numbers that threads mix values for, and how many share one.
    static BITLOOM_HD constexpr int pairs(int headDim) {
        int pairs = 32;
        while (2 * pairs < headDim)
            pairs *= 2;
        return pairs;
    }
    static BITLOOM_HD constexpr int slices(int headDim) { return attendThreads / pairs(headDim); }
    static BITLOOM_HD constexpr int tileBytes(int rows, int headDim) {
        const int tiles = 2 * attendKeys * stride(headDim) * 2;
        const int merged = 2 * attendThreads * rows * 4;
        return tiles > merged ? tiles : merged;
    }
    static BITLOOM_HD constexpr int bytes(int rows, int headDim) {
        return tileBytes(rows, headDim) +
               4 * (rows * padded(headDim) + 2 * attendKeys + rows * attendKeys + 3 * rows);
    }
    BITLOOM_HD AttendShared(void* memory, int rows, int headDim) {
        keys = static_cast<uint16_t*>(memory);
        values = keys + attendKeys * stride(headDim);
        merge = static_cast<float*>(memory);
        query = merge + tileBytes(rows, headDim) / 4;
        keyScale = query + rows * padded(headDim);
        valueScale = keyScale + attendKeys;
        score = valueScale + attendKeys;
        largest = score + rows * attendKeys;
        sum = largest + rows;
        factor = sum + rows;
    }
};

/// What a thread block works on.
struct AttendPlace {
    int kvHead, tile, split;
};

template<class Block, int rows>
struct Attend {
    template<class T>
    using Register = typename Block::template Register<T>;
    struct Scores {
        float of[rows];
    };
    struct Mixed {
        float of[rows][2];
    };

    Block& block;
    const Attention& a;
    const AttendGrid& grid;
    const AttendPlace place;
    AttendShared s;
    int32_t past;
    int group, queries; ///< heads of a group; queries of the key/value head
    int32_t low, high;  ///< positions of this thread block
    Register<Mixed> mixed;

    BITLOOM_HD Attend(Block& b, const Attention& args, const AttendGrid& g, const AttendPlace& p,
                      void* memory)
        : block(b), a(args), grid(g), place(p), s(memory, rows, args.headDim), past(*args.position),
          group(args.heads / args.kvHeads), queries(args.tokens * group) {
        const int32_t begin = firstSeen(a, positionOf(0)), end = positionOf(rows - 1) + 1;
        const int32_t share = ((end - begin + grid.splits - 1) / grid.splits + attendKeys - 1) /
                              attendKeys * attendKeys;
        low = begin + place.split * share;
        high = low + share < end ? low + share : end;
    }
    BITLOOM_HD int queryOf(int row) const { return place.tile * rows + row; }
    BITLOOM_HD int tokenOf(int row) const {
        const int query = queryOf(row) < queries ? queryOf(row) : queries - 1;
        return query / group;
    }
    BITLOOM_HD int32_t positionOf(int row) const { return past + tokenOf(row); }
    BITLOOM_HD int headOf(int row) const { return place.kvHead * group + queryOf(row) % group; }

    BITLOOM_HD void loadQueries() {
        const int half = a.headDim / 2, padded = AttendShared::padded(a.headDim);
        const float scale = kernels::fixed::divide(1.f, squareRoot(float(a.headDim)));
        Register<HeadPairs> pairs;
        for (int from = 0; from < rows; from += attendWarps) {
            loadHeads(
                block, a, a.queryNorm,
                [&](int warp) -> const float* {
                    const int row = from + warp;
                    return row < rows && queryOf(row) < queries
                               ? a.qkv + tokenOf(row) * a.stride + int64_t(headOf(row)) * a.headDim
                               : nullptr;
                },
                [&](int warp) { return tokenOf(from + warp); }, pairs);
            block.own([&](int thread) {
                const int row = from + thread / 32;
                if (row >= rows) return;
                float* to = s.query + row * padded;
                for (int i = a.headDim + thread % 32; i < padded; i += 32)
                    to[i] = 0;
                BITLOOM_UNROLL
                for (int p = 0; p < attendPairs; ++p) {
                    const int i = thread % 32 + 32 * p;
                    if (i >= half) continue;
                    to[i] = pairs[thread].a[p] * scale;
                    to[i + half] = pairs[thread].b[p] * scale;
                }
            });
        }
        block.each([&](int thread) {
            if (thread < rows) s.largest[thread] = minusInfinity(), s.sum[thread] = 0;
        });
    }

    BITLOOM_HD void loadTile(int32_t base) {
        const int chunks = AttendShared::padded(a.headDim) / 8,
                  stride = AttendShared::stride(a.headDim);
        constexpr int together = 4; // loads on their way before the first is stored
        const int all = attendKeys * chunks;
        block.each([&](int thread) {
            for (int from = thread; from < all; from += together * Block::threads) {
                FourWords k[together], x[together];
                BITLOOM_UNROLL
                for (int j = 0; j < together; ++j) {
                    const int v = from + j * Block::threads, key = v / chunks, at = v % chunks * 8;
                    const bool real = v < all && base + key < high && at < a.headDim;
                    const int64_t row = int64_t(place.kvHead) * a.capacity + base + key;
                    k[j] = real ? cachedEight(a, a.keys, row, at) : FourWords{};
                    x[j] = real ? cachedEight(a, a.values, row, at) : FourWords{};
                }
                BITLOOM_UNROLL
                for (int j = 0; j < together; ++j) {
                    const int v = from + j * Block::threads;
                    if (v >= all) break;
                    const int to = v / chunks * stride + v % chunks * 8;
                    *reinterpret_cast<FourWords*>(s.keys + to) = k[j];
                    *reinterpret_cast<FourWords*>(s.values + to) = x[j];
                }
            }
            if (a.cacheType == BITLOOM_CUDA_I8 && thread < attendKeys) {
                const bool real = base + thread < high;
                const int64_t row = int64_t(place.kvHead) * a.capacity + base + thread;
                s.keyScale[thread] = real ? a.keyScale[row] : 0.f;
                s.valueScale[thread] = real ? a.valueScale[row] : 0.f;
            }
        });
    }

    /// Four lanes have a key, each every fourth eight columns.
    BITLOOM_HD void scoreTile(int32_t base) {
        const int padded = AttendShared::padded(a.headDim),
                  stride = AttendShared::stride(a.headDim);
        Register<Scores> scores;
        block.own([&](int thread) {
            Scores own{};
            const uint16_t* key = s.keys + thread / 4 * stride;
            for (int at = thread % 4 * 8; at < padded; at += 32) {
                float k[8];
                loadEight<BITLOOM_CUDA_F16>(key, at, k);
                BITLOOM_UNROLL
                for (int r = 0; r < rows; ++r) {
                    float q[8];
                    loadEight<BITLOOM_CUDA_F32>(s.query + r * padded, at, q);
                    BITLOOM_UNROLL
                    for (int i = 0; i < 8; ++i)
                        own.of[r] = kernels::fixed::fusedMultiplyAdd(q[i], k[i], own.of[r]);
                }
            }
            scores[thread] = own;
        });
        BITLOOM_UNROLL
        for (int r = 0; r < rows; ++r) {
            Register<float> sum;
            block.own([&](int thread) { sum[thread] = scores[thread].of[r]; });
            block.template sum<4>(sum);
            block.own([&](int thread) {
                if (thread % 4 != r % 4) return;
                const int key = thread / 4;
                const int32_t position = base + key, own = positionOf(r);
                const bool seen = position < high && position <= own &&
                                  position >= firstSeen(a, own) && queryOf(r) < queries;
                const float scale = a.cacheType == BITLOOM_CUDA_I8 ? s.keyScale[key] : 1.f;
                s.score[r * attendKeys + key] = seen ? sum[thread] * scale : minusInfinity();
            });
        }
        block.each([](int) {});
    }

    /// A warp has a row: scores become weights of values.
    BITLOOM_HD void weighTile() {
        for (int from = 0; from < rows; from += attendWarps) {
            Register<float> most, sum;
            const auto score = [&](int thread, int i) -> float& {
                return s.score[(from + thread / 32) * attendKeys + thread % 32 + 32 * i];
            };
            const auto real = [&](int thread) { return from + thread / 32 < rows; };
            block.own([&](int thread) {
                most[thread] =
                    real(thread) ? larger(score(thread, 0), score(thread, 1)) : minusInfinity();
            });
            block.largest(most);
            block.own([&](int thread) {
                sum[thread] = 0;
                if (!real(thread)) return;
                const int row = from + thread / 32;
                most[thread] = larger(most[thread], s.largest[row]);
                BITLOOM_UNROLL
                for (int i = 0; i < 2; ++i) {
                    float& own = score(thread, i);
                    const float weight =
                        own == minusInfinity() ? 0.f : exponential(own - most[thread]);
                    sum[thread] += weight;
                    own = a.cacheType == BITLOOM_CUDA_I8
                              ? weight * s.valueScale[thread % 32 + 32 * i]
                              : weight;
                }
            });
            block.sum(sum);
            block.own([&](int thread) {
                if (!real(thread) || thread % 32 != 0) return;
                const int row = from + thread / 32;
                const float before = s.largest[row];
                const float factor =
                    before == minusInfinity() ? 0.f : exponential(before - most[thread]);
                s.factor[row] = factor;
                s.sum[row] = s.sum[row] * factor + sum[thread];
                s.largest[row] = most[thread];
            });
        }
        block.each([](int) {});
    }

    /// A thread has two neighbouring columns and every slices'th key.
    BITLOOM_HD void mixTile() {
        const int pairs = AttendShared::pairs(a.headDim), slices = AttendShared::slices(a.headDim);
        const int stride = AttendShared::stride(a.headDim);
        block.each([&](int thread) {
            const int column = thread % pairs * 2;
            if (column >= a.headDim) return;
            Mixed& own = mixed[thread];
            BITLOOM_UNROLL
            for (int r = 0; r < rows; ++r) {
                own.of[r][0] *= s.factor[r];
                own.of[r][1] *= s.factor[r];
            }
            for (int key = thread / pairs; key < attendKeys; key += slices) {
                const uint32_t both =
                    *reinterpret_cast<const uint32_t*>(s.values + key * stride + column);
                const float x = halfValue(uint16_t(both)), y = halfValue(uint16_t(both >> 16));
                BITLOOM_UNROLL
                for (int r = 0; r < rows; ++r) {
                    const float weight = s.score[r * attendKeys + key];
                    own.of[r][0] = kernels::fixed::fusedMultiplyAdd(weight, x, own.of[r][0]);
                    own.of[r][1] = kernels::fixed::fusedMultiplyAdd(weight, y, own.of[r][1]);
                }
            }
        });
    }

    /// Sum over slices, into the first slice's place.
    BITLOOM_HD void mergeSlices() {
        const int pairs = AttendShared::pairs(a.headDim), slices = AttendShared::slices(a.headDim);
        const int width = 2 * pairs;
        block.each([&](int thread) {
            float* to = s.merge + thread / pairs * (rows * width) + thread % pairs * 2;
            BITLOOM_UNROLL
            for (int r = 0; r < rows; ++r) {
                to[r * width] = mixed[thread].of[r][0];
                to[r * width + 1] = mixed[thread].of[r][1];
            }
        });
        block.each([&](int thread) {
            for (int i = thread; i < rows * width; i += Block::threads) {
                float sum = s.merge[i];
                for (int slice = 1; slice < slices; ++slice)
                    sum += s.merge[slice * rows * width + i];
                s.merge[i] = sum;
            }
        });
    }

    BITLOOM_HD float* outOf(int row) const {
        return a.out + tokenOf(row) * a.outStride + int64_t(headOf(row)) * a.headDim;
    }
    BITLOOM_HD float* part(int split) const {
        const int64_t owner = int64_t(place.kvHead) * grid.tiles + place.tile;
        return static_cast<float*>(a.scratch) + attendCounters(a.heads) +
               (owner * grid.splits + split) * attendPartFloats(grid, a.headDim);
    }

    BITLOOM_HD void finish() {
        const int width = 2 * AttendShared::pairs(a.headDim);
        if (grid.splits == 1) {
            block.own([&](int thread) {
                for (int i = thread; i < rows * a.headDim; i += Block::threads) {
                    const int row = i / a.headDim, column = i % a.headDim;
                    if (queryOf(row) < queries)
                        outOf(row)[column] =
                            kernels::fixed::divide(s.merge[row * width + column], s.sum[row]);
                }
            });
            return;
        }
        float* own = part(place.split);
        block.own([&](int thread) {
            for (int i = thread; i < rows * a.headDim; i += Block::threads)
                own[2 * rows + i] = s.merge[i / a.headDim * width + i % a.headDim];
            if (thread < rows) own[thread] = s.largest[thread], own[rows + thread] = s.sum[thread];
        });
        auto* counters = static_cast<uint32_t*>(a.scratch);
        if (block.last(counters + place.kvHead * grid.tiles + place.tile, uint32_t(grid.splits)))
            combine();
    }
    BITLOOM_HD void combine() {
        block.own([&](int thread) {
            for (int i = thread; i < rows * a.headDim; i += Block::threads) {
                const int row = i / a.headDim;
                if (queryOf(row) >= queries) continue;
                float most = minusInfinity();
                for (int split = 0; split < grid.splits; ++split)
                    most = larger(most, fresh(part(split) + row));
                float sum = 0, value = 0;
                for (int split = 0; split < grid.splits; ++split) {
                    const float largest = fresh(part(split) + row);
                    if (largest == minusInfinity()) continue;
                    const float factor = exponential(largest - most);
                    sum = kernels::fixed::fusedMultiplyAdd(factor, fresh(part(split) + rows + row),
                                                           sum);
                    value = kernels::fixed::fusedMultiplyAdd(
                        factor, fresh(part(split) + 2 * rows + i), value);
                }
                outOf(row)[i % a.headDim] = kernels::fixed::divide(value, sum);
            }
        });
    }

    BITLOOM_HD void run() {
        if (!grid.appends && high > past && low < high) {
            // The keys that this thread block needs; others that need them write the same.
            const int32_t first = low > past ? low - past : 0;
            appendTokens(block, a, place.kvHead, first, high - past, past);
            block.each([](int) {});
        }
        loadQueries();
        for (int32_t base = low; base < high; base += attendKeys) {
            loadTile(base);
            scoreTile(base);
            weighTile();
            mixTile();
        }
        mergeSlices();
        finish();
    }
};

} // namespace bitloom::cuda
