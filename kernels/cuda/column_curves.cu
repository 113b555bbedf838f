// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "kernels/cuda/column_curves.h"
#include "kernels/cuda/launch.cuh"
#include "kernels/cuda/team_loops.h"

#include <cuda_runtime.h>

namespace bitloom::kernels {

namespace {

constexpr int warpsPerBlock = 4;

/// The lanes of a warp.
struct WarpTeam {
    template<class F>
    __device__ void each(size_t count, const F& f) const {
        __syncwarp(); // all have read what f may write
        for (size_t i = threadIdx.x & 31u; i < count; i += 32)
            f(i);
        __syncwarp();
    }
};

__global__ void __launch_bounds__(32 * warpsPerBlock) curvesKernel(CurveTask task) {
    __shared__ TeamMemory memory[warpsPerBlock];
    const int64_t warp = int64_t(blockIdx.x) * warpsPerBlock + threadIdx.x / 32;
    if (warp >= task.warps) return;
    const size_t rows = size_t(task.rows);
    const TeamScratch scratch = TeamScratch::at(task.scratch + size_t(warp) * task.warpBytes, rows);
    for (int64_t k = warp; k < task.cols; k += task.warps)
        teamErrorCurve(WarpTeam(), memory[threadIdx.x / 32], scratch, task.weights + k * task.rows,
                       rows, task.point, size_t(task.points), task.rawIsExact != 0,
                       task.sse + k * task.points, task.rms + k);
}

} // namespace

size_t curveWarpBytes(int64_t rows) {
    return TeamScratch::bytes(size_t(rows));
}

int launchCurves(const CurveTask& task, void* stream) {
    const auto blocks = unsigned((task.warps + warpsPerBlock - 1) / warpsPerBlock);
    return int(cuda::launch(curvesKernel, blocks, 32 * warpsPerBlock,
                            static_cast<cudaStream_t>(stream), task));
}

} // namespace bitloom::kernels
