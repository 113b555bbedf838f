// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "kernels/cuda/bitloom_cuda.h"
#include "kernels/cuda/numbers.h"
#include "kernels/cuda/rounding.h"

#include <cstdint>

/// What stands in front of a product: sums of residuals, RMSNorm or gate, and the rounding of what
/// comes of it, for up to three matrices in one launch. Written once over a thread block
/// (block_host.h, block_device.cuh).
namespace bitloom::cuda {

using Input = BitloomCudaInput;

constexpr int roundThreads = 256;
constexpr int roundWarps = roundThreads / 32; ///< and blocks of activations of a thread block

/// One matrix of a launch; per token, [16] of everything.
struct RoundPart {
    MatrixView matrix;
    uint32_t* chunks;
    TokenScale* token;
    float* blockScale;      ///< [16, blocks]
    int32_t* blockStart;    ///< [16, blocks]
    uint32_t* largestInput; ///< [16, thread blocks]: magnitudes as bits
    uint32_t* arrived;      ///< [16]: 0 between launches
    uint32_t first;         ///< thread block
};
constexpr int mostParts = 3;

struct RoundView {
    Input input;
    int32_t tokens, padded, parts;
    uint32_t threadBlocks; ///< of a token
    float* staged;         ///< [16, cols] the input as floats, for who needs it; or null
    RoundPart part[mostParts];
};
BITLOOM_HD uint32_t roundThreadBlocks(const MatrixView& m) {
    return uint32_t(m.blocks + roundWarps - 1) / uint32_t(roundWarps);
}

struct RoundShared {
    float squares[roundWarps];
    uint32_t largest[2][roundWarps];
    int64_t starts[roundWarps];
};

BITLOOM_HD float residual(const Input& in, int64_t token, int64_t c) {
    const float x = in.x[token * in.stride + c];
    return in.add ? kernels::fixed::add(x, in.add[token * in.stride + c]) : x;
}
/// Column c of the input. `factor`: of normFactor.
BITLOOM_HD float inputValue(const Input& in, int64_t token, int64_t c, float factor) {
    namespace fixed = kernels::fixed;
    switch (in.kind) {
    case BITLOOM_CUDA_NORM:
        return fixed::multiply(fixed::multiply(residual(in, token, c), factor), in.weight[c]);
    case BITLOOM_CUDA_GATED: {
        const float* x = in.x + token * in.stride;
        return fixed::multiply(activate(in.activation, x[c]), x[in.cols + c]);
    }
    default:
        return in.x[token * in.stride + c];
    }
}

/// 1 / root mean square. Every thread block of a token comes to the same bits. Inputs that are not
/// normed: 1.
template<class Block>
BITLOOM_HD float normFactor(Block& block, const Input& in, int64_t token, float* squares) {
    if (in.kind != BITLOOM_CUDA_NORM) return 1.f;
    typename Block::template Register<float> square;
    block.own([&](int thread) {
        float sum = 0;
        for (int64_t c = thread; c < in.cols; c += Block::threads) {
            const float value = residual(in, token, c);
            sum = kernels::fixed::fusedMultiplyAdd(value, value, sum);
        }
        square[thread] = sum;
    });
    block.sum(square);
    block.each([&](int thread) {
        if (thread % 32 == 0) squares[thread / 32] = square[thread];
    });
    float all = 0;
    for (int warp = 0; warp < Block::threads / 32; ++warp)
        all += squares[warp];
    return kernels::fixed::divide(1.f, squareRoot(all / float(in.cols) + in.epsilon));
}

/// An input as floats, [tokens, outStride], zeros behind its columns. Thread block `part` of
/// `parts` of a token.
template<class Block>
BITLOOM_HD void stageBody(Block& block, const Input& in, int64_t token, int64_t part, int64_t parts,
                          float* out, int64_t outStride, float* squares) {
    const float factor = normFactor(block, in, token, squares);
    const int64_t begin = outStride * part / parts, end = outStride * (part + 1) / parts;
    block.own([&](int thread) {
        for (int64_t c = begin + thread; c < end; c += Block::threads) {
            const bool real = c < in.cols;
            out[token * outStride + c] = real ? inputValue(in, token, c, factor) : 0.f;
            if (real && in.kind == BITLOOM_CUDA_NORM && in.sum)
                in.sum[token * in.stride + c] = residual(in, token, c);
        }
    });
}

/// The last thread block of a token and matrix: what depends on the largest scale.
template<class Block>
BITLOOM_HD void finishRounding(Block& block, const RoundView& v, const RoundPart& part,
                               uint32_t threadBlocks, int token, float factor, RoundShared& s) {
    namespace fixed = kernels::fixed;
    const MatrixView& m = part.matrix;
    const bool exists = token < v.tokens;
    typename Block::template Register<uint32_t> scale, input;
    block.own([&](int thread) {
        uint32_t most = 0;
        for (int b = thread; b < m.blocks; b += Block::threads) {
            const uint32_t own = fixed::magnitude(fresh(part.blockScale + token * m.blocks + b));
            most = own > most ? own : most;
        }
        scale[thread] = most;
        most = 0;
        if (m.extraLimit > 0 && exists)
            for (uint32_t i = uint32_t(thread); i < threadBlocks; i += uint32_t(Block::threads)) {
                const uint32_t own = fresh(part.largestInput + uint32_t(token) * threadBlocks + i);
                most = own > most ? own : most;
            }
        input[thread] = most;
    });
    block.largest(scale);
    block.largest(input);
    block.each([&](int thread) {
        if (thread % 32 == 0) {
            s.largest[0][thread / 32] = scale[thread];
            s.largest[1][thread / 32] = input[thread];
        }
    });
    uint32_t most[2] = {0, 0};
    for (int i = 0; i < 2; ++i)
        for (int warp = 0; warp < roundWarps; ++warp)
            most[i] = s.largest[i][warp] > most[i] ? s.largest[i][warp] : most[i];
    const fixed::Unit unit = unitOfToken(m, most[0], most[1]);
    const bool number = exists && unit.inverse[0] != 0.f;
    typename Block::template Register<int64_t> start;
    block.own([&](int thread) {
        int64_t sum = 0;
        for (int b = thread; b < m.blocks; b += Block::threads) {
            int32_t multiplier = 0;
            if (number) {
                const float own = fresh(part.blockScale + token * m.blocks + b);
                multiplier = int32_t(fixed::inUnits(own, unit.inverse[0], unit.inverse[1]));
                sum += int64_t(multiplier) * fresh(part.blockStart + token * m.blocks + b);
            }
            storeMultiplier(m, b, multiplier, part.chunks, v.padded, token);
        }
        if (number && m.remainders)
            for (int64_t k = thread; k < m.layout.columns(); k += Block::threads)
                sum += remainderInUnits(
                    m, [&](int32_t c) { return inputValue(v.input, token, c, factor); }, k, unit);
        start[thread] = sum;
    });
    block.sum(start);
    block.each([&](int thread) {
        if (thread % 32 == 0) s.starts[thread / 32] = start[thread];
    });
    int64_t all = 0;
    for (int warp = 0; warp < roundWarps; ++warp)
        all += s.starts[warp];
    block.own([&](int thread) {
        if (thread == 0)
            part.token[token] = {unit.unit, {unit.inverse[0], unit.inverse[1]}, 0, all};
    });
}

/// A thread block's share of the columns as they are, not as they are stored: what is needed as
/// floats, sums of residuals, and the largest of them.
template<class Block>
BITLOOM_HD void passColumns(Block& block, const RoundView& v, const RoundPart& part, bool writes,
                            uint32_t own, uint32_t threadBlocks, int token, float factor,
                            RoundShared& s) {
    namespace fixed = kernels::fixed;
    const Input& in = v.input;
    const int64_t begin = in.cols * own / threadBlocks, end = in.cols * (own + 1) / threadBlocks;
    const bool sums = writes && in.kind == BITLOOM_CUDA_NORM && in.sum;
    const bool stages = writes && v.staged;
    const bool compares = part.matrix.extraLimit > 0;
    if (!sums && !stages && !compares) return;
    typename Block::template Register<uint32_t> largest;
    block.own([&](int thread) {
        uint32_t most = 0;
        for (int64_t c = begin + thread; c < end; c += Block::threads) {
            if (sums) in.sum[token * in.stride + c] = residual(in, token, c);
            if (!stages && !compares) continue;
            const float value = inputValue(in, token, c, factor);
            if (stages) v.staged[token * in.cols + c] = value;
            const uint32_t bits = fixed::magnitude(value);
            most = bits > most ? bits : most;
        }
        largest[thread] = most;
    });
    if (!compares) return;
    block.largest(largest);
    block.each([&](int thread) {
        if (thread % 32 == 0) s.largest[0][thread / 32] = largest[thread];
    });
    block.each([&](int thread) {
        if (thread != 0) return;
        uint32_t most = 0;
        for (int warp = 0; warp < roundWarps; ++warp)
            most = s.largest[0][warp] > most ? s.largest[0][warp] : most;
        part.largestInput[uint32_t(token) * threadBlocks + own] = most;
    });
}

template<class Block>
BITLOOM_HD void roundBody(Block& block, const RoundView& v, uint32_t index, int token,
                          RoundShared& s) {
    namespace fixed = kernels::fixed;
    int which = 0;
    while (which + 1 < v.parts && v.part[which + 1].first <= index)
        ++which;
    const RoundPart& part = v.part[which];
    const MatrixView& m = part.matrix;
    const uint32_t own = index - part.first, threadBlocks = roundThreadBlocks(m);
    const bool exists = token < v.tokens;
    float factor = 1;
    if (exists) {
        factor = normFactor(block, v.input, token, s.squares);
        passColumns(block, v, part, which == 0, own, threadBlocks, token, factor, s);
    }

    struct Stored {
        float value[4];
    };
    typename Block::template Register<Stored> stored;
    typename Block::template Register<uint32_t> largest;
    typename Block::template Register<int32_t> start;
    const auto blockOf = [&](int thread) { return int(own) * roundWarps + thread / 32; };
    block.own([&](int thread) {
        auto& values = stored[thread].value;
        for (float& value : values)
            value = 0;
        if (exists && blockOf(thread) < m.blocks)
            BlockOfLane(m, blockOf(thread), thread % 32)
                .load([&](int32_t c) { return inputValue(v.input, token, c, factor); }, values);
        largest[thread] = BlockOfLane::largest(values);
    });
    block.largest(largest);
    block.own([&](int thread) {
        start[thread] = 0;
        if (blockOf(thread) >= m.blocks) return;
        start[thread] = BlockOfLane(m, blockOf(thread), thread % 32)
                            .round(stored[thread].value, fixed::blockScale(largest[thread]).inverse,
                                   part.chunks, v.padded, token);
    });
    block.sum(start);
    block.own([&](int thread) {
        if (thread % 32 != 0 || blockOf(thread) >= m.blocks) return;
        part.blockScale[token * m.blocks + blockOf(thread)] =
            fixed::blockScale(largest[thread]).scale;
        part.blockStart[token * m.blocks + blockOf(thread)] = start[thread];
    });
    if (block.last(part.arrived + token, threadBlocks))
        finishRounding(block, v, part, threadBlocks, token, factor, s);
}

} // namespace bitloom::cuda
