// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors

#include "core/engine/detail/layer_store.h"

#include "core/base/hash.h"
#include "core/io/safetensors.h"

namespace bitloom::detail {

LayerStore LayerStore::inMemory() {
    return {nullptr, false, false};
}
LayerStore LayerStore::inCheckpoint(CheckpointWriter& writer, bool groups) {
    return {&writer, false, groups};
}
LayerStore LayerStore::inWorkFiles(CheckpointWriter& writer) {
    return {&writer, true, false};
}

std::filesystem::path LayerStore::workFile(const LinearInfo& linear) const {
    return m_writer->workFolder() / (linear.name + ".safetensors");
}

bool LayerStore::has(const LinearInfo& linear) const {
    if (!m_writer) return m_layers.contains(linear.name);
    if (!m_workFiles) return m_writer->hasLinear(linear.name);
    const auto mark = m_writer->mark("layer " + linear.name);
    if (!mark) return false;
    const std::filesystem::path path = workFile(linear);
    return std::filesystem::exists(path) && hashFile(path) == mark->get<std::string>();
}

QuantizedLinear LayerStore::read(const LinearInfo& linear) const {
    if (!m_writer) {
        const std::lock_guard lock(*m_mutex);
        return m_layers.at(linear.name);
    }
    if (!m_workFiles) {
        if (m_groups) return m_writer->readGroup(linear.name);
        return m_writer->readColumn(linear.name);
    }
    const auto file = SafetensorsFile::open(workFile(linear));
    TensorsBySuffix tensors;
    for (const TensorInfo& tensor : file->tensors())
        tensors[tensor.name] = {tensor, file->data(tensor)};
    return unpackColumn(linear.name, linear.rows, linear.cols, tensors);
}

void LayerStore::put(const LinearInfo& linear, QuantizedLinear layer) {
    if (!m_writer) {
        const std::lock_guard lock(*m_mutex);
        m_layers[linear.name] = std::move(layer);
        return;
    }
    const std::vector<PackedTensor> packed =
        std::visit([](const auto& weights) { return pack(weights); }, layer);
    if (!m_workFiles) {
        m_writer->putLinear(linear.name, packed);
        return;
    }
    std::vector<TensorBytes> tensors;
    for (const PackedTensor& tensor : packed)
        tensors.push_back({{tensor.suffix, tensor.dtype, tensor.shape}, tensor.bytes});
    const std::filesystem::path path = workFile(linear);
    writeSafetensors(path, tensors);
    m_writer->putMark("layer " + linear.name, hashFile(path));
}

at::Tensor dequantize(const QuantizedLinear& layer, int threads) {
    return std::visit(
        [&](const auto& weights) {
            at::Tensor out = at::empty({weights.rows, weights.cols}, at::kFloat);
            weights.dequantize({out.data_ptr<float>(), size_t(out.numel())}, threads);
            return out;
        },
        layer);
}

} // namespace bitloom::detail
