// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/text/unigram.h"

#include "core/base/error.h"
#include "core/text/interrupt.h"
#include "core/text/json_fields.h"
#include "core/text/unicode.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace bitloom::text {

namespace {

constexpr double unknownPenalty = 10.0; // as in SentencePiece

} // namespace

Unigram::Unigram(const nlohmann::json& model, const std::unordered_set<std::string>& special) {
    const std::string where = "model Unigram";
    const nlohmann::json& vocab = requireArray(model, "vocab", where);
    std::vector<std::pair<std::string, int32_t>> tokens;
    tokens.reserve(vocab.size());
    m_lowestScore = INFINITY;
    for (const nlohmann::json& entry : vocab) {
        if (!entry.is_array() || entry.size() != 2 || !entry[0].is_string() ||
            !entry[1].is_number() || !std::isfinite(entry[1].get<double>()))
            throw Error(where + ": entry " + std::to_string(tokens.size()) +
                        " of the vocabulary is not a token with its score");
        tokens.emplace_back(entry[0].get<std::string>(), static_cast<int32_t>(tokens.size()));
        m_scores.push_back(entry[1].get<double>());
        m_lowestScore = std::min(m_lowestScore, m_scores.back());
    }
    m_vocabulary = Vocabulary(std::move(tokens), where + ": vocab");
    m_byteFallback = optionalBool(model, "byte_fallback", where).value_or(false);
    if (const nlohmann::json* unknown = findField(model, "unk_id")) {
        m_unknown = tokenId(*unknown, where + ": unk_id");
        if (*m_unknown >= m_vocabulary.size())
            throw Error(where + ": unk_id " + std::to_string(*m_unknown) +
                        " is not in the vocabulary");
    }
    for (int byte = 0; byte < 256; ++byte) {
        char name[8];
        std::snprintf(name, sizeof name, "<0x%02X>", byte);
        m_byteIds[static_cast<size_t>(byte)] = m_vocabulary.find(name).value_or(-1);
    }
    for (const std::string& token : special)
        if (const auto id = m_vocabulary.find(token)) m_special.insert(*id);
    buildTrie();
}

void Unigram::buildTrie() {
    std::vector<std::pair<std::string_view, int32_t>> sorted;
    for (int32_t id = 0; id < m_vocabulary.size(); ++id) {
        const std::string* text = m_vocabulary.text(id);
        // Of equal texts only the one that find() gives counts.
        if (text && !text->empty() && !m_special.contains(id) && m_vocabulary.find(*text) == id)
            sorted.emplace_back(*text, id);
    }
    std::sort(sorted.begin(), sorted.end());
    // Level by level: a node covers a range of sorted tokens that share its prefix.
    struct Open {
        size_t begin, end, depth;
    };
    std::vector<Open> open{{0, sorted.size(), 0}};
    m_nodes.emplace_back();
    for (size_t index = 0; index < open.size(); ++index) {
        auto [begin, end, depth] = open[index];
        if (begin < end && sorted[begin].first.size() == depth)
            m_nodes[index].id = sorted[begin++].second;
        m_nodes[index].firstEdge = static_cast<uint32_t>(m_edges.size());
        while (begin < end) {
            const auto byte = static_cast<uint8_t>(sorted[begin].first[depth]);
            size_t stop = begin;
            while (stop < end && static_cast<uint8_t>(sorted[stop].first[depth]) == byte)
                ++stop;
            m_edges.push_back({byte, static_cast<uint32_t>(open.size())});
            open.push_back({begin, stop, depth + 1});
            m_nodes.emplace_back();
            begin = stop;
        }
        m_nodes[index].edgeCount = static_cast<uint32_t>(m_edges.size()) - m_nodes[index].firstEdge;
    }
}

const Unigram::Node* Unigram::step(const Node& node, uint8_t byte) const {
    const auto begin = m_edges.begin() + node.firstEdge;
    const auto end = begin + node.edgeCount;
    const auto it = std::lower_bound(begin, end, byte,
                                     [](const Edge& edge, uint8_t b) { return edge.byte < b; });
    return it == end || it->byte != byte ? nullptr : &m_nodes[it->target];
}

void Unigram::appendToken(std::string_view text, std::vector<int32_t>& ids) const {
    const auto whole = m_vocabulary.find(text);
    if (whole && !m_special.contains(*whole)) {
        ids.push_back(*whole);
        return;
    }
    const auto byteId = [&](char byte) { return m_byteIds[static_cast<uint8_t>(byte)]; };
    if (m_byteFallback &&
        std::all_of(text.begin(), text.end(), [&](char b) { return byteId(b) >= 0; })) {
        for (char byte : text)
            ids.push_back(byteId(byte));
        return;
    }
    ids.push_back(*m_unknown);
}

void Unigram::encode(std::string_view word, std::vector<int32_t>& ids) const {
    constexpr size_t unreached = SIZE_MAX;
    struct Best {
        double score = 0;
        size_t begin = unreached;
        int32_t id = -1;
    };
    std::vector<Best> best(word.size() + 1);
    const double unknownScore = m_lowestScore - unknownPenalty;
    Interrupts interrupts;
    for (size_t at = 0; at < word.size();) {
        interrupts.step();
        const size_t begin = at;
        nextChar(word, at);
        const auto reach = [&](size_t end, double score, int32_t id) {
            Best& there = best[end];
            if (there.begin != unreached && score <= there.score) return;
            there = {score, begin, id};
        };
        bool single = false;
        const Node* node = &m_nodes[0];
        for (size_t end = begin; end < word.size();) {
            node = step(*node, static_cast<uint8_t>(word[end]));
            if (!node) break;
            ++end;
            if (node->id < 0) continue;
            reach(end, best[begin].score + m_scores[static_cast<size_t>(node->id)], node->id);
            single = single || end == at;
        }
        if (single) continue;
        if (!m_unknown)
            throw Error("model Unigram: the text has a character that no token covers, and there "
                        "is no unknown token");
        reach(at, best[begin].score + unknownScore, *m_unknown);
    }
    // From the end; neighbouring unknowns are one.
    std::vector<std::pair<size_t, size_t>> cuts;
    size_t unknownEnd = unreached;
    for (size_t end = word.size(); end > 0; end = best[end].begin) {
        const bool unknown = m_unknown && best[end].id == *m_unknown;
        if (unknown && unknownEnd != unreached) {
            cuts.back().first = best[end].begin;
        } else {
            cuts.emplace_back(best[end].begin, end);
        }
        unknownEnd = unknown ? end : unreached;
    }
    for (auto it = cuts.rbegin(); it != cuts.rend(); ++it)
        appendToken(word.substr(it->first, it->second - it->first), ids);
}

} // namespace bitloom::text
