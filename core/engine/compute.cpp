// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/engine/compute.h"

#include <ATen/Parallel.h>

#include <cstdlib>

namespace bitloom {

void initEngine(const ComputeOptions& compute) {
    // Conditional numerical reproducibility: with it MKL promises the same bits for the same input,
    // alignment and thread count. A resumed run must continue byte for byte.
    setenv("MKL_CBWR", "AUTO", 0);
    at::set_num_threads(compute.threadsOrDefault());
}

} // namespace bitloom
