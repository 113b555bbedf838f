// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors

// Kernels between products, and products with plain rows: bodies from headers, and how they are
// launched.

#include "kernels/cuda/block_device.cuh"
#include "kernels/cuda/launch.cuh"
#include "kernels/cuda/layer_launch.h"

namespace bitloom::cuda {

namespace {

__global__ void __launch_bounds__(roundThreads)
    roundKernel(const __grid_constant__ RoundView view) {
    __shared__ RoundShared shared;
    DeviceBlock<roundThreads> block;
    roundBody(block, view, blockIdx.x, int(blockIdx.y), shared);
}

__global__ void __launch_bounds__(roundThreads)
    stageKernel(const __grid_constant__ Input input, float* out, int64_t outStride) {
    __shared__ float squares[roundWarps];
    DeviceBlock<roundThreads> block;
    stageBody(block, input, blockIdx.y, blockIdx.x, gridDim.x, out, outStride, squares);
}

template<int type, int tokens>
__global__ void __launch_bounds__(rowsThreads, 2)
    rowsKernel(const __grid_constant__ RowsView view) {
    DeviceBlock<rowsThreads> block;
    rowsBody<DeviceBlock<rowsThreads>, type, tokens>(block, view, blockIdx.x);
}

template<int type, int tokens>
cudaError_t launchRowsOf(const RowsView& view, cudaStream_t stream) {
    constexpr int64_t rows = rowsThreads / 32 * rowsOfWarp(tokens);
    return launch(rowsKernel<type, tokens>, unsigned((view.rowCount + rows - 1) / rows),
                  rowsThreads, stream, view);
}
template<int type>
cudaError_t launchRowsOf(const RowsView& view, cudaStream_t stream) {
    switch (view.tokens) {
    case 1:
        return launchRowsOf<type, 1>(view, stream);
    case 2:
        return launchRowsOf<type, 2>(view, stream);
    case 3:
    case 4:
        return launchRowsOf<type, 4>(view, stream);
    case 5:
    case 6:
    case 7:
    case 8:
        return launchRowsOf<type, 8>(view, stream);
    default:
        return launchRowsOf<type, 16>(view, stream);
    }
}

__global__ void rowsToHalfKernel(int32_t type, const void* from, int64_t count, float factor,
                                 uint16_t* out) {
    const int64_t i = int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
    if (i >= count) return;
    const float value = type == BITLOOM_CUDA_F32
                            ? static_cast<const float*>(from)[i]
                            : fromBfloat16(static_cast<const uint16_t*>(from)[i]);
    out[i] = nearestHalf(value * factor);
}

/// SplitMix64.
__device__ uint64_t mixed(uint64_t x) {
    x += 0x9E3779B97F4A7C15ull;
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9ull;
    x = (x ^ x >> 27) * 0x94D049BB133111EBull;
    return x ^ x >> 31;
}
__global__ void randomWordsKernel(uint32_t* out, int64_t words, uint64_t seed) {
    const int64_t step = int64_t(gridDim.x) * blockDim.x;
    for (int64_t i = int64_t(blockIdx.x) * blockDim.x + threadIdx.x; i < words; i += step)
        out[i] = uint32_t(mixed(seed * 0x100000000ull + uint64_t(i)));
}
__global__ void randomRowsKernel(int32_t type, void* out, int64_t count, uint64_t seed) {
    const int64_t step = int64_t(gridDim.x) * blockDim.x;
    for (int64_t i = int64_t(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += step) {
        const float value =
            (float(mixed(seed * 0x100000000ull + uint64_t(i)) >> 40) * 0x1p-23f - 1.f) * 0.03f;
        if (type == BITLOOM_CUDA_F32)
            static_cast<float*>(out)[i] = value;
        else if (type == BITLOOM_CUDA_F16)
            static_cast<uint16_t*>(out)[i] = nearestHalf(value);
        else
            static_cast<uint16_t*>(out)[i] = uint16_t(__float_as_uint(value) >> 16);
    }
}

template<int rows>
__global__ void __launch_bounds__(attendThreads, rows < 16 ? 2 : 1)
    attendKernel(const __grid_constant__ Attention a, const __grid_constant__ AttendGrid grid) {
    extern __shared__ FourWords memory[];
    DeviceBlock<attendThreads> block;
    Attend<DeviceBlock<attendThreads>, rows> attend(
        block, a, grid, {int(blockIdx.z), int(blockIdx.y), int(blockIdx.x)}, memory);
    attend.run();
}
__global__ void __launch_bounds__(attendThreads) appendKernel(const __grid_constant__ Attention a) {
    DeviceBlock<attendThreads> block;
    const int first = int(blockIdx.x) * attendWarps;
    appendTokens(block, a, int(blockIdx.y), first, min(first + attendWarps, a.tokens), *a.position);
}

__global__ void __launch_bounds__(tokenThreads) beginKernel(const __grid_constant__ Begin begin) {
    DeviceBlock<tokenThreads> block;
    beginBody(block, begin, blockIdx.x);
}
__global__ void __launch_bounds__(tokenThreads)
    compareKernel(const __grid_constant__ Choice choice) {
    __shared__ ChoiceShared shared;
    DeviceBlock<tokenThreads> block;
    compareBody(block, choice, blockIdx.x, shared);
}
__global__ void __launch_bounds__(tokenThreads)
    chooseKernel(const __grid_constant__ Choice choice) {
    __shared__ ChoiceShared shared;
    DeviceBlock<tokenThreads> block;
    chooseBody(block, choice, blockIdx.x, shared);
}

void* attendKernelOf(int rows) {
    switch (rows) {
    case 1:
        return reinterpret_cast<void*>(attendKernel<1>);
    case 2:
        return reinterpret_cast<void*>(attendKernel<2>);
    case 4:
        return reinterpret_cast<void*>(attendKernel<4>);
    case 8:
        return reinterpret_cast<void*>(attendKernel<8>);
    default:
        return reinterpret_cast<void*>(attendKernel<16>);
    }
}

} // namespace

cudaError_t prepareAttention(int sharedBytes) {
    cudaError_t error = cudaSuccess;
    for (int rows = 1; rows <= 16 && error == cudaSuccess; rows *= 2)
        error = cudaFuncSetAttribute(attendKernelOf(rows),
                                     cudaFuncAttributeMaxDynamicSharedMemorySize, sharedBytes);
    return error;
}

cudaError_t launchRound(const RoundView& view, cudaStream_t stream) {
    return launch(roundKernel, dim3(view.threadBlocks, unsigned(view.padded)), roundThreads, stream,
                  view);
}

cudaError_t launchStage(const Input& input, int32_t tokens, float* out, int64_t outStride,
                        cudaStream_t stream) {
    const dim3 grid(unsigned((outStride + 2047) / 2048), unsigned(tokens));
    return launch(stageKernel, grid, roundThreads, stream, input, out, outStride);
}

cudaError_t launchRows(int32_t type, const RowsView& view, cudaStream_t stream) {
    switch (type) {
    case BITLOOM_CUDA_F32:
        return launchRowsOf<BITLOOM_CUDA_F32>(view, stream);
    case BITLOOM_CUDA_F16:
        return launchRowsOf<BITLOOM_CUDA_F16>(view, stream);
    default:
        return launchRowsOf<BITLOOM_CUDA_BF16>(view, stream);
    }
}

cudaError_t launchRowsToHalf(int32_t type, const void* from, int64_t stride, int64_t rows,
                             float factor, uint16_t* out, cudaStream_t stream) {
    const int64_t count = rows * stride;
    return launch(rowsToHalfKernel, unsigned((count + 255) / 256), 256, stream, type, from, count,
                  factor, out);
}

cudaError_t launchRandomWords(uint32_t* out, int64_t words, uint64_t seed, cudaStream_t stream) {
    return launch(randomWordsKernel, 1024, 256, stream, out, words, seed);
}
cudaError_t launchRandomRows(int32_t type, void* out, int64_t count, uint64_t seed,
                             cudaStream_t stream) {
    return launch(randomRowsKernel, 1024, 256, stream, type, out, count, seed);
}

cudaError_t launchAttention(const Attention& a, int wanted, cudaStream_t stream) {
    const AttendGrid grid = attendGrid(a, wanted);
    if (grid.appends) {
        const cudaError_t error =
            launch(appendKernel,
                   dim3(unsigned((a.tokens + attendWarps - 1) / attendWarps), unsigned(a.kvHeads)),
                   attendThreads, stream, a);
        if (error != cudaSuccess) return error;
    }
    void* arguments[] = {const_cast<Attention*>(&a), const_cast<AttendGrid*>(&grid)};
    return cudaLaunchKernel(attendKernelOf(grid.rows),
                            dim3(unsigned(grid.splits), unsigned(grid.tiles), unsigned(a.kvHeads)),
                            dim3(attendThreads), arguments,
                            size_t(AttendShared::bytes(grid.rows, a.headDim)), stream);
}

cudaError_t launchBegin(const Begin& begin, cudaStream_t stream) {
    return launch(beginKernel, unsigned(begin.tokens), tokenThreads, stream, begin);
}

cudaError_t launchChoose(const Choice& choice, cudaStream_t stream) {
    const auto slices = unsigned(ChoiceScratch::slices(choice.vocab));
    const cudaError_t error = launch(compareKernel, slices, tokenThreads, stream, choice);
    if (error != cudaSuccess) return error;
    return launch(chooseKernel, slices, tokenThreads, stream, choice);
}

} // namespace bitloom::cuda
