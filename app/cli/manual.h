// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include <string>
#include <string_view>

namespace CLI {
class App;
} // namespace CLI

namespace bitloom::cli {

/// The manual page bitloom(1) in mdoc. Commands and options come from the tables that --help shows,
/// so the two cannot disagree.
std::string manualPage(const CLI::App& app);

/// Completion of commands, options and their values for "bash", "zsh" or "fish", from the same
/// tables. Throws Error(Usage) for another shell.
std::string completionScript(const CLI::App& app, std::string_view shell);

} // namespace bitloom::cli
