// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/engine/serve/rpc.h"

#include <cstdint>
#include <initializer_list>
#include <limits>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace bitloom::serve {

/// Reads the params of one request, each by name and type. A parameter that is null counts as
/// absent. Every reader throws RpcError(InvalidParams) naming the parameter and what it must be;
/// finish() does so for what nobody asked for.
class Params {
public:
    /// `where` begins the messages: "generate", "generate: streams[1]". `object` must outlive this.
    Params(const Json& object, std::string where);

    bool has(const char* name);
    std::string text(const char* name, const std::string& otherwise = {});
    std::string requireText(const char* name); ///< not empty either
    std::string choice(const char* name, std::initializer_list<const char*> allowed,
                       const std::string& otherwise);
    int64_t integer(const char* name, int64_t otherwise, int64_t least, int64_t most);
    double number(const char* name, double otherwise, double least, double most);
    double requireNumber(const char* name, double least, double most);
    bool flag(const char* name, bool otherwise);
    std::vector<std::string> texts(const char* name);
    std::vector<int32_t> ids(const char* name);
    /// An object or array below, or nullptr.
    const Json* object(const char* name);
    const Json* array(const char* name);

    /// Call after everything was read, before anything is done.
    void finish() const;
    [[noreturn]] void refuse(const std::string& what, const std::string& hint = {}) const;
    const std::string& where() const { return m_where; }

private:
    const Json* find(const char* name);
    [[noreturn]] void wrongType(const char* name, const char* wanted) const;

    const Json& m_object;
    std::string m_where;
    std::set<std::string> m_known;
};

} // namespace bitloom::serve
