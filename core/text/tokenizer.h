// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace bitloom {

/// Text to token ids and back. Immutable and thread-safe after loading.
class Tokenizer {
public:
    virtual ~Tokenizer() = default;

    /// Ids of the text alone: no BOS or EOS added; text that looks like a special token is read as
    /// text unless `parseSpecial`.
    virtual std::vector<int32_t> encode(std::string_view text, bool parseSpecial = false) const = 0;
    /// Bytes of the text; invalid UTF-8 that byte tokens produce is replaced by U+FFFD at the end
    /// of the whole. Special tokens are left out unless `withSpecial`.
    virtual std::string decode(const std::vector<int32_t>& ids, bool withSpecial = false) const = 0;
    /// Raw bytes that one token adds in the middle of a text (may be part of a UTF-8 character).
    virtual std::string pieceBytes(int32_t id) const = 0;

    virtual int64_t vocabSize() const = 0; ///< one more than the largest id
    virtual std::optional<int32_t> bosId() const = 0;
    virtual std::optional<int32_t> eosId() const = 0;
    virtual bool addsBos() const = 0; ///< what the tokenizer itself puts before a text
    virtual bool isSpecial(int32_t id) const = 0;
    virtual std::optional<int32_t> findToken(std::string_view text) const = 0;
    /// "sentencepiece (tokenizer.model)" or "BPE (tokenizer.json)", for messages.
    virtual std::string description() const = 0;

    /// encode() with the BOS that the tokenizer adds by itself.
    std::vector<int32_t> encodeWithBos(std::string_view text) const;
};

/// Which of a folder's files to use where there are several.
enum class TokenizerForm { Any, SentencePiece, Json };

/// Loads tokenizer.json or tokenizer.model (or vocab.json + merges.txt) with tokenizer_config.json
/// and special_tokens_map.json from a folder. Any = tokenizer.json where it is there and supported,
/// else tokenizer.model. Throws Error that names what is missing or not supported.
std::unique_ptr<Tokenizer> loadTokenizer(const std::filesystem::path& folder,
                                         TokenizerForm form = TokenizerForm::Any);
/// True if the folder has any tokenizer file.
bool hasTokenizer(const std::filesystem::path& folder);

/// Turns tokens into text as they come, never giving out half a UTF-8 character, and with the
/// leading space of the first word removed as decode() would.
class StreamDecoder {
public:
    explicit StreamDecoder(const Tokenizer& tokenizer) : m_tokenizer(tokenizer) {}
    std::string push(int32_t id);
    std::string finish(); ///< what is still held back, with U+FFFD for broken bytes

private:
    const Tokenizer& m_tokenizer;
    std::vector<int32_t> m_ids;
    std::string m_pending;
    bool m_first = true;
};

} // namespace bitloom
