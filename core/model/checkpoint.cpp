// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/model/checkpoint.h"

#include "core/base/error.h"
#include "core/base/hash.h"
#include "core/base/units.h"
#include "core/io/durable.h"
#include "core/model/shard_index.h"
#include "kernels/half.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

namespace bitloom {

namespace fs = std::filesystem;

namespace {

bool isFloating(DType dtype) {
    return dtype == DType::F64 || dtype == DType::F32 || dtype == DType::F16 ||
           dtype == DType::BF16;
}

bool isFile(const fs::path& path) {
    std::error_code ignored; // a link whose target is gone counts as missing
    return fs::is_regular_file(path, ignored);
}

std::vector<std::string> filesEndingIn(const fs::path& folder, std::string_view ending) {
    std::vector<std::string> names;
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(folder, ignored))
        if (const std::string name = entry.path().filename().string();
            name.ends_with(ending) && !name.starts_with("."))
            names.push_back(name);
    std::ranges::sort(names);
    return names;
}

[[noreturn]] void throwNoWeights(const fs::path& folder) {
    const std::string where = "'" + folder.string() + "'";
    std::vector<std::string> pickles = filesEndingIn(folder, ".bin");
    std::erase_if(pickles, [](const std::string& name) {
        return !name.starts_with("pytorch_model") && !name.starts_with("consolidated");
    });
    if (!pickles.empty())
        throw Error(where + " has its weights only as '" + pickles.front() +
                        "' (pickle, which can run any program and is not read)",
                    "Convert it once with Python: from transformers import AutoModelForCausalLM; "
                    "AutoModelForCausalLM.from_pretrained(\"" +
                        folder.string() +
                        "\", torch_dtype=\"auto\").save_pretrained(\"NEW_FOLDER\", "
                        "safe_serialization=True), and copy the tokenizer files.");
    if (!filesEndingIn(folder, ".gguf").empty())
        throw Error(where + " holds GGUF files, which Bitloom does not read",
                    "Give the folder of the original Hugging Face model.");
    if (isFile(folder / "adapter_model.safetensors"))
        throw Error(where + " holds an adapter (LoRA), not a whole model",
                    "Merge it into its base model first (peft: merge_and_unload).");
    throw Error(where + " has no .safetensors files",
                "Perhaps the download was not finished: download the model again.");
}

[[noreturn]] void throwMissingShards(const fs::path& folder,
                                     const std::vector<std::string>& missing, size_t all) {
    std::string list;
    for (size_t i = 0; i < missing.size() && i < 5; ++i)
        list += (i > 0 ? ", " : "") + ("'" + missing[i] + "'");
    if (missing.size() > 5) list += " and " + std::to_string(missing.size() - 5) + " more";
    throw Error("'" + folder.string() + "' lacks " + std::to_string(missing.size()) + " of the " +
                    std::to_string(all) + " weight files: " + list,
                "Perhaps the download was not finished: download the model again.");
}

/// For names of the form model-00002-of-00005.safetensors: every name from 1 to 5.
std::vector<std::string> shardFamily(const std::string& name) {
    constexpr std::string_view ending = ".safetensors";
    const size_t of = name.rfind("-of-");
    if (of == std::string::npos || of < 6 || name.size() != of + 9 + ending.size()) return {};
    const std::string count = name.substr(of + 4, 5), number = name.substr(of - 5, 5);
    const auto digits = [](const std::string& text) {
        return std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
    };
    if (!digits(count) || !digits(number) || name[of - 6] != '-') return {};
    std::vector<std::string> names;
    for (int i = 1; i <= std::stoi(count); ++i) {
        std::string index = std::to_string(i);
        index.insert(0, 5 - std::min<size_t>(5, index.size()), '0');
        names.push_back(name.substr(0, of - 5) + index + name.substr(of));
    }
    return names;
}

struct Shards {
    std::vector<std::string> files;                        ///< sorted, each there
    std::map<std::string, std::string, std::less<>> index; ///< tensor → file; may be empty
};

/// Finds the weight files in the order transformers does: one file, an index, else what there is.
Shards findShards(const fs::path& folder) {
    if (isFile(folder / "model.safetensors")) return {{"model.safetensors"}, {}};

    Shards shards;
    const fs::path indexPath = folder / "model.safetensors.index.json";
    if (isFile(indexPath)) {
        shards.index = parseShardIndex(readTextFile(indexPath), "'" + indexPath.string() + "'");
        for (const auto& [tensor, file] : shards.index)
            shards.files.push_back(file);
        std::ranges::sort(shards.files);
        const auto rest = std::ranges::unique(shards.files);
        shards.files.erase(rest.begin(), rest.end());
    } else {
        shards.files = filesEndingIn(folder, ".safetensors");
        std::erase(shards.files, "adapter_model.safetensors");
        if (shards.files.empty()) throwNoWeights(folder);
        for (const std::string& name : std::vector(shards.files))
            for (const std::string& sibling : shardFamily(name))
                shards.files.push_back(sibling);
        std::ranges::sort(shards.files);
        const auto rest = std::ranges::unique(shards.files);
        shards.files.erase(rest.begin(), rest.end());
    }
    std::vector<std::string> missing;
    for (const std::string& name : shards.files)
        if (!isFile(folder / name)) missing.push_back(name);
    if (!missing.empty()) throwMissingShards(folder, missing, shards.files.size());
    return shards;
}

/// Already quantized sources are told from their config before the architecture is looked at.
void refuseQuantizedConfig(const fs::path& folder, const nlohmann::json& config) {
    if (!config.is_object()) return;
    for (const char* key : {"quantization_config", "compression_config"}) {
        const auto section = config.find(key);
        if (section == config.end() || !section->is_object()) continue;
        const auto found = section->find("quant_method");
        const std::string method =
            found != section->end() && found->is_string() ? found->get<std::string>() : "unknown";
        if (method == "bitloom")
            throw Error(
                "'" + folder.string() + "' is already a Bitloom checkpoint",
                "Use it with `bitloom chat`, `bitloom eval` or `bitloom export`; to quantize "
                "at other bits, give the original model.");
        throw Error("'" + folder.string() + "' is already quantized (" + key + ": " + method + ")",
                    "Give the original model with 16 or 32 bit weights.");
    }
}

void refuseQuantizedTensor(const fs::path& folder, const TensorInfo& tensor) {
    const bool fp8 = tensor.dtype == DType::F8E4M3 || tensor.dtype == DType::F8E5M2;
    const bool packed = tensor.name.ends_with(".qweight") ||
                        tensor.name.ends_with(".weight_packed") ||
                        tensor.name.find(".weight.quant_state") != std::string::npos;
    if (!fp8 && !packed) return;
    throw Error("'" + folder.string() + "' is already quantized: tensor '" + tensor.name +
                    (fp8 ? "' is in FP8 (" : "' holds packed codes (") +
                    std::string(dtypeName(tensor.dtype)) + ")",
                "Give the original model with 16 or 32 bit weights.");
}

constexpr size_t pieceElements = 4096;

/// `count` elements at `bytes`, of any alignment, to float.
void convertPiece(const std::byte* bytes, DType dtype, std::span<float> out) {
    switch (dtype) {
    case DType::F32:
        std::memcpy(out.data(), bytes, out.size_bytes());
        return;
    case DType::F16:
    case DType::BF16: {
        std::array<uint16_t, pieceElements> aligned;
        const std::span<uint16_t> bits = std::span(aligned).first(out.size());
        std::memcpy(bits.data(), bytes, bits.size_bytes());
        if (dtype == DType::F16)
            kernels::halfToFloat(bits, out);
        else
            kernels::bfloat16ToFloat(bits, out);
        return;
    }
    default: { // F64
        constexpr double limit = std::numeric_limits<float>::max();
        for (size_t i = 0; i < out.size(); ++i) {
            double value;
            std::memcpy(&value, bytes + i * sizeof value, sizeof value);
            out[i] = std::abs(value) > limit ? std::numeric_limits<float>::infinity()
                                             : static_cast<float>(value);
        }
    }
    }
}

/// Index of the first NaN or infinity, or size().
size_t firstNotFinite(std::span<const float> values) {
    uint32_t largest = 0; // without a branch: almost always there is none
    for (const float value : values)
        largest = std::max(largest, std::bit_cast<uint32_t>(value) & 0x7fffffffu);
    if (largest < 0x7f800000u) return values.size();
    return static_cast<size_t>(
        std::ranges::find_if(values, [](float value) { return !std::isfinite(value); }) -
        values.begin());
}

[[noreturn]] void throwNotFinite(const Checkpoint::Tensor& tensor, int64_t index) {
    const auto& shape = tensor.info.shape;
    std::string place;
    if (shape.size() < 2) {
        place = "element " + std::to_string(index);
    } else {
        const int64_t cols = shape.back();
        place = "row " + std::to_string(index / cols) + ", column " + std::to_string(index % cols);
    }
    throw Error("tensor '" + tensor.info.name + "' in '" + tensor.file->path().string() + "', " +
                    place + ": not a finite number (NaN or infinity)",
                "The weights are damaged, or were saved from a diverged training; no method can "
                "quantize them. Download the model again.");
}

/// Reads `out.size()` elements from element `first` on.
void readElements(const Checkpoint::Tensor& tensor, int64_t first, std::span<float> out) {
    const auto width = static_cast<size_t>(dtypeBytes(tensor.info.dtype));
    const std::byte* bytes = tensor.bytes().data() + static_cast<size_t>(first) * width;
    for (size_t done = 0; done < out.size(); done += pieceElements) {
        const auto piece = out.subspan(done, std::min(pieceElements, out.size() - done));
        convertPiece(bytes + done * width, tensor.info.dtype, piece);
        if (const size_t bad = firstNotFinite(piece); bad < piece.size())
            throwNotFinite(tensor, first + static_cast<int64_t>(done + bad));
    }
}

/// Hash of what tells two models apart without reading them: see Checkpoint::fingerprint.
std::string fingerprintOf(std::string_view config,
                          const std::vector<std::shared_ptr<const SafetensorsFile>>& files) {
    Hasher hasher;
    const auto addText = [&](std::string_view text) { // with its length: no two lists look alike
        hasher.update(std::to_string(text.size()) + ":");
        hasher.update(text);
    };
    addText(config);
    for (const auto& file : files) {
        addText(file->path().filename().string());
        addText(file->headerText());
        hasher.update(std::to_string(file->fileBytes()) + ";");
        TensorInfo all; // the data section as one tensor, to reach its bytes
        for (const TensorInfo& tensor : file->tensors())
            all.end = std::max(all.end, tensor.end);
        const auto data = file->data(all);
        for (const auto& [offset, length] : fingerprintSamples(data.size()))
            hasher.update(data.subspan(static_cast<size_t>(offset), static_cast<size_t>(length)));
        file->release(all); // a sample may have brought in far more than its block
    }
    return hasher.digest();
}

} // namespace

