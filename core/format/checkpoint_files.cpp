// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/format/checkpoint_files.h"

#include "core/base/error.h"
#include "core/base/units.h"
#include "core/io/durable.h"

#include <algorithm>
#include <cstdio>

namespace bitloom::checkpointFiles {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

/// Names and texts may come from the outside and be no UTF-8: replaced rather than refused.
std::string dump(const json& value) {
    return value.dump(2, ' ', false, json::error_handler_t::replace);
}

std::string literal(std::string_view text) {
    return json(text).dump(-1, ' ', false, json::error_handler_t::replace);
}

// Room beside the names, a little more than the longest text of each entry.
constexpr int64_t configBase = 256, configColumn = 128, configGroup = 248;
constexpr int64_t indexBase = 128, indexEntry = 48;
constexpr int64_t manifestBase = 128, manifestEntry = 80;
constexpr int64_t cardRoom = 4096;
/// Sizes by part and program, and figures that are measured only after the layout is made.
constexpr int64_t recipeStored = 1024, recipeMeasured = 3072, recipeUnit = 4096;

bool isCopied(const std::string& name) {
    static constexpr std::string_view exact[] = {"generation_config.json",
                                                 "tokenizer.json",
                                                 "tokenizer.model",
                                                 "tokenizer_config.json",
                                                 "added_tokens.json",
                                                 "special_tokens_map.json",
                                                 "vocab.json",
                                                 "merges.txt",
                                                 "chat_template.jinja",
                                                 "chat_template.json"};
    if (std::ranges::find(exact, name) != std::end(exact)) return true;
    // Terms that bind whoever passes the weights on ("LICENSE.txt", "USE_POLICY.md").
    return name.starts_with("LICENSE") || name.starts_with("LICENCE") ||
           name.starts_with("NOTICE") || name.starts_with("USE_POLICY");
}

json toJson(const SizeParts& parts) {
    return {{"bits_per_weight", parts.bitsPerWeight()},
            {"linear_weights", parts.linearWeights},
            {"linear_bytes", parts.linearBytes},
            {"codes", parts.codes},
            {"padding", parts.padding},
            {"tables", parts.tables},
            {"scales", parts.scales},
            {"classes", parts.classes},
            {"outliers", parts.outliers},
            {"raw", parts.raw},
            {"embedding_and_head", parts.embeddingAndHead},
            {"other_tensors", parts.otherTensors},
            {"headers_and_files", parts.headersAndFiles},
            {"total_bytes", parts.totalBytes}};
}

std::string decimals(double value, int count) {
    char text[64];
    std::snprintf(text, sizeof text, "%.*f", count, value);
    return text;
}

} // namespace

std::vector<CheckpointLayout::PlainFile> list(const Checkpoint& source, const CheckpointSpec& spec,
                                              const Blueprint& blueprint) {
    std::vector<CheckpointLayout::PlainFile> files;
    for (const auto& entry : fs::directory_iterator(source.folder())) {
        std::string name = entry.path().filename().string();
        std::error_code missing; // a dangling link of a cache folder
        if (!isCopied(name) || !entry.is_regular_file(missing)) continue;
        files.push_back({std::move(name), int64_t(entry.file_size()), entry.path()});
    }

    int64_t config = int64_t(dump(source.config().raw).size()) + configBase;
    for (const auto& [name, format] : spec.layers)
        if (format.layout != LayerLayout::Dense)
            config += int64_t(name.size()) +
                      (format.layout == LayerLayout::Group ? configGroup : configColumn);
    files.push_back({configName, config, {}});

    const int64_t recipe =
        int64_t(dump(spec.recipe).size()) + recipeStored + recipeMeasured + recipeUnit - 1;
    files.push_back({recipeName, recipe / recipeUnit * recipeUnit, {}});
    files.push_back({cardName, cardRoom, {}});

    int64_t names = 0;
    for (const auto& tensor : blueprint.tensors)
        names += int64_t(tensor.nameLength());
    const auto tensors = int64_t(blueprint.tensors.size());
    const auto shards = blueprint.shardBegins.size();
    if (shards > 1) files.push_back({indexName, indexBase + names + tensors * indexEntry, {}});

    int64_t manifest = manifestBase + names + tensors * manifestEntry;
    for (const auto& file : files)
        manifest += int64_t(literal(file.name).size()) + manifestEntry;
    for (size_t i = 0; i < shards; ++i)
        manifest += int64_t(blueprint.shardName(i).size()) + manifestEntry;
    files.push_back({manifestName, manifest, {}});
    std::ranges::sort(files, {}, &CheckpointLayout::PlainFile::name);
    return files;
}

std::string configText(const Checkpoint& source, const CheckpointSpec& spec) {
    json layers = json::object();
    for (const LinearInfo& linear : source.catalogue().linears) {
        const auto found = spec.layers.find(linear.name);
        if (found == spec.layers.end() || found->second.layout == LayerLayout::Dense) continue;
        // The shape is for readers that do not know the architecture.
        json& entry = layers[linear.name] = {{"shape", {linear.rows, linear.cols}}};
        if (found->second.layout == LayerLayout::Column) {
            entry["layout"] = "column";
            continue;
        }
        const GroupFormat& group = found->second.group;
        entry["layout"] = "group";
        entry["bits"] = group.bits;
        entry["group_size"] = group.groupSize;
        entry["symmetric"] = group.symmetric;
        entry["act_order"] = group.actOrder;
    }
    json config = source.config().raw;
    config["quantization_config"] = {
        {"quant_method", "bitloom"},
        {"format_version", formatVersion},
        {"head", spec.head == HeadStorage::Rows8 ? "rows8" : "keep"},
        {"layers", std::move(layers)},
    };
    return dump(config);
}

