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

} // namespace bitloom
