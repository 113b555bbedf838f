// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/text/normalizer.h"

#include "core/base/error.h"
#include "core/text/interrupt.h"
#include "core/text/json_fields.h"
#include "core/text/unicode.h"

#include <utf8proc.h>

#include <cstdlib>
#include <memory>

namespace bitloom::text {

namespace {

std::string normalizeUnicode(const std::string& text, int options) {
    utf8proc_uint8_t* result = nullptr;
    const utf8proc_ssize_t length =
        utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                     static_cast<utf8proc_ssize_t>(text.size()), &result,
                     static_cast<utf8proc_option_t>(options));
    const std::unique_ptr<utf8proc_uint8_t, decltype(&std::free)> owner(result, &std::free);
    if (length < 0)
        throw Error(std::string("normalizing the text failed: ") + utf8proc_errmsg(length));
    return std::string(reinterpret_cast<const char*>(result), static_cast<size_t>(length));
}

/// The same some lines at a time, so that it can be broken off: nothing combines with a line feed.
std::string normalizeLines(const std::string& text, int options) {
    constexpr size_t enough = 1 << 16;
    std::string result;
    Interrupts interrupts(1);
    for (size_t begin = 0; begin < text.size();) {
        const size_t feed =
            begin + enough < text.size() ? text.find('\n', begin + enough) : std::string::npos;
        const size_t end = feed == std::string::npos ? text.size() : feed + 1;
        result += normalizeUnicode(text.substr(begin, end - begin), options);
        begin = end;
        interrupts.step();
    }
    return result;
}

bool isAscii(std::string_view text) {
    for (char c : text)
        if (static_cast<uint8_t>(c) >= 0x80) return false;
    return true;
}

std::string lowercase(std::string_view text) {
    std::string result;
    result.reserve(text.size());
    Interrupts interrupts;
    for (size_t at = 0; at < text.size();) {
        interrupts.step();
        const char32_t c = nextChar(text, at);
        if (c == 0x130) {
            result += "i\xCC\x87"; // the only lower case of two characters
        } else {
            appendChar(result,
                       static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c))));
        }
    }
    return result;
}

std::string_view strip(std::string_view text, bool left, bool right) {
    size_t begin = 0, end = text.size();
    while (left && begin < end) {
        size_t next = begin;
        if (!isWhitespace(nextChar(text, next))) break;
        begin = next;
    }
    while (right && end > begin) {
        const std::string_view rest = text.substr(begin, end - begin);
        if (!isWhitespace(lastChar(rest))) break;
        --end;
        while (end > begin && (static_cast<uint8_t>(text[end]) & 0xC0) == 0x80)
            --end;
    }
    return text.substr(begin, end - begin);
}

/// SentencePiece's "nmt" rules: control characters go, odd blanks become spaces.
std::string nmt(std::string_view text) {
    std::string result;
    Interrupts interrupts;
    for (size_t at = 0; at < text.size();) {
        interrupts.step();
        const char32_t c = nextChar(text, at);
        if ((c >= 1 && c <= 8) || c == 0xB || (c >= 0xE && c <= 0x1F) || c == 0x7F || c == 0x8F ||
            c == 0x9F)
            continue;
        const bool blank = c == 0x9 || c == 0xA || c == 0xC || c == 0xD || c == 0x1680 ||
                           (c >= 0x200B && c <= 0x200F) || c == 0x2028 || c == 0x2029 ||
                           c == 0x2581 || c == 0xFEFF || c == 0xFFFD;
        appendChar(result, blank ? U' ' : c);
    }
    return result;
}

} // namespace

void Normalizer::add(const nlohmann::json& description, int depth) {
    if (description.is_null()) return;
    if (depth > maxComponentDepth) throw Error("normalizer: too many Sequences within each other");
    const std::string type = componentType(description, "normalizer");
    const std::string where = "normalizer " + type;
    if (type == "Sequence") {
        for (const auto& part : requireArray(description, "normalizers", where))
            add(part, depth + 1);
    } else if (type == "Prepend") {
        m_steps.emplace_back(Prepend{requireString(description, "prepend", where)});
    } else if (type == "Replace") {
        m_steps.emplace_back(Replace{patternFromJson(description, where),
                                     requireString(description, "content", where)});
    } else if (type == "Strip") {
        m_steps.emplace_back(Strip{optionalBool(description, "strip_left", where).value_or(true),
                                   optionalBool(description, "strip_right", where).value_or(true)});
    } else if (type == "NFC") {
        m_steps.emplace_back(Unicode{UTF8PROC_STABLE | UTF8PROC_COMPOSE});
    } else if (type == "NFD") {
        m_steps.emplace_back(Unicode{UTF8PROC_STABLE | UTF8PROC_DECOMPOSE});
    } else if (type == "NFKC") {
        m_steps.emplace_back(Unicode{UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT});
    } else if (type == "NFKD") {
        m_steps.emplace_back(Unicode{UTF8PROC_STABLE | UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT});
    } else if (type == "Lowercase") {
        m_steps.emplace_back(Lowercase{});
    } else if (type == "StripAccents") {
        m_steps.emplace_back(StripAccents{});
    } else if (type == "Nmt") {
        m_steps.emplace_back(Nmt{});
    } else if (type == "ByteLevel") {
        m_steps.emplace_back(ByteLevel{});
    } else {
        throw Error("the normalizer \"" + type + "\" is not supported");
    }
}

std::string Normalizer::applyStep(const Step& step, std::string text) {
    if (const auto* prepend = std::get_if<Prepend>(&step))
        return text.empty() ? text : prepend->text + text;
    if (const auto* replace = std::get_if<Replace>(&step))
        return replaceMatches(replace->pattern, text, replace->content);
    if (const auto* ends = std::get_if<Strip>(&step))
        return std::string(strip(text, ends->left, ends->right));
    if (const auto* unicode = std::get_if<Unicode>(&step))
        return isAscii(text) ? text : normalizeLines(text, unicode->options);
    if (std::holds_alternative<Lowercase>(step)) return lowercase(text);
    if (std::holds_alternative<Nmt>(step)) return nmt(text);
    std::string result;
    if (std::holds_alternative<ByteLevel>(step)) {
        for (char c : text)
            result += byteLevelChars()[static_cast<uint8_t>(c)];
        return result;
    }
    Interrupts interrupts;
    for (size_t at = 0; at < text.size();) { // StripAccents
        interrupts.step();
        const char32_t c = nextChar(text, at);
        if (!isMark(c)) appendChar(result, c);
    }
    return result;
}

std::string Normalizer::apply(std::string_view text) const {
    std::string result(text);
    for (const Step& step : m_steps)
        result = applyStep(step, std::move(result));
    return result;
}

} // namespace bitloom::text
