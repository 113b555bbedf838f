// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace bitloom::text {

/// The tokens of a model, by id and by text. Immutable after it is made.
class Vocabulary {
public:
    Vocabulary() = default;
    /// Throws Error for two tokens of one id, and for ids so far beyond the number of tokens that
    /// the table would be mostly holes. Of equal texts the last one is found. `where` is used in
    /// messages.
    Vocabulary(std::vector<std::pair<std::string, int32_t>> tokens, std::string_view where);
    Vocabulary(const Vocabulary&) = delete; ///< m_ids points into m_tokens
    Vocabulary& operator=(const Vocabulary&) = delete;
    Vocabulary(Vocabulary&&) = default;
    Vocabulary& operator=(Vocabulary&&) = default;

    std::optional<int32_t> find(std::string_view token) const;
    /// Null for ids that no token has.
    const std::string* text(int32_t id) const;
    int32_t size() const { return static_cast<int32_t>(m_tokens.size()); } ///< largest id + 1

private:
    std::vector<std::optional<std::string>> m_tokens;
    std::unordered_map<std::string_view, int32_t> m_ids;
};

} // namespace bitloom::text
