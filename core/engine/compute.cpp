// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/engine/compute.h"

#include "core/base/threads.h"

#include <ATen/Parallel.h>

#include <cstdlib>
#include <unistd.h>

namespace bitloom {

int ComputeOptions::threadsOrDefault() const {
    return threads > 0 ? threads : defaultThreads();
}

int64_t ComputeOptions::memoryOrDefault() const {
    if (memoryBytes > 0) return memoryBytes;
    const int64_t machine = int64_t(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGE_SIZE);
    return machine / 4 * 3;
}

void initEngine(const ComputeOptions& compute) {
    // Conditional numerical reproducibility: with it MKL promises the same bits for the same input,
    // alignment and thread count. A resumed run must continue byte for byte.
    setenv("MKL_CBWR", "AUTO", 0);
    at::set_num_threads(compute.threadsOrDefault());
}

} // namespace bitloom
