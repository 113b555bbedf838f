// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/engine/serve/model_info.h"

#include "core/base/log.h"
#include "core/base/units.h"
#include "core/engine/result_fields.h"
#include "core/engine/serve/skeleton.h"
#include "core/format/checkpoint_reader.h"
#include "core/model/architecture.h"
#include "core/stats/statistics.h"
#include "core/stats/statistics_layout.h"
#include "core/text/tokenizer.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <unistd.h>

namespace bitloom::serve {

namespace fs = std::filesystem;

namespace {

const char* kindOf(LinearRole role) {
    switch (role) {
    case LinearRole::Query:
        return "q";
    case LinearRole::Key:
        return "k";
    case LinearRole::Value:
        return "v";
    case LinearRole::AttentionOut:
        return "o";
    case LinearRole::Gate:
        return "gate";
    case LinearRole::Up:
        return "up";
    case LinearRole::Down:
        return "down";
    }
    return "";
}

std::string nameOf(const fs::path& folder) {
    const fs::path path = fs::absolute(folder).lexically_normal();
    const fs::path named = path.has_filename() ? path : path.parent_path();
    // A snapshot of the Hugging Face cache is named by its commit; the model by the folder above.
    if (named.parent_path().filename() == "snapshots") {
        std::string name = named.parent_path().parent_path().filename().string();
        if (name.starts_with("models--")) name = name.substr(8);
        if (const size_t at = name.find("--"); at != std::string::npos) name.replace(at, 2, "/");
        return name;
    }
    return named.filename().string();
}

/// With the name that people know the architecture by.
Json namedShape(const ModelConfig& config, const Catalogue& catalogue) {
    Json fields = shapeFields<Json>(config, catalogue);
    const ArchitectureInfo* architecture = findArchitecture(config.architecture);
    fields["title"] = architecture ? Json(architecture->title) : Json(config.architecture);
    return fields;
}

void addTokenizer(Json& fields, const fs::path& folder) {
    fields["has_tokenizer"] = hasTokenizer(folder);
    fields["tokenizer"] = nullptr;
    if (!hasTokenizer(folder)) return;
    try {
        fields["tokenizer"] = loadTokenizer(folder)->description();
    } catch (const Error& error) {
        fields["tokenizer_problem"] = error.what();
    }
}

Json memoryFields(const ModelConfig& config, const Catalogue& catalogue,
                  const ComputeOptions& compute) {
    const MemoryNeed need = memoryNeed(config, catalogue, compute);
    return {{"analyze", need.analyze},
            {"quantize", need.quantize},
            {"chat", need.chat},
            {"chat_resident", need.chatResident},
            {"limit", compute.memoryOrDefault()},
            {"total", machineMemory()},
            {"available", availableMemory()}};
}

Json statisticsList(const fs::path& cache, const std::string& fingerprint) {
    Json list = Json::array();
    for (const fs::path& path : findCachedStatistics(cache, fingerprint)) {
        try {
            const auto statistics = Statistics::open(path);
            const CalibrationRecipe& recipe = statistics->recipe();
            list.push_back({{"path", path.string()},
                            {"source", recipe.source},
                            {"sequences", recipe.sequences},
                            {"length", recipe.length},
                            {"nll", statistics->nllFp()},
                            {"stderr", statistics->nllFpStderr()},
                            {"fingerprint", recipe.fingerprint()}});
        } catch (const Error& error) {
            logger("serve")->warn("cached statistics are passed over: {}", error.what());
        }
    }
    return list;
}

/// Calibrations that were broken off, or run just now.
Json partialStatistics(const fs::path& cache, const std::string& fingerprint) {
    Json list = Json::array();
    std::error_code ignored;
    for (const auto& folder : fs::directory_iterator(cache / "stats", ignored)) {
        const fs::path path = folder.path() / statisticsLayout::partialName;
        if (!fs::is_regular_file(path, ignored)) continue;
        try {
            const auto statistics = Statistics::open(path, /*allowPartial=*/true);
            if (statistics->recipe().modelFingerprint != fingerprint) continue;
            int64_t norms = 0, gammas = 0;
            for (const LayerStatistics& layer : statistics->layers()) {
                norms += layer.normsDone;
                gammas += layer.gammaDone;
            }
            list.push_back({{"path", path.string()},
                            {"source", statistics->recipe().source},
                            {"sequences", statistics->recipe().sequences},
                            {"length", statistics->recipe().length},
                            {"layers", norms},
                            {"gammas", gammas},
                            {"total", statistics->layers().size()}});
        } catch (const Error&) {
            continue; // not laid out yet, or of another version
        }
    }
    return list;
}

Json describeSource(const std::string& name, bool full, const fs::path& cache,
                    const ComputeOptions& compute, FileAccess& files) {
    const auto model = Checkpoint::open(name);
    const Catalogue& catalogue = model->catalogue();
    adoptStatistics(cache, model->folder(), model->fingerprint());
    Json fields = namedShape(model->config(), catalogue);
    std::string dtypes;
    for (const auto& expected : catalogue.expected) {
        const std::string dtype(dtypeName(model->require(expected.name).info.dtype));
        if (dtypes.find(dtype) == std::string::npos) dtypes += (dtypes.empty() ? "" : ", ") + dtype;
    }
    fields.update(Json{{"kind", "model"},
                       {"name", nameOf(model->folder())},
                       {"folder", fs::absolute(model->folder()).lexically_normal().string()},
                       {"fingerprint", model->fingerprint()},
                       {"dtype", dtypes},
                       {"parameters", model->parameters()},
                       {"bytes", model->weightBytes()},
                       {"memory", memoryFields(model->config(), catalogue, compute)},
                       {"statistics", statisticsList(cache, model->fingerprint())},
                       {"partial_statistics", partialStatistics(cache, model->fingerprint())}});
    addTokenizer(fields, model->folder());
    if (!full) return fields;
    Json linears = Json::array();
    for (const LinearInfo& linear : catalogue.linears) {
        const TensorInfo& tensor = model->require(linear.name + ".weight").info;
        linears.push_back({{"name", linear.name},
                           {"rows", linear.rows},
                           {"cols", linear.cols},
                           {"block", linear.block},
                           {"kind", kindOf(linear.role)},
                           {"dtype", dtypeName(tensor.dtype)},
                           {"bytes", tensor.bytes()},
                           {"bias", linear.bias}});
    }
    const std::vector<SkeletonFile> skeleton = skeletonOf(*model);
    for (const SkeletonFile& file : skeleton)
        if (!file.pieces.empty()) files.allowPieces(model->folder() / file.name, file.pieces);
    fields["config"] = model->config().raw;
    fields["linears"] = std::move(linears);
    fields["files"] = toJson(skeleton);
    return fields;
}

/// What a layer's columns or groups are stored as.
Json classesOf(const QuantizedCheckpoint& model, const LinearInfo& linear) {
    Json list = Json::array();
    const LayerLayout layout = model.layoutOf(linear.name);
    if (layout == LayerLayout::Dense) return list;
    const LayerFormat& format = model.formatOf(linear.name);
    if (layout == LayerLayout::Group) {
        list.push_back({{"bits", format.group.bits},
                        {"kind", "group"},
                        {"group_size", format.group.groupSize},
                        {"symmetric", format.group.symmetric},
                        {"act_order", format.group.actOrder},
                        {"columns", linear.cols}});
        return list;
    }
    std::vector<int64_t> columns(format.classes.size());
    for (const uint8_t c : format.classOf)
        ++columns[c];
    static constexpr const char* kinds[] = {"table", "grid", "raw"};
    for (size_t i = 0; i < format.classes.size(); ++i)
        list.push_back({{"bits", format.classes[i].bits},
                        {"kind", kinds[size_t(format.classes[i].kind)]},
                        {"outliers", format.classes[i].outliers},
                        {"columns", columns[i]}});
    return list;
}

int64_t bytesOf(const QuantizedCheckpoint& model, const LinearInfo& linear) {
    return model.layoutOf(linear.name) == LayerLayout::Dense
               ? 2 * linear.rows * linear.cols // as stored: 16 bit
               : model.formatOf(linear.name).bytes(linear);
}

Json describeQuantized(const fs::path& folder, bool full, const ComputeOptions& compute,
                       FileAccess& files) {
    const auto model = QuantizedCheckpoint::open(folder);
    const Catalogue& catalogue = model->catalogue();
    const Json& recipe = model->recipe();
    Json fields = namedShape(model->config(), catalogue);
    const auto method = recipe.find("method");
    fields.update(Json{{"kind", "quantized"},
                       {"name", nameOf(folder)},
                       {"folder", fs::absolute(folder).lexically_normal().string()},
                       {"fingerprint", model->fingerprint()},
                       {"method", method != recipe.end() ? *method : Json("unknown")},
                       {"bits_per_weight", model->parts().bitsPerWeight()},
                       {"bytes", model->folderBytes()},
                       {"bytes_by_part", partsToJson(model->parts())},
                       {"memory", memoryFields(model->config(), catalogue, compute)}});
    // Columns stay in memory as they are stored; only the head becomes float32.
    if (model->layoutOf(catalogue.linears.front().name) == LayerLayout::Column) {
        Json& memory = fields["memory"];
        memory["chat_resident"] = std::min(memory["chat_resident"].get<int64_t>(),
                                           memory["chat"].get<int64_t>() + model->folderBytes());
    }
    addTokenizer(fields, folder);
    files.allowFolder(folder);
    if (!full) return fields;
    Json linears = Json::array();
    for (const LinearInfo& linear : catalogue.linears)
        linears.push_back({{"name", linear.name},
                           {"rows", linear.rows},
                           {"cols", linear.cols},
                           {"block", linear.block},
                           {"kind", kindOf(linear.role)},
                           {"bytes", bytesOf(*model, linear)},
                           {"bias", linear.bias},
                           {"classes", classesOf(*model, linear)}});
    fields["linears"] = std::move(linears);
    fields["config"] = model->config().raw;
    fields["recipe"] = recipe;
    return fields;
}

} // namespace

int64_t machineMemory() {
    return int64_t(::sysconf(_SC_PHYS_PAGES)) * ::sysconf(_SC_PAGE_SIZE);
}

int64_t availableMemory() {
    std::ifstream file("/proc/meminfo");
    std::string key;
    int64_t kilobytes = 0;
    for (std::string unit; file >> key >> kilobytes; std::getline(file, unit))
        if (key == "MemAvailable:") return kilobytes * 1024;
    return 0;
}

MemoryNeed memoryNeed(const ModelConfig& config, const Catalogue& catalogue,
                      const ComputeOptions& compute) {
    constexpr auto word = int64_t(sizeof(float));
    std::vector<int64_t> blocks(size_t(config.layers)), hessians(size_t(config.layers));
    int64_t all = 0, widest = 0;
    for (const LinearInfo& linear : catalogue.linears) {
        blocks[size_t(linear.block)] += linear.rows * linear.cols * word;
        all += linear.rows * linear.cols * word;
    }
    // Second moments of all inputs of a block in double precision, and while one is factored its
    // float32 copies.
    for (const InputGroup& group : catalogue.groups) {
        hessians[size_t(group.block)] += group.cols * group.cols * 8;
        widest = std::max(widest, group.cols * group.cols * word);
    }
    const int64_t block = *std::ranges::max_element(blocks),
                  hessian = *std::ranges::max_element(hessians);
    const int64_t head = config.vocab * config.hidden * word;
    const int64_t own = residentBytes();
    const int64_t cache = 2 * config.kvHeads * config.headDim * config.layers * word *
                          std::min<int64_t>(config.maxPositions, 2048);
    // Activations of the pieces that calibration cuts its windows into (calibrate.cpp): a quarter
    // of what is left, at most 4096 tokens or one window.
    const int64_t length = std::min<int64_t>(2048, config.maxPositions);
    const int64_t perToken =
        3 * word *
        (8 * config.hidden + 8 * config.heads * config.headDim + 4 * config.intermediate);
    const int64_t spare = std::max<int64_t>(compute.memoryOrDefault() - 2 * block, 0);
    const int64_t tokens = std::clamp<int64_t>(spare / 4 / perToken, length, 4096);
    MemoryNeed need;
    need.analyze = own + block + std::max(hessian + 2 * widest, head) + tokens * perToken;
    need.quantize = own + 2 * block + hessian + 3 * widest + tokens * perToken / 3;
    need.chat = own + block + head + cache;
    need.chatResident = own + all + head + cache;
    return need;
}

Json describeModel(const std::string& model, bool full, const fs::path& cache,
                   const ComputeOptions& compute, FileAccess& files) {
    const fs::path folder = resolveModelFolder(model);
    try {
        return isBitloomCheckpoint(folder) ? describeQuantized(folder, full, compute, files)
                                           : describeSource(model, full, cache, compute, files);
    } catch (const Error& error) {
        if (!error.hint().empty() || error.code() != ErrorCode::Failed) throw;
        throw Error(error.code(), error.what(),
                    "The folder may be incomplete or damaged: get the model again from where it "
                    "came from.");
    }
}

Json partsToJson(const SizeParts& parts) {
    return {{"codes", parts.codes},
            {"padding", parts.padding},
            {"tables", parts.tables},
            {"scales", parts.scales},
            {"classes", parts.classes},
            {"outliers", parts.outliers},
            {"raw", parts.raw},
            {"linear_bytes", parts.linearBytes},
            {"linear_weights", parts.linearWeights},
            {"embedding_and_head", parts.embeddingAndHead},
            {"other_tensors", parts.otherTensors},
            {"headers_and_files", parts.headersAndFiles},
            {"total_bytes", parts.totalBytes}};
}

} // namespace bitloom::serve
