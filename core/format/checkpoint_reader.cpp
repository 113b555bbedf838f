// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/format/checkpoint_reader.h"

#include "core/base/error.h"
#include "core/base/hash.h"
#include "core/format/checkpoint_files.h"
#include "core/format/stored_shapes.h"
#include "core/io/durable.h"
#include "core/model/shard_index.h"
#include "kernels/half.h"
#include "kernels/rows8.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <set>

namespace bitloom {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

bool isFile(const fs::path& path) {
    std::error_code ignored;
    return fs::is_regular_file(path, ignored);
}

bool isFloating(DType dtype) {
    return dtype == DType::F64 || dtype == DType::F32 || dtype == DType::F16 ||
           dtype == DType::BF16;
}

int64_t wholeNumber(const json& object, const char* key, int64_t low, int64_t high) {
    const auto value = object.at(key).get<int64_t>();
    if (value < low || value > high)
        throw Error(std::string("'") + key + "' is " + std::to_string(value));
    return value;
}

LayerFormat parseLayer(const json& entry, const LinearInfo& linear) {
    const auto shape = entry.at("shape").get<std::vector<int64_t>>();
    if (shape != std::vector{linear.rows, linear.cols})
        throw Error("is said to be " + shapeText(shape) + "; the model has " +
                    shapeText(std::array{linear.rows, linear.cols}));
    const auto layout = entry.at("layout").get<std::string>();
    LayerFormat format;
    if (layout == "column") {
        format.layout = LayerLayout::Column;
    } else if (layout == "group") {
        format.layout = LayerLayout::Group;
        format.group = {.bits = int(wholeNumber(entry, "bits", 2, 8)),
                        .groupSize = wholeNumber(entry, "group_size", 1, int64_t(1) << 31),
                        .symmetric = entry.at("symmetric").get<bool>(),
                        .actOrder = entry.at("act_order").get<bool>()};
    } else {
        throw Error("has layout '" + layout + "', which this version does not know");
    }
    return format;
}

/// `out.size()` elements of any alignment, from element `first` on.
void convert(std::span<const std::byte> bytes, DType dtype, int64_t first, std::span<float> out) {
    constexpr size_t piece = 4096;
    const std::byte* from = bytes.data() + first * dtypeBytes(dtype);
    for (size_t done = 0; done < out.size(); done += piece) {
        const auto part = out.subspan(done, std::min(piece, out.size() - done));
        if (dtype == DType::F32) {
            std::memcpy(part.data(), from + done * 4, part.size_bytes());
        } else if (dtype == DType::F64) {
            for (size_t i = 0; i < part.size(); ++i) {
                double value;
                std::memcpy(&value, from + (done + i) * 8, 8);
                part[i] = float(value);
            }
        } else {
            std::array<uint16_t, piece> bits;
            const auto halves = std::span(bits).first(part.size());
            std::memcpy(halves.data(), from + done * 2, halves.size_bytes());
            if (dtype == DType::BF16)
                kernels::bfloat16ToFloat(halves, part);
            else
                kernels::halfToFloat(halves, part);
        }
    }
}

} // namespace

std::shared_ptr<const QuantizedCheckpoint> QuantizedCheckpoint::open(const fs::path& folder) {
    const std::shared_ptr<QuantizedCheckpoint> checkpoint(new QuantizedCheckpoint);
    checkpoint->m_folder = folder.has_filename() ? folder : folder.parent_path();
    checkpoint->readConfig();
    checkpoint->openShards();
    checkpoint->checkTensors();
    checkpoint->countFiles();
    return checkpoint;
}

