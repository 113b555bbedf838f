// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/text/unicode.h"

#include <utf8proc.h>

namespace bitloom::text {

namespace {

struct Sequence {
    size_t length;  ///< bytes of a character, or of a broken subpart
    bool valid;     ///< a whole character
    bool truncated; ///< broken only because the text ends
};

/// Table 3-7 of the Unicode standard, byte by byte.
Sequence scanSequence(std::string_view text, size_t at) {
    const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
    const uint8_t lead = byte(at);
    if (lead < 0x80) return {1, true, false};
    size_t following = 0;
    uint8_t low = 0x80, high = 0xBF;
    if (lead >= 0xC2 && lead <= 0xDF) {
        following = 1;
    } else if (lead >= 0xE0 && lead <= 0xEF) {
        following = 2;
        if (lead == 0xE0) low = 0xA0;
        if (lead == 0xED) high = 0x9F;
    } else if (lead >= 0xF0 && lead <= 0xF4) {
        following = 3;
        if (lead == 0xF0) low = 0x90;
        if (lead == 0xF4) high = 0x8F;
    } else {
        return {1, false, false};
    }
    for (size_t i = 1; i <= following; ++i) {
        if (at + i >= text.size()) return {i, false, true};
        if (byte(at + i) < low || byte(at + i) > high) return {i, false, false};
        low = 0x80;
        high = 0xBF;
    }
    return {following + 1, true, false};
}

utf8proc_category_t category(char32_t c) {
    return utf8proc_category(static_cast<utf8proc_int32_t>(c));
}

} // namespace

char32_t nextChar(std::string_view text, size_t& at) {
    const auto byte = [&](size_t i) { return char32_t(static_cast<uint8_t>(text[i])); };
    const char32_t lead = byte(at);
    if (lead < 0x80) {
        ++at;
        return lead;
    }
    const size_t length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    char32_t value = lead & (0xFFu >> (length + 1));
    for (size_t i = 1; i < length; ++i)
        value = (value << 6) | (byte(at + i) & 0x3F);
    at += length;
    return value;
}

char32_t lastChar(std::string_view text) {
    size_t at = text.size() - 1;
    while (at > 0 && (static_cast<uint8_t>(text[at]) & 0xC0) == 0x80)
        --at;
    return nextChar(text, at);
}

void appendChar(std::string& text, char32_t c) {
    if (c < 0x80) {
        text += static_cast<char>(c);
    } else if (c < 0x800) {
        text += static_cast<char>(0xC0 | (c >> 6));
        text += static_cast<char>(0x80 | (c & 0x3F));
    } else if (c < 0x10000) {
        text += static_cast<char>(0xE0 | (c >> 12));
        text += static_cast<char>(0x80 | ((c >> 6) & 0x3F));
        text += static_cast<char>(0x80 | (c & 0x3F));
    } else {
        text += static_cast<char>(0xF0 | (c >> 18));
        text += static_cast<char>(0x80 | ((c >> 12) & 0x3F));
        text += static_cast<char>(0x80 | ((c >> 6) & 0x3F));
        text += static_cast<char>(0x80 | (c & 0x3F));
    }
}

size_t findInvalidUtf8(std::string_view text) {
    for (size_t at = 0; at < text.size();) {
        const Sequence sequence = scanSequence(text, at);
        if (!sequence.valid) return at;
        at += sequence.length;
    }
    return std::string_view::npos;
}

std::string replaceInvalidUtf8(std::string_view text) {
    std::string result;
    result.reserve(text.size());
    for (size_t at = 0; at < text.size();) {
        const Sequence sequence = scanSequence(text, at);
        result += sequence.valid ? text.substr(at, sequence.length) : "\xEF\xBF\xBD";
        at += sequence.length;
    }
    return result;
}

size_t incompleteTail(std::string_view text) {
    for (size_t back = 1; back <= 3 && back <= text.size(); ++back) {
        const uint8_t byte = static_cast<uint8_t>(text[text.size() - back]);
        if ((byte & 0xC0) == 0x80) continue;
        const Sequence sequence = scanSequence(text, text.size() - back);
        return sequence.truncated && sequence.length == back ? back : 0;
    }
    return 0;
}

bool isWhitespace(char32_t c) {
    if (c < 0x80) return c == ' ' || (c >= '\t' && c <= '\r');
    if (c == 0x85) return true;
    const utf8proc_category_t kind = category(c);
    return kind == UTF8PROC_CATEGORY_ZS || kind == UTF8PROC_CATEGORY_ZL ||
           kind == UTF8PROC_CATEGORY_ZP;
}

bool isNumeric(char32_t c) {
    const utf8proc_category_t kind = category(c);
    return kind == UTF8PROC_CATEGORY_ND || kind == UTF8PROC_CATEGORY_NL ||
           kind == UTF8PROC_CATEGORY_NO;
}

bool isPunctuation(char32_t c) {
    if (c < 0x80)
        return (c >= '!' && c <= '/') || (c >= ':' && c <= '@') || (c >= '[' && c <= '`') ||
               (c >= '{' && c <= '~');
    const utf8proc_category_t kind = category(c);
    return kind >= UTF8PROC_CATEGORY_PC && kind <= UTF8PROC_CATEGORY_PO;
}

bool isMark(char32_t c) {
    const utf8proc_category_t kind = category(c);
    return kind >= UTF8PROC_CATEGORY_MN && kind <= UTF8PROC_CATEGORY_ME;
}

bool isWord(char32_t c) {
    const utf8proc_category_t kind = category(c);
    if ((kind >= UTF8PROC_CATEGORY_LU && kind <= UTF8PROC_CATEGORY_NL) ||
        kind == UTF8PROC_CATEGORY_PC)
        return true;
    // Join_Control, and the circled and squared letters, which are symbols but Alphabetic.
    return c == 0x200C || c == 0x200D || (c >= 0x24B6 && c <= 0x24E9) ||
           (c >= 0x1F130 && c <= 0x1F149) || (c >= 0x1F150 && c <= 0x1F169) ||
           (c >= 0x1F170 && c <= 0x1F189);
}

const std::array<std::string, 256>& byteLevelChars() {
    static const std::array<std::string, 256> table = [] {
        std::array<std::string, 256> result;
        char32_t next = 256;
        for (char32_t byte = 0; byte < 256; ++byte) {
            const bool printable =
                (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
            appendChar(result[byte], printable ? byte : next++);
        }
        return result;
    }();
    return table;
}

std::optional<uint8_t> byteOfLevelChar(char32_t c) {
    static const std::array<int16_t, 512> table = [] {
        std::array<int16_t, 512> result;
        result.fill(-1);
        for (int byte = 0; byte < 256; ++byte) {
            size_t at = 0;
            result[nextChar(byteLevelChars()[byte], at)] = static_cast<int16_t>(byte);
        }
        return result;
    }();
    if (c >= table.size() || table[c] < 0) return std::nullopt;
    return static_cast<uint8_t>(table[c]);
}

} // namespace bitloom::text
