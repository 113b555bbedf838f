// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/engine/model_weights.h"
#include "core/engine/quantize.h"
#include "core/format/checkpoint_writer.h"

#include <ATen/ATen.h>

#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

namespace bitloom::detail {

/// Where finished layers go and where a resumed run finds them again: straight into the checkpoint,
/// into work files of their own (when polish will still change them), or into memory.
/// Thread-safe.
class LayerStore {
public:
    static LayerStore inMemory();
    static LayerStore inCheckpoint(CheckpointWriter& writer, bool groups);
    static LayerStore inWorkFiles(CheckpointWriter& writer);

    bool has(const LinearInfo& linear) const;
    QuantizedLinear read(const LinearInfo& linear) const;
    void put(const LinearInfo& linear, QuantizedLinear layer);

    CheckpointWriter* writer() const { return m_writer; } ///< null in memory
    /// All layers; only in memory.
    std::map<std::string, QuantizedLinear, std::less<>> takeAll() { return std::move(m_layers); }

private:
    LayerStore(CheckpointWriter* writer, bool workFiles, bool groups)
        : m_writer(writer), m_workFiles(workFiles), m_groups(groups) {}
    std::filesystem::path workFile(const LinearInfo& linear) const;

    CheckpointWriter* m_writer;
    bool m_workFiles;
    bool m_groups; ///< layout `group`, else `column`
    std::unique_ptr<std::mutex> m_mutex = std::make_unique<std::mutex>();
    std::map<std::string, QuantizedLinear, std::less<>> m_layers;
};

/// [N, K] float32.
at::Tensor dequantize(const QuantizedLinear& layer, int threads);

} // namespace bitloom::detail
