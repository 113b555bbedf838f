// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace bitloom::text {

/// UTF-8 for "▁" (U+2581), which stands for a space in SentencePiece vocabularies.
inline constexpr std::string_view spaceMark = "\xE2\x96\x81";

/// Decodes the character that starts at `at` and moves `at` behind it. The text must be valid
/// UTF-8 and `at` < size.
char32_t nextChar(std::string_view text, size_t& at);
/// The last character of a valid, non-empty text.
char32_t lastChar(std::string_view text);
void appendChar(std::string& text, char32_t character);

/// Offset of the first byte that is not valid UTF-8, or npos.
size_t findInvalidUtf8(std::string_view text);
/// Replaces every maximal broken subpart by U+FFFD, as browsers and Rust's from_utf8_lossy do.
std::string replaceInvalidUtf8(std::string_view text);
/// Number of bytes at the end (0 to 3) that start a character which more bytes could complete.
size_t incompleteTail(std::string_view text);

bool isWhitespace(char32_t c);  ///< Unicode White_Space
bool isNumeric(char32_t c);     ///< categories Nd, Nl, No
bool isPunctuation(char32_t c); ///< ASCII punctuation, and categories P*
bool isMark(char32_t c);        ///< categories M*
bool isWord(char32_t c);        ///< \w of Rust's regex crate

/// GPT-2's printable stand-in for each byte, in UTF-8, and the way back.
const std::array<std::string, 256>& byteLevelChars();
std::optional<uint8_t> byteOfLevelChar(char32_t c);

} // namespace bitloom::text
