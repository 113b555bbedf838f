// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "kernels/cuda/bitloom_cuda_quantizer.h"

#include "kernels/cuda/bitloom_cuda.h"
#include "kernels/cuda/column_curves.h"

#include <cuda_runtime.h>

#include <algorithm>
#include <string>

namespace bitloom::kernels {

namespace {

thread_local std::string lastMessage;

int refuse(const char* what) {
    lastMessage = what;
    return BITLOOM_CUDA_BAD_ARGUMENT;
}

int check(cudaError_t error, const char* what) {
    if (error == cudaSuccess) return BITLOOM_CUDA_OK;
    lastMessage = std::string(what) + ": " + cudaGetErrorString(error);
    return error == cudaErrorMemoryAllocation ? BITLOOM_CUDA_OUT_OF_MEMORY : BITLOOM_CUDA_FAILED;
}

const char* message() {
    return lastMessage.c_str();
}

int curveScratch(int64_t rows, int64_t cols, uint64_t* hostBest, uint64_t* hostLeast) {
    if (rows < 1 || rows > (int64_t(1) << 28) || cols < 1)
        return refuse("a layer without weights, or with more than 2^28 rows");
    int device = 0, processors = 0;
    if (int code = check(cudaGetDevice(&device), "cudaGetDevice")) return code;
    if (int code =
            check(cudaDeviceGetAttribute(&processors, cudaDevAttrMultiProcessorCount, device),
                  "cudaDeviceGetAttribute"))
        return code;
    // As many warps as a multiprocessor has registers for (168 a lane).
    constexpr int64_t warpsPerProcessor = 12;
    const size_t each = curveWarpBytes(rows);
    *hostBest = each * uint64_t(std::min<int64_t>(cols, processors * warpsPerProcessor));
    *hostLeast = each;
    return BITLOOM_CUDA_OK;
}

int errorCurves(const float* weights, int64_t rows, int64_t cols,
                const BitloomCudaCurvePoint* hostPoints, int32_t points, int32_t rawIsExact,
                void* scratch, uint64_t scratchBytes, float* sse, float* rms) {
    if (rows < 1 || rows > (int64_t(1) << 28) || cols < 1)
        return refuse("a layer without weights, or with more than 2^28 rows");
    if (points < 1 || points > CurveTask::mostPoints) return refuse("1 to 64 points are possible");
    if (!weights || !hostPoints || !scratch || !sse || !rms) return refuse("a pointer is null");
    CurveTask task{};
    task.weights = weights;
    task.rows = rows;
    task.cols = cols;
    task.points = points;
    task.rawIsExact = rawIsExact;
    for (int32_t i = 0; i < points; ++i) {
        const BitloomCudaCurvePoint& p = hostPoints[i];
        const bool table = p.kind == int32_t(PointKind::Table) && p.bits >= 1 && p.bits <= 5;
        const bool grid = p.kind == int32_t(PointKind::Grid) && p.bits >= 2 && p.bits <= 8;
        if ((!table && !grid && p.kind != int32_t(PointKind::Raw)) || p.outliers < 0)
            return refuse("there is no such operating point");
        task.point[i] = {PointKind(p.kind), p.bits, p.outliers};
    }
    task.scratch = static_cast<char*>(scratch);
    task.warpBytes = curveWarpBytes(rows);
    task.warps = std::min<int64_t>(int64_t(scratchBytes / task.warpBytes), cols);
    if (task.warps < 1) return refuse("too little scratch memory");
    task.sse = sse;
    task.rms = rms;
    if (int code = check(cudaError_t(launchCurves(task, cudaStreamLegacy)), "error curves"))
        return code;
    return check(cudaStreamSynchronize(cudaStreamLegacy), "error curves");
}

constexpr BitloomCudaQuantizerApi table = {BITLOOM_CUDA_QUANTIZER_VERSION,
                                           sizeof(BitloomCudaQuantizerApi), &message, &curveScratch,
                                           &errorCurves};

} // namespace

} // namespace bitloom::kernels

const BitloomCudaQuantizerApi* bitloomCudaQuantizerApi(uint32_t version) {
    return version == BITLOOM_CUDA_QUANTIZER_VERSION ? &bitloom::kernels::table : nullptr;
}
