// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors

// Activations of prompts as fp16, and the results of their products.

#include "kernels/cuda/fixed_point.h"
#include "kernels/cuda/launch.cuh"
#include "kernels/cuda/product.h"

#include <cuda_fp16.h>

namespace bitloom::cuda {

namespace fixed = kernels::fixed;

namespace {

/// fp16 activations in stored order, raw columns behind; one thread block for a token.
__global__ void halvesKernel(const __grid_constant__ HalvesView m, const float* x, int64_t xStride,
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
        int64_t column = -1;
        if (k < m.stored)
            column = m.column ? m.column[k] : k;
        else if (k - m.stored < m.rawColumns)
            column = m.rawColumn[k - m.stored];
        const float value = column < 0 ? 0.f : fixed::multiply(own[column], up);
        to[k] = __half_as_ushort(__float2half_rn(value));
    }
}

__global__ void rescaleKernel(float* y, int64_t yStride, int64_t rows, const float* factor,
                              float all, const float* rowScale, const float* bias) {
    const int64_t n = int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
    if (n >= rows) return;
    float& value = y[int64_t(blockIdx.y) * yStride + n];
    value = value * (factor[blockIdx.y] * all) * (rowScale ? rowScale[n] : 1.f) +
            (bias ? bias[n] : 0.f);
}

} // namespace

cudaError_t launchHalves(const HalvesView& view, const float* x, int64_t xStride, int tokens,
                         uint16_t* out, int64_t stride, float* factor, cudaStream_t stream) {
    return launch(halvesKernel, unsigned(tokens), 256, stream, view, x, xStride, out, stride,
                  factor);
}

cudaError_t launchRescale(float* y, int64_t yStride, int64_t rows, int tokens, const float* factor,
                          float all, const float* rowScale, const float* bias,
                          cudaStream_t stream) {
    return launch(rescaleKernel, dim3(unsigned((rows + 255) / 256), unsigned(tokens)), 256, stream,
                  y, yStride, rows, factor, all, rowScale, bias);
}

} // namespace bitloom::cuda
