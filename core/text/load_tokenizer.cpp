// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/base/error.h"
#include "core/io/durable.h"
#include "core/text/json_tokenizer.h"
#include "core/text/sentencepiece_tokenizer.h"
#include "core/text/tokenizer.h"

namespace bitloom {

namespace {

using std::filesystem::path;

constexpr uint64_t maxFileBytes = 1u << 30;

std::unique_ptr<Tokenizer> loadJson(const path& folder) {
    const text::SpecialTokens special = text::SpecialTokens::read(folder);
    return std::make_unique<text::JsonTokenizer>(readJsonFile(folder / "tokenizer.json"), special,
                                                 "tokenizer.json");
}

std::unique_ptr<Tokenizer> loadSentencePiece(const path& folder) {
    const text::SpecialTokens special = text::SpecialTokens::read(folder);
    return std::make_unique<text::SentencePieceTokenizer>(
        readTextFile(folder / "tokenizer.model", maxFileBytes), special);
}

std::unique_ptr<Tokenizer> loadVocabAndMerges(const path& folder) {
    text::SpecialTokens special = text::SpecialTokens::read(folder);
    const nlohmann::json description = text::describeVocabAndMerges(folder, special);
    return std::make_unique<text::JsonTokenizer>(description, special, "vocab.json + merges.txt");
}

struct Files {
    bool json, model, vocab;
    explicit Files(const path& folder)
        : json(std::filesystem::exists(folder / "tokenizer.json")),
          model(std::filesystem::exists(folder / "tokenizer.model")),
          vocab(std::filesystem::exists(folder / "vocab.json") &&
                std::filesystem::exists(folder / "merges.txt")) {}
};

/// Says whose tokenizer an error is about, whatever threw it.
template<typename Load>
std::unique_ptr<Tokenizer> loadFrom(const path& file, Load&& load) {
    try {
        return load(file.parent_path());
    } catch (const Error& error) {
        const std::string message = error.what();
        if (message.find(file.parent_path().string()) != std::string::npos) throw;
        throw Error(error.code(), file.string() + ": " + message, error.hint());
    } catch (const nlohmann::json::exception& error) {
        throw Error(file.string() + ": " + error.what());
    }
}

} // namespace

bool hasTokenizer(const path& folder) {
    const Files files(folder);
    return files.json || files.model || files.vocab;
}

std::unique_ptr<Tokenizer> loadTokenizer(const path& folder, TokenizerForm form) {
    const Files files(folder);
    if (form == TokenizerForm::SentencePiece) {
        if (!files.model) throw Error(folder.string() + " has no tokenizer.model");
        return loadFrom(folder / "tokenizer.model", loadSentencePiece);
    }
    if (files.json) {
        try {
            return loadFrom(folder / "tokenizer.json", loadJson);
        } catch (const Error& error) {
            if (form != TokenizerForm::Any || !files.model || error.code() == ErrorCode::NoSpace)
                throw;
        }
        return loadFrom(folder / "tokenizer.model", loadSentencePiece);
    }
    if (files.model && form == TokenizerForm::Any)
        return loadFrom(folder / "tokenizer.model", loadSentencePiece);
    if (files.vocab) return loadFrom(folder / "vocab.json", loadVocabAndMerges);
    throw Error(
        folder.string() + " has no tokenizer",
        form == TokenizerForm::Json
            ? "Looked for tokenizer.json, and for vocab.json with merges.txt."
            : "Looked for tokenizer.json, tokenizer.model, and vocab.json with merges.txt.");
}

} // namespace bitloom
