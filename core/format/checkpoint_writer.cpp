// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/format/checkpoint_writer.h"

#include "core/base/error.h"
#include "core/base/hash.h"
#include "core/base/threads.h"
#include "core/format/checkpoint_files.h"
#include "core/format/partial_checkpoint.h"
#include "core/model/checkpoint.h"
#include "kernels/rows8.h"

#include <algorithm>
#include <map>
#include <set>

namespace bitloom {

namespace fs = std::filesystem;

namespace {

constexpr int64_t pieceBytes = 8 << 20;

std::string hashOf(const CheckpointLayout& layout, const std::string& config) {
    Hasher hasher;
    hasher.update(config);
    for (const auto& shard : layout.shards())
        hasher.update(shard.layout.header());
    return hasher.digest();
}

int64_t roomOf(const CheckpointLayout& layout, const char* name) {
    return std::ranges::find(layout.files(), name, &CheckpointLayout::PlainFile::name)->bytes;
}

bool isHeadOrEmbedding(const Catalogue& catalogue, const std::string& name) {
    return name == catalogue.embedding || name == catalogue.head;
}

} // namespace

struct CheckpointWriter::State {
    CheckpointLayout layout;
    std::string config; ///< text of config.json
    PartialCheckpoint partial;
    std::map<std::string, LinearInfo, std::less<>> linears;
    std::set<std::string, std::less<>> stored; ///< names of all tensors of the layout

    State(const fs::path& out, const Checkpoint& source, const CheckpointLayout& fixed,
          const Options& options)
        : layout(fixed),
          config(checkpointFiles::padded(checkpointFiles::configText(source, layout.spec()),
                                         roomOf(layout, checkpointFiles::configName),
                                         checkpointFiles::configName)),
          partial(out, layout, options, hashOf(layout, config)) {
        for (const LinearInfo& linear : source.catalogue().linears)
            linears[linear.name] = linear;
        for (const auto& shard : layout.shards())
            for (const TensorInfo& tensor : shard.layout.tensors())
                stored.insert(tensor.name);
    }

