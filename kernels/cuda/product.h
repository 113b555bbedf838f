// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "kernels/cuda/matrix_view.h"
#include "kernels/gpu_columns.h"

#include <cuda_runtime_api.h>

#include <cstdint>

/// What the library's kernels are launched with. All pointers are device memory.
namespace bitloom::cuda {

using TileShare = kernels::GpuTileShare;

struct ProductView {
    MatrixView matrix;
    const uint32_t* chunks; ///< [steps][chunkWords]
    const TokenScale* token;
    const uint32_t* cuts; ///< [thread blocks · crews + 1]
    const TileShare* share;
    unsigned long long* sums; ///< [16, tiles · 256]: 0 between products
    uint32_t* arrived;        ///< [tiles]: 0 between products
    const float* x;
    int64_t xStride;
    float* y;
    int64_t yStride;
    int32_t tokens; ///< that count
    int32_t slotBytes;
};

/// Matrices that are multiplied in one launch: thread blocks [first, first of the next) have one.
struct ProductGroup {
    ProductView view[3];
    uint32_t first[3];
    int32_t count;
};

/// Forms of the product by tokens. `crew`: warps that share steps.
struct Form {
    bool transposed;
    int padded; ///< tokens, padded
    int warpsOfCrew() const { return transposed ? 4 : 1; }
};
constexpr int forms = 6;
Form formAt(int index);
int formFor(int tokens); ///< index
/// Bytes of a slot that holds any piece of a matrix.
int slotBytes(const Form& form, const GpuLayout& layout);

/// Largest dynamic shared memory that a product may ask for is set once per device.
cudaError_t prepareProducts(int sharedBytes);
cudaError_t launchProduct(int form, const ProductGroup& group, int threadBlocks, int crews,
                          int sharedBytes, cudaStream_t stream);

cudaError_t launchPack(const GpuLayout& layout, int64_t rows, const uint32_t* words,
                       const PackColumn* columns, uint32_t* codes, cudaStream_t stream);

/// Weights of rows [firstRow, firstRow + rows) as fp16 [rows, stride]: stored columns, then raw
/// ones; the rest is not written. `place` [cols]: stored column of a source column.
cudaError_t launchDequantize(const MatrixView& matrix, int64_t firstRow, int64_t rows,
                             const int32_t* place, uint16_t* out, int64_t stride,
                             cudaStream_t stream);
/// Source columns in the order of such weights; null: as they are.
struct HalvesView {
    const int32_t* column;
    int64_t stored; ///< columns that `column` is for
    const int32_t* rawColumn;
    int32_t rawColumns;
    int64_t cols; ///< of x
};
/// Activations for it: fp16 [tokens, stride], times a power of two that is 1/factor[t].
cudaError_t launchHalves(const HalvesView& view, const float* x, int64_t xStride, int tokens,
                         uint16_t* out, int64_t stride, float* factor, cudaStream_t stream);
/// y[t, n] = y[t, n]·factor[t]·all·rowScale[n] + bias[n]; the last two may be null.
cudaError_t launchRescale(float* y, int64_t yStride, int64_t rows, int tokens, const float* factor,
                          float all, const float* rowScale, const float* bias, cudaStream_t stream);

} // namespace bitloom::cuda
