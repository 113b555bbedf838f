// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include <cstdint>

namespace bitloom {

/// How much of the machine a job may use.
struct ComputeOptions {
    int threads = 0;         ///< 0 = defaultThreads()
    int64_t memoryBytes = 0; ///< cap on resident memory; 0 = three quarters of the machine's

    int threadsOrDefault() const;
    int64_t memoryOrDefault() const;
};

/// Must run once before any other engine call, from the main thread: sets libtorch's threads and
/// asks its BLAS for reproducible results (same input, same thread count → same bits).
void initEngine(const ComputeOptions& compute);

} // namespace bitloom
