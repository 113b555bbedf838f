// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/engine/serve/rpc.h"

#include "core/base/log.h"
#include "core/io/durable.h"

#include <new>

namespace bitloom::serve {

namespace {

RpcCode codeOf(ErrorCode code) {
    switch (code) {
    case ErrorCode::Failed:
        return RpcCode::Failed;
    case ErrorCode::Usage:
        return RpcCode::Usage;
    case ErrorCode::Cancelled:
        return RpcCode::Cancelled;
    case ErrorCode::NoSpace:
        return RpcCode::NoSpace;
    case ErrorCode::NoDevice:
        return RpcCode::NoDevice;
    }
    return RpcCode::Internal;
}

const char* const memoryHint =
    "Close other programs, or let the job use less memory; finished work is kept.";

} // namespace

RpcError::RpcError(const Error& error)
    : RpcError(codeOf(error.code()), error.what(), error.hint()) {}

int RpcError::exitCode() const {
    switch (m_code) {
    case RpcCode::Failed:
    case RpcCode::Internal:
        return int(ErrorCode::Failed);
    case RpcCode::Cancelled:
        return int(ErrorCode::Cancelled);
    case RpcCode::NoSpace:
        return int(ErrorCode::NoSpace);
    case RpcCode::NoDevice:
        return int(ErrorCode::NoDevice);
    default:
        return int(ErrorCode::Usage);
    }
}

Json RpcError::toJson() const {
    return {{"code", int(m_code)},
            {"message", what()},
            {"data", {{"code", exitCode()}, {"hint", m_hint}}}};
}

RpcError rpcErrorOf(const std::exception_ptr& exception) {
    try {
        std::rethrow_exception(exception);
    } catch (const RpcError& error) {
        return error;
    } catch (const Error& error) {
        return RpcError(error);
    } catch (const std::bad_alloc&) {
        return {RpcCode::NoSpace, "out of memory", memoryHint};
    } catch (const std::exception& error) {
        // Messages of libraries may carry a stack trace: the first line says what happened.
        const std::string all = error.what(), first = all.substr(0, all.find('\n'));
        if (first.find("can't allocate memory") != std::string::npos)
            return {RpcCode::NoSpace, "out of memory: " + first, memoryHint};
        logger("serve")->error("{}", all);
        return {RpcCode::Internal, "unexpected: " + first,
                "Please report this, with the log of the engine."};
    } catch (...) {
        return {RpcCode::Internal, "unexpected failure of unknown kind",
                "Please report this, with the log of the engine."};
    }
}

Request parseRequest(std::string_view line) {
    Json message;
    try {
        message = parseJson(line, "the request");
    } catch (const Error& error) {
        throw RpcError(RpcCode::ParseError, error.what(), "Send one JSON object a line.");
    }
    const auto refuse = [](const std::string& what) {
        throw RpcError(RpcCode::InvalidRequest, what,
                       "Send {\"jsonrpc\":\"2.0\",\"id\":1,\"method\":…,\"params\":{…}}.");
    };
    if (message.is_array()) refuse("batches of requests are not taken");
    if (!message.is_object()) refuse("the request is no JSON object");
    const auto version = message.find("jsonrpc");
    if (version == message.end() || *version != "2.0")
        refuse("the request does not say \"jsonrpc\": \"2.0\"");
    Request request;
    const auto method = message.find("method");
    if (method == message.end() || !method->is_string()) refuse("the request names no method");
    request.method = method->get<std::string>();
    if (const auto id = message.find("id"); id != message.end() && !id->is_null()) {
        if (!id->is_number_integer() && !id->is_string())
            refuse("the request's id is neither an integer nor a string");
        request.id = *id;
    }
    if (const auto params = message.find("params"); params != message.end() && !params->is_null()) {
        if (!params->is_object()) refuse("the request's params are no JSON object");
        request.params = std::move(*params);
    }
    return request;
}

Json resultMessage(const Json& id, Json result) {
    return {{"jsonrpc", "2.0"}, {"id", id}, {"result", std::move(result)}};
}

Json errorMessage(const Json& id, const RpcError& error) {
    return {{"jsonrpc", "2.0"}, {"id", id}, {"error", error.toJson()}};
}

Json notificationMessage(std::string_view method, Json params) {
    return {{"jsonrpc", "2.0"}, {"method", method}, {"params", std::move(params)}};
}

} // namespace bitloom::serve
