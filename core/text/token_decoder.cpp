// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/text/token_decoder.h"

#include "core/base/error.h"
#include "core/text/json_fields.h"
#include "core/text/unicode.h"

#include <charconv>

namespace bitloom::text {

namespace {

size_t requireCount(const nlohmann::json& object, const char* key, const std::string& where) {
    const nlohmann::json* field = findField(object, key);
    if (!field) return 0;
    if (!field->is_number_unsigned() || field->get<uint64_t>() > 1'000'000)
        throw Error(where + ": \"" + key + "\" is not a small number");
    return field->get<size_t>();
}

std::string bytesOfLevelText(const std::string& token) {
    std::string result;
    for (size_t at = 0; at < token.size();) {
        const auto byte = byteOfLevelChar(nextChar(token, at));
        if (!byte) return token; // an added token that is no byte text
        result += static_cast<char>(*byte);
    }
    return result;
}

std::string byteOfFallback(const std::string& token) {
    unsigned byte = 0;
    if (token.size() == 6 && token.starts_with("<0x") && token.ends_with('>')) {
        const char* digits = token.data() + 3;
        if (std::from_chars(digits, digits + 2, byte, 16).ptr == digits + 2)
            return std::string(1, static_cast<char>(byte));
    }
    return token;
}

void stripStart(std::string& text, const std::string& content, size_t count) {
    size_t begin = 0;
    while (count-- > 0 && text.compare(begin, content.size(), content) == 0)
        begin += content.size();
    text.erase(0, begin);
}

} // namespace

void TokenDecoder::add(const nlohmann::json& description, int depth) {
    if (description.is_null()) return;
    if (depth > maxComponentDepth) throw Error("decoder: too many Sequences within each other");
    const std::string type = componentType(description, "decoder");
    const std::string where = "decoder " + type;
    if (type == "Sequence") {
        for (const auto& part : requireArray(description, "decoders", where))
            add(part, depth + 1);
    } else if (type == "Fuse") {
        m_fused = true;
    } else if (type == "Strip") {
        Strip step;
        appendChar(step.content, requireChar(description, "content", where));
        step.start = requireCount(description, "start", where);
        step.stop = requireCount(description, "stop", where);
        if (m_fused && step.stop > 0)
            throw Error(where + ": cutting the end off the whole text is not supported");
        if (m_fused) {
            m_ofWhole.push_back(std::move(step));
        } else {
            m_steps.emplace_back(std::move(step));
        }
    } else if (m_fused) {
        throw Error(where + " behind Fuse is not supported");
    } else if (type == "Replace") {
        m_steps.emplace_back(Replace{patternFromJson(description, where),
                                     requireString(description, "content", where)});
    } else if (type == "ByteLevel") {
        m_steps.emplace_back(ByteLevel{});
    } else if (type == "ByteFallback") {
        m_steps.emplace_back(ByteFallback{});
    } else if (type == "Metaspace") {
        Metaspace step;
        appendChar(step.replacement, requireChar(description, "replacement", where));
        const auto scheme = optionalString(description, "prepend_scheme", where);
        const auto prefix = optionalBool(description, "add_prefix_space", where);
        step.dropFirst = scheme.value_or("always") != "never" && prefix.value_or(true);
        m_steps.emplace_back(std::move(step));
    } else {
        throw Error("the decoder \"" + type + "\" is not supported");
    }
}

std::string TokenDecoder::bytes(const std::string& token, bool first) const {
    std::string text = token;
    for (const Step& step : m_steps) {
        if (const auto* replace = std::get_if<Replace>(&step)) {
            // What a byte token stands for is not text to be searched.
            if (findInvalidUtf8(text) == std::string::npos)
                text = replaceMatches(replace->pattern, text, replace->content);
        } else if (std::holds_alternative<ByteLevel>(step)) {
            if (findInvalidUtf8(text) == std::string::npos) text = bytesOfLevelText(text);
        } else if (std::holds_alternative<ByteFallback>(step)) {
            text = byteOfFallback(text);
        } else if (const auto* metaspace = std::get_if<Metaspace>(&step)) {
            std::string result;
            size_t done = 0;
            for (size_t at = 0; (at = text.find(metaspace->replacement, at)) != std::string::npos;
                 at = done) {
                result.append(text, done, at - done);
                if (!first || !metaspace->dropFirst) result += ' ';
                done = at + metaspace->replacement.size();
            }
            text = result.append(text, done);
        } else {
            const auto& strip = std::get<Strip>(step);
            stripStart(text, strip.content, strip.start);
            for (size_t i = 0; i < strip.stop && text.ends_with(strip.content); ++i)
                text.resize(text.size() - strip.content.size());
        }
    }
    return text;
}

std::string TokenDecoder::decode(std::span<const std::string* const> tokens) const {
    std::string text;
    for (size_t i = 0; i < tokens.size(); ++i)
        text += bytes(*tokens[i], i == 0);
    for (const Strip& strip : m_ofWhole)
        stripStart(text, strip.content, strip.start);
    return replaceInvalidUtf8(text);
}

} // namespace bitloom::text
