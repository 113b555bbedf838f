// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors

// Codes from the checkpoint's form to that of the decode bodies, and back to weights for prompts.

#include "kernels/cuda/code_place.h"
#include "kernels/cuda/decode.h"
#include "kernels/cuda/fixed_point.h"
#include "kernels/cuda/launch.cuh"
#include "kernels/cuda/pack_lane.h"
#include "kernels/cuda/product.h"

#include <cuda_bf16.h>
#include <cuda_fp16.h>

namespace bitloom::cuda {

namespace decode = kernels::decode;
namespace fixed = kernels::fixed;
using kernels::PanelKind;

namespace {

__global__ void packKernel(const __grid_constant__ GpuLayout layout, int64_t rows,
                           const uint32_t* words, const PackColumn* columns, uint32_t* codes) {
    const int64_t index = int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
    if (index < packThreads(layout, rows)) packLane(layout, rows, words, columns, index, codes);
}

/// Value that codes and tables give, without the column's offset.
__device__ int valueOf(const MatrixView& m, const kernels::GpuSegment& segment,
                       const uint32_t* codes, int step, int in, int row) {
    const kernels::GpuCodePlace place = kernels::codePlaceOnGpu(segment.kind, in, row);
    int code = 0;
    for (int p = 0; p < place.parts; ++p)
        code |=
            int(codes[place.part[p].word] >> place.part[p].shift & ((1u << place.part[p].bits) - 1))
            << place.part[p].from;
    const int entries = 4 * decode::tableWordsOf(segment.kind);
    if (entries == 0) return code;
    const auto* tables = reinterpret_cast<const uint8_t*>(m.tables) + segment.tables +
                         int64_t(step - segment.firstStep) * entries * kernels::gpuStep;
    const int at = in % 16 * entries + code;
    const uint8_t entry = tables[(at / 16 * 4 + in / 16) * 16 + at % 16];
    if (segment.kind != PanelKind::Table4) return entry;
    return code >= 8 ? int(entry) - 1 : int(int8_t(entry));
}

/// A warp writes two rows of one step: lanes of a row are neighbours in memory.
__global__ void dequantizeKernel(const __grid_constant__ MatrixView m, int64_t firstRow,
                                 int64_t rows, uint16_t* out, int64_t stride) {
    const int64_t row = int64_t(blockIdx.y) * 8 + threadIdx.x / 32;
    if (row >= rows) return;
    const int64_t n = firstRow + row, tile = n / kernels::gpuTileRows;
    const int step = int(blockIdx.x);
    const int64_t stored = m.layout.columns();
    uint16_t* to = out + row * stride;
    if (step == m.layout.steps) { // raw columns, and zeros to the end
        for (int64_t j = threadIdx.x % 32; stored + j < stride; j += 32) {
            float value = 0;
            if (j < m.rawColumns) {
                const uint16_t bits = m.raw[j * m.rows + n];
                value = m.rawBfloat16 ? __bfloat162float(__ushort_as_bfloat16(bits))
                                      : __half2float(__ushort_as_half(bits));
            }
            to[stored + j] = __half_as_ushort(__float2half_rn(value));
        }
        return;
    }
    const kernels::GpuSegment& segment = m.layout.segment[segmentOf(m.layout, step)];
    const uint32_t* codes =
        m.codes + (tile * m.layout.tileBytes + segment.codes) / 4 +
        int64_t(step - segment.firstStep) *
            (kernels::gpuTileRows / kernels::gpuBlockRows * decode::blockWordsOf(segment.kind));
    uint32_t pair = 0;
    for (int i = 0; i < 2; ++i) {
        const int in = int(threadIdx.x % 32) * 2 + i;
        const int64_t k = int64_t(step) * kernels::gpuStep + in;
        const int value =
            valueOf(m, segment, codes, step, in, int(n % kernels::gpuTileRows)) + m.offset[k];
        const float weight = fixed::add(fixed::multiply(m.scale[k], float(value)), m.remainder[k]);
        pair |= uint32_t(__half_as_ushort(__float2half_rn(m.column[k] < 0 ? 0.f : weight)))
                << (16 * i);
    }
    *reinterpret_cast<uint32_t*>(to + int64_t(step) * kernels::gpuStep + threadIdx.x % 32 * 2) =
        pair;
}

/// Outliers of a tile's rows; a row's columns differ.
__global__ void outliersKernel(const __grid_constant__ MatrixView m, int64_t firstRow, int64_t rows,
                               const int32_t* place, uint16_t* out, int64_t stride) {
    const int64_t tile = firstRow / kernels::gpuTileRows + blockIdx.x;
    for (uint32_t i = m.outlierBegin[tile] + threadIdx.x; i < m.outlierBegin[tile + 1];
         i += blockDim.x) {
        const int64_t row = tile * kernels::gpuTileRows + m.outlierRow[i] - firstRow;
        const int32_t at = place[m.outlier[i] & 0xffffu];
        if (row >= rows || at < 0) continue;
        uint16_t& value = out[row * stride + at];
        value = __half_as_ushort(
            __float2half_rn(__half2float(__ushort_as_half(value)) +
                            __half2float(__ushort_as_half(uint16_t(m.outlier[i] >> 16)))));
    }
}

} // namespace

cudaError_t launchPack(const GpuLayout& layout, int64_t rows, const uint32_t* words,
                       const PackColumn* columns, uint32_t* codes, cudaStream_t stream) {
    const int64_t threads = packThreads(layout, rows);
    return launch(packKernel, unsigned((threads + 127) / 128), 128, stream, layout, rows, words,
                  columns, codes);
}

cudaError_t launchDequantize(const MatrixView& matrix, int64_t firstRow, int64_t rows,
                             const int32_t* place, uint16_t* out, int64_t stride,
                             cudaStream_t stream) {
    const dim3 grid(unsigned(matrix.layout.steps + 1), unsigned((rows + 7) / 8));
    const cudaError_t error =
        launch(dequantizeKernel, grid, 256, stream, matrix, firstRow, rows, out, stride);
    if (error != cudaSuccess || !matrix.outlierBegin) return error;
    const auto tiles = unsigned(GpuLayout::tiles(rows));
    return launch(outliersKernel, tiles, 256, stream, matrix, firstRow, rows, place, out, stride);
}

} // namespace bitloom::cuda
