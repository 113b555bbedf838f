// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "kernels/cuda/bitloom_cuda.h"
#include "kernels/cuda/numbers.h"
#include "kernels/cuda/rows_body.h"

#include <cstdint>

/// Heads' vectors, normed and turned by their positions, and the cache of keys and values: fp16, or
/// bytes with a scale for each head and position. Written once over a thread block (block_host.h,
/// block_device.cuh).
namespace bitloom::cuda {

using Attention = BitloomCudaAttention;

constexpr int attendThreads = 256, attendWarps = attendThreads / 32;
constexpr int attendPairs = 4; ///< (i, i + half) that a lane turns: headDim ≤ 256

/// A head's vector in a warp: lane l has pairs l, l + 32, …
struct HeadPairs {
    float a[attendPairs], b[attendPairs];
};

/// One vector for each warp: RMSNorm where there is a weight, then turned by its position.
/// `source(warp)`: [headDim] or null; `token(warp)`: row of cosines and sines.
template<class Block, class Source, class Token>
BITLOOM_HD void loadHeads(Block& block, const Attention& a, const float* weight, Source&& source,
                          Token&& token, typename Block::template Register<HeadPairs>& out) {
    namespace fixed = kernels::fixed;
    const int half = a.headDim / 2;
    typename Block::template Register<float> square;
    block.own([&](int thread) {
        const float* x = source(thread / 32);
        float sum = 0;
        HeadPairs& own = out[thread];
        BITLOOM_UNROLL
        for (int p = 0; p < attendPairs; ++p) {
            const int i = thread % 32 + 32 * p;
            const bool real = x && i < half;
            own.a[p] = real ? x[i] : 0.f;
            own.b[p] = real ? x[i + half] : 0.f;
            sum = fixed::fusedMultiplyAdd(own.a[p], own.a[p], sum);
            sum = fixed::fusedMultiplyAdd(own.b[p], own.b[p], sum);
        }
        square[thread] = sum;
    });
    if (weight) {
        block.sum(square);
        block.own([&](int thread) {
            const float factor =
                fixed::divide(1.f, squareRoot(square[thread] / float(a.headDim) + a.epsilon));
            HeadPairs& own = out[thread];
            BITLOOM_UNROLL
            for (int p = 0; p < attendPairs; ++p) {
                const int i = thread % 32 + 32 * p;
                if (i >= half) continue;
                own.a[p] = own.a[p] * factor * weight[i];
                own.b[p] = own.b[p] * factor * weight[i + half];
            }
        });
    }
    block.own([&](int thread) {
        const int64_t row = int64_t(token(thread / 32)) * half;
        HeadPairs& own = out[thread];
        BITLOOM_UNROLL
        for (int p = 0; p < attendPairs; ++p) {
            const int i = thread % 32 + 32 * p;
            if (i >= half) continue;
            const float cosine = a.cosine[row + i], sine = a.sine[row + i];
            const float x = own.a[p], y = own.b[p];
            own.a[p] = x * cosine - y * sine;
            own.b[p] = y * cosine + x * sine;
        }
    });
}

/// Writes a warp's vector into the cache, as fp16 or as bytes with a scale.
template<class Block>
BITLOOM_HD void storeHeads(Block& block, const Attention& a, void* cache, float* scales,
                           typename Block::template Register<HeadPairs>& from,
                           typename Block::template Register<int64_t>& at) {
    namespace fixed = kernels::fixed;
    const int half = a.headDim / 2;
    typename Block::template Register<float> largest;
    block.own([&](int thread) {
        float most = 0;
        BITLOOM_UNROLL
        for (int p = 0; p < attendPairs; ++p) {
            if (thread % 32 + 32 * p >= half) continue;
            most = larger(most, fabsf(from[thread].a[p]));
            most = larger(most, fabsf(from[thread].b[p]));
        }
        largest[thread] = most;
    });
    block.largest(largest);
    block.own([&](int thread) {
        const int64_t row = at[thread];
        if (row < 0) return;
        const float scale = fixed::divide(largest[thread], 127.f);
        const float inverse = scale > 0 ? fixed::divide(1.f, scale) : 0.f;
        const auto put = [&](int i, float value) {
            const int64_t place = row * a.headDim + i;
            if (a.cacheType == BITLOOM_CUDA_I8) {
                const float code = nearestInteger(value * inverse);
                static_cast<int8_t*>(cache)[place] =
                    int8_t(code < -127.f ? -127.f : larger(-127.f, code > 127.f ? 127.f : code));
            } else {
                static_cast<uint16_t*>(cache)[place] = nearestHalf(value);
            }
        };
        BITLOOM_UNROLL
        for (int p = 0; p < attendPairs; ++p) {
            const int i = thread % 32 + 32 * p;
            if (i >= half) continue;
            put(i, from[thread].a[p]);
            put(i + half, from[thread].b[p]);
        }
        if (a.cacheType == BITLOOM_CUDA_I8 && thread % 32 == 0) scales[row] = scale;
    });
}

/// Keys and values of tokens [first, end) of one head into the cache.
template<class Block>
BITLOOM_HD void appendTokens(Block& block, const Attention& a, int kvHead, int first, int end,
                             int32_t past) {
    typename Block::template Register<HeadPairs> pairs;
    typename Block::template Register<int64_t> at;
    const int64_t keyAt = int64_t(a.heads + kvHead) * a.headDim;
    const int64_t valueAt = int64_t(a.heads + a.kvHeads + kvHead) * a.headDim;
    for (int from = first; from < end; from += attendWarps) {
        const auto token = [&](int warp) { return from + warp < end ? from + warp : first; };
        const auto rowOf = [&](int64_t offset) {
            return [&a, offset, from, end](int warp) -> const float* {
                return from + warp < end ? a.qkv + (from + warp) * a.stride + offset : nullptr;
            };
        };
        block.own([&](int thread) {
            const int t = from + thread / 32;
            at[thread] = t < end ? int64_t(kvHead) * a.capacity + past + t : -1;
        });
        loadHeads(block, a, a.keyNorm, rowOf(keyAt), token, pairs);
        storeHeads(block, a, a.keys, a.keyScale, pairs, at);
        block.own([&](int thread) {
            const float* x = rowOf(valueAt)(thread / 32);
            BITLOOM_UNROLL
            for (int p = 0; p < attendPairs; ++p) {
                const int i = thread % 32 + 32 * p;
                const bool real = x && i < a.headDim / 2;
                pairs[thread].a[p] = real ? x[i] : 0.f;
                pairs[thread].b[p] = real ? x[i + a.headDim / 2] : 0.f;
            }
        });
        storeHeads(block, a, a.values, a.valueScale, pairs, at);
    }
}

/// Positions that a query of a position sees: [first, position].
BITLOOM_HD int32_t firstSeen(const Attention& a, int32_t position) {
    return a.window > 0 && position >= a.window ? position - a.window + 1 : 0;
}

/// Eight numbers of a cached row as fp16, zeros behind its end.
BITLOOM_HD FourWords cachedEight(const Attention& a, const void* cache, int64_t row, int at) {
    FourWords out{};
    const int64_t from = row * a.headDim + at;
    const bool aligned = a.headDim % 8 == 0;
    if (a.cacheType == BITLOOM_CUDA_I8) {
        const auto* codes = static_cast<const int8_t*>(cache) + from;
        struct alignas(8) Two {
            uint32_t word[2];
        } raw{};
        if (aligned)
            raw = *reinterpret_cast<const Two*>(codes);
        else
            for (int i = 0; i < 8 && at + i < a.headDim; ++i)
                raw.word[i / 4] |= uint32_t(uint8_t(codes[i])) << (8 * (i % 4));
        BITLOOM_UNROLL
        for (int i = 0; i < 8; ++i) {
            const auto code = int8_t(raw.word[i / 4] >> (8 * (i % 4)) & 255u);
            out.word[i / 2] |= uint32_t(nearestHalf(float(code))) << (16 * (i % 2));
        }
        return out;
    }
    const auto* numbers = static_cast<const uint16_t*>(cache) + from;
    if (aligned) return *reinterpret_cast<const FourWords*>(numbers);
    for (int i = 0; i < 8 && at + i < a.headDim; ++i)
        out.word[i / 2] |= uint32_t(numbers[i]) << (16 * (i % 2));
    return out;
}

} // namespace bitloom::cuda
