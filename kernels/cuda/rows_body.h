// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "kernels/cuda/bitloom_cuda.h"
#include "kernels/cuda/numbers.h"

#include <cstdint>

/// Rows of plain numbers times 1 to 16 vectors, at the speed of memory while the multipliers keep
/// up (about 8 vectors on an H100). A warp has some rows to itself; a lane adds every 32nd eight
/// columns in order, then lanes are added up: bits depend on nothing but the row and the vector.
namespace bitloom::cuda {

constexpr int rowsThreads = 256;
constexpr int rowsUnit = 8; ///< numbers that are loaded at once: rows are padded to it

struct RowsView {
    const void* rows; ///< [rowCount, stride]; zeros behind the columns
    int64_t rowCount, stride;
    const float* x;    ///< [tokens, stride]; zeros behind the columns
    const float* bias; ///< or null
    float* y;
    int64_t yStride;
    int32_t tokens;
};

struct alignas(16) FourWords {
    uint32_t word[4];
};

/// Weights are read once: they should not push out what is used again.
template<bool once>
BITLOOM_HD FourWords loadWords(const FourWords* from) {
#ifdef __CUDA_ARCH__
    if constexpr (once) {
        const uint4 words = __ldcs(reinterpret_cast<const uint4*>(from));
        return {{words.x, words.y, words.z, words.w}};
    }
#endif
    return *from;
}

/// Eight numbers of a row, from number `at` (a multiple of 8) on.
template<int type, bool once = false>
BITLOOM_HD void loadEight(const void* row, int64_t at, float (&out)[8]) {
    if constexpr (type == BITLOOM_CUDA_F32) {
        const auto* from = reinterpret_cast<const FourWords*>(static_cast<const float*>(row) + at);
        const FourWords low = loadWords<once>(from), high = loadWords<once>(from + 1);
        BITLOOM_UNROLL
        for (int i = 0; i < 4; ++i) {
            out[i] = kernels::fixed::bitsToFloat(low.word[i]);
            out[4 + i] = kernels::fixed::bitsToFloat(high.word[i]);
        }
    } else {
        const FourWords words = loadWords<once>(
            reinterpret_cast<const FourWords*>(static_cast<const uint16_t*>(row) + at));
        BITLOOM_UNROLL
        for (int i = 0; i < 8; ++i) {
            const auto bits = uint16_t(words.word[i / 2] >> (16 * (i % 2)));
            out[i] = type == BITLOOM_CUDA_F16 ? halfValue(bits) : fromBfloat16(bits);
        }
    }
}

/// Rows of a warp for so many vectors.
BITLOOM_HD constexpr int rowsOfWarp(int tokens) {
    return tokens <= 2 ? 4 : 2;
}

/// `index`: of the thread block. tokens: 1, 2, 4, 8 or 16, of which v.tokens exist.
template<class Block, int type, int tokens>
BITLOOM_HD void rowsBody(Block& block, const RowsView& v, int64_t index) {
    constexpr int rows = rowsOfWarp(tokens);
    struct Sums {
        float of[rows][tokens];
    };
    typename Block::template Register<Sums> sums;
    const auto firstRow = [&](int thread) {
        return (index * (Block::threads / 32) + thread / 32) * rows;
    };
    block.own([&](int thread) {
        Sums own{};
        const int64_t first = firstRow(thread);
        const void* from[rows];
        BITLOOM_UNROLL
        for (int r = 0; r < rows; ++r) {
            const int64_t row = first + r < v.rowCount ? first + r : v.rowCount - 1;
            from[r] = static_cast<const char*>(v.rows) +
                      row * v.stride * (type == BITLOOM_CUDA_F32 ? 4 : 2);
        }
        BITLOOM_UNROLL_TWICE
        for (int64_t k = thread % 32 * rowsUnit; k < v.stride; k += 32 * rowsUnit) {
            float w[rows][8];
            BITLOOM_UNROLL
            for (int r = 0; r < rows; ++r)
                loadEight<type, true>(from[r], k, w[r]);
            BITLOOM_UNROLL
            for (int t = 0; t < tokens; ++t) {
                if (t >= v.tokens) break;
                float x[8];
                loadEight<BITLOOM_CUDA_F32>(v.x + t * v.stride, k, x);
                BITLOOM_UNROLL
                for (int r = 0; r < rows; ++r)
                    BITLOOM_UNROLL
                for (int i = 0; i < 8; ++i)
                    own.of[r][t] = kernels::fixed::fusedMultiplyAdd(w[r][i], x[i], own.of[r][t]);
            }
        }
        sums[thread] = own;
    });
    BITLOOM_UNROLL
    for (int r = 0; r < rows; ++r)
        BITLOOM_UNROLL
    for (int t = 0; t < tokens; ++t) {
        if (t >= v.tokens) break;
        typename Block::template Register<float> sum;
        block.own([&](int thread) { sum[thread] = sums[thread].of[r][t]; });
        block.sum(sum);
        block.own([&](int thread) {
            const int64_t row = firstRow(thread) + r;
            if (thread % 32 == 0 && row < v.rowCount)
                v.y[t * v.yStride + row] =
                    v.bias ? kernels::fixed::add(sum[thread], v.bias[row]) : sum[thread];
        });
    }
}

} // namespace bitloom::cuda
