// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "kernels/cuda/bitloom_cuda_quantizer.h"

#include "kernels/cuda/column_curves.h"
#include "kernels/cuda/device_state.h"

#include <cuda_runtime.h>

#include <algorithm>

namespace bitloom::kernels {

namespace {

using cuda::check;
using cuda::guarded;
using cuda::require;

const char* message() {
    return cuda::lastMessage.c_str();
}

void checkShape(int64_t rows, int64_t cols) {
    require(rows >= 1 && rows <= (int64_t(1) << 28) && cols >= 1,
            "a layer without weights, or with more than 2^28 rows");
}

int curveScratch(int64_t rows, int64_t cols, uint64_t* hostBest, uint64_t* hostLeast) {
    return guarded([&] {
        checkShape(rows, cols);
        require(hostBest && hostLeast, "a pointer is null");
        int device = 0, processors = 0;
        check(cudaGetDevice(&device), "asking for the device");
        check(cudaDeviceGetAttribute(&processors, cudaDevAttrMultiProcessorCount, device),
              "asking the device");
        // As many warps as a multiprocessor has registers for (168 a lane).
        constexpr int64_t warpsPerProcessor = 12;
        const size_t each = curveWarpBytes(rows);
        *hostBest = each * uint64_t(std::min<int64_t>(cols, processors * warpsPerProcessor));
        *hostLeast = each;
    });
}

CurvePoint pointOf(const BitloomCudaCurvePoint& p) {
    const bool table = p.kind == int32_t(PointKind::Table) && p.bits >= 1 && p.bits <= 5;
    const bool grid = p.kind == int32_t(PointKind::Grid) && p.bits >= 2 && p.bits <= 8;
    require((table || grid || p.kind == int32_t(PointKind::Raw)) && p.outliers >= 0,
            "there is no such operating point");
    return {PointKind(p.kind), p.bits, p.outliers};
}

int errorCurves(const float* weights, int64_t rows, int64_t cols,
                const BitloomCudaCurvePoint* hostPoints, int32_t points, int32_t rawIsExact,
                void* scratch, uint64_t scratchBytes, float* sse, float* rms) {
    return guarded([&] {
        checkShape(rows, cols);
        require(points >= 1 && points <= CurveTask::mostPoints, "1 to 64 points are possible");
        require(weights && hostPoints && scratch && sse && rms, "a pointer is null");
        CurveTask task{};
        task.weights = weights;
        task.rows = rows;
        task.cols = cols;
        task.points = points;
        task.rawIsExact = rawIsExact;
        std::transform(hostPoints, hostPoints + points, task.point, pointOf);
        task.scratch = static_cast<char*>(scratch);
        task.warpBytes = curveWarpBytes(rows);
        task.warps = std::min<int64_t>(int64_t(scratchBytes / task.warpBytes), cols);
        require(task.warps >= 1, "too little scratch memory");
        task.sse = sse;
        task.rms = rms;
        check(cudaError_t(launchCurves(task, cudaStreamLegacy)), "fitting error curves");
        check(cudaStreamSynchronize(cudaStreamLegacy), "fitting error curves");
    });
}

constexpr BitloomCudaQuantizerApi table = {BITLOOM_CUDA_QUANTIZER_VERSION,
                                           sizeof(BitloomCudaQuantizerApi), &message, &curveScratch,
                                           &errorCurves};

} // namespace

} // namespace bitloom::kernels

const BitloomCudaQuantizerApi* bitloomCudaQuantizerApi(uint32_t version) {
    return version == BITLOOM_CUDA_QUANTIZER_VERSION ? &bitloom::kernels::table : nullptr;
}
