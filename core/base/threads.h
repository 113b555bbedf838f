// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include <cstdint>
#include <functional>

namespace bitloom {

/// Number of threads to use where the user named none: the cores this process may run on.
int defaultThreads();

/// Calls `body(begin, end)` for disjoint ranges of at most `grain` that together cover [0, n), on
/// up to `threads` threads, the caller's among them. Ranges are handed out as threads become free,
/// so `body` must not depend on who runs it. The first exception thrown by a body is rethrown here
/// after all threads have stopped.
void parallelFor(int64_t n, int64_t grain, int threads,
                 const std::function<void(int64_t begin, int64_t end)>& body);

} // namespace bitloom
