// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/text/tokenizer.h"

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace bitloom {

/// Rows of equal length, row-major. Made from texts or read from a file of ids.
struct TokenWindows {
    std::vector<int32_t> ids; ///< [count, length]
    int64_t count = 0, length = 0;
    std::string source;   ///< file names, for messages
    std::string textHash; ///< of the text's bytes, or of the ids where they were given
    std::span<const int32_t> row(int64_t i) const {
        return {ids.data() + i * length, static_cast<size_t>(length)};
    }
};

/// Reads text files (plain UTF-8, or .jsonl with a "text" field a line) and joins them with "\n\n".
/// Throws Error for an empty text, and for a file that is not UTF-8 with the place of the bad byte.
std::string readTexts(const std::vector<std::filesystem::path>& files);

/// Tokenizes once, with the tokenizer's own BOS, and cuts into windows without overlap; the rest
/// that fills no window is dropped. Throws Error if the text is shorter than one window, naming
/// both lengths. At most `maxWindows` where > 0.
TokenWindows windowsFromText(const Tokenizer& tokenizer, std::string_view text,
                             const std::string& source, int64_t length, int64_t maxWindows = 0);

/// I32 tensor `input_ids` [B,T] or [T] of a safetensors file; ids are checked against `vocab`.
/// [T] is cut into windows of `length` (0: one row); [B,T] keeps its rows unless `length` < T, then
/// each row is cut.
TokenWindows windowsFromIds(const std::filesystem::path& file, int64_t vocab, int64_t length,
                            int64_t maxWindows = 0);

} // namespace bitloom
