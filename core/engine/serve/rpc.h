// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/base/error.h"

#include <nlohmann/json.hpp>

#include <exception>
#include <stdexcept>
#include <string>
#include <string_view>

/// `bitloom serve`: the engine behind a pipe. PROTOCOL.md says what it speaks.
namespace bitloom::serve {

using Json = nlohmann::json;

inline constexpr int protocolVersion = 1;
inline constexpr size_t maxLineBytes = 16 << 20;

/// PROTOCOL.md §3.
enum class RpcCode {
    ParseError = -32700,
    InvalidRequest = -32600,
    MethodNotFound = -32601,
    InvalidParams = -32602,
    Internal = -32603,
    Failed = -32001,
    Usage = -32002,
    Cancelled = -32003,
    NoSpace = -32004,
    NoDevice = -32005,
    VersionMismatch = -32010,
    HelloFirst = -32011,
    LineTooLong = -32012,
};

/// What a request is answered with where it fails.
class RpcError : public std::runtime_error {
public:
    RpcError(RpcCode code, const std::string& message, std::string hint = {})
        : std::runtime_error(message), m_code(code), m_hint(std::move(hint)) {}
    explicit RpcError(const Error& error);

    RpcCode code() const { return m_code; }
    const std::string& hint() const { return m_hint; }
    int exitCode() const; ///< of the command line for the same failure
    Json toJson() const;  ///< {"code", "message", "data": {"code", "hint"}}

private:
    RpcCode m_code;
    std::string m_hint;
};

/// Any exception as what the client is told; what nobody expected goes to the log in full.
RpcError rpcErrorOf(const std::exception_ptr& exception);

struct Request {
    Json id; ///< integer or string; null for a notification
    std::string method;
    Json params = Json::object();
    bool notification() const { return id.is_null(); }
};

/// Throws RpcError (ParseError, InvalidRequest).
Request parseRequest(std::string_view line);

Json resultMessage(const Json& id, Json result);
Json errorMessage(const Json& id, const RpcError& error);
Json notificationMessage(std::string_view method, Json params);

} // namespace bitloom::serve
