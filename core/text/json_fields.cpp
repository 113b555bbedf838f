// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/text/json_fields.h"

#include "core/base/error.h"
#include "core/text/unicode.h"

namespace bitloom::text {

namespace {

[[noreturn]] void throwWrongType(std::string_view where, const char* key, const char* expected) {
    throw Error(std::string(where) + ": \"" + key + "\" is not " + expected);
}

} // namespace

const nlohmann::json* findField(const nlohmann::json& object, const char* key) {
    if (!object.is_object()) return nullptr;
    const auto it = object.find(key);
    return it == object.end() || it->is_null() ? nullptr : &*it;
}

std::optional<bool> optionalBool(const nlohmann::json& object, const char* key,
                                 std::string_view where) {
    const nlohmann::json* field = findField(object, key);
    if (!field) return std::nullopt;
    if (!field->is_boolean()) throwWrongType(where, key, "true or false");
    return field->get<bool>();
}

std::optional<std::string> optionalString(const nlohmann::json& object, const char* key,
                                          std::string_view where) {
    const nlohmann::json* field = findField(object, key);
    if (!field) return std::nullopt;
    if (!field->is_string()) throwWrongType(where, key, "a string");
    return field->get<std::string>();
}

std::string requireString(const nlohmann::json& object, const char* key, std::string_view where) {
    std::optional<std::string> value = optionalString(object, key, where);
    if (!value) throw Error(std::string(where) + ": \"" + key + "\" is missing");
    return *value;
}

const nlohmann::json& requireObject(const nlohmann::json& object, const char* key,
                                    std::string_view where) {
    const nlohmann::json* field = findField(object, key);
    if (!field) throw Error(std::string(where) + ": \"" + key + "\" is missing");
    if (!field->is_object()) throwWrongType(where, key, "an object");
    return *field;
}

const nlohmann::json& requireArray(const nlohmann::json& object, const char* key,
                                   std::string_view where) {
    const nlohmann::json* field = findField(object, key);
    if (!field) throw Error(std::string(where) + ": \"" + key + "\" is missing");
    if (!field->is_array()) throwWrongType(where, key, "an array");
    return *field;
}

char32_t requireChar(const nlohmann::json& object, const char* key, std::string_view where) {
    const std::string value = requireString(object, key, where);
    size_t at = 0;
    const char32_t character = value.empty() ? 0 : nextChar(value, at);
    if (value.empty() || at != value.size()) throwWrongType(where, key, "a single character");
    return character;
}

int32_t tokenId(const nlohmann::json& value, std::string_view where) {
    if (!value.is_number_integer()) throw Error(std::string(where) + ": a token id is no integer");
    if (value.is_number_unsigned() ? value.get<uint64_t>() > uint64_t(maxTokenId)
                                   : value.get<int64_t>() < 0 || value.get<int64_t>() > maxTokenId)
        throw Error(std::string(where) + ": token id " + value.dump() + " is out of range");
    return static_cast<int32_t>(value.get<int64_t>());
}

std::string componentType(const nlohmann::json& component, std::string_view where) {
    if (!component.is_object()) throw Error(std::string(where) + " is not an object");
    return requireString(component, "type", where);
}

} // namespace bitloom::text
