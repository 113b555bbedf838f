// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/text/added_tokens.h"
#include "core/text/bpe.h"
#include "core/text/normalizer.h"
#include "core/text/pre_tokenizer.h"
#include "core/text/special_tokens.h"
#include "core/text/token_decoder.h"
#include "core/text/tokenizer.h"
#include "core/text/unigram.h"

#include <nlohmann/json.hpp>

#include <variant>

namespace bitloom::text {

/// A tokenizer as tokenizer.json describes it: normalizer, pre_tokenizer, model (BPE or Unigram),
/// post_processor (for BOS) and decoder. Immutable and thread-safe.
class JsonTokenizer final : public Tokenizer {
public:
    /// Throws Error naming the component that is malformed or not supported.
    JsonTokenizer(const nlohmann::json& file, const SpecialTokens& special,
                  std::string description);

    std::vector<int32_t> encode(std::string_view text, bool parseSpecial) const override;
    std::string decode(const std::vector<int32_t>& ids, bool withSpecial) const override;
    std::string pieceBytes(int32_t id) const override;
    int64_t vocabSize() const override { return m_vocabSize; }
    std::optional<int32_t> bosId() const override { return m_bos; }
    std::optional<int32_t> eosId() const override { return m_eos; }
    bool addsBos() const override { return m_addsBos; }
    bool isSpecial(int32_t id) const override;
    std::optional<int32_t> findToken(std::string_view text) const override;
    std::string description() const override { return m_description; }

private:
    const Vocabulary& vocabulary() const;
    const std::string* tokenText(int32_t id) const;
    void addTokens(std::vector<AddedToken> tokens, const SpecialTokens& special);
    void chooseBosAndEos(const nlohmann::json& file, const SpecialTokens& special);
    void encodeText(std::string_view text, WordCache& cache, bool atStart, bool parseSpecial,
                    std::vector<int32_t>& ids) const;

    std::string m_description;
    Normalizer m_normalizer;
    PreTokenizer m_preTokenizer;
    std::variant<std::monostate, Bpe, Unigram> m_model;
    AddedTokens m_added;
    TokenDecoder m_decoder;
    std::optional<int32_t> m_bos, m_eos;
    bool m_addsBos = false;
    int64_t m_vocabSize = 0;
};

/// The token that a post_processor puts before a single text, if any. Throws Error for processors
/// that are not supported, and for more than one token.
std::optional<int32_t> bosOfPostProcessor(const nlohmann::json& description, int depth = 0);

/// Describes vocab.json + merges.txt as a tokenizer.json would, by the rules of the tokenizer class
/// (GPT-2 or Qwen2), and completes `special` by the class's defaults. Where no file names a class,
/// the vocabulary tells: Qwen2's size, or OPT's special tokens.
nlohmann::json describeVocabAndMerges(const std::filesystem::path& folder, SpecialTokens& special);

} // namespace bitloom::text
