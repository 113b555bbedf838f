// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/base/progress.h"
#include "core/engine/detail/hessian.h"
#include "core/format/column_weights.h"

#include <ATen/ATen.h>

namespace bitloom::detail {

/// Round to nearest, per group of columns of each row. `weight` [N, K] float32.
GroupWeights roundToNearest(const at::Tensor& weight, const GroupFormat& format, int threads,
                            const Progress& progress);

/// GPTQ with a uniform grid per group (arXiv 2210.17323), in the order of `hessian`. Groups are
/// runs of `groupSize` columns in that order (with act-order the column's group is kept in
/// groupIndex); the grid of a group is fitted to the compensated weights when its first column is
/// reached.
GroupWeights groupGptq(const at::Tensor& weight, const FactoredHessian& hessian,
                       const GroupFormat& format, const Progress& progress);

} // namespace bitloom::detail
