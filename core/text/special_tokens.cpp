// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/text/special_tokens.h"

#include "core/base/error.h"
#include "core/io/durable.h"
#include "core/text/json_fields.h"

#include <algorithm>
#include <charconv>

namespace bitloom::text {

namespace {

nlohmann::json readObject(const std::filesystem::path& file) {
    if (!std::filesystem::exists(file)) return nlohmann::json::object();
    nlohmann::json object = readJsonFile(file);
    if (!object.is_object()) throw Error(file.string() + " does not hold a JSON object");
    return object;
}

/// A token as text, or as an object with "content".
std::optional<std::string> tokenContent(const nlohmann::json& value, const std::string& where) {
    if (value.is_null()) return std::nullopt;
    if (value.is_string()) return value.get<std::string>();
    if (value.is_object()) return requireString(value, "content", where);
    throw Error(where + " is not a token");
}

void readNames(const nlohmann::json& object, const std::string& file, SpecialTokens& tokens) {
    for (const char* key : {"bos_token", "eos_token", "unk_token", "sep_token", "pad_token",
                            "cls_token", "mask_token"}) {
        const auto it = object.find(key);
        if (it == object.end()) continue;
        const auto content = tokenContent(*it, file + ": \"" + key + "\"");
        if (std::string_view(key) == "bos_token") {
            tokens.saysBos = true;
            tokens.bos = content;
        } else if (std::string_view(key) == "eos_token") {
            tokens.saysEos = true;
            tokens.eos = content;
        }
        if (content && !content->empty()) tokens.named.push_back(*content);
    }
    for (const char* key : {"additional_special_tokens", "extra_special_tokens"}) {
        const nlohmann::json* list = findField(object, key);
        if (!list || (!list->is_array() && !list->is_object())) continue;
        for (const nlohmann::json& item : *list)
            if (const auto content = tokenContent(item, file + ": \"" + key + "\""))
                tokens.named.push_back(*content);
    }
}

std::optional<int32_t> firstId(const nlohmann::json& config, const char* key) {
    const nlohmann::json* field = findField(config, key);
    if (field && field->is_array() && !field->empty()) field = &field->front();
    if (!field || !field->is_number_integer()) return std::nullopt;
    const int64_t id = field->get<int64_t>();
    return id >= 0 && id <= maxTokenId ? std::optional(static_cast<int32_t>(id)) : std::nullopt;
}

void readAddedTokens(const nlohmann::json& config, const std::string& file, SpecialTokens& tokens) {
    const std::string where = file + ": added_tokens_decoder";
    const nlohmann::json& list = requireObject(config, "added_tokens_decoder", file);
    for (const auto& [key, value] : list.items()) {
        int64_t id = -1;
        const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), id);
        if (error != std::errc() || end != key.data() + key.size())
            throw Error(where + ": \"" + key + "\" is not a token id");
        AddedToken token = AddedToken::fromJson(value, where);
        token.id = tokenId(id, where);
        tokens.added.push_back(std::move(token));
    }
    std::sort(tokens.added.begin(), tokens.added.end(),
              [](const AddedToken& a, const AddedToken& b) { return a.id < b.id; });
}

/// The old form: nothing but texts and ids.
void readOldAddedTokens(const std::filesystem::path& path, SpecialTokens& tokens) {
    const nlohmann::json list = readObject(path);
    for (const auto& [content, id] : list.items()) {
        AddedToken token;
        token.content = content;
        token.id = tokenId(id, path.string());
        token.special =
            std::find(tokens.named.begin(), tokens.named.end(), content) != tokens.named.end();
        token.normalized = !token.special;
        tokens.added.push_back(std::move(token));
    }
}

} // namespace

SpecialTokens SpecialTokens::read(const std::filesystem::path& folder) {
    SpecialTokens tokens;
    const std::filesystem::path configPath = folder / "tokenizer_config.json";
    const std::string file = configPath.string();
    const nlohmann::json config = readObject(configPath);
    tokens.tokenizerClass = optionalString(config, "tokenizer_class", file).value_or("");
    if (tokens.tokenizerClass.ends_with("Fast"))
        tokens.tokenizerClass.resize(tokens.tokenizerClass.size() - 4);
    tokens.addBos = optionalBool(config, "add_bos_token", file);
    tokens.addPrefixSpace = optionalBool(config, "add_prefix_space", file);
    tokens.legacy = optionalBool(config, "legacy", file).value_or(true);
    readNames(config, file, tokens);
    if (findField(config, "added_tokens_decoder")) {
        readAddedTokens(config, file, tokens);
    } else {
        const std::filesystem::path map = folder / "special_tokens_map.json";
        readNames(readObject(map), map.string(), tokens);
        readOldAddedTokens(folder / "added_tokens.json", tokens);
    }

    const nlohmann::json model = readObject(folder / "config.json");
    const nlohmann::json* type = findField(model, "model_type");
    if (type && type->is_string()) tokens.modelType = type->get<std::string>();
    tokens.configBosId = firstId(model, "bos_token_id");
    tokens.configEosId = firstId(model, "eos_token_id");
    return tokens;
}

bool SpecialTokens::isLlamaFamily() const {
    return tokenizerClass == "LlamaTokenizer" || tokenizerClass == "CodeLlamaTokenizer" ||
           tokenizerClass == "GemmaTokenizer";
}

} // namespace bitloom::text
