// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/format/layout.h"

#include "core/base/error.h"
#include "core/format/blueprint.h"
#include "core/format/checkpoint_files.h"

#include <tuple>

namespace bitloom {

namespace {

void addFiles(SizeParts& parts, int64_t headers,
              const std::vector<CheckpointLayout::PlainFile>& files) {
    parts.headersAndFiles = headers;
    for (const auto& file : files)
        parts.headersAndFiles += file.bytes;
    parts.totalBytes =
        parts.linearBytes + parts.embeddingAndHead + parts.otherTensors + parts.headersAndFiles;
}

} // namespace

DType rawDtypeFor(DType source) {
    return source == DType::BF16 ? DType::BF16 : DType::F16;
}

std::string rowScaleName(std::string_view tensor) {
    if (tensor.ends_with(".weight")) tensor.remove_suffix(7);
    return std::string(tensor) + ".row_scale";
}

int64_t LayerFormat::bytes(const LinearInfo& linear) const {
    const std::vector<TensorSpec> tensors =
        layout == LayerLayout::Column
            ? columnSpecs(linear.name, linear.rows, classes, classOf, DType::F16)
            : groupSpecs(linear.name, linear.rows, linear.cols, group);
    int64_t sum = 0;
    for (const TensorSpec& tensor : tensors)
        sum += int64_t(tensor.bytes());
    return sum;
}

LayerFormat LayerFormat::column(std::span<const uint8_t> points, const Menu& menu, int64_t rows) {
    LayerFormat format;
    format.layout = LayerLayout::Column;
    std::tie(format.classes, format.classOf) = classesOf(points, menu, rows);
    return format;
}

CheckpointLayout::CheckpointLayout(const Checkpoint& source, const CheckpointSpec& spec)
    : m_spec(spec) {
    const Blueprint blueprint(source, m_spec);
    int64_t headers = 0;
    for (size_t i = 0; i < blueprint.shardBegins.size(); ++i) {
        std::vector<TensorSpec> specs;
        for (const Blueprint::Tensor& tensor : blueprint.shard(i)) {
            specs.push_back({tensor.name(), tensor.dtype, tensor.shape()});
            if (!tensor.linear.empty())
                m_byLinear[std::string(tensor.linear)].push_back(specs.back().name);
        }
        m_shards.push_back(
            {blueprint.shardName(i), SafetensorsLayout(std::move(specs), shardMetadata)});
        const SafetensorsLayout& layout = m_shards.back().layout;
        headers += int64_t(layout.header().size());
        for (size_t t = 0; t < layout.tensors().size(); ++t)
            m_index[layout.tensors()[t].name] = {i, t};
    }
    m_files = checkpointFiles::list(source, m_spec, blueprint);
    m_parts = blueprint.parts;
    addFiles(m_parts, headers, m_files);
}

std::pair<size_t, TensorInfo> CheckpointLayout::locate(std::string_view tensor) const {
    const auto found = m_index.find(tensor);
    if (found == m_index.end())
        throw Error("the checkpoint has no tensor '" + std::string(tensor) + "'");
    const auto [shard, index] = found->second;
    return {shard, m_shards[shard].layout.tensors()[index]};
}

std::vector<std::string> CheckpointLayout::tensorsOf(std::string_view linear) const {
    const auto found = m_byLinear.find(linear);
    if (found == m_byLinear.end())
        throw Error("the checkpoint has no layer '" + std::string(linear) + "'");
    return found->second;
}

SizeParts predictSize(const Checkpoint& source, const CheckpointSpec& spec) {
    const Blueprint blueprint(source, spec);
    int64_t headers = 0;
    for (size_t i = 0; i < blueprint.shardBegins.size(); ++i)
        headers += headerBytes(blueprint.shard(i));
    SizeParts parts = blueprint.parts;
    addFiles(parts, headers, checkpointFiles::list(source, spec, blueprint));
    return parts;
}

} // namespace bitloom
