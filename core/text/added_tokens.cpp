// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/text/added_tokens.h"

#include "core/base/error.h"
#include "core/text/json_fields.h"
#include "core/text/unicode.h"

#include <algorithm>

namespace bitloom::text {

AddedToken AddedToken::fromJson(const nlohmann::json& object, std::string_view where) {
    AddedToken token;
    token.content = requireString(object, "content", where);
    token.special = optionalBool(object, "special", where).value_or(false);
    token.normalized = optionalBool(object, "normalized", where).value_or(!token.special);
    token.lstrip = optionalBool(object, "lstrip", where).value_or(false);
    token.rstrip = optionalBool(object, "rstrip", where).value_or(false);
    token.singleWord = optionalBool(object, "single_word", where).value_or(false);
    return token;
}

void AddedTokens::add(AddedToken token) {
    if (token.content.empty()) return;
    if (const auto known = m_byContent.find(token.content); known != m_byContent.end()) {
        AddedToken& old = m_tokens[known->second];
        token.id = old.id;
        old = std::move(token);
        return;
    }
    const auto [it, fresh] = m_byId.emplace(token.id, m_tokens.size());
    if (!fresh)
        throw Error("the added tokens \"" + m_tokens[it->second].content + "\" and \"" +
                    token.content + "\" have the same id " + std::to_string(token.id));
    m_byContent.emplace(token.content, m_tokens.size());
    m_tokens.push_back(std::move(token));
}

void AddedTokens::finish(const Normalizer& normalizer) {
    for (size_t i = 0; i < m_tokens.size(); ++i) {
        const AddedToken& token = m_tokens[i];
        if (token.normalized) {
            m_normalized.add(normalizer.apply(token.content), static_cast<int32_t>(i));
        } else {
            m_raw.add(token.content, static_cast<int32_t>(i));
        }
    }
}

const AddedToken* AddedTokens::find(int32_t id) const {
    const auto it = m_byId.find(id);
    return it == m_byId.end() ? nullptr : &m_tokens[it->second];
}

const AddedToken* AddedTokens::find(std::string_view content) const {
    const auto it = m_byContent.find(std::string(content));
    return it == m_byContent.end() ? nullptr : &m_tokens[it->second];
}

std::unordered_set<std::string> AddedTokens::specialContents() const {
    std::unordered_set<std::string> result;
    for (const AddedToken& token : m_tokens)
        if (token.special) result.insert(token.content);
    return result;
}

void AddedTokens::Matcher::add(std::string_view pattern, int32_t token) {
    if (pattern.empty()) return;
    firstBytes[static_cast<uint8_t>(pattern[0])] = true;
    uint32_t node = 0;
    for (char c : pattern) {
        const auto byte = static_cast<uint8_t>(c);
        const auto known = nodes[node].next.find(byte);
        if (known != nodes[node].next.end()) {
            node = known->second;
        } else {
            const auto fresh = static_cast<uint32_t>(nodes.size());
            nodes[node].next.emplace(byte, fresh);
            nodes.emplace_back();
            node = fresh;
        }
    }
    nodes[node].token = token;
}

std::pair<size_t, int32_t> AddedTokens::Matcher::longest(std::string_view text, size_t at) const {
    std::pair<size_t, int32_t> best{at, -1};
    uint32_t node = 0;
    while (at < text.size()) {
        const auto it = nodes[node].next.find(static_cast<uint8_t>(text[at]));
        if (it == nodes[node].next.end()) break;
        node = it->second;
        ++at;
        if (nodes[node].token >= 0) best = {at, nodes[node].token};
    }
    return best;
}

std::vector<TextPart> AddedTokens::split(std::string_view text, bool inNormalized,
                                         bool parseSpecial) const {
    const Matcher& matcher = inNormalized ? m_normalized : m_raw;
    std::vector<TextPart> parts;
    size_t done = 0;
    const auto addText = [&](size_t begin, size_t end) {
        if (begin < end) parts.push_back({text.substr(begin, end - begin), -1});
    };
    // The search goes on behind a match even where the match is not taken, and looks at the blanks
    // that the last token took with it: both as in the reference.
    for (size_t at = 0; at < text.size();) {
        if (!matcher.firstBytes[static_cast<uint8_t>(text[at])]) {
            ++at;
            continue;
        }
        const auto [matchEnd, index] = matcher.longest(text, at);
        if (index < 0) {
            ++at;
            continue;
        }
        const AddedToken& token = m_tokens[static_cast<size_t>(index)];
        size_t begin = at, end = matchEnd;
        at = matchEnd;
        if (token.special && !parseSpecial) continue;
        if (token.singleWord) {
            size_t next = end;
            const bool wordBefore = begin > 0 && isWord(lastChar(text.substr(0, begin)));
            const bool wordBehind = end < text.size() && isWord(nextChar(text, next));
            if (wordBefore || wordBehind) continue;
        }
        if (token.lstrip) {
            while (begin > done) {
                size_t previous = begin - 1;
                while (previous > 0 && (static_cast<uint8_t>(text[previous]) & 0xC0) == 0x80)
                    --previous;
                size_t end = previous;
                if (!isWhitespace(nextChar(text, end))) break;
                begin = std::max(previous, done);
            }
        }
        if (token.rstrip) {
            while (end < text.size()) {
                size_t next = end;
                if (!isWhitespace(nextChar(text, next))) break;
                end = next;
            }
        }
        if (begin > done) addText(done, begin);
        parts.push_back({text.substr(std::min(begin, end), end - std::min(begin, end)), token.id});
        done = end;
    }
    addText(done, text.size());
    return parts;
}

} // namespace bitloom::text
