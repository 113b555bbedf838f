// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/format/column_weights.h"
#include "kernels/gpu_columns.h"

#include <cstdint>
#include <span>

namespace bitloom {

/// A column layer as kernels/gpu_columns.h multiplies it, codes packed: what CudaMatrix takes.
/// Every kind of column ends up in one of the kernels' six, as in PanelWeights; what a fractional
/// zero adds goes with the activations. Throws Error for weights that break FORMAT's limits on
/// tables, and for more than 65,536 columns. Weights without codes give a matrix without: the
/// device makes them up.
kernels::GpuMatrix gpuMatrixOf(const ColumnWeights& weights, int threads);
/// 8-bit rows with a scale each (`rows8` of FORMAT §1: a head): codes [N, cols] with
/// N = rowScale.size().
kernels::GpuMatrix gpuMatrixOf(std::span<const int8_t> codes, std::span<const float> rowScale,
                               int64_t cols, int threads);

} // namespace bitloom
