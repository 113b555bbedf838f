// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/text/json_tokenizer.h"

#include "core/base/error.h"
#include "core/text/interrupt.h"
#include "core/text/json_fields.h"
#include "core/text/unicode.h"

#include <algorithm>

namespace bitloom::text {

namespace {

const nlohmann::json& component(const nlohmann::json& file, const char* key) {
    static const nlohmann::json none;
    const nlohmann::json* found = findField(file, key);
    return found ? *found : none;
}

std::vector<AddedToken> readAddedTokens(const nlohmann::json& file, const SpecialTokens& special) {
    std::vector<AddedToken> tokens;
    const nlohmann::json& list = component(file, "added_tokens");
    if (!list.is_null() && !list.is_array()) throw Error("\"added_tokens\" is not an array");
    for (const nlohmann::json& entry : list) {
        AddedToken token = AddedToken::fromJson(entry, "added_tokens");
        const nlohmann::json* id = findField(entry, "id");
        if (!id) throw Error("added_tokens: \"" + token.content + "\" has no id");
        token.id = tokenId(*id, "added_tokens: \"" + token.content + "\"");
        tokens.push_back(std::move(token));
    }
    // The configuration has the last word on a token's properties.
    tokens.insert(tokens.end(), special.added.begin(), special.added.end());
    return tokens;
}

} // namespace

JsonTokenizer::JsonTokenizer(const nlohmann::json& file, const SpecialTokens& special,
                             std::string description)
    : m_description(std::move(description)) {
    if (!file.is_object()) throw Error("it does not hold a JSON object");
    m_normalizer = Normalizer(component(file, "normalizer"));
    m_preTokenizer = PreTokenizer(component(file, "pre_tokenizer"));
    m_decoder = TokenDecoder(component(file, "decoder"));
    std::vector<AddedToken> tokens = readAddedTokens(file, special);

    std::unordered_set<std::string> contents;
    for (const AddedToken& token : tokens) {
        if (token.special) {
            contents.insert(token.content);
        } else {
            contents.erase(token.content);
        }
    }
    for (const std::string& name : special.named)
        contents.insert(name);
    const nlohmann::json& model = requireObject(file, "model", "tokenizer.json");
    // Files of the first versions do not name the type; only BPE has merges.
    const std::string type =
        optionalString(model, "type", "model").value_or(model.contains("merges") ? "BPE" : "");
    if (type == "BPE") {
        m_model.emplace<Bpe>(model, contents);
    } else if (type == "Unigram") {
        m_model.emplace<Unigram>(model, contents);
    } else {
        throw Error("the model \"" + type + "\" is not supported (BPE and Unigram are)");
    }
    m_description = type + " (" + m_description + ")";
    addTokens(std::move(tokens), special);
    m_added.finish(m_normalizer);
    chooseBosAndEos(file, special);
}

const Vocabulary& JsonTokenizer::vocabulary() const {
    if (const auto* bpe = std::get_if<Bpe>(&m_model)) return bpe->vocabulary();
    return std::get<Unigram>(m_model).vocabulary();
}

void JsonTokenizer::addTokens(std::vector<AddedToken> tokens, const SpecialTokens& special) {
    m_vocabSize = vocabulary().size();
    const int64_t largest = m_vocabSize + static_cast<int64_t>(tokens.size()) + (1 << 16);
    for (AddedToken& token : tokens) {
        if (const auto id = vocabulary().find(token.content)) {
            token.id = *id;
        } else if (const std::string* other = vocabulary().text(token.id)) {
            throw Error("the added token \"" + token.content + "\" has the id " +
                        std::to_string(token.id) + ", which is that of \"" + *other + "\"");
        } else if (token.id > largest) {
            throw Error("the added token \"" + token.content + "\" has the id " +
                        std::to_string(token.id) + ", far beyond the vocabulary of " +
                        std::to_string(m_vocabSize));
        }
        m_added.add(std::move(token));
    }
    for (const std::string& name : special.named) {
        const auto id = vocabulary().find(name);
        if (!id || m_added.find(name)) continue;
        AddedToken token;
        token.id = *id;
        token.content = name;
        token.special = true;
        m_added.add(std::move(token));
    }
    for (const AddedToken& token : m_added.tokens())
        m_vocabSize = std::max<int64_t>(m_vocabSize, token.id + 1);
}

void JsonTokenizer::chooseBosAndEos(const nlohmann::json& file, const SpecialTokens& special) {
    const nlohmann::json& processor = component(file, "post_processor");
    const std::optional<int32_t> processorBos = bosOfPostProcessor(processor);
    const auto named = [&](const std::optional<std::string>& name) {
        return name ? findToken(*name) : std::nullopt;
    };
    const auto known = [&](std::optional<int32_t> id) {
        return id && tokenText(*id) ? id : std::nullopt;
    };
    const bool gpt2 = special.tokenizerClass == "GPT2Tokenizer";
    m_bos = named(special.bos);
    m_eos = named(special.eos);
    if (!special.saysBos) {
        m_bos = processorBos;
        if (!m_bos && special.isLlamaFamily()) m_bos = findToken("<s>");
        if (!m_bos && gpt2) m_bos = findToken("<|endoftext|>");
        if (!m_bos && special.tokenizerClass.empty()) m_bos = known(special.configBosId);
    }
    if (!special.saysEos) {
        m_eos = known(special.configEosId);
        for (const char* name : {"</s>", "<|endoftext|>", "<|end_of_text|>", "<|im_end|>"})
            if (!m_eos) m_eos = findToken(name);
    }

    m_addsBos = processorBos.has_value();
    if (special.isLlamaFamily() || (gpt2 && processor.is_null())) {
        if (special.addBos) {
            m_addsBos = *special.addBos;
        } else if (processor.is_null()) {
            m_addsBos = special.isLlamaFamily();
        }
    }
    if (m_addsBos && processorBos) m_bos = known(processorBos);
    m_addsBos = m_addsBos && m_bos.has_value();
}

std::vector<int32_t> JsonTokenizer::encode(std::string_view text, bool parseSpecial) const {
    std::string repaired;
    if (findInvalidUtf8(text) != std::string_view::npos) {
        repaired = replaceInvalidUtf8(text);
        text = repaired;
    }
    std::vector<int32_t> ids;
    WordCache cache;
    for (const TextPart& part : m_added.split(text, false, parseSpecial)) {
        if (part.id >= 0) {
            ids.push_back(part.id);
        } else {
            encodeText(part.text, cache, part.text.data() == text.data(), parseSpecial, ids);
        }
    }
    return ids;
}

void JsonTokenizer::encodeText(std::string_view text, WordCache& cache, bool atStart,
                               bool parseSpecial, std::vector<int32_t>& ids) const {
    const std::string normalized = m_normalizer.apply(text);
    for (const TextPart& part : m_added.split(normalized, true, parseSpecial)) {
        if (part.id >= 0) {
            ids.push_back(part.id);
            continue;
        }
        Pieces pieces;
        pieces.text = part.text;
        pieces.pieces.push_back(
            {0, part.text.size(), atStart && part.text.data() == normalized.data()});
        m_preTokenizer.apply(pieces);
        Interrupts interrupts;
        for (const Piece& piece : pieces.pieces) {
            interrupts.step();
            if (const auto* bpe = std::get_if<Bpe>(&m_model)) {
                bpe->encode(pieces.view(piece), cache, ids);
            } else {
                std::get<Unigram>(m_model).encode(pieces.view(piece), ids);
            }
        }
    }
}

const std::string* JsonTokenizer::tokenText(int32_t id) const {
    if (const AddedToken* token = m_added.find(id)) return &token->content;
    return vocabulary().text(id);
}

std::string JsonTokenizer::decode(const std::vector<int32_t>& ids, bool withSpecial) const {
    std::vector<const std::string*> tokens;
    tokens.reserve(ids.size());
    for (int32_t id : ids) {
        const std::string* token = tokenText(id);
        if (token && (withSpecial || !isSpecial(id))) tokens.push_back(token);
    }
    return m_decoder.decode(tokens);
}

std::string JsonTokenizer::pieceBytes(int32_t id) const {
    const std::string* token = tokenText(id);
    return token ? m_decoder.bytes(*token, false) : std::string();
}

bool JsonTokenizer::isSpecial(int32_t id) const {
    const AddedToken* token = m_added.find(id);
    return token && token->special;
}

std::optional<int32_t> JsonTokenizer::findToken(std::string_view text) const {
    if (const AddedToken* token = m_added.find(text)) return token->id;
    return vocabulary().find(text);
}

std::optional<int32_t> bosOfPostProcessor(const nlohmann::json& description, int depth) {
    if (description.is_null()) return std::nullopt;
    if (depth > maxComponentDepth)
        throw Error("post_processor: too many Sequences within each other");
    const std::string type = componentType(description, "post_processor");
    const std::string where = "post_processor " + type;
    std::vector<int32_t> before;
    if (type == "ByteLevel") return std::nullopt;
    if (type == "Sequence") {
        for (const auto& part : requireArray(description, "processors", where))
            if (const auto id = bosOfPostProcessor(part, depth + 1)) before.push_back(*id);
    } else if (type == "TemplateProcessing") {
        for (const auto& part : requireArray(description, "single", where)) {
            if (!part.is_object()) throw Error(where + ": a part of \"single\" is no object");
            if (part.contains("Sequence")) break;
            const std::string name =
                requireString(requireObject(part, "SpecialToken", where), "id", where);
            const nlohmann::json& token = requireObject(
                requireObject(description, "special_tokens", where), name.c_str(), where);
            for (const auto& id : requireArray(token, "ids", where))
                before.push_back(tokenId(id, where));
        }
    } else if (type == "RobertaProcessing" || type == "BertProcessing") {
        const nlohmann::json& cls = requireArray(description, "cls", where);
        if (cls.size() != 2) throw Error(where + ": \"cls\" is not a token with its id");
        before.push_back(tokenId(cls[1], where));
    } else {
        throw Error("the post_processor \"" + type + "\" is not supported");
    }
    if (before.empty()) return std::nullopt;
    if (before.size() > 1)
        throw Error(where + ": more than one token before a text is not supported");
    return before.front();
}

} // namespace bitloom::text