void QuantizedCheckpoint::readConfig() {
    const std::string where = "'" + m_folder.string() + "'";
    std::error_code ignored;
    if (!fs::is_directory(m_folder, ignored)) throw Error("there is no folder " + where);
    if (m_folder.extension() == ".partial" || isFile(m_folder / "work" / "journal"))
        throw Error(where + " is a checkpoint that was not finished",
                    "Run the command that writes it again with --resume: it goes on where it "
                    "stopped.");
    if (!isBitloomCheckpoint(m_folder))
        throw Error(where + " is not a Bitloom checkpoint",
                    "Give a folder that `bitloom quantize` wrote.");
    const fs::path configPath = m_folder / checkpointFiles::configName;
    const std::string configText = readTextFile(configPath, 64 << 20);
    m_config = ModelConfig::load(m_folder);
    m_catalogue = Catalogue::make(m_config);
    try {
        const json quantization = parseJson(configText, where).at("quantization_config");
        const auto version = quantization.at("format_version").get<int64_t>();
        if (version != checkpointFiles::formatVersion)
            throw Error("format version " + std::to_string(version) +
                            " is not known; this program reads version " +
                            std::to_string(checkpointFiles::formatVersion),
                        "Use a newer version of Bitloom.");
        const auto head = quantization.at("head").get<std::string>();
        if (head != "keep" && head != "rows8")
            throw Error("embedding and head are stored as '" + head + "', which is not known");
        m_head = head == "rows8" ? HeadStorage::Rows8 : HeadStorage::Keep;
        for (const auto& [name, entry] : quantization.at("layers").items()) {
            const LinearInfo* linear = m_catalogue.find(name);
            if (!linear) throw Error("the model has no layer '" + name + "'");
            try {
                m_layers[name] = parseLayer(entry, *linear);
            } catch (const Error& error) {
                throw Error("layer '" + name + "' " + error.what(), error.hint());
            }
        }
    } catch (const json::exception& error) {
        throw Error("'" + configPath.string() +
                    "': quantization_config is damaged: " + error.what());
    } catch (const Error& error) {
        throw Error("'" + configPath.string() + "': " + error.what(), error.hint());
    }
    for (const char* name : {checkpointFiles::recipeName, checkpointFiles::manifestName})
        if (!isFile(m_folder / name))
            throw Error(where + " has no " + name, "The copy is not complete: copy it again.");
    m_recipe = readJsonFile(m_folder / checkpointFiles::recipeName);
    if (!m_recipe.is_object()) throw Error(where + ": recipe.json is no object");
    Hasher hasher;
    hasher.update(configText);
    hasher.update(readTextFile(m_folder / checkpointFiles::manifestName));
    m_fingerprint = hasher.digest();
}

void QuantizedCheckpoint::openShards() {
    std::map<std::string, std::string, std::less<>> index;
    std::set<std::string> names{"model.safetensors"};
    if (!isFile(m_folder / "model.safetensors")) {
        const fs::path path = m_folder / checkpointFiles::indexName;
        if (!isFile(path))
            throw Error("'" + m_folder.string() + "' has neither model.safetensors nor " +
                            checkpointFiles::indexName,
                        "The copy is not complete: copy it again.");
        index = parseShardIndex(readTextFile(path), "'" + path.string() + "'");
        names.clear();
        for (const auto& [tensor, file] : index)
            names.insert(file);
    }
    for (const std::string& name : names) {
        if (!isFile(m_folder / name))
            throw Error("'" + m_folder.string() + "' lacks the weight file '" + name + "'",
                        "The copy is not complete: copy it again.");
        m_files.push_back(SafetensorsFile::open(m_folder / name));
    }
    collectTensors(index);
}

void QuantizedCheckpoint::collectTensors(
    const std::map<std::string, std::string, std::less<>>& index) {
    for (size_t i = 0; i < m_files.size(); ++i)
        for (const TensorInfo& tensor : m_files[i]->tensors())
            if (!m_tensors.try_emplace(tensor.name, i, tensor).second)
                throw Error("'" + m_folder.string() + "': tensor '" + tensor.name +
                            "' is in two files");
    if (m_files.size() == 1 && index.empty()) return;
    for (const auto& [name, file] : index) {
        const auto found = m_tensors.find(name);
        if (found == m_tensors.end() || m_files[found->second.first]->path().filename() != file)
            throw Error("'" + m_folder.string() + "': the index says that tensor '" + name +
                        "' is in '" + file + "', but it is not");
    }
    for (const auto& [name, place] : m_tensors)
        if (!index.contains(name))
            throw Error("'" + m_folder.string() + "': the index does not list tensor '" + name +
                        "'");
}