std::vector<std::pair<uint64_t, uint64_t>> fingerprintSamples(uint64_t bytes) {
    constexpr uint64_t block = 4096, samples = 64;
    if (bytes <= block * samples) return {{0, bytes}};
    std::vector<std::pair<uint64_t, uint64_t>> out;
    for (uint64_t i = 0; i < samples; ++i) { // evenly spread, the first and last block included
        const uint64_t last = bytes - block;
        out.emplace_back(last / (samples - 1) * i + last % (samples - 1) * i / (samples - 1),
                         block);
    }
    return out;
}

std::shared_ptr<const Checkpoint> Checkpoint::open(const std::string& model) {
    const std::shared_ptr<Checkpoint> checkpoint(new Checkpoint);
    const fs::path folder = checkpoint->m_folder = resolveModelFolder(model);
    const std::string where = "'" + folder.string() + "'";
    if (fs::path name = folder.has_filename() ? folder : folder.parent_path();
        name.extension() == ".partial")
        throw Error(where + " is a folder that was not finished",
                    "Run the command that writes it again: it goes on where it stopped.");
    if (!isFile(folder / "config.json")) {
        if (!filesEndingIn(folder, ".gguf").empty()) throwNoWeights(folder);
        throw Error(where + " has no config.json",
                    "Give the folder of a Hugging Face model: config.json and .safetensors files.");
    }
    const std::string configText = readTextFile(folder / "config.json", 64 << 20);
    refuseQuantizedConfig(folder,
                          parseJson(configText, "'" + (folder / "config.json").string() + "'"));
    checkpoint->m_config = ModelConfig::load(folder);
    checkpoint->m_catalogue = Catalogue::make(checkpoint->m_config);

    const Shards shards = findShards(folder);
    for (const std::string& name : shards.files)
        checkpoint->m_files.push_back(SafetensorsFile::open(folder / name));
    checkpoint->collectTensors(shards.index);
    checkpoint->checkTensors();
    checkpoint->m_fingerprint = fingerprintOf(configText, checkpoint->m_files);
    return checkpoint;
}

