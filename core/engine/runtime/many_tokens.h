// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/engine/runtime/linear.h"

#include <string>

namespace bitloom::runtime {

/// From so many tokens on, a matrix is turned into float32 and multiplied by libtorch's GEMM.
inline constexpr int64_t manyTokens = 9;

/// y [count, rows] = x [count, cols]·Wᵀ, without bias. `layer`: name of the linear layer that
/// `linear` is, empty for the head. Uses libtorch's threads and, where rows are not float32 yet, up
/// to 32 MiB.
void multiplyMany(const ModelWeights& weights, const std::string& layer, const Linear& linear,
                  const float* x, int64_t count, float* y, int threads);

} // namespace bitloom::runtime
