// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "kernels/column_quantizer.h"

#include <cstddef>
#include <cstdint>

/// Within kernels/cuda: error curves of all columns of a layer, a warp for each.
namespace bitloom::kernels {

struct CurveTask {
    static constexpr int mostPoints = 64;
    const float* weights; ///< [cols, rows], device
    int64_t rows, cols;
    int points, rawIsExact;
    CurvePoint point[mostPoints];
    char* scratch; ///< device, `warps` times warpBytes
    size_t warpBytes;
    int64_t warps;
    float* sse; ///< [cols, points], device
    float* rms; ///< [cols], device
};

/// Scratch memory of one warp for columns of so many weights.
size_t curveWarpBytes(int64_t rows);
/// Starts the kernel on the stream; returns its cudaError_t.
int launchCurves(const CurveTask& task, void* stream);

} // namespace bitloom::kernels