void Checkpoint::collectTensors(const std::map<std::string, std::string, std::less<>>& index) {
    for (const auto& file : m_files) {
        for (const TensorInfo& tensor : file->tensors()) {
            refuseQuantizedTensor(m_folder, tensor);
            const auto [place, fresh] = m_tensors.try_emplace(tensor.name, Tensor{tensor, file});
            if (!fresh)
                throw Error("tensor '" + tensor.name + "' is both in '" +
                            place->second.file->path().string() + "' and in '" +
                            file->path().string() + "'");
        }
    }
    for (const auto& [name, file] : index) {
        const Tensor* tensor = find(name);
        if (!tensor || tensor->file->path().filename() != file)
            throw Error("'" + m_folder.string() + "': the index says that tensor '" + name +
                            "' is in '" + file + "', but it is not",
                        "The files do not belong together: download the model again.");
    }
    // A model saved without its head ("LlamaModel") names its tensors without the first part.
    if (!find(m_catalogue.embedding)) {
        const std::string prefix = "model.";
        if (m_catalogue.embedding.starts_with(prefix) &&
            find(m_catalogue.embedding.substr(prefix.size()))) {
            std::map<std::string, Tensor, std::less<>> renamed;
            for (auto& [name, tensor] : m_tensors)
                renamed.emplace(name.starts_with("lm_head.") ? name : prefix + name,
                                std::move(tensor));
            m_tensors = std::move(renamed);
        }
    }
}