    TensorsBySuffix readAll(std::string_view linear, LayerLayout wanted,
                            std::vector<std::vector<std::byte>>& owner) const;
    void putRows8(const Checkpoint& source, const std::string& name, int threads,
                  Progress& progress);
    void hashShards(checkpointFiles::Manifest& manifest, Progress& progress) const;
    void writePlainFiles(const nlohmann::json& recipe, checkpointFiles::Manifest& manifest,
                         Progress& progress);
};

CheckpointWriter::CheckpointWriter(const fs::path& out, const Checkpoint& source,
                                   const CheckpointLayout& layout, const Options& options)
    : m_state(std::make_unique<State>(out, source, layout, options)) {}

CheckpointWriter::~CheckpointWriter() = default;

bool CheckpointWriter::hasTensor(std::string_view name) const {
    return m_state->partial.has(name);
}

bool CheckpointWriter::hasLinear(std::string_view linear) const {
    const auto names = m_state->layout.tensorsOf(linear);
    return std::ranges::all_of(names, [&](const auto& name) { return hasTensor(name); });
}

void CheckpointWriter::putTensor(std::string_view name, std::span<const std::byte> bytes) {
    m_state->partial.put({{std::string(name), bytes}});
}

void CheckpointWriter::putLinear(std::string_view linear,
                                 const std::vector<PackedTensor>& tensors) {
    const auto names = m_state->layout.tensorsOf(linear);
    std::vector<PartialCheckpoint::Named> put;
    for (const PackedTensor& tensor : tensors) {
        const std::string name = std::string(linear) + "." + tensor.suffix;
        if (std::ranges::find(names, name) == names.end())
            throw Error("tensor '" + name + "' is not part of the layout");
        const TensorInfo info = m_state->layout.locate(name).second;
        if (info.dtype != tensor.dtype || info.shape != tensor.shape)
            throw Error("tensor '" + name + "' is laid out as " +
                        std::string(dtypeName(info.dtype)) + " " + shapeText(info.shape) +
                        ", but was given as " + std::string(dtypeName(tensor.dtype)) + " " +
                        shapeText(tensor.shape));
        put.emplace_back(name, tensor.bytes);
    }
    if (put.size() != names.size())
        throw Error("layer '" + std::string(linear) + "' has " + std::to_string(names.size()) +
                    " tensors, but was given " + std::to_string(put.size()));
    m_state->partial.put(put);
}

std::vector<std::byte> CheckpointWriter::readTensor(std::string_view name) const {
    if (!hasTensor(name))
        throw Error("tensor '" + std::string(name) + "' has not been written yet");
    return m_state->partial.read(name);
}

TensorsBySuffix CheckpointWriter::State::readAll(std::string_view linear, LayerLayout wanted,
                                                 std::vector<std::vector<std::byte>>& owner) const {
    const auto found = layout.spec().layers.find(std::string(linear));
    if (found == layout.spec().layers.end() || found->second.layout != wanted)
        throw Error("layer '" + std::string(linear) + "' is not stored in this layout");
    TensorsBySuffix tensors;
    const auto names = layout.tensorsOf(linear);
    owner.reserve(names.size());
    for (const std::string& name : names) {
        if (!partial.has(name)) throw Error("tensor '" + name + "' has not been written yet");
        owner.push_back(partial.read(name));
        tensors[name.substr(linear.size() + 1)] = {layout.locate(name).second, owner.back()};
    }
    return tensors;
}

ColumnWeights CheckpointWriter::readColumn(std::string_view linear) const {
    std::vector<std::vector<std::byte>> owner;
    const auto tensors = m_state->readAll(linear, LayerLayout::Column, owner);
    const LinearInfo& info = m_state->linears.find(linear)->second;
    return unpackColumn(info.name, info.rows, info.cols, tensors);
}

GroupWeights CheckpointWriter::readGroup(std::string_view linear) const {
    std::vector<std::vector<std::byte>> owner;
    const auto tensors = m_state->readAll(linear, LayerLayout::Group, owner);
    const LinearInfo& info = m_state->linears.find(linear)->second;
    return unpackGroup(info.name, info.rows, info.cols,
                       m_state->layout.spec().layers.at(info.name).group, tensors);
}

void CheckpointWriter::putMark(const std::string& key, const nlohmann::json& value) {
    m_state->partial.putMark(key, value);
}

std::optional<nlohmann::json> CheckpointWriter::mark(const std::string& key) const {
    return m_state->partial.mark(key);
}

fs::path CheckpointWriter::workFolder() const {
    return m_state->partial.workFolder();
}

int64_t CheckpointWriter::resumedTensors() const {
    return m_state->partial.resumed();
}

int64_t CheckpointWriter::writtenTensors() const {
    return m_state->partial.written();
}

/// Embedding or head as int8 rows with a scale each (FORMAT §1), a piece at a time: a large
/// vocabulary takes a gigabyte.
void CheckpointWriter::State::putRows8(const Checkpoint& source, const std::string& name,
                                       int threads, Progress& progress) {
    const Checkpoint::Tensor& tensor = source.require(name);
    const int64_t rows = tensor.info.shape[0], cols = tensor.info.shape[1];
    const std::string scaleName = rowScaleName(name);
    partial.forget(std::vector{name, scaleName});
    const int64_t pieceRows = std::max<int64_t>(1, pieceBytes / cols);
    std::vector<int8_t> codes(size_t(std::min(rows, pieceRows) * cols));
    std::vector<uint16_t> scales(static_cast<size_t>(rows));
    Hasher hasher;
    for (int64_t first = 0; first < rows; first += pieceRows) {
        progress.check();
        const int64_t count = std::min(pieceRows, rows - first);
        parallelFor(count, 64, threads, [&](int64_t begin, int64_t end) {
            std::vector<float> row(static_cast<size_t>(cols));
            for (int64_t n = begin; n < end; ++n) {
                source.readFloatRows(name, first + n, row);
                kernels::quantizeRow(row, std::span(codes).subspan(size_t(n * cols), size_t(cols)),
                                     scales[size_t(first + n)]);
            }
        });
        const auto piece = std::as_bytes(std::span(codes).first(size_t(count * cols)));
        partial.writePiece(name, uint64_t(first * cols), piece);
        hasher.update(piece);
    }
    partial.writePiece(scaleName, 0, std::as_bytes(std::span(scales)));
    partial.confirm(
        {{name, hasher.digest()}, {scaleName, hashBytes(std::as_bytes(std::span(scales)))}});
    tensor.file->release(tensor.info);
}

void CheckpointWriter::copyRemaining(const Checkpoint& source, int threads, Progress& progress) {
    State& state = *m_state;
    const bool rows8 = state.layout.spec().head == HeadStorage::Rows8;
    std::vector<std::string> names;
    for (const auto& expected : source.catalogue().expected) {
        if (!state.stored.contains(expected.name)) continue; // quantized
        const bool hasScale = !rows8 || !isHeadOrEmbedding(source.catalogue(), expected.name) ||
                              hasTensor(rowScaleName(expected.name));
        if (!hasTensor(expected.name) || !hasScale) names.push_back(expected.name);
    }
    // Small tensors go together: each put waits for the disk.
    std::vector<PartialCheckpoint::Named> batch;
    int64_t batchBytes = 0;
    for (size_t i = 0; i < names.size(); ++i) {
        progress.check();
        progress.report(double(i) / double(names.size()), "copying " + names[i]);
        if (rows8 && isHeadOrEmbedding(source.catalogue(), names[i])) {
            state.putRows8(source, names[i], threads, progress);
            continue;
        }
        const Checkpoint::Tensor& tensor = source.require(names[i]);
        batch.emplace_back(names[i], tensor.bytes());
        batchBytes += int64_t(tensor.bytes().size());
        if (batchBytes < pieceBytes) continue;
        state.partial.put(batch);
        tensor.file->release(tensor.info);
        batch.clear();
        batchBytes = 0;
    }
    if (!batch.empty()) state.partial.put(batch);
    progress.report(1, "copied what is not quantized");
}

void CheckpointWriter::State::hashShards(checkpointFiles::Manifest& manifest,
                                         Progress& progress) const {
    const auto hashes = partial.hashes();
    uint64_t total = 0, done = 0;
    for (const auto& shard : layout.shards())
        total += shard.layout.fileBytes();
    std::vector<std::byte> piece;
    for (size_t i = 0; i < layout.shards().size(); ++i) {
        const auto& shard = layout.shards()[i];
        const uint64_t size = shard.layout.fileBytes();
        Hasher hasher;
        for (uint64_t at = 0; at < size; at += piece.size()) {
            progress.check();
            piece.resize(size_t(std::min<uint64_t>(size - at, pieceBytes)));
            partial.readShard(i, at, piece);
            hasher.update(piece);
            done += piece.size();
            progress.report(double(done) / double(total), "hashing " + shard.fileName);
        }
        manifest.files[shard.fileName] = {size, hasher.digest()};
        for (const TensorInfo& tensor : shard.layout.tensors()) {
            const auto hash = hashes.find(tensor.name);
            if (hash == hashes.end())
                throw Error("tensor '" + tensor.name + "' has not been written");
            manifest.tensors[tensor.name] = {tensor.bytes(), hash->second};
        }
    }
}

void CheckpointWriter::State::writePlainFiles(const nlohmann::json& recipe,
                                              checkpointFiles::Manifest& manifest,
                                              Progress& progress) {
    using namespace checkpointFiles;
    for (const auto& file : layout.files()) {
        progress.check();
        if (file.name == manifestName) continue; // it names the others
        std::string text;
        if (!file.copyOf.empty())
            text = readTextFile(file.copyOf);
        else if (file.name == configName)
            text = config;
        else if (file.name == recipeName)
            text = padded(recipeText(recipe, layout.parts()), file.bytes, file.name);
        else if (file.name == cardName)
            text = padded(cardText(recipe, layout, file.bytes), file.bytes, file.name);
        else
            text = padded(indexText(layout), file.bytes, file.name);
        if (int64_t(text.size()) != file.bytes)
            throw Error("'" + file.copyOf.string() + "' has changed since the job began",
                        "Remove '" + partial.folder().string() + "' and start again.");
        manifest.files[file.name] = {text.size(), hashText(text)};
        if (file.name != configName) writeFileAtomically(partial.folder() / file.name, text);
    }
}

void CheckpointWriter::finish(const nlohmann::json& recipe, Progress& progress) {
    using namespace checkpointFiles;
    State& state = *m_state;
    for (const std::string& name : state.stored)
        if (!hasTensor(name)) throw Error("tensor '" + name + "' has not been written");
    Manifest manifest;
    state.hashShards(manifest, progress);
    state.writePlainFiles(recipe, manifest, progress);
    const std::string text =
        padded(manifestText(manifest), roomOf(state.layout, manifestName), manifestName);
    writeFileAtomically(state.partial.folder() / manifestName, text);
    state.partial.publish(hashText(text), state.config);
    progress.report(1, "finished");
}

} // namespace bitloom
