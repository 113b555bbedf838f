// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/engine/runtime/linear.h"

namespace bitloom::runtime {

/// From so many tokens on, rows of plain numbers are multiplied by libtorch's GEMM.
inline constexpr int64_t manyTokens = 9;

/// y [count, rows] = x [count, cols]·Wᵀ, without bias, for a matrix that has no panels. Uses
/// libtorch's threads and, where rows are not float32 yet, up to 32 MiB.
void multiplyMany(const Linear& linear, const float* x, int64_t count, float* y, int threads);

} // namespace bitloom::runtime
