// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "kernels/cuda/code_place.h"
#include "kernels/cuda/decode.h"
#include "kernels/cuda/matrix_view.h"

#include <cstdint>

/// Packing on the device, a thread at a time: for the GPU's kernel, and for tests.
namespace bitloom::cuda {

/// The segment that a step is in.
BITLOOM_HD int segmentOf(const GpuLayout& layout, int step) {
    int segment = 0;
    while (segment + 1 < layout.segments && layout.segment[segment + 1].firstStep <= step)
        ++segment;
    return segment;
}

BITLOOM_HD int64_t packThreads(const GpuLayout& layout, int64_t rows) {
    return GpuLayout::tiles(rows) * layout.steps * (kernels::gpuTileRows / kernels::gpuBlockRows) *
           32;
}

/// Code of row n of a column, as it is to be stored.
BITLOOM_HD uint32_t sourceCode(const uint32_t* words, const PackColumn& column, int64_t n) {
    const uint64_t bit = uint64_t(n) * uint64_t(column.bits);
    const uint32_t* from = words + column.word + bit / 32;
    const int shift = int(bit % 32);
    uint32_t code = from[0] >> shift;
    if (shift + column.bits > 32) code |= from[1] << (32 - shift);
    code &= (1u << column.bits) - 1;
    return column.replaced ? column.entries[code] : code;
}

/// What one lane reads of a block of 64 rows and a step: 8 rows, 16 columns.
BITLOOM_HD void packLane(const GpuLayout& layout, int64_t rows, const uint32_t* words,
                         const PackColumn* columns, int64_t index, uint32_t* codes) {
    constexpr int blocks = kernels::gpuTileRows / kernels::gpuBlockRows;
    const int lane = int(index % 32), block = int(index / 32 % blocks),
              step = int(index / (32 * blocks) % layout.steps);
    const int64_t tile = index / (int64_t(layout.steps) * blocks * 32);
    const kernels::GpuSegment& segment = layout.segment[segmentOf(layout, step)];
    const int bits = kernels::decode::bitsOf(segment.kind);
    const int blockWords = kernels::decode::blockWordsOf(segment.kind);
    uint32_t out[32] = {};
    for (int r = 0; r < 8; ++r) {
        const int row = block * kernels::gpuBlockRows + 4 * (lane / 4 + 8 * (r / 4)) + r % 4;
        const int64_t n = tile * kernels::gpuTileRows + row;
        if (n >= rows) break;
        for (int c = 0; c < 16; ++c) {
            const int in = lane % 4 * 16 + c;
            const PackColumn& column = columns[int64_t(step) * kernels::gpuStep + in];
            if (column.word == UINT64_MAX) continue;
            const uint32_t code = sourceCode(words, column, n);
            const kernels::GpuCodePlace place = kernels::codePlaceOnGpu(segment.kind, in, row);
            for (int p = 0; p < place.parts; ++p) {
                const kernels::GpuCodePart& part = place.part[p];
                const int word = part.word - block * blockWords; // vector, lane, word of four
                out[word / 128 * 4 + word % 4] |= (code >> part.from & ((1u << part.bits) - 1))
                                                  << part.shift;
            }
        }
    }
    uint32_t* to = codes + (tile * layout.tileBytes + segment.codes) / 4 +
                   int64_t(step - segment.firstStep) * blocks * blockWords + block * blockWords +
                   lane * 4;
    for (int v = 0; v < bits; ++v)
        for (int w = 0; w < 4; ++w)
            to[v * 128 + w] = out[4 * v + w];
}

} // namespace bitloom::cuda