const std::pair<size_t, TensorInfo>& QuantizedCheckpoint::require(std::string_view name) const {
    const auto found = m_tensors.find(name);
    if (found == m_tensors.end())
        throw Error("'" + m_folder.string() + "' has no tensor '" + std::string(name) + "'");
    return found->second;
}

const std::pair<size_t, TensorInfo>&
QuantizedCheckpoint::requireShape(const std::string& name, DType dtype,
                                  std::vector<int64_t> shape) const {
    const auto& place = require(name);
    if (place.second.dtype != dtype || place.second.shape != shape)
        throw Error("'" + m_folder.string() + "': tensor '" + name + "' is " +
                    std::string(dtypeName(place.second.dtype)) + " " +
                    shapeText(place.second.shape) + "; it should be " +
                    std::string(dtypeName(dtype)) + " " + shapeText(shape));
    return place;
}

bool QuantizedCheckpoint::isRows8(std::string_view name) const {
    return m_head == HeadStorage::Rows8 &&
           (name == m_catalogue.embedding || name == m_catalogue.head);
}

/// Every tensor that config and layouts call for, with dtype and shape, and no other.
void QuantizedCheckpoint::checkTensors() {
    int64_t paddingBits = 0;
    size_t accounted = 0;
    for (const LinearInfo& linear : m_catalogue.linears) {
        m_parts.linearWeights += linear.rows * linear.cols;
        if (!m_layers.contains(linear.name)) continue;
        checkLinear(linear, paddingBits);
        accounted += tensorsOf(linear).size();
    }
    splitPadding(m_parts, paddingBits);
    for (const auto& expected : m_catalogue.expected) {
        const std::string_view name = expected.name;
        const auto* linear =
            name.ends_with(".weight") ? m_catalogue.find(name.substr(0, name.size() - 7)) : nullptr;
        if (linear && m_layers.contains(linear->name)) continue;
        ++accounted;
        int64_t bytes;
        if (isRows8(name)) {
            bytes = int64_t(requireShape(expected.name, DType::I8, expected.shape).second.bytes());
            bytes += int64_t(
                requireShape(rowScaleName(name), DType::F16, {expected.shape[0]}).second.bytes());
            ++accounted;
        } else {
            const DType dtype = require(name).second.dtype;
            if (!isFloating(dtype))
                throw Error("'" + m_folder.string() + "': tensor '" + expected.name +
                            "' has dtype " + std::string(dtypeName(dtype)) +
                            ", which holds no weights");
            bytes = int64_t(requireShape(expected.name, dtype, expected.shape).second.bytes());
        }
        if (linear) {
            m_parts.raw += bytes;
            m_parts.linearBytes += bytes;
        } else if (name == m_catalogue.embedding || name == m_catalogue.head) {
            m_parts.embeddingAndHead += bytes;
        } else {
            m_parts.otherTensors += bytes;
        }
    }
    if (accounted != m_tensors.size())
        throw Error("'" + m_folder.string() + "' has " + std::to_string(m_tensors.size()) +
                    " tensors, but the model as config.json describes it has " +
                    std::to_string(accounted));
}

/// Classes and sizes; the values are checked where they are unpacked.
void QuantizedCheckpoint::checkLinear(const LinearInfo& linear, int64_t& paddingBits) {
    LayerFormat& format = m_layers.find(linear.name)->second;
    const TensorsBySuffix tensors = tensorsOf(linear);
    StoredShapes shapes;
    try {
        if (format.layout == LayerLayout::Group) {
            checkGroupFormat(format.group, linear.cols, "layer '" + linear.name + "'");
            shapes = groupShapes(linear.rows, linear.cols, format.group);
        } else {
            StoredClasses stored = readClasses(linear.name, linear.rows, linear.cols, tensors);
            format.classes = std::move(stored.classes);
            format.classOf = std::move(stored.classOf);
            const auto raw = tensors.find("raw");
            const bool brain = raw != tensors.end() && raw->second.first.dtype == DType::BF16;
            shapes = columnShapes(linear.rows, linear.cols, format.classes,
                                  countClasses(format.classOf, format.classes.size()),
                                  brain ? DType::BF16 : DType::F16);
        }
        refuseOthers(linear.name, shapes, tensors);
        for (const StoredShape& shape : shapes)
            requireStored(linear.name, shape, tensors);
    } catch (const Error& error) {
        throw Error("'" + m_folder.string() + "': " + error.what(), error.hint());
    }
    addStored(m_parts, shapes, paddingBits);
}

