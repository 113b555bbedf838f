// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include <nlohmann/json.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace bitloom::text {

/// Typed access to members of a tokenizer's JSON files. A member that is missing or null counts as
/// absent; one of another type throws Error naming `where` and the member.
const nlohmann::json* findField(const nlohmann::json& object, const char* key);
std::optional<bool> optionalBool(const nlohmann::json& object, const char* key,
                                 std::string_view where);
std::optional<std::string> optionalString(const nlohmann::json& object, const char* key,
                                          std::string_view where);
std::string requireString(const nlohmann::json& object, const char* key, std::string_view where);
const nlohmann::json& requireObject(const nlohmann::json& object, const char* key,
                                    std::string_view where);
const nlohmann::json& requireArray(const nlohmann::json& object, const char* key,
                                   std::string_view where);
/// A single character. Throws Error for anything else.
char32_t requireChar(const nlohmann::json& object, const char* key, std::string_view where);

/// A token id: an integer in [0, maxTokenId].
int32_t tokenId(const nlohmann::json& value, std::string_view where);
inline constexpr int64_t maxTokenId = (1 << 24) - 1;

/// The "type" of a component, or Error if the component is no object or has none.
std::string componentType(const nlohmann::json& component, std::string_view where);

/// Nested Sequences deeper than this are refused.
inline constexpr int maxComponentDepth = 16;

} // namespace bitloom::text
