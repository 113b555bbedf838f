// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors

// Activations rounded for products, and as fp16 for prompts.

#include "kernels/cuda/decode.h"
#include "kernels/cuda/fixed_point.h"
#include "kernels/cuda/product.h"
#include "kernels/cuda/rounding.h"

#include <cuda_fp16.h>

namespace bitloom::cuda {

namespace decode = kernels::decode;
namespace fixed = kernels::fixed;

namespace {

constexpr int prepareThreads = 512;
constexpr uint32_t everyLane = 0xffffffffu;

__device__ int64_t sumOfWarp(int64_t value) {
    for (int d = 16; d > 0; d /= 2)
        value += __shfl_xor_sync(everyLane, value, d);
    return value;
}

/// One thread block for each padded token. Two rounds: blocks of 128 activations, then what depends
/// on the largest of their scales.
__global__ void __launch_bounds__(prepareThreads)
    prepareKernel(const __grid_constant__ MatrixView m, const float* x, int64_t xStride, int tokens,
                  int padded, uint32_t* chunks, TokenScale* out) {
    extern __shared__ float blockScales[]; // [blocks], then their starts
    auto* starts = reinterpret_cast<int32_t*>(blockScales + m.blocks);
    __shared__ uint32_t largestScale, largestInput;
    __shared__ unsigned long long total;
    const int token = int(blockIdx.x), lane = int(threadIdx.x % 32);
    const int warp = int(threadIdx.x / 32), warps = int(blockDim.x / 32);
    const bool exists = token < tokens;
    const float* own = x + int64_t(exists ? token : 0) * xStride;
    if (threadIdx.x == 0) largestScale = 0, largestInput = 0, total = 0;
    __syncthreads();

    for (int block = warp; block < m.blocks; block += warps) {
        const BlockOfLane mine(m, block, lane);
        float stored[4] = {0, 0, 0, 0};
        if (exists) mine.load(own, stored);
        const fixed::BlockScale scale =
            fixed::blockScale(__reduce_max_sync(everyLane, BlockOfLane::largest(stored)));
        const int32_t start =
            __reduce_add_sync(everyLane, mine.round(stored, scale.inverse, chunks, padded, token));
        if (lane == 0) {
            blockScales[block] = scale.scale;
            starts[block] = start;
            atomicMax(&largestScale, fixed::magnitude(scale.scale));
        }
    }
    if (m.extraLimit > 0 && exists) {
        uint32_t largest = 0;
        for (int64_t k = threadIdx.x; k < m.cols; k += blockDim.x)
            largest = max(largest, fixed::magnitude(own[k]));
        largest = __reduce_max_sync(everyLane, largest);
        if (lane == 0) atomicMax(&largestInput, largest);
    }
    __syncthreads();

    const fixed::Unit unit = unitOfToken(m, largestScale, exists ? largestInput : 0);
    const bool number = unit.inverse[0] != 0.f;
    int64_t sum = 0;
    for (int block = int(threadIdx.x); block < m.blocks; block += int(blockDim.x)) {
        int32_t multiplier = 0;
        if (exists && number) {
            multiplier =
                int32_t(fixed::inUnits(blockScales[block], unit.inverse[0], unit.inverse[1]));
            sum += int64_t(multiplier) * starts[block];
        }
        storeMultiplier(m, block, multiplier, chunks, padded, token);
    }
    if (exists && number)
        for (int64_t k = threadIdx.x; k < m.layout.columns(); k += blockDim.x)
            sum += remainderInUnits(m, own, k, unit);
    sum = sumOfWarp(sum);
    if (lane == 0) atomicAdd(&total, static_cast<unsigned long long>(sum));
    __syncthreads();
    if (threadIdx.x == 0)
        out[token] = {unit.unit, {unit.inverse[0], unit.inverse[1]}, 0, int64_t(total)};
}

/// fp16 activations in stored order, raw columns behind; one thread block for a token.
__global__ void halvesKernel(const __grid_constant__ MatrixView m, const float* x, int64_t xStride,
                             uint16_t* out, int64_t stride, float* factor) {
    __shared__ uint32_t largest;
    if (threadIdx.x == 0) largest = 0;
    __syncthreads();
    const float* own = x + int64_t(blockIdx.x) * xStride;
    uint32_t most = 0;
    for (int64_t k = threadIdx.x; k < m.cols; k += blockDim.x)
        most = max(most, fixed::magnitude(own[k]));
    atomicMax(&largest, most);
    __syncthreads();
    // The largest becomes 2^9 at least: small ones keep their bits too.
    const int exponent = int(largest >> 23) - 127;
    const int shift = fixed::finite(largest) && exponent > -110 ? 9 - exponent : 0;
    const float up = fixed::powerOfTwo(shift < -126 ? -126 : shift > 119 ? 119 : shift);
    if (threadIdx.x == 0) factor[blockIdx.x] = fixed::divide(1.f, up);
    uint16_t* to = out + int64_t(blockIdx.x) * stride;
    for (int64_t k = threadIdx.x; k < stride; k += blockDim.x) {
        const int64_t stored = m.layout.columns();
        int32_t column = -1;
        if (k < stored)
            column = m.column[k];
        else if (k - stored < m.rawColumns)
            column = m.rawColumn[k - stored];
        const float value = column < 0 ? 0.f : fixed::multiply(own[column], up);
        to[k] = __half_as_ushort(__float2half_rn(value));
    }
}

__global__ void rescaleKernel(float* y, int64_t yStride, int64_t rows, const float* factor,
                              const float* rowScale) {
    const int64_t n = int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
    if (n >= rows) return;
    float& value = y[int64_t(blockIdx.y) * yStride + n];
    value = value * factor[blockIdx.y] * (rowScale ? rowScale[n] : 1.f);
}

} // namespace

cudaError_t launchPrepare(const MatrixView& matrix, const float* x, int64_t xStride, int tokens,
                          int padded, uint32_t* chunks, TokenScale* token, cudaStream_t stream) {
    prepareKernel<<<unsigned(padded), prepareThreads, size_t(matrix.blocks) * 8, stream>>>(
        matrix, x, xStride, tokens, padded, chunks, token);
    return cudaGetLastError();
}

cudaError_t launchHalves(const MatrixView& matrix, const float* x, int64_t xStride, int tokens,
                         uint16_t* out, int64_t stride, float* factor, cudaStream_t stream) {
    halvesKernel<<<unsigned(tokens), 256, 0, stream>>>(matrix, x, xStride, out, stride, factor);
    return cudaGetLastError();
}

cudaError_t launchRescale(float* y, int64_t yStride, int64_t rows, int tokens, const float* factor,
                          const float* rowScale, cudaStream_t stream) {
    rescaleKernel<<<dim3(unsigned((rows + 255) / 256), unsigned(tokens)), 256, 0, stream>>>(
        y, yStride, rows, factor, rowScale);
    return cudaGetLastError();
}

} // namespace bitloom::cuda
