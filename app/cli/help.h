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

/// The name of an option's value without the ranges and sets that CLI11 adds behind it: "FILE";
/// empty for a flag.
std::string valueName(const CLI::Option& option);
/// An option's explanation with its default behind it.
std::string optionText(const CLI::Option& option);

/// `text` broken into lines of at most `width` columns; every line but the first begins with
/// `indent` spaces, which count.
std::string wrapped(std::string_view text, size_t width, size_t indent);

} // namespace bitloom::cli
