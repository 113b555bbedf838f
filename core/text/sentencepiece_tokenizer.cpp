// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/text/sentencepiece_tokenizer.h"

#include "core/base/error.h"
#include "core/text/interrupt.h"
#include "core/text/unicode.h"

#include <sentencepiece_processor.h>

#include <algorithm>

namespace bitloom::text {

namespace {

/// normalizer_spec { add_dummy_prefix: false }. Behind a serialized message it is merged into it:
/// the only way to change the setting without the library's private headers.
constexpr std::string_view noDummyPrefix("\x1A\x02\x18\x00", 4);

std::unique_ptr<sentencepiece::SentencePieceProcessor> load(const std::string& model) {
    auto processor = std::make_unique<sentencepiece::SentencePieceProcessor>();
    const auto status = processor->LoadFromSerializedProto(model);
    if (!status.ok())
        throw Error("tokenizer.model is not a SentencePiece model: " + status.ToString());
    return processor;
}

void encodeWith(const sentencepiece::SentencePieceProcessor& processor, std::string_view text,
                std::vector<int32_t>& ids) {
    std::vector<int> result;
    const auto status = processor.Encode(absl::string_view(text.data(), text.size()), &result);
    if (!status.ok()) throw Error("SentencePiece: " + status.ToString());
    ids.insert(ids.end(), result.begin(), result.end());
}

/// Whether a text gets a space put before it.
bool hasDummyPrefix(const sentencepiece::SentencePieceProcessor& processor) {
    std::vector<int32_t> ids;
    encodeWith(processor, "a", ids);
    return !ids.empty() && processor.IdToPiece(ids.front()).starts_with(spaceMark);
}

} // namespace

SentencePieceTokenizer::~SentencePieceTokenizer() = default;

SentencePieceTokenizer::SentencePieceTokenizer(const std::string& model,
                                               const SpecialTokens& special) {
    const SentencePieceFacts facts = checkSentencePieceModel(model);
    m_processor = load(model);
    m_withoutPrefix = load(model + std::string(noDummyPrefix));
    m_pieces = m_processor->GetPieceSize();
    m_prefix = special.addPrefixSpace.value_or(true) && hasDummyPrefix(*m_processor);
    m_prefixInside = m_prefix && special.legacy;
    m_cutAtSpaces = facts.plainBpe && spacesStartPieces();
    addTokens(special);

    const auto id = [&](const std::optional<std::string>& named, bool said, int own) {
        if (said) return named ? findToken(*named) : std::nullopt;
        return own >= 0 ? std::optional<int32_t>(own) : std::nullopt;
    };
    m_bos = id(special.bos, special.saysBos, m_processor->bos_id());
    m_eos = id(special.eos, special.saysEos, m_processor->eos_id());
    m_addsBos = m_bos && special.addBos.value_or(true);
}

void SentencePieceTokenizer::addTokens(const SpecialTokens& special) {
    for (int32_t id = 0; id < m_pieces; ++id) {
        if (!m_processor->IsControl(id) && !m_processor->IsUnknown(id)) continue;
        AddedToken token;
        token.id = id;
        token.content = m_processor->IdToPiece(id);
        token.special = true;
        m_added.add(std::move(token));
    }
    const int64_t largest = m_pieces + static_cast<int64_t>(special.added.size()) + (1 << 16);
    for (AddedToken token : special.added) {
        const int id = m_processor->PieceToId(token.content);
        const bool piece = id >= 0 && id < m_pieces && m_processor->IdToPiece(id) == token.content;
        if (piece) {
            token.id = id;
        } else if (token.id < m_pieces || token.id > largest) {
            throw Error("the added token \"" + token.content + "\" has the id " +
                        std::to_string(token.id) + ", which does not follow the " +
                        std::to_string(m_pieces) + " pieces of tokenizer.model");
        }
        token.normalized = false; // the library normalizes for itself
        m_added.add(std::move(token));
    }
    m_added.finish({});
    m_vocabSize = m_pieces;
    for (const AddedToken& token : m_added.tokens())
        m_vocabSize = std::max<int64_t>(m_vocabSize, token.id + 1);
}

/// Whether ▁ is a piece, and stands in pieces only at their start. Then no merge joins what is
/// before a ▁ to what is behind it, so that words cannot influence each other.
bool SentencePieceTokenizer::spacesStartPieces() const {
    for (int32_t id = 0; id < m_pieces; ++id) {
        const std::string_view piece = m_processor->IdToPiece(id);
        if (piece.find(' ') != std::string_view::npos) return false;
        for (size_t at = 1; (at = piece.find(spaceMark, at)) != std::string_view::npos;
             at += spaceMark.size())
            if (!piece.substr(0, at).ends_with(spaceMark)) return false;
    }
    const int id = m_processor->PieceToId(absl::string_view(spaceMark.data(), spaceMark.size()));
    return id >= 0 && id < m_pieces && m_processor->IdToPiece(id) == spaceMark;
}

/// The library takes its time over long texts; words repeat.
void SentencePieceTokenizer::encodeText(std::string_view text, bool withPrefix, WordCache& cache,
                                        std::vector<int32_t>& ids) const {
    if (!m_cutAtSpaces) {
        encodeWith(withPrefix ? *m_processor : *m_withoutPrefix, text, ids);
        return;
    }
    std::string prefixed;
    if (withPrefix && !text.empty()) {
        prefixed.append(" ").append(text);
        text = prefixed;
    }
    const auto spaceAt = [&](size_t at) -> size_t {
        if (text[at] == ' ') return 1;
        return text.substr(at, spaceMark.size()) == spaceMark ? spaceMark.size() : 0;
    };
    std::vector<int32_t> fresh;
    Interrupts interrupts(64); // unknown words go to the library, which takes its time
    for (size_t begin = 0; begin < text.size();) {
        interrupts.step();
        size_t end = begin;
        while (end < text.size() && spaceAt(end))
            end += spaceAt(end);
        while (end < text.size() && !spaceAt(end))
            ++end;
        const std::string_view word = text.substr(begin, end - begin);
        begin = end;
        if (const auto* known = cache.find(word)) {
            ids.insert(ids.end(), known->begin(), known->end());
            continue;
        }
        fresh.clear();
        encodeWith(*m_withoutPrefix, word, fresh);
        cache.add(word, fresh);
        ids.insert(ids.end(), fresh.begin(), fresh.end());
    }
}

std::vector<int32_t> SentencePieceTokenizer::encode(std::string_view text,
                                                    bool parseSpecial) const {
    std::vector<int32_t> ids;
    WordCache cache;
    for (const TextPart& part : m_added.split(text, false, parseSpecial)) {
        if (part.id >= 0) {
            ids.push_back(part.id);
        } else {
            const bool atStart = part.text.data() == text.data();
            encodeText(part.text, atStart ? m_prefix : m_prefixInside, cache, ids);
        }
    }
    return ids;
}

std::string SentencePieceTokenizer::pieceBytes(int32_t id) const {
    if (const AddedToken* token = m_added.find(id)) return token->content;
    if (id < 0 || id >= m_pieces) return {};
    const std::string& piece = m_processor->IdToPiece(id);
    if (m_processor->IsByte(id) && piece.size() == 6) // "<0x0A>", as the library has checked
        return std::string(1, static_cast<char>(std::stoi(piece.substr(3, 2), nullptr, 16)));
    std::string text;
    for (size_t done = 0;;) {
        const size_t at = std::min(piece.find(spaceMark, done), piece.size());
        text.append(piece, done, at - done);
        if (at == piece.size()) return text;
        text += ' ';
        done = at + spaceMark.size();
    }
}

std::string SentencePieceTokenizer::decode(const std::vector<int32_t>& ids,
                                           bool withSpecial) const {
    std::string text;
    for (int32_t id : ids)
        if (withSpecial || !isSpecial(id)) text += pieceBytes(id);
    if (m_prefix && text.starts_with(' ')) text.erase(0, 1);
    return replaceInvalidUtf8(text);
}

bool SentencePieceTokenizer::isSpecial(int32_t id) const {
    const AddedToken* token = m_added.find(id);
    return token && token->special;
}

std::optional<int32_t> SentencePieceTokenizer::findToken(std::string_view text) const {
    if (const AddedToken* token = m_added.find(text)) return token->id;
    const int id = m_processor->PieceToId(absl::string_view(text.data(), text.size()));
    if (id < 0 || id >= m_pieces || m_processor->IdToPiece(id) != text) return std::nullopt;
    return id;
}

} // namespace bitloom::text
