// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/engine/serve/skeleton.h"

#include <algorithm>
#include <map>

namespace bitloom::serve {

namespace fs = std::filesystem;

namespace {

/// Header, and what Checkpoint::fingerprint looks at of the data.
std::vector<FilePiece> piecesOf(const SafetensorsFile& file) {
    TensorInfo all; // the data section as one tensor
    for (const TensorInfo& tensor : file.tensors())
        all.end = std::max(all.end, tensor.end);
    // The header's text begins behind 8 bytes of length; padding may follow it.
    const auto* text = reinterpret_cast<const std::byte*>(file.headerText().data());
    const auto dataBegin = uint64_t(file.data(all).data() - text) + 8;
    std::vector<FilePiece> pieces{{0, dataBegin}};
    for (const auto& [offset, length] : fingerprintSamples(all.end))
        pieces.emplace_back(dataBegin + offset, length);
    return pieces;
}

} // namespace

std::vector<SkeletonFile> skeletonOf(const Checkpoint& model) {
    std::map<std::string, const SafetensorsFile*> shards;
    for (const auto& [name, tensor] : model.tensors())
        shards[tensor.file->path().filename().string()] = tensor.file.get();
    std::vector<SkeletonFile> files;
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(model.folder(), ignored)) {
        if (!entry.is_regular_file(ignored)) continue;
        SkeletonFile file{entry.path().filename().string(), entry.file_size(ignored), {}};
        if (const auto shard = shards.find(file.name); shard != shards.end()) {
            file.pieces = piecesOf(*shard->second);
        } else if (file.name == "config.json" || file.name == "generation_config.json" ||
                   file.name.ends_with(".safetensors.index.json")) {
            file.pieces = {{0, file.bytes}};
        }
        files.push_back(std::move(file));
    }
    std::ranges::sort(files, {}, &SkeletonFile::name);
    return files;
}

Json toJson(const std::vector<SkeletonFile>& files) {
    Json list = Json::array();
    for (const SkeletonFile& file : files) {
        Json pieces = Json::array();
        for (const auto& [offset, length] : file.pieces)
            pieces.push_back({offset, length});
        list.push_back({{"name", file.name}, {"bytes", file.bytes}, {"pieces", std::move(pieces)}});
    }
    return list;
}

} // namespace bitloom::serve