void QuantizedCheckpoint::countFiles() {
    m_parts.totalBytes = folderBytes();
    m_parts.headersAndFiles =
        m_parts.totalBytes - m_parts.linearBytes - m_parts.embeddingAndHead - m_parts.otherTensors;
}

int64_t QuantizedCheckpoint::folderBytes() const {
    int64_t total = 0;
    std::error_code failed;
    for (fs::directory_iterator entry(m_folder, failed), end; !failed && entry != end;
         entry.increment(failed)) {
        std::error_code none;
        if (entry->is_regular_file(none)) total += int64_t(entry->file_size(none));
    }
    return total;
}

/// All tensors named after the layer, its bias apart.
TensorsBySuffix QuantizedCheckpoint::tensorsOf(const LinearInfo& linear) const {
    const std::string prefix = linear.name + ".";
    TensorsBySuffix tensors;
    for (auto it = m_tensors.lower_bound(prefix);
         it != m_tensors.end() && it->first.starts_with(prefix); ++it) {
        const std::string suffix = it->first.substr(prefix.size());
        if (suffix == "bias" && linear.bias) continue;
        const auto& [file, info] = it->second;
        tensors[suffix] = {info, m_files[file]->data(info)};
    }
    return tensors;
}

const LinearInfo& QuantizedCheckpoint::requireLinear(std::string_view linear) const {
    if (const LinearInfo* info = m_catalogue.find(linear)) return *info;
    throw Error("the model has no layer '" + std::string(linear) + "'");
}

LayerLayout QuantizedCheckpoint::layoutOf(std::string_view linear) const {
    const auto found = m_layers.find(requireLinear(linear).name);
    return found == m_layers.end() ? LayerLayout::Dense : found->second.layout;
}

const LayerFormat& QuantizedCheckpoint::formatOf(std::string_view linear) const {
    const auto found = m_layers.find(requireLinear(linear).name);
    if (found == m_layers.end())
        throw Error("layer '" + std::string(linear) + "' is not quantized");
    return found->second;
}

ColumnWeights QuantizedCheckpoint::column(std::string_view linear) const {
    const LinearInfo& info = requireLinear(linear);
    if (layoutOf(linear) != LayerLayout::Column)
        throw Error("layer '" + info.name + "' is not stored by columns");
    ColumnWeights weights = unpackColumn(info.name, info.rows, info.cols, tensorsOf(info));
    release(info);
    return weights;
}

GroupWeights QuantizedCheckpoint::group(std::string_view linear) const {
    const LinearInfo& info = requireLinear(linear);
    if (layoutOf(linear) != LayerLayout::Group)
        throw Error("layer '" + info.name + "' is not stored by groups");
    GroupWeights weights =
        unpackGroup(info.name, info.rows, info.cols, formatOf(linear).group, tensorsOf(info));
    release(info);
    return weights;
}

void QuantizedCheckpoint::release(const LinearInfo& linear) const {
    const std::string prefix = linear.name + ".";
    for (auto it = m_tensors.lower_bound(prefix);
         it != m_tensors.end() && it->first.starts_with(prefix); ++it)
        m_files[it->second.first]->release(it->second.second);
}

void QuantizedCheckpoint::readLinear(std::string_view linear, std::span<float> out,
                                     int threads) const {
    switch (layoutOf(linear)) {
    case LayerLayout::Column:
        column(linear).dequantize(out, threads);
        return;
    case LayerLayout::Group:
        group(linear).dequantize(out, threads);
        return;
    case LayerLayout::Dense:
        break;
    }
    readFloat(std::string(linear) + ".weight", out);
}

