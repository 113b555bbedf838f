// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/text/vocabulary.h"

#include "core/base/error.h"

#include <algorithm>

namespace bitloom::text {

Vocabulary::Vocabulary(std::vector<std::pair<std::string, int32_t>> tokens,
                       std::string_view where) {
    int32_t largest = -1;
    for (const auto& [text, id] : tokens)
        largest = std::max(largest, id);
    if (largest >= 0 && static_cast<size_t>(largest) > 4 * tokens.size() + (1 << 18))
        throw Error(std::string(where) + ": token id " + std::to_string(largest) +
                    " is far beyond the " + std::to_string(tokens.size()) + " tokens");
    m_tokens.resize(static_cast<size_t>(largest + 1));
    for (auto& [text, id] : tokens) {
        auto& slot = m_tokens[static_cast<size_t>(id)];
        if (slot)
            throw Error(std::string(where) + ": the tokens \"" + *slot + "\" and \"" + text +
                        "\" have the same id " + std::to_string(id));
        slot = std::move(text);
    }
    m_ids.reserve(tokens.size());
    for (size_t id = 0; id < m_tokens.size(); ++id)
        if (m_tokens[id]) m_ids[*m_tokens[id]] = static_cast<int32_t>(id);
}

std::optional<int32_t> Vocabulary::find(std::string_view token) const {
    const auto it = m_ids.find(token);
    if (it == m_ids.end()) return std::nullopt;
    return it->second;
}

const std::string* Vocabulary::text(int32_t id) const {
    if (id < 0 || id >= size() || !m_tokens[static_cast<size_t>(id)]) return nullptr;
    return &*m_tokens[static_cast<size_t>(id)];
}

} // namespace bitloom::text