std::string indexText(const CheckpointLayout& layout) {
    uint64_t total = 0;
    json map = json::object();
    for (const auto& shard : layout.shards()) {
        for (const TensorInfo& tensor : shard.layout.tensors()) {
            map[tensor.name] = shard.fileName;
            total += tensor.bytes();
        }
    }
    return dump({{"metadata", {{"total_size", total}}}, {"weight_map", std::move(map)}});
}

std::string recipeText(const nlohmann::json& recipe, const SizeParts& parts) {
    json text = recipe.is_null() ? json::object() : recipe;
    if (!text.is_object()) throw Error("a recipe must be a JSON object");
    text["program"] = "bitloom " BITLOOM_VERSION;
    text["stored"] = toJson(parts);
    return dump(text);
}

std::string cardText(const nlohmann::json& recipe, const CheckpointLayout& layout, int64_t room) {
    const SizeParts& parts = layout.parts();
    const std::string bits = decimals(parts.bitsPerWeight(), 3);
    std::string head = "---\ntags:\n- bitloom\n- quantized\n---\n# Quantized with Bitloom, " +
                       bits + " bits per weight\n\n";
    const auto share = [&](const char* name, int64_t bytes) {
        if (bytes == 0) return;
        head += std::string("| ") + name + " | " + formatCount(bytes) + " | " +
                decimals(8.0 * double(bytes) / double(parts.linearWeights), 4) + " |\n";
    };
    head += "Every stored bit of the linear layers counts in the bits per weight:\n\n"
            "| part | bytes | bits per weight |\n| --- | ---: | ---: |\n";
    share("codes", parts.codes);
    share("padding", parts.padding);
    share("tables", parts.tables);
    share("scales and zeros", parts.scales);
    share("classes of columns", parts.classes);
    share("outliers", parts.outliers);
    share("16 bit columns and layers", parts.raw);
    share("**together**", parts.linearBytes);
    head += "\nEmbedding and head take " + formatCount(parts.embeddingAndHead) +
            " bytes, all files together " + formatCount(parts.totalBytes) + ".\n\n";
    const std::string tail =
        "\nThe folder opens with `bitloom chat`, `bitloom eval` and `bitloom export --to hf`, "
        "which gives a plain model\nback. `recipe.json` says how it was made, `MANIFEST.json` "
        "holds the checksum of every file and tensor.\nThe terms of the original model apply to "
        "this one too.\n";
    std::string rows;
    const auto add = [&](const std::string& key, const json& value) {
        std::string shown = value.is_string() ? value.get<std::string>() : dump(value);
        shown.resize(std::min<size_t>(shown.size(), 200));
        for (char& c : shown) // one cell of a table
            if (c == '|' || c == '\n' || c == '\r') c = ' ';
        const std::string row = "| " + key + " | " + shown + " |\n";
        if (int64_t(head.size() + rows.size() + row.size() + tail.size()) + 64 <= room) rows += row;
    };
    if (recipe.is_object())
        for (const auto& [key, value] : recipe.items()) {
            if (value.is_primitive()) add(key, value);
            if (!value.is_object()) continue;
            for (const auto& [inner, innerValue] : value.items())
                if (innerValue.is_primitive()) add(key + " " + inner, innerValue);
        }
    if (!rows.empty()) head += "| recipe | |\n| --- | --- |\n" + rows;
    return head + tail;
}

std::string manifestText(const Manifest& manifest) {
    std::string text = "{\n  \"format\": 1,\n  \"hash\": \"xxh3-128\",\n";
    const auto section = [&](const char* title, const auto& entries) {
        text += std::string("  \"") + title + "\": {";
        const char* separator = "\n";
        for (const auto& [name, entry] : entries) {
            text += separator + std::string("    ") + literal(name) +
                    ": {\"bytes\": " + std::to_string(entry.bytes) + ", \"hash\": \"" + entry.hash +
                    "\"}";
            separator = ",\n";
        }
        text += "\n  }";
    };
    section("files", manifest.files);
    text += ",\n";
    section("tensors", manifest.tensors);
    return text + "\n}\n";
}

Manifest parseManifest(const std::string& text, const std::string& where) {
    const json parsed = parseJson(text, where);
    Manifest manifest;
    try {
        if (parsed.at("format").get<int>() != 1 ||
            parsed.at("hash").get<std::string>() != "xxh3-128")
            throw Error(where + " has a format that this version does not know");
        const auto section = [&](const char* title, auto& entries) {
            for (const auto& [name, entry] : parsed.at(title).items()) {
                if (title[0] == 'f' &&
                    (name.empty() || name == "." || name == ".." ||
                     name.find_first_of(std::string_view("/\\\0", 3)) != name.npos))
                    throw Error(where + " names '" + name + "', which is no file of the folder");
                entries[name] = {entry.at("bytes").template get<uint64_t>(),
                                 entry.at("hash").template get<std::string>()};
            }
        };
        section("files", manifest.files);
        section("tensors", manifest.tensors);
    } catch (const json::exception& error) {
        throw Error(where + " is damaged: " + error.what());
    }
    return manifest;
}

std::string padded(std::string text, int64_t bytes, const std::string& fileName) {
    if (int64_t(text.size()) > bytes)
        throw Error("'" + fileName + "' needs " + std::to_string(text.size()) +
                        " bytes, but the layout gave it " + std::to_string(bytes),
                    "Add less to the recipe after the layout is made.");
    text.resize(size_t(bytes), ' ');
    return text;
}

} // namespace bitloom::checkpointFiles
