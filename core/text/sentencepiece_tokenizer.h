// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/text/added_tokens.h"
#include "core/text/bpe.h"
#include "core/text/special_tokens.h"
#include "core/text/tokenizer.h"

#include <memory>
#include <string>

namespace sentencepiece {
class SentencePieceProcessor;
}

namespace bitloom::text {

/// tokenizer.model, run by the SentencePiece library. Immutable and thread-safe.
class SentencePieceTokenizer final : public Tokenizer {
public:
    /// `model` is the file's content. Throws Error if it is malformed.
    SentencePieceTokenizer(const std::string& model, const SpecialTokens& special);
    ~SentencePieceTokenizer() override;

    std::vector<int32_t> encode(std::string_view text, bool parseSpecial) const override;
    std::string decode(const std::vector<int32_t>& ids, bool withSpecial) const override;
    std::string pieceBytes(int32_t id) const override;
    int64_t vocabSize() const override { return m_vocabSize; }
    std::optional<int32_t> bosId() const override { return m_bos; }
    std::optional<int32_t> eosId() const override { return m_eos; }
    bool addsBos() const override { return m_addsBos; }
    bool isSpecial(int32_t id) const override;
    std::optional<int32_t> findToken(std::string_view text) const override;
    std::string description() const override { return "SentencePiece (tokenizer.model)"; }

private:
    void addTokens(const SpecialTokens& special);
    bool spacesStartPieces() const;
    void encodeText(std::string_view text, bool withPrefix, WordCache& cache,
                    std::vector<int32_t>& ids) const;

    std::unique_ptr<sentencepiece::SentencePieceProcessor> m_processor;
    std::unique_ptr<sentencepiece::SentencePieceProcessor> m_withoutPrefix;
    AddedTokens m_added;
    std::optional<int32_t> m_bos, m_eos;
    bool m_addsBos = false;
    bool m_prefix = false;       ///< a text gets a space put before it …
    bool m_prefixInside = false; ///< … and so does text behind a special token
    bool m_cutAtSpaces = false;  ///< words may be encoded one by one
    int32_t m_pieces = 0;
    int64_t m_vocabSize = 0;
};

struct SentencePieceFacts {
    /// BPE, and a normalizer that changes nothing but spaces into ▁.
    bool plainBpe = false;
};

/// Checks what the library believes without looking: that the table of a model's normalizer, if it
/// has one, leads nowhere outside of itself. Throws Error.
SentencePieceFacts checkSentencePieceModel(std::string_view model);

} // namespace bitloom::text
