// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "kernels/cuda/decode.h"
#include "kernels/cuda/fixed_point.h"
#include "kernels/cuda/matrix_view.h"

#include <cstdint>

/// What a lane does when activations are rounded, and a thread when codes are packed: for the GPU's
/// kernels, and for tests.
namespace bitloom::cuda {

/// Four columns of a block of activations.
struct BlockOfLane {
    const MatrixView& m;
    uint32_t step;
    int lane;
    int64_t first; ///< stored column
    bool mine;     ///< the block is as long

    BITLOOM_HD BlockOfLane(const MatrixView& matrix, int block, int l)
        : m(matrix), step(matrix.blockFirstStep[block]), lane(l),
          first(int64_t(step) * kernels::gpuStep + 4 * l),
          mine(4 * l < int(matrix.blockFirstStep[block + 1] - step) * kernels::gpuStep) {}

    /// `x(column)`: activation of a source column.
    template<class X>
    BITLOOM_HD void load(X&& x, float (&stored)[4]) const {
        if (!mine) return;
        for (int i = 0; i < 4; ++i) {
            const int32_t column = m.column[first + i];
            if (column >= 0) stored[i] = kernels::fixed::multiply(m.scale[first + i], x(column));
        }
    }
    static BITLOOM_HD uint32_t largest(const float (&stored)[4]) {
        uint32_t most = 0;
        for (const float value : stored) {
            const uint32_t own = kernels::fixed::magnitude(value);
            most = own > most ? own : most;
        }
        return most;
    }
    /// Writes the bytes of both halves; gives the lane's part of Σ offset·q.
    BITLOOM_HD int32_t round(const float (&stored)[4], float inverse, uint32_t* chunks, int padded,
                             int token) const {
        if (!mine) return 0;
        uint32_t high = 0, low = 0;
        int32_t start = 0;
        for (int i = 0; i < 4; ++i) {
            const int32_t q = kernels::fixed::roundActivation(stored[i], inverse);
            const int32_t upper = kernels::fixed::highByte(q);
            high |= uint32_t(upper & 255) << (8 * i);
            low |= uint32_t((q - 256 * upper) & 255) << (8 * i);
            start += m.offset[first + i] * q;
        }
        uint32_t* to = chunks +
                       int64_t(step + uint32_t(lane) / 16) * kernels::decode::chunkWords(padded) +
                       token * 32 + lane % 16;
        to[0] = high;
        to[16] = low;
        return start;
    }
};

/// Largest scale of a block, and largest input where there is what it is multiplied with alone,
/// both as bits.
BITLOOM_HD kernels::fixed::Unit unitOfToken(const MatrixView& m, uint32_t largestScale,
                                            uint32_t largestInput) {
    namespace fixed = kernels::fixed;
    uint32_t most = largestScale;
    if (m.extraLimit > 0) {
        const float extra = fixed::multiply(fixed::multiply(m.extraLimit, fixed::powerOfTwo(-38)),
                                            fixed::bitsToFloat(largestInput));
        const uint32_t bits = fixed::magnitude(extra);
        most = bits > most ? bits : most;
    }
    return fixed::unitFor(fixed::bitsToFloat(most));
}

BITLOOM_HD void storeMultiplier(const MatrixView& m, int block, int32_t multiplier,
                                uint32_t* chunks, int padded, int token) {
    for (uint32_t step = m.blockFirstStep[block]; step < m.blockFirstStep[block + 1]; ++step)
        chunks[int64_t(step) * kernels::decode::chunkWords(padded) +
               kernels::decode::multiplierWord(padded) + token] = uint32_t(multiplier);
}

/// What a fractional zero of stored column k adds.
template<class X>
BITLOOM_HD int64_t remainderInUnits(const MatrixView& m, X&& x, int64_t k,
                                    const kernels::fixed::Unit& unit) {
    const int32_t column = m.column[k];
    if (column < 0 || m.remainder[k] == 0.f) return 0;
    return kernels::fixed::inUnits(kernels::fixed::multiply(m.remainder[k], x(column)),
                                   unit.inverse[0], unit.inverse[1]);
}

} // namespace bitloom::cuda
