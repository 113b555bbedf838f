// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/base/compute_options.h"

#include "core/base/threads.h"

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

} // namespace bitloom
