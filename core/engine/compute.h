// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/base/compute_options.h"

namespace bitloom {

/// Must run once before any other engine call, from the main thread: sets libtorch's threads and
/// asks its BLAS for reproducible results (same input, same thread count → same bits).
void initEngine(const ComputeOptions& compute);

} // namespace bitloom
