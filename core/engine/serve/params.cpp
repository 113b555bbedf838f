// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/engine/serve/params.h"

#include <spdlog/fmt/fmt.h>

#include <cmath>

namespace bitloom::serve {

Params::Params(const Json& object, std::string where)
    : m_object(object), m_where(std::move(where)) {
    if (!object.is_object()) refuse("the parameters are no JSON object");
}

void Params::refuse(const std::string& what, const std::string& hint) const {
    throw RpcError(RpcCode::InvalidParams, m_where + ": " + what, hint);
}

void Params::wrongType(const char* name, const char* wanted) const {
    refuse(fmt::format("'{}' must be {}", name, wanted));
}

const Json* Params::find(const char* name) {
    m_known.insert(name);
    const auto found = m_object.find(name);
    return found == m_object.end() || found->is_null() ? nullptr : &*found;
}

bool Params::has(const char* name) {
    return find(name) != nullptr;
}

std::string Params::text(const char* name, const std::string& otherwise) {
    const Json* value = find(name);
    if (!value) return otherwise;
    if (!value->is_string()) wrongType(name, "a text");
    return value->get<std::string>();
}

std::string Params::requireText(const char* name) {
    if (!has(name)) refuse(fmt::format("'{}' is missing", name));
    std::string value = text(name);
    if (value.empty()) refuse(fmt::format("'{}' is empty", name));
    return value;
}

std::string Params::choice(const char* name, std::initializer_list<const char*> allowed,
                           const std::string& otherwise) {
    std::string value = text(name, otherwise), list;
    for (const char* candidate : allowed) {
        if (value == candidate) return value;
        list += (list.empty() ? "" : ", ") + std::string(candidate);
    }
    refuse(fmt::format("'{}' is '{}'; it must be one of: {}", name, value, list));
}

int64_t Params::integer(const char* name, int64_t otherwise, int64_t least, int64_t most) {
    const Json* value = find(name);
    if (!value) return otherwise;
    const bool whole = value->is_number_integer() ||
                       (value->is_number_float() && std::trunc(value->get<double>()) == *value &&
                        std::fabs(value->get<double>()) < 9e15);
    if (!whole) wrongType(name, "a whole number");
    const bool huge = value->is_number_unsigned() && value->get<uint64_t>() > uint64_t(INT64_MAX);
    const int64_t number = huge                       ? INT64_MAX
                           : value->is_number_float() ? int64_t(value->get<double>())
                                                      : value->get<int64_t>();
    if (huge || number < least || number > most)
        refuse(fmt::format("'{}' is {}; it must lie between {} and {}", name, value->dump(), least,
                           most));
    return number;
}

double Params::number(const char* name, double otherwise, double least, double most) {
    const Json* value = find(name);
    if (!value) return otherwise;
    if (!value->is_number()) wrongType(name, "a number");
    const double number = value->get<double>();
    if (!(number >= least && number <= most))
        refuse(fmt::format("'{}' is {:g}; it must lie between {:g} and {:g}", name, number, least,
                           most));
    return number;
}

double Params::requireNumber(const char* name, double least, double most) {
    if (!has(name)) refuse(fmt::format("'{}' is missing", name));
    return number(name, 0, least, most);
}

bool Params::flag(const char* name, bool otherwise) {
    const Json* value = find(name);
    if (!value) return otherwise;
    if (!value->is_boolean()) wrongType(name, "true or false");
    return value->get<bool>();
}

std::vector<std::string> Params::texts(const char* name) {
    const Json* value = find(name);
    std::vector<std::string> out;
    if (!value) return out;
    if (!value->is_array()) wrongType(name, "a list of texts");
    for (const Json& entry : *value) {
        if (!entry.is_string()) wrongType(name, "a list of texts");
        out.push_back(entry.get<std::string>());
    }
    return out;
}

std::vector<int32_t> Params::ids(const char* name) {
    const Json* value = find(name);
    std::vector<int32_t> out;
    if (!value) return out;
    const char* wanted = "a list of token ids, whole numbers from 0 to 2147483647";
    if (!value->is_array()) wrongType(name, wanted);
    for (const Json& entry : *value) {
        if (!entry.is_number_integer() || entry < 0 || entry > INT32_MAX) wrongType(name, wanted);
        out.push_back(entry.get<int32_t>());
    }
    return out;
}

const Json* Params::object(const char* name) {
    const Json* value = find(name);
    if (value && !value->is_object()) wrongType(name, "an object");
    return value;
}

const Json* Params::array(const char* name) {
    const Json* value = find(name);
    if (value && !value->is_array()) wrongType(name, "a list");
    return value;
}

void Params::finish() const {
    for (const auto& [name, value] : m_object.items())
        if (!m_known.contains(name)) {
            std::string list;
            for (const std::string& known : m_known)
                list += (list.empty() ? "" : ", ") + known;
            refuse(fmt::format("there is no parameter '{}'", name),
                   list.empty() ? "It takes none." : "Known are: " + list + ".");
        }
}

} // namespace bitloom::serve