bool QuantizedCheckpoint::hasTensor(std::string_view name) const {
    // The parts of quantized layers and the scales of rows are no tensors of the model.
    return std::ranges::any_of(m_catalogue.expected,
                               [&](const auto& expected) { return expected.name == name; }) &&
           m_tensors.contains(name);
}

std::vector<int64_t> QuantizedCheckpoint::shapeOf(std::string_view name) const {
    return require(name).second.shape;
}

void QuantizedCheckpoint::readFloat(std::string_view name, std::span<float> out) const {
    const auto& [file, info] = require(name);
    if (int64_t(out.size()) != info.elements())
        throw Error("tensor '" + info.name + "' " + shapeText(info.shape) + " does not have " +
                    std::to_string(out.size()) + " elements");
    const int64_t cols = info.shape.size() == 2 ? info.shape[1] : info.elements();
    readRows(name, 0, cols, out);
    m_files[file]->release(info);
}

void QuantizedCheckpoint::readFloatRows(std::string_view name, int64_t rowBegin,
                                        std::span<float> out) const {
    const TensorInfo& info = require(name).second;
    if (info.shape.size() != 2 || info.shape[1] == 0)
        throw Error("tensor '" + info.name + "' " + shapeText(info.shape) + " is not a matrix");
    const int64_t cols = info.shape[1], size = int64_t(out.size()), rows = size / cols;
    if (rows * cols != size || rowBegin < 0 || rows > info.shape[0] ||
        rowBegin > info.shape[0] - rows)
        throw Error("tensor '" + info.name + "' " + shapeText(info.shape) + " has no " +
                    std::to_string(size) + " elements from row " + std::to_string(rowBegin) +
                    " on");
    readRows(name, rowBegin, cols, out);
}

QuantizedCheckpoint::Stored QuantizedCheckpoint::stored(std::string_view name) const {
    const auto& [file, info] = require(name);
    Stored out{info, m_files[file]->data(info), {}};
    if (!isRows8(name)) return out;
    const auto& [scaleFile, scaleInfo] = require(rowScaleName(name));
    const auto scales = m_files[scaleFile]->data(scaleInfo);
    out.rowScale.resize(scales.size() / 2);
    for (size_t n = 0; n < out.rowScale.size(); ++n) {
        uint16_t bits;
        std::memcpy(&bits, scales.data() + 2 * n, 2);
        out.rowScale[n] = kernels::halfToFloat(bits);
    }
    return out;
}

void QuantizedCheckpoint::readRows(std::string_view name, int64_t rowBegin, int64_t cols,
                                   std::span<float> out) const {
    const auto& [file, info] = require(name);
    const auto bytes = m_files[file]->data(info);
    if (isRows8(name)) {
        const auto& [scaleFile, scaleInfo] = require(rowScaleName(name));
        const auto scales = m_files[scaleFile]->data(scaleInfo);
        const auto* codes = reinterpret_cast<const int8_t*>(bytes.data());
        for (int64_t n = 0; n < int64_t(out.size()) / cols; ++n) {
            uint16_t scale;
            std::memcpy(&scale, scales.data() + (rowBegin + n) * 2, 2);
            kernels::dequantizeRow({codes + (rowBegin + n) * cols, size_t(cols)}, scale,
                                   out.subspan(size_t(n * cols), size_t(cols)));
        }
    } else if (isFloating(info.dtype)) {
        convert(bytes, info.dtype, rowBegin * cols, out);
    } else {
        throw Error("tensor '" + info.name + "' is part of a quantized layer: read the layer");
    }
    if (!std::ranges::all_of(out, [](float value) { return std::isfinite(value); }))
        throw Error("'" + m_folder.string() + "': tensor '" + info.name +
                        "' holds a value that is infinite or not a number",
                    "The file is damaged: copy or make the checkpoint again.");
}

} // namespace bitloom
