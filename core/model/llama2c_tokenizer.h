// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include <nlohmann/json.hpp>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace bitloom {

/// The vocabulary of a llama2.c tokenizer.bin, in order of ids.
struct Llama2cVocabulary {
    struct Piece {
        std::string text; ///< as SentencePiece writes it: "▁the", "<0x0A>", "<s>"
        float score = 0;
    };
    std::vector<Piece> pieces;

    /// Reads exactly `size` pieces; throws Error if the file does not hold exactly that many.
    static Llama2cVocabulary read(const std::filesystem::path& path, int64_t size);
};

/// A tokenizer.json (Hugging Face tokenizers) that encodes as llama2.c does.
nlohmann::ordered_json makeTokenizerJson(const Llama2cVocabulary& vocabulary);

} // namespace bitloom
