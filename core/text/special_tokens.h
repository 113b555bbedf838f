// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/text/added_tokens.h"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace bitloom::text {

/// What tokenizer_config.json, special_tokens_map.json, added_tokens.json and config.json say about
/// a folder's tokenizer, whichever of them there are. Read as transformers reads them: the map
/// counts only where the configuration has no added_tokens_decoder.
struct SpecialTokens {
    std::string tokenizerClass; ///< without "Fast"; empty: not said
    std::string modelType;      ///< of config.json: "llama"; empty: not said
    std::optional<std::string> bos, eos;
    bool saysBos = false, saysEos = false; ///< named, be it as null
    std::vector<std::string> named;        ///< every special token that is named, bos and eos too
    std::optional<bool> addBos, addPrefixSpace;
    bool legacy = true;            ///< SentencePiece: every stretch of text gets a leading space
    std::vector<AddedToken> added; ///< with their ids
    std::optional<int32_t> configBosId, configEosId; ///< of config.json

    /// Throws Error naming the file and the member that cannot be read.
    static SpecialTokens read(const std::filesystem::path& folder);

    bool isLlamaFamily() const;
};

} // namespace bitloom::text
