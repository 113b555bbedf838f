// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>

namespace bitloom {

/// Number of threads to use where the user named none: the cores this process may run on.
int defaultThreads();

/// Cores that the control groups of a process allow it (CPU quota, versions 1 and 2), rounded up;
/// 0 = no limit. `procCgroup` is its /proc/<pid>/cgroup, `mount` where the hierarchy is mounted.
int cgroupCores(const std::filesystem::path& procCgroup, const std::filesystem::path& mount);

/// Calls `body(begin, end)` for disjoint ranges of at most `grain` that together cover [0, n), on
/// up to `threads` threads, the caller's among them. Ranges are handed out as threads become free,
/// so `body` must not depend on who runs it. The first exception thrown by a body is rethrown here
/// after all threads have stopped.
void parallelFor(int64_t n, int64_t grain, int threads,
                 const std::function<void(int64_t begin, int64_t end)>& body);

} // namespace bitloom