void Checkpoint::checkTensors() const {
    const std::string where = "'" + m_folder.string() + "'";
    std::vector<const Catalogue::Expected*> missing;
    for (const Catalogue::Expected& expected : m_catalogue.expected) {
        const Tensor* tensor = find(expected.name);
        if (!tensor) {
            missing.push_back(&expected);
            continue;
        }
        if (!isFloating(tensor->info.dtype))
            throw Error(where + ": tensor '" + expected.name + "' has dtype " +
                            std::string(dtypeName(tensor->info.dtype)) +
                            "; weights must be F64, F32, F16 or BF16",
                        "Perhaps the model is already quantized: give the original one.");
        if (tensor->info.shape != expected.shape)
            throw Error(where + ": tensor '" + expected.name + "' has shape " +
                        shapeText(tensor->info.shape) + ", but config.json calls for " +
                        shapeText(expected.shape));
    }
    if (missing.empty()) return;
    const bool headOnly = missing.size() == 1 && missing.front()->name == m_catalogue.head;
    std::string message = where + " has no tensor '" + missing.front()->name + "'";
    if (missing.size() > 1)
        message += " (and " + formatCount(static_cast<int64_t>(missing.size()) - 1) +
                   " more of the " +
                   formatCount(static_cast<int64_t>(m_catalogue.expected.size())) +
                   " that config.json calls for)";
    throw Error(message,
                headOnly ? "If the model uses its embedding as the head, set "
                           "\"tie_word_embeddings\": true in config.json."
                         : "The weights do not fit config.json: the download may be incomplete, or "
                           "files of two models mixed.");
}

const Checkpoint::Tensor* Checkpoint::find(std::string_view name) const {
    const auto found = m_tensors.find(name);
    return found == m_tensors.end() ? nullptr : &found->second;
}

const Checkpoint::Tensor& Checkpoint::require(std::string_view name) const {
    if (const Tensor* tensor = find(name)) return *tensor;
    throw Error("'" + m_folder.string() + "' has no tensor '" + std::string(name) + "'");
}

void Checkpoint::readFloat(std::string_view name, std::span<float> out, bool releaseAfter) const {
    const Tensor& tensor = require(name);
    if (!isFloating(tensor.info.dtype))
        throw Error("tensor '" + std::string(name) + "' has dtype " +
                    std::string(dtypeName(tensor.info.dtype)) + ", which holds no weights");
    if (out.size() != static_cast<size_t>(tensor.info.elements()))
        throw Error("tensor '" + std::string(name) + "' " + shapeText(tensor.info.shape) +
                    " does not have " + std::to_string(out.size()) + " elements");
    readElements(tensor, 0, out);
    if (releaseAfter) tensor.file->release(tensor.info);
}

void Checkpoint::readFloatRows(std::string_view name, int64_t rowBegin,
                               std::span<float> out) const {
    const Tensor& tensor = require(name);
    const auto& shape = tensor.info.shape;
    if (!isFloating(tensor.info.dtype) || shape.size() != 2)
        throw Error("tensor '" + std::string(name) + "' (" +
                    std::string(dtypeName(tensor.info.dtype)) + " " + shapeText(shape) +
                    ") is not a matrix of weights");
    const int64_t cols = shape[1], size = static_cast<int64_t>(out.size());
    const int64_t rows = cols > 0 ? size / cols : 0;
    if (rows * cols != size || rowBegin < 0 || rows > shape[0] || rowBegin > shape[0] - rows)
        throw Error("tensor '" + std::string(name) + "' " + shapeText(shape) + " has no " +
                    std::to_string(out.size()) + " elements from row " + std::to_string(rowBegin) +
                    " on");
    readElements(tensor, rowBegin * cols, out);
}

int64_t Checkpoint::parameters() const {
    int64_t total = 0;
    for (const Catalogue::Expected& expected : m_catalogue.expected)
        total += require(expected.name).info.elements();
    return total;
}

int64_t Checkpoint::weightBytes() const {
    int64_t total = 0;
    for (const auto& file : m_files)
        total += static_cast<int64_t>(file->fileBytes());
    return total;
}

} // namespace bitloom
