// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/base/progress.h"
#include "core/format/layout.h"

#include <cstddef>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <variant>
#include <vector>

namespace bitloom {

/// A finished Bitloom checkpoint, mapped for reading. Immutable, safe to share between threads.
class QuantizedCheckpoint {
public:
    /// Throws Error for a folder that is not one, a partial one, an unknown format version, a
    /// missing shard, or tensors that do not fit config and layouts.
    static std::shared_ptr<const QuantizedCheckpoint> open(const std::filesystem::path& folder);

    const std::filesystem::path& folder() const { return m_folder; }
    const ModelConfig& config() const { return m_config; }
    const Catalogue& catalogue() const { return m_catalogue; }
    const nlohmann::json& recipe() const { return m_recipe; }
    LayerLayout layoutOf(std::string_view linear) const;
    /// Classes of all columns, or parameters of the groups: the plan that the checkpoint was made
    /// by. Throws Error for a dense layer.
    const LayerFormat& formatOf(std::string_view linear) const;

    ColumnWeights column(std::string_view linear) const;
    GroupWeights group(std::string_view linear) const;
    /// Weight of a linear, dequantized whatever its layout, row-major [N, K].
    void readLinear(std::string_view linear, std::span<float> out, int threads) const;
    /// Any other tensor (norm, bias, embedding, head, dense linear) as float; rows8 is dequantized.
    bool hasTensor(std::string_view name) const;
    std::vector<int64_t> shapeOf(std::string_view name) const;
    void readFloat(std::string_view name, std::span<float> out) const;
    void readFloatRows(std::string_view name, int64_t rowBegin, std::span<float> out) const;

    /// A tensor's bytes in the mapped file. rows8 brings its scales [rows]; no other scales.
    struct Stored {
        TensorInfo info;
        std::span<const std::byte> bytes;
        std::vector<float> rowScale;
    };
    Stored stored(std::string_view name) const;

    const SizeParts& parts() const { return m_parts; } ///< from the files themselves
    int64_t folderBytes() const;
    const std::string& fingerprint() const { return m_fingerprint; }

    /// Recomputes every hash of MANIFEST.json, from the files as they are now. Returns the names of
    /// damaged or missing files and tensors; empty = intact.
    std::vector<std::string> verify(int threads, Progress& progress) const;

private:
    QuantizedCheckpoint() = default;
    void readConfig();
    void openShards();
    void collectTensors(const std::map<std::string, std::string, std::less<>>& index);
    void checkTensors();
    void checkLinear(const LinearInfo& linear, int64_t& paddingBits);
    void countFiles();
    const LinearInfo& requireLinear(std::string_view linear) const;
    const std::pair<size_t, TensorInfo>& require(std::string_view name) const;
    const std::pair<size_t, TensorInfo>& requireShape(const std::string& name, DType dtype,
                                                      std::vector<int64_t> shape) const;
    TensorsBySuffix tensorsOf(const LinearInfo& linear) const;
    void release(const LinearInfo& linear) const;
    bool isRows8(std::string_view name) const;
    void readRows(std::string_view name, int64_t rowBegin, int64_t cols,
                  std::span<float> out) const;

    std::filesystem::path m_folder;
    ModelConfig m_config;
    Catalogue m_catalogue;
    nlohmann::json m_recipe;
    HeadStorage m_head = HeadStorage::Keep;
    std::map<std::string, LayerFormat, std::less<>> m_layers;
    std::vector<std::shared_ptr<const SafetensorsFile>> m_files;
    std::map<std::string, std::pair<size_t, TensorInfo>, std::less<>> m_tensors;
    SizeParts m_parts;
    std::string m_fingerprint;
};

} // namespace bitloom
