// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/text/vocabulary.h"

#include <nlohmann/json.hpp>

#include <array>
#include <cstdint>
#include <string_view>
#include <unordered_set>
#include <vector>

namespace bitloom::text {

/// Unigram model: of all ways to cut a word into tokens, the one with the largest sum of scores.
/// Immutable and thread-safe.
class Unigram {
public:
    /// `model` is the "model" object of a tokenizer.json; `special` are tokens that ordinary text
    /// must never become. Throws Error for wrong types and ids out of range.
    Unigram(const nlohmann::json& model, const std::unordered_set<std::string>& special);

    const Vocabulary& vocabulary() const { return m_vocabulary; }
    std::optional<int32_t> unknownId() const { return m_unknown; }
    /// Appends the ids of one word (valid UTF-8). Throws Error for a character that no token covers
    /// where the model has no unknown token.
    void encode(std::string_view word, std::vector<int32_t>& ids) const;

private:
    /// Nodes of a trie over the tokens' bytes; a node's edges lie together, sorted by byte.
    struct Node {
        uint32_t firstEdge = 0, edgeCount = 0;
        int32_t id = -1;
    };
    struct Edge {
        uint8_t byte;
        uint32_t target;
    };

    void buildTrie();
    const Node* step(const Node& node, uint8_t byte) const;
    void appendToken(std::string_view text, std::vector<int32_t>& ids) const;

    Vocabulary m_vocabulary;
    std::unordered_set<int32_t> m_special;
    std::vector<double> m_scores;
    double m_lowestScore = 0;
    std::vector<Node> m_nodes;
    std::vector<Edge> m_edges;
    std::array<int32_t, 256> m_byteIds{};
    std::optional<int32_t> m_unknown;
    bool m_byteFallback = false;
};

} // namespace bitloom::text
