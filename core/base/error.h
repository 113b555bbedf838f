// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include <stdexcept>
#include <string>
#include <utility>

namespace bitloom {

/// What went wrong, as the exit code of the command line.
enum class ErrorCode {
    Failed = 1,    ///< bad input, or an operation that could not be done
    Usage = 2,     ///< a wrong option, or a budget or pin that cannot be met
    Cancelled = 3, ///< the user asked to stop
    NoSpace = 4,   ///< not enough disk or memory
    NoDevice = 5,  ///< a GPU was asked for and there is none that can be used
};

/// The only exception that core throws on purpose. `what()` says what is wrong and where;
/// `hint()` says what to do about it and may be empty.
class Error : public std::runtime_error {
public:
    Error(ErrorCode code, const std::string& message, std::string hint = {})
        : std::runtime_error(message), m_code(code), m_hint(std::move(hint)) {}
    explicit Error(const std::string& message, std::string hint = {})
        : Error(ErrorCode::Failed, message, std::move(hint)) {}

    ErrorCode code() const { return m_code; }
    const std::string& hint() const { return m_hint; }

private:
    ErrorCode m_code;
    std::string m_hint;
};

} // namespace bitloom
