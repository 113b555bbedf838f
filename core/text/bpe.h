// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/text/vocabulary.h"

#include <nlohmann/json.hpp>

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <unordered_set>
#include <vector>

namespace bitloom::text {

/// Ids of words met before within one call of encode(), and the buffers of the merge loop. One per
/// call, so that the tokenizer itself stays immutable.
class WordCache {
public:
    /// Null if the word is not known.
    const std::span<const int32_t>* find(std::string_view word) const;
    void add(std::string_view word, std::span<const int32_t> ids);

private:
    static constexpr size_t maxWordBytes = 256, maxWords = 200'000;
    /// Fixed blocks, so that what was handed out stays where it is.
    template<typename T>
    class Arena {
    public:
        std::span<T> copy(std::span<const T> values);

    private:
        std::vector<std::vector<T>> m_blocks;
    };
    std::unordered_map<std::string_view, std::span<const int32_t>> m_words;
    Arena<char> m_text;
    Arena<int32_t> m_ids;
};

/// Byte-pair encoding: a word's characters are joined pair by pair, the pair that was learnt first
/// going first. Immutable and thread-safe.
class Bpe {
public:
    /// `model` is the "model" object of a tokenizer.json. `special` are ids that ordinary text must
    /// never become: merges that make them are left out. Throws Error for wrong types, merges of
    /// tokens that are not in the vocabulary, and options that are not supported.
    Bpe(const nlohmann::json& model, const std::unordered_set<std::string>& special);

    const Vocabulary& vocabulary() const { return m_vocabulary; }
    std::optional<int32_t> unknownId() const { return m_unknown; }
    /// Appends the ids of one word (valid UTF-8).
    void encode(std::string_view word, WordCache& cache, std::vector<int32_t>& ids) const;

private:
    struct Merge {
        uint64_t pair = emptyPair;
        int32_t rank = 0, result = 0;
    };
    static constexpr uint64_t emptyPair = ~uint64_t(0);
    static constexpr int32_t noMerge = INT32_MAX;

    void readMerges(const nlohmann::json& merges);
    void addMerge(std::string_view left, std::string_view right, int32_t rank);
    const Merge* findMerge(int32_t left, int32_t right) const;
    void findCuts();
    bool mayCutBefore(std::string_view word, size_t at) const;
    void encodeSegment(std::string_view segment, WordCache& cache, std::vector<int32_t>& ids) const;
    void appendSymbols(std::string_view segment, std::vector<int32_t>& symbols) const;
    void mergeShort(std::vector<int32_t>& symbols) const;
    void mergeLong(std::vector<int32_t>& symbols) const;

    Vocabulary m_vocabulary;
    std::unordered_set<int32_t> m_special;
    std::vector<Merge> m_merges;    ///< open addressing, a power of two
    std::vector<int32_t> m_charIds; ///< of the characters below U+3000; -1: none
    std::array<int32_t, 256> m_byteIds{};
    std::optional<int32_t> m_unknown;
    bool m_byteFallback = false, m_fuseUnknown = false, m_ignoreMerges = false;
    bool m_cutAtMarks = false;
    std::unordered_set<char32_t> m_joinedToMark; ///< characters that a merge joins to a ▁ behind
};

} // namespace bitloom::text
