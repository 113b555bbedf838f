// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
//
// Merging follows Hugging Face's tokenizers to the letter: lowest rank first, leftmost first among
// equals. Two things make it fast. Words repeat, so ids of words are remembered within a call. And
// where the whole text is one "word" (Llama's SentencePiece vocabularies), it falls apart again
// before every ▁ that no merge ever joins to what stands before it: merges on either side of such a
// place cannot influence each other, so cutting there is exact.
#include "core/text/bpe.h"

#include "core/base/error.h"
#include "core/text/interrupt.h"
#include "core/text/json_fields.h"
#include "core/text/unicode.h"

#include <algorithm>
#include <bit>
#include <cstdio>
#include <queue>

namespace bitloom::text {

namespace {

constexpr size_t directChars = 0x3000;
/// Below this many symbols, looking at all pairs for the lowest rank beats a heap.
constexpr size_t shortWord = 40;

uint64_t pairKey(int32_t left, int32_t right) {
    return (uint64_t(uint32_t(left)) << 32) | uint32_t(right);
}

size_t hashPair(uint64_t pair) {
    pair *= 0x9E3779B97F4A7C15ull;
    return static_cast<size_t>(pair ^ (pair >> 29));
}

} // namespace

const std::span<const int32_t>* WordCache::find(std::string_view word) const {
    if (word.size() > maxWordBytes) return nullptr;
    const auto it = m_words.find(word);
    return it == m_words.end() ? nullptr : &it->second;
}

void WordCache::add(std::string_view word, std::span<const int32_t> ids) {
    if (word.size() > maxWordBytes || m_words.size() >= maxWords) return;
    const std::span<char> text = m_text.copy(std::span(word.data(), word.size()));
    m_words.emplace(std::string_view(text.data(), text.size()), m_ids.copy(ids));
}

template<typename T>
std::span<T> WordCache::Arena<T>::copy(std::span<const T> values) {
    constexpr size_t blockSize = 1 << 14;
    if (m_blocks.empty() || m_blocks.back().capacity() - m_blocks.back().size() < values.size()) {
        m_blocks.emplace_back();
        m_blocks.back().reserve(std::max(blockSize, values.size()));
    }
    std::vector<T>& block = m_blocks.back();
    const size_t begin = block.size();
    block.insert(block.end(), values.begin(), values.end());
    return std::span<T>(block.data() + begin, values.size());
}

Bpe::Bpe(const nlohmann::json& model, const std::unordered_set<std::string>& special) {
    const std::string where = "model BPE";
    for (const char* option : {"continuing_subword_prefix", "end_of_word_suffix"})
        if (!optionalString(model, option, where).value_or("").empty())
            throw Error(where + ": \"" + option + "\" is not supported");
    if (const nlohmann::json* dropout = findField(model, "dropout"))
        if (!dropout->is_number() || dropout->get<double>() != 0)
            throw Error(where + ": \"dropout\" is not supported");

    std::vector<std::pair<std::string, int32_t>> tokens;
    const nlohmann::json& vocab = requireObject(model, "vocab", where);
    tokens.reserve(vocab.size());
    for (const auto& [token, id] : vocab.items())
        tokens.emplace_back(token, tokenId(id, where + ": vocab"));
    m_vocabulary = Vocabulary(std::move(tokens), where + ": vocab");
    for (const std::string& token : special)
        if (const auto id = m_vocabulary.find(token)) m_special.insert(*id);

    m_byteFallback = optionalBool(model, "byte_fallback", where).value_or(false);
    m_fuseUnknown = optionalBool(model, "fuse_unk", where).value_or(false);
    m_ignoreMerges = optionalBool(model, "ignore_merges", where).value_or(false);
    if (const auto unknown = optionalString(model, "unk_token", where))
        m_unknown = m_vocabulary.find(*unknown);
    for (int byte = 0; byte < 256; ++byte) {
        char name[8];
        std::snprintf(name, sizeof name, "<0x%02X>", byte);
        m_byteIds[static_cast<size_t>(byte)] = m_vocabulary.find(name).value_or(-1);
    }
    m_charIds.assign(directChars, -1);
    for (char32_t c = 0; c < directChars; ++c) {
        std::string text;
        appendChar(text, c);
        m_charIds[c] = m_vocabulary.find(text).value_or(-1);
    }
    readMerges(requireArray(model, "merges", where));
    findCuts();
}

void Bpe::readMerges(const nlohmann::json& merges) {
    m_merges.resize(std::bit_ceil(std::max<size_t>(16, merges.size() * 2)));
    int32_t rank = 0;
    for (const nlohmann::json& merge : merges) {
        if (merge.is_string()) {
            const auto& text = merge.get_ref<const std::string&>();
            if (text.starts_with("#version")) continue;
            const size_t space = text.find(' ');
            if (space == std::string::npos || text.find(' ', space + 1) != std::string::npos)
                throw Error("model BPE: merge " + std::to_string(rank) +
                            " is not two tokens with a space between them");
            addMerge(std::string_view(text).substr(0, space),
                     std::string_view(text).substr(space + 1), rank);
        } else if (merge.is_array() && merge.size() == 2 && merge[0].is_string() &&
                   merge[1].is_string()) {
            addMerge(merge[0].get_ref<const std::string&>(), merge[1].get_ref<const std::string&>(),
                     rank);
        } else {
            throw Error("model BPE: merge " + std::to_string(rank) + " is not a pair of tokens");
        }
        ++rank;
    }
}

void Bpe::addMerge(std::string_view left, std::string_view right, int32_t rank) {
    std::string joined(left);
    joined += right;
    const auto require = [&](std::string_view token) {
        const auto id = m_vocabulary.find(token);
        if (!id)
            throw Error("model BPE: merge " + std::to_string(rank) + " (\"" + std::string(left) +
                        "\" and \"" + std::string(right) + "\") refers to the token \"" +
                        std::string(token) + "\", which is not in the vocabulary");
        return *id;
    };
    const int32_t leftId = require(left), rightId = require(right), result = require(joined);
    if (m_special.contains(result)) return;
    const uint64_t pair = pairKey(leftId, rightId);
    const size_t mask = m_merges.size() - 1;
    size_t slot = hashPair(pair) & mask;
    while (m_merges[slot].pair != emptyPair && m_merges[slot].pair != pair)
        slot = (slot + 1) & mask;
    m_merges[slot] = {pair, rank, result}; // of a pair listed twice the last rank counts

    if (right.starts_with(spaceMark) && !left.empty()) m_joinedToMark.insert(lastChar(left));
}

const Bpe::Merge* Bpe::findMerge(int32_t left, int32_t right) const {
    const uint64_t pair = pairKey(left, right);
    const size_t mask = m_merges.size() - 1;
    for (size_t slot = hashPair(pair) & mask; m_merges[slot].pair != emptyPair;
         slot = (slot + 1) & mask)
        if (m_merges[slot].pair == pair) return &m_merges[slot];
    return nullptr;
}

/// Cutting before ▁ needs ▁ to be a token (it ends a run of fused unknowns), an id for every
/// character (one that vanishes would let others meet), and no merges of tokens that stand for
/// other text than their own (bytes, unknown).
void Bpe::findCuts() {
    const bool allBytes = m_byteFallback && std::all_of(m_byteIds.begin(), m_byteIds.end(),
                                                        [](int32_t id) { return id >= 0; });
    m_cutAtMarks = m_vocabulary.find(spaceMark).has_value() && (allBytes || m_unknown);
    std::unordered_set<int32_t> odd(m_byteIds.begin(), m_byteIds.end());
    if (m_unknown) odd.insert(*m_unknown);
    for (const Merge& merge : m_merges) {
        if (merge.pair == emptyPair) continue;
        if (odd.contains(static_cast<int32_t>(merge.pair >> 32)) ||
            odd.contains(static_cast<int32_t>(merge.pair & 0xFFFFFFFF)))
            m_cutAtMarks = false;
    }
}

bool Bpe::mayCutBefore(std::string_view word, size_t at) const {
    const std::string_view before = word.substr(0, at);
    if (before.ends_with(spaceMark)) return false; // runs of ▁ have tokens of their own
    return m_joinedToMark.empty() || !m_joinedToMark.contains(lastChar(before));
}

void Bpe::encode(std::string_view word, WordCache& cache, std::vector<int32_t>& ids) const {
    if (word.empty()) return;
    if (m_ignoreMerges) {
        const auto whole = m_vocabulary.find(word);
        if (whole && !m_special.contains(*whole)) {
            ids.push_back(*whole);
            return;
        }
    }
    size_t begin = 0;
    Interrupts interrupts;
    if (m_cutAtMarks) {
        for (size_t at = 1; (at = word.find(spaceMark, at)) != std::string_view::npos;
             at += spaceMark.size()) {
            interrupts.step();
            if (!mayCutBefore(word, at)) continue;
            encodeSegment(word.substr(begin, at - begin), cache, ids);
            begin = at;
        }
    }
    encodeSegment(word.substr(begin), cache, ids);
}

void Bpe::encodeSegment(std::string_view segment, WordCache& cache,
                        std::vector<int32_t>& ids) const {
    if (const auto* known = cache.find(segment)) {
        ids.insert(ids.end(), known->begin(), known->end());
        return;
    }
    std::vector<int32_t> symbols;
    symbols.reserve(segment.size());
    appendSymbols(segment, symbols);
    if (symbols.size() <= shortWord) {
        mergeShort(symbols);
    } else {
        mergeLong(symbols);
    }
    cache.add(segment, symbols);
    ids.insert(ids.end(), symbols.begin(), symbols.end());
}

void Bpe::appendSymbols(std::string_view segment, std::vector<int32_t>& symbols) const {
    bool pendingUnknown = false;
    for (size_t at = 0; at < segment.size();) {
        const size_t begin = at;
        const char32_t c = nextChar(segment, at);
        const std::string_view text = segment.substr(begin, at - begin);
        const int32_t id = c < directChars ? m_charIds[c] : m_vocabulary.find(text).value_or(-1);
        if (id >= 0) {
            if (pendingUnknown) symbols.push_back(*m_unknown);
            pendingUnknown = false;
            symbols.push_back(id);
            continue;
        }
        const auto byteId = [&](char byte) { return m_byteIds[static_cast<uint8_t>(byte)]; };
        if (m_byteFallback &&
            std::all_of(text.begin(), text.end(), [&](char b) { return byteId(b) >= 0; })) {
            for (char byte : text)
                symbols.push_back(byteId(byte));
            continue;
        }
        if (!m_unknown) continue; // such characters vanish, as in the reference
        if (pendingUnknown && !m_fuseUnknown) symbols.push_back(*m_unknown);
        pendingUnknown = true;
    }
    if (pendingUnknown) symbols.push_back(*m_unknown);
}

void Bpe::mergeShort(std::vector<int32_t>& symbols) const {
    struct Candidate {
        int32_t rank, result;
    };
    std::array<Candidate, shortWord> candidates;
    const auto look = [&](size_t i) {
        const Merge* merge = findMerge(symbols[i], symbols[i + 1]);
        candidates[i] = merge ? Candidate{merge->rank, merge->result} : Candidate{noMerge, 0};
    };
    size_t pairs = symbols.empty() ? 0 : symbols.size() - 1;
    for (size_t i = 0; i < pairs; ++i)
        look(i);
    while (pairs > 0) {
        size_t best = 0;
        for (size_t i = 1; i < pairs; ++i)
            if (candidates[i].rank < candidates[best].rank) best = i;
        if (candidates[best].rank == noMerge) break;
        symbols[best] = candidates[best].result;
        symbols.erase(symbols.begin() + static_cast<ptrdiff_t>(best) + 1);
        std::copy(candidates.begin() + static_cast<ptrdiff_t>(best) + 1,
                  candidates.begin() + static_cast<ptrdiff_t>(pairs),
                  candidates.begin() + static_cast<ptrdiff_t>(best));
        --pairs;
        if (best > 0) look(best - 1);
        if (best < pairs) look(best);
    }
}

/// The same with a heap of (rank, position) and linked symbols: O(n log n).
void Bpe::mergeLong(std::vector<int32_t>& symbols) const {
    constexpr uint32_t none = UINT32_MAX;
    if (symbols.size() >= none) throw Error("a word of more than 4 billion characters");
    struct Node {
        uint32_t previous, next;
        int32_t rank, result; ///< of the merge with the next symbol
    };
    const auto count = static_cast<uint32_t>(symbols.size());
    std::vector<Node> nodes(count);
    using Entry = uint64_t; // rank << 32 | position
    std::priority_queue<Entry, std::vector<Entry>, std::greater<>> queue;
    const auto look = [&](uint32_t i) {
        Node& node = nodes[i];
        const Merge* merge =
            node.next == none ? nullptr : findMerge(symbols[i], symbols[node.next]);
        node.rank = merge ? merge->rank : noMerge;
        node.result = merge ? merge->result : 0;
        if (merge) queue.push((uint64_t(uint32_t(merge->rank)) << 32) | i);
    };
    for (uint32_t i = 0; i < count; ++i)
        nodes[i] = {i == 0 ? none : i - 1, i + 1 < count ? i + 1 : none, noMerge, 0};
    Interrupts interrupts;
    for (uint32_t i = 0; i < count; ++i) {
        look(i);
        interrupts.step();
    }
    while (!queue.empty()) {
        interrupts.step();
        const auto position = static_cast<uint32_t>(queue.top());
        const auto rank = static_cast<int32_t>(queue.top() >> 32);
        queue.pop();
        Node& node = nodes[position];
        if (node.rank != rank) continue; // this pair is gone
        const uint32_t right = node.next;
        symbols[position] = node.result;
        symbols[right] = -1;
        nodes[right].rank = noMerge;
        node.next = nodes[right].next;
        if (node.next != none) nodes[node.next].previous = position;
        look(position);
        if (node.previous != none) look(node.previous);
    }
    std::erase(symbols, -1);
}

} // namespace bitloom::text
