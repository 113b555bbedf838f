// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "app/cli/commands.h"
#include "app/cli/planning.h"
#include "app/cli/quantizing.h"

#include "core/base/units.h"
#include "core/engine/result_fields.h"
#include "core/format/checkpoint_reader.h"
#include "core/text/tokenizer.h"

#include <CLI/CLI.hpp>
#include <spdlog/fmt/fmt.h>

#include <functional>
#include <map>

namespace bitloom::cli {

namespace {

namespace fs = std::filesystem;
using Facts = std::vector<std::vector<std::string>>;

std::string displayName(const fs::path& folder) {
    const fs::path full = fs::absolute(folder).lexically_normal();
    return full.has_filename() ? full.filename().string() : full.parent_path().filename().string();
}

std::string tokenizerText(const fs::path& folder) {
    if (!hasTokenizer(folder)) return "none: texts cannot be read, --ids can";
    try {
        const auto tokenizer = loadTokenizer(folder);
        return fmt::format("{}, {} tokens", tokenizer->description(),
                           formatCount(tokenizer->vocabSize()));
    } catch (const Error& error) {
        return fmt::format("not usable: {}", error.what());
    }
}

void addShape(Facts& facts, const ModelConfig& config, const Catalogue& catalogue) {
    int64_t weights = 0;
    for (const LinearInfo& linear : catalogue.linears)
        weights += linear.rows * linear.cols;
    facts.push_back(
        {"architecture",
         fmt::format("{}: {} blocks, hidden {}, intermediate {}", config.architecture,
                     config.layers, formatCount(config.hidden), formatCount(config.intermediate))});
    facts.push_back(
        {"attention",
         fmt::format("{} heads of {}, {} for keys and values, {} positions", config.heads,
                     config.headDim, config.kvHeads, formatCount(config.maxPositions))});
    facts.push_back(
        {"vocabulary", formatCount(config.vocab) +
                           (config.tiedEmbeddings ? ", head tied to the embedding" : "")});
    facts.push_back({"block layers", fmt::format("{} linear layers with {} weights",
                                                 catalogue.linears.size(), formatCount(weights))});
}

std::string dtypesOf(const Checkpoint& model) {
    std::string text;
    for (const auto& [name, tensor] : model.tensors()) {
        const std::string dtype(dtypeName(tensor.info.dtype));
        if (text.find(dtype) == std::string::npos) text += (text.empty() ? "" : ", ") + dtype;
    }
    return text;
}

void infoOfSource(Context& context, const std::string& name, bool layers) {
    const auto model = openModel(name);
    const auto cached = findCachedStatistics(context.cache(), model->fingerprint());
    Facts facts;
    facts.push_back({"model", displayName(model->folder())});
    facts.push_back({"folder", model->folder().string()});
    addShape(facts, model->config(), model->catalogue());
    facts.push_back({"parameters", formatCount(model->parameters())});
    facts.push_back(
        {"stored as", fmt::format("{}, {}", dtypesOf(*model), formatBytes(model->weightBytes()))});
    facts.push_back({"tokenizer", tokenizerText(model->folder())});
    facts.push_back({"fingerprint", model->fingerprint()});
    Json statistics = Json::array();
    for (const fs::path& path : cached) {
        std::string text = path.string();
        try {
            text = describe(*Statistics::open(path)) + "  (" + path.string() + ")";
        } catch (const Error& error) {
            text += std::string(": ") + error.what();
        }
        facts.push_back({statistics.empty() ? "statistics" : "", text});
        statistics.push_back(path.string());
    }
    if (cached.empty()) facts.push_back({"statistics", "none yet; `bitloom calibrate` takes them"});
    context.console.print(table(facts, "ll", false));
    if (layers) {
        Facts rows{{"layer", "outputs", "inputs"}};
        for (const LinearInfo& linear : model->catalogue().linears)
            rows.push_back({linear.name, formatCount(linear.rows), formatCount(linear.cols)});
        context.console.print("\n" + table(rows, "lrr"));
    }
    Json fields = {{"kind", "model"}, {"folder", model->folder().string()}};
    fields.update(shapeFields<Json>(model->config(), model->catalogue()));
    fields.update({{"parameters", model->parameters()},
                   {"bytes", model->weightBytes()},
                   {"dtype", dtypesOf(*model)},
                   {"has_tokenizer", hasTokenizer(model->folder())},
                   {"fingerprint", model->fingerprint()},
                   {"statistics", statistics}});
    fields.update(machineFields(context));
    context.console.result("info", fields);
}

/// "18 × 4, 216 × 3, 22 × 2; 90 outliers": the widths of a layer's columns.
std::string classesText(const QuantizedCheckpoint& model, const std::string& linear) {
    switch (model.layoutOf(linear)) {
    case LayerLayout::Dense:
        return "as stored";
    case LayerLayout::Group: {
        const GroupWeights weights = model.group(linear);
        return fmt::format("{} bits, groups of {}{}{}", weights.bits, weights.groupSize,
                           weights.symmetric ? ", symmetric" : "",
                           weights.groupIndex.empty() ? "" : ", act-order");
    }
    case LayerLayout::Column:
        break;
    }
    const ColumnWeights weights = model.column(linear);
    std::map<int, int64_t, std::greater<>> columns;
    int64_t outliers = 0;
    for (const uint8_t c : weights.classOf) {
        ++columns[weights.classes[c].bits];
        outliers += weights.classes[c].outliers;
    }
    std::string text;
    for (const auto& [bits, count] : columns)
        text += fmt::format("{}{} × {}", text.empty() ? "" : ", ", count, bits);
    if (outliers > 0) text += fmt::format("; {} outliers", formatCount(outliers));
    return text;
}

void infoOfQuantized(Context& context, const fs::path& folder, bool layers, bool verify) {
    const auto model = openQuantized(folder);
    const SizeParts& parts = model->parts();
    const nlohmann::json& recipe = model->recipe();
    const auto method = recipe.contains("method") && recipe["method"].is_string()
                            ? recipe["method"].get<std::string>()
                            : std::string("unknown");
    Facts facts;
    facts.push_back({"quantized model", displayName(folder)});
    facts.push_back({"folder", folder.string()});
    facts.push_back({"method", method});
    addShape(facts, model->config(), model->catalogue());
    const std::pair<const char*, int64_t> named[] = {
        {"codes", parts.codes},    {"padding", parts.padding}, {"tables", parts.tables},
        {"scales", parts.scales},  {"classes", parts.classes}, {"outliers", parts.outliers},
        {"raw columns", parts.raw}};
    std::string split;
    Json bytesByPart = Json::object();
    for (const auto& [name, bytes] : named) {
        bytesByPart[name] = bytes;
        if (bytes > 0)
            split += fmt::format("{}{} {:.3f}", split.empty() ? "" : ", ", name,
                                 8.0 * double(bytes) / double(parts.linearWeights));
    }
    bytesByPart["embedding_and_head"] = parts.embeddingAndHead;
    bytesByPart["other_tensors"] = parts.otherTensors;
    bytesByPart["headers_and_files"] = parts.headersAndFiles;
    facts.push_back({"bits per weight", fmt::format("{:.4f} ({})", parts.bitsPerWeight(), split)});
    facts.push_back({"whole folder", fmt::format("{} ({} bytes)", formatBytes(model->folderBytes()),
                                                 formatCount(model->folderBytes()))});
    facts.push_back({"tokenizer", tokenizerText(folder)});
    if (verify) {
        verifyCheckpoint(context, folder);
        facts.push_back({"verified", "every file and tensor is as it was written"});
    }
    context.console.print(table(facts, "ll", false));
    if (layers) {
        Facts rows{{"layer", "outputs", "inputs", "columns × bits"}};
        for (const LinearInfo& linear : model->catalogue().linears)
            rows.push_back({linear.name, formatCount(linear.rows), formatCount(linear.cols),
                            classesText(*model, linear.name)});
        context.console.print("\n" + table(rows, "lrrl"));
    }
    Json fields = {{"kind", "quantized"}, {"folder", folder.string()}, {"method", method}};
    fields.update(shapeFields<Json>(model->config(), model->catalogue()));
    fields.update({{"bits_per_weight", parts.bitsPerWeight()},
                   {"bytes", model->folderBytes()},
                   {"bytes_by_part", bytesByPart},
                   {"has_tokenizer", hasTokenizer(folder)},
                   {"fingerprint", model->fingerprint()}});
    if (verify) fields["verified"] = true;
    fields.update(machineFields(context));
    context.console.result("info", fields);
}

struct Input {
    std::string model;
    bool layers = false, verify = false;
};

void runInfo(Context& context, const Input& input) {
    const fs::path folder = resolveModelFolder(input.model);
    if (isBitloomCheckpoint(folder))
        return infoOfQuantized(context, folder, input.layers, input.verify);
    if (input.verify)
        throw Error(ErrorCode::Usage, "--verify needs a checkpoint written by Bitloom",
                    "Leave it out: an original model has no list of hashes to check against.");
    infoOfSource(context, input.model, input.layers);
}

} // namespace

void addInfo(CLI::App& app, Context& context) {
    auto input = std::make_shared<Input>();
    CLI::App* command = addCommand(app, context, "info", "Say what a model or a quantized model is",
                                   [&context, input] { runInfo(context, *input); });
    command->add_option("MODEL", input->model, "Folder of a model, or org/name in the local cache")
        ->required();
    command->add_flag("--layers", input->layers, "List every linear layer");
    command->add_flag("--verify", input->verify, "Check every hash of a quantized model");
}

void explainModel(Context& context, const std::string& name) {
    const fs::path folder = resolveModelFolder(name);
    Console& console = context.console;
    const std::string shown = name.find(' ') == std::string::npos ? name : "'" + name + "'";
    std::vector<std::vector<std::string>> next;
    if (isBitloomCheckpoint(folder)) {
        const auto model = openQuantized(folder);
        console.print(fmt::format("{} is a quantized {}: {:.3f} bits per weight, {}.\n",
                                  displayName(folder), model->config().architecture,
                                  model->parts().bitsPerWeight(),
                                  formatBytes(model->folderBytes())));
        next = {{"bitloom chat " + shown, "talk to it; --against ORIGINAL shows both answers"},
                {"bitloom eval " + shown, "measure its perplexity; --against ORIGINAL compares"},
                {"bitloom info " + shown + " --verify", "check every file and tensor"},
                {"bitloom export " + shown + " --to hf -o DIR", "unpack it for other programs"}};
    } else {
        const auto model = openModel(name);
        const bool calibrated =
            !findCachedStatistics(context.cache(), model->fingerprint()).empty();
        const bool reads = hasTokenizer(model->folder());
        console.print(
            fmt::format("{} is a {} with {} parameters, {}{}.\n", displayName(model->folder()),
                        model->config().architecture, formatCount(model->parameters()),
                        formatBytes(model->weightBytes()),
                        reads ? "" : "; it has no tokenizer, so give token ids with --ids"));
        if (!calibrated)
            next.push_back(
                {"bitloom calibrate " + shown + (reads ? "" : " --ids F"),
                 "measure what every channel is worth (once; everything else reuses it)"});
        next.push_back(
            {"bitloom plan " + shown + " --bits 3", "see size and loss of a budget at once"});
        next.push_back(
            {"bitloom quantize " + shown + " --bits 3 -o OUT", "write the quantized model"});
        if (reads) {
            next.push_back({"bitloom compare " + shown, "all methods and budgets in one table"});
            next.push_back({"bitloom chat " + shown, "talk to the original"});
        }
    }
    console.print("Next:");
    for (auto& row : next)
        row.insert(row.begin(), " ");
    console.print(table(next, "lll", false));
    Json list = Json::array();
    for (const auto& row : next)
        list.push_back({{"run", row[1]}, {"what", row[2]}});
    console.result("explain", {{"folder", folder.string()}, {"next", list}});
}

} // namespace bitloom::cli
