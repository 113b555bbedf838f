// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/text/normalizer.h"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace bitloom::text {

/// A token that is found in the text before the model sees it.
struct AddedToken {
    int32_t id = -1;
    std::string content;
    bool special = false;    ///< left out of decoded text; read in a text only on demand
    bool normalized = false; ///< looked for in the normalized text
    bool lstrip = false;     ///< takes the blanks on its left with it
    bool rstrip = false;     ///< … on its right
    bool singleWord = false; ///< only where it touches no word characters

    /// Reads the fields of `object`, which has no id of its own. Throws Error for wrong types.
    static AddedToken fromJson(const nlohmann::json& object, std::string_view where);
};

/// A part of a text: an added token, or text between them.
struct TextPart {
    std::string_view text;
    int32_t id = -1; ///< -1: plain text
};

/// All added tokens of a tokenizer. Immutable after finish(); thread-safe then.
class AddedTokens {
public:
    /// Adds a token, or gives the one of the same content new properties. Throws Error if another
    /// token has the id already.
    void add(AddedToken token);
    /// To be called once, after the last add().
    void finish(const Normalizer& normalizer);

    const AddedToken* find(int32_t id) const;
    const AddedToken* find(std::string_view content) const;
    const std::vector<AddedToken>& tokens() const { return m_tokens; }
    std::unordered_set<std::string> specialContents() const;

    /// Cuts `text` at the tokens that are looked for in raw (or normalized) text; empty parts are
    /// left out. Special tokens are passed over as text unless `parseSpecial`.
    std::vector<TextPart> split(std::string_view text, bool inNormalized, bool parseSpecial) const;

private:
    /// Finds the longest pattern that begins at a place, byte by byte.
    struct Matcher {
        struct Node {
            std::unordered_map<uint8_t, uint32_t> next;
            int32_t token = -1; ///< index
        };
        std::vector<Node> nodes{1};
        bool firstBytes[256] = {};
        void add(std::string_view pattern, int32_t token);
        /// End of the match at `at` and its token, or token -1.
        std::pair<size_t, int32_t> longest(std::string_view text, size_t at) const;
    };

    std::vector<AddedToken> m_tokens;
    std::unordered_map<int32_t, size_t> m_byId;
    std::unordered_map<std::string, size_t> m_byContent;
    Matcher m_raw, m_normalized;
};

} // namespace bitloom::text
