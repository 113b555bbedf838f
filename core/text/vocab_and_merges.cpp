// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/base/error.h"
#include "core/io/durable.h"
#include "core/text/json_fields.h"
#include "core/text/json_tokenizer.h"
#include "core/text/unicode.h"

#include <algorithm>

namespace bitloom::text {

namespace {

constexpr const char* qwen2Pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr int64_t qwen2Tokens = 151643;

nlohmann::json readMerges(const std::filesystem::path& path) {
    const std::string text = readTextFile(path);
    if (const size_t bad = findInvalidUtf8(text); bad != std::string::npos)
        throw Error(path.string() + " is not UTF-8 (byte " + std::to_string(bad) + ")");
    nlohmann::json merges = nlohmann::json::array();
    for (size_t begin = 0; begin < text.size();) {
        const size_t end = std::min(text.find('\n', begin), text.size());
        std::string_view line = std::string_view(text).substr(begin, end - begin);
        if (line.ends_with('\r')) line.remove_suffix(1);
        const bool version = begin == 0 && line.starts_with("#version");
        if (!line.empty() && !version) merges.push_back(std::string(line));
        begin = end + 1;
    }
    return merges;
}

int32_t idOf(const nlohmann::json& vocab, const char* token) {
    const auto it = vocab.find(token);
    return it != vocab.end() && it->is_number_integer() ? it->get<int32_t>() : -1;
}

void setDefault(std::optional<std::string>& slot, bool& said, const char* content,
                SpecialTokens& special) {
    if (said) return;
    slot = content;
    said = true;
    special.named.push_back(content);
}

void addSpecial(SpecialTokens& special, const char* content, int64_t id) {
    for (const AddedToken& token : special.added)
        if (token.content == content || token.id == id) return;
    AddedToken token;
    token.id = static_cast<int32_t>(id);
    token.content = content;
    token.special = true;
    special.added.push_back(std::move(token));
}

/// "Qwen2Tokenizer", "GPT2Tokenizer", or "OPT" (GPT-2's with other special tokens).
std::string chooseClass(const nlohmann::json& vocab, const SpecialTokens& special) {
    const std::string& named = special.tokenizerClass;
    if (named.starts_with("Qwen2")) return "Qwen2Tokenizer";
    if (!named.empty() && named != "GPT2Tokenizer" && named != "PreTrainedTokenizer")
        throw Error("vocab.json with merges.txt of the tokenizer class \"" + named +
                        "\" is not supported (GPT2Tokenizer and Qwen2Tokenizer are)",
                    "Save the tokenizer with a tokenizer.json.");
    if (named.empty() && special.modelType.starts_with("qwen")) return "Qwen2Tokenizer";
    if (named.empty() && special.modelType == "opt") return "OPT";
    if (!named.empty() || !special.modelType.empty()) return "GPT2Tokenizer";
    if (idOf(vocab, "<s>") == 0 && idOf(vocab, "</s>") == 2) return "OPT";
    if (static_cast<int64_t>(vocab.size()) == qwen2Tokens && idOf(vocab, "<|endoftext|>") < 0)
        return "Qwen2Tokenizer";
    return "GPT2Tokenizer";
}

} // namespace

nlohmann::json describeVocabAndMerges(const std::filesystem::path& folder, SpecialTokens& special) {
    nlohmann::json vocab = readJsonFile(folder / "vocab.json");
    if (!vocab.is_object()) throw Error("vocab.json does not hold a JSON object");
    const std::string kind = chooseClass(vocab, special);
    const bool prefixSpace = special.addPrefixSpace.value_or(false);
    nlohmann::json byteLevel = {{"type", "ByteLevel"},
                                {"add_prefix_space", prefixSpace},
                                {"use_regex", kind != "Qwen2Tokenizer"}};
    nlohmann::json file = {{"decoder", {{"type", "ByteLevel"}}}};
    if (kind == "Qwen2Tokenizer") {
        file["normalizer"] = {{"type", "NFC"}};
        file["pre_tokenizer"] = {
            {"type", "Sequence"},
            {"pretokenizers", nlohmann::json::array({{{"type", "Split"},
                                                      {"pattern", {{"Regex", qwen2Pattern}}},
                                                      {"behavior", "Isolated"},
                                                      {"invert", false}},
                                                     byteLevel})}};
        if (special.added.empty() && idOf(vocab, "<|endoftext|>") < 0) {
            const auto next = static_cast<int64_t>(vocab.size());
            addSpecial(special, "<|endoftext|>", next);
            if (next == qwen2Tokens) {
                addSpecial(special, "<|im_start|>", next + 1);
                addSpecial(special, "<|im_end|>", next + 2);
            }
        }
        special.saysBos = true; // none, unless it is named
        setDefault(special.eos, special.saysEos, "<|endoftext|>", special);
        file["post_processor"] = {{"type", "ByteLevel"}};
    } else {
        file["pre_tokenizer"] = std::move(byteLevel);
        const bool opt = kind == "OPT";
        const char* token = opt ? "</s>" : "<|endoftext|>";
        setDefault(special.bos, special.saysBos, token, special);
        setDefault(special.eos, special.saysEos, token, special);
        if (opt) special.named.push_back("<pad>");
        if (opt && !special.addBos) special.addBos = true;
        special.tokenizerClass = "GPT2Tokenizer";
    }
    file["model"] = {{"type", "BPE"}, {"merges", readMerges(folder / "merges.txt")}};
    file["model"]["vocab"] = std::move(vocab);
    return file;
}

} // namespace bitloom::text
