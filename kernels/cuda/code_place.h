// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "kernels/gpu_columns.h"
#include "kernels/host_device.h"

namespace bitloom::kernels {

/// gpuCodePlace, for the packing on both sides.
BITLOOM_HD constexpr GpuCodePlace codePlaceOnGpu(PanelKind kind, int column, int row) {
    const int block = row / gpuBlockRows, group = row % gpuBlockRows / 4, i = row % 4;
    const int lane = 4 * (group % 8) + column / 16, upper = group / 8;
    // Of the lane's 16 columns: half of the step, multiplication in it, half of that.
    const int sub = column % 16 / 8, h = column % 8 / 4, s = column % 4;
    const int q = sub * 8 + s * 2 + h;      // order in which the lane looks them up
    const int nibble = 4 * (4 * upper + i); // where PRMT's selectors want it
    const int byteNibble = 8 * i + 4 * upper;
    struct Placer {
        int block, bits, lane;
        // Word of a block of rows: vectors of four words, 32 lanes each.
        BITLOOM_HD constexpr GpuCodePart operator()(int vector, int word, int shift, int from,
                                                    int width) const {
            return {block * (gpuBlockRows * gpuStep * bits / 32) + (vector * 32 + lane) * 4 + word,
                    int8_t(shift), int8_t(from), int8_t(width)};
        }
    };
    switch (kind) {
    case PanelKind::Table2: {
        const Placer part{block, 2, lane};
        return {1, {part(sub, s, nibble + 2 * h, 0, 2)}};
    }
    case PanelKind::Table3: {
        const Placer part{block, 3, lane};
        if (q % 4 < 3) return {1, {part(q % 4, q / 4, nibble, 0, 3)}};
        return {3,
                {part(0, q / 4, nibble + 3, 0, 1), part(1, q / 4, nibble + 3, 1, 1),
                 part(2, q / 4, nibble + 3, 2, 1)}};
    }
    case PanelKind::Table4: {
        const Placer part{block, 4, lane};
        return {1, {part(q / 4, q % 4, nibble, 0, 4)}};
    }
    case PanelKind::Plain5: {
        const Placer part{block, 5, lane};
        return {2,
                {part(q / 4, q % 4, byteNibble, 0, 4),
                 part(4, q / 4, 8 * i + 2 * (q % 4) + upper, 4, 1)}};
    }
    case PanelKind::Plain6: {
        const Placer part{block, 6, lane};
        return {2,
                {part(q / 4, q % 4, byteNibble, 0, 4),
                 part(4 + q / 8, q / 2 % 4, 8 * i + 4 * (q % 2) + 2 * upper, 4, 2)}};
    }
    case PanelKind::Plain8:
        break;
    }
    const Placer part{block, 8, lane};
    return {1, {part((2 * q + upper) / 4, (2 * q + upper) % 4, 8 * i, 0, 8)}};
}

} // namespace bitloom::kernels
