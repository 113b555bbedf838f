// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include <string>

namespace bitloom {

/// logger(room) with a finished text: for files that spdlog's headers must not meet, such as those
/// that include libtorch's.
void logInfo(const char* room, const std::string& text);
void logWarning(const char* room, const std::string& text);

} // namespace bitloom
