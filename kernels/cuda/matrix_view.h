// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "kernels/gpu_columns.h"

#include <cstdint>

namespace bitloom::cuda {

using kernels::GpuLayout;

/// A matrix where the kernels read it; see kernels::GpuMatrix.
struct MatrixView {
    GpuLayout layout;
    int64_t rows, cols;
    const uint32_t *codes, *tables;
    const int32_t* column;
    const float *scale, *remainder;
    const int16_t* offset;
    const uint32_t* blockFirstStep; ///< [blocks + 1]
    int32_t blocks;
    float extraLimit;
    const uint32_t* outlierBegin; ///< [tiles + 1] or null
    const uint32_t* outlier;      ///< column in the lower, fp16 value in the upper 16 bits
    const uint8_t* outlierRow;
    const int32_t* rawColumn;
    const uint16_t* raw;
    int32_t rawColumns, rawBfloat16;
    const float* rowScale; ///< or null
    const float* bias;     ///< or null
    int32_t remainders;    ///< 1: some remainder is not 0
};

/// Where a stored column's codes are in the checkpoint's form: BitloomCudaColumn.
struct PackColumn {
    uint64_t word;
    int32_t bits, replaced;
    uint8_t entries[32];
};

/// One token, rounded: see kernels::GpuToken.
struct TokenScale {
    float unit, inverse[2];
    int32_t padding;
    int64_t start;
};

} // namespace bitloom::cuda
