// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include <spdlog/logger.h>

#include <memory>

namespace bitloom {

/// The logger of a room ("core", "engine", "cli"), made on first use; all share the sinks of
/// spdlog's default logger at that moment. Core writes to stderr or a file only through these.
std::shared_ptr<spdlog::logger> logger(const char* room);

} // namespace bitloom
