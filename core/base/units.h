// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace bitloom {

/// Parses a size in bytes: "2.6GiB", "500M", "1_000", "12 kB". k, M, G, T are powers of 1000;
/// Ki, Mi, Gi, Ti of 1024; a trailing B is allowed. Throws Error(Usage) with the accepted forms.
int64_t parseSize(std::string_view text);

/// "8.92 MB": three significant digits, powers of 1000, with the unit.
std::string formatBytes(int64_t bytes);
/// "3 s", "4 min 10 s", "2 h 05 min".
std::string formatDuration(double seconds);
/// "1,048,576".
std::string formatCount(int64_t value);

/// Peak and present resident size of this process in bytes (VmHWM, VmRSS); 0 where unknown.
int64_t peakResidentBytes();
int64_t residentBytes();
/// "AMD EPYC 9654 96-Core Processor"; "unknown processor" where the system does not say.
std::string processorName();

} // namespace bitloom
