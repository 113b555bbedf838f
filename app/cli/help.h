// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include <CLI/CLI.hpp>

#include <string>
#include <string_view>

namespace bitloom::cli {

/// Help texts: plain names of values in place of types and ranges, defaults behind the explanation,
/// lines that fit a page, and the options that every command has at the end.
class HelpFormatter final : public CLI::FormatterBase {
public:
    std::string make_help(const CLI::App* app, std::string name,
                          CLI::AppFormatMode mode) const override;
};

/// `text` broken into lines of at most `width` columns; every line but the first begins with
/// `indent` spaces, which count.
std::string wrapped(std::string_view text, size_t width, size_t indent);

} // namespace bitloom::cli
