// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/io/safetensors.h"
#include "core/model/catalogue.h"
#include "core/model/config.h"

#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace bitloom {

/// A Hugging Face model folder opened for reading: config, catalogue, and every tensor by name,
/// memory-mapped. Immutable after opening; safe to read from several threads.
class Checkpoint {
public:
    /// `model` is a folder, a file in one, or "org/name" found in the local Hugging Face cache
    /// (HF_HUB_CACHE, HF_HOME, ~/.cache/huggingface/hub; the ref "main" or the only snapshot).
    /// Checks that every expected tensor is there with the right shape and a floating dtype.
    /// Throws Error for: no such folder, no config, a missing shard (named), only
    /// pytorch_model.bin, an already quantized or FP8 source, unknown architecture, wrong shapes.
    static std::shared_ptr<const Checkpoint> open(const std::string& model);

    const std::filesystem::path& folder() const { return m_folder; }
    const ModelConfig& config() const { return m_config; }
    const Catalogue& catalogue() const { return m_catalogue; }

    struct Tensor {
        TensorInfo info;
        std::shared_ptr<const SafetensorsFile> file;
        std::span<const std::byte> bytes() const { return file->data(info); }
    };
    const Tensor* find(std::string_view name) const;
    const Tensor& require(std::string_view name) const;
    /// All tensors, by name. Includes ones that the model does not use (say "rotary_emb.inv_freq").
    const std::map<std::string, Tensor, std::less<>>& tensors() const { return m_tensors; }

    /// Converts F64/F32/F16/BF16 to float; handles unaligned data. out.size() must equal the
    /// element count. Throws Error naming tensor, row and column of the first NaN or infinity.
    void readFloat(std::string_view name, std::span<float> out, bool releaseAfter = true) const;
    /// Rows [rowBegin, rowBegin + out.size()/cols) of a matrix.
    void readFloatRows(std::string_view name, int64_t rowBegin, std::span<float> out) const;

    int64_t parameters() const;  ///< of the tensors the model uses; a tied pair counts once
    int64_t weightBytes() const; ///< bytes of the shard files
    /// Hash of the config, all headers, sizes, and sampled blocks of every shard.
    const std::string& fingerprint() const { return m_fingerprint; }

private:
    Checkpoint() = default;
    /// `index`: tensor → file as the index file says; empty without one.
    void collectTensors(const std::map<std::string, std::string, std::less<>>& index);
    void checkTensors() const;

    std::filesystem::path m_folder;
    ModelConfig m_config;
    Catalogue m_catalogue;
    std::vector<std::shared_ptr<const SafetensorsFile>> m_files;
    std::map<std::string, Tensor, std::less<>> m_tensors;
    std::string m_fingerprint;
};

/// [offset, length) of what a fingerprint reads of a shard's data section of so many bytes.
std::vector<std::pair<uint64_t, uint64_t>> fingerprintSamples(uint64_t bytes);

/// Resolves what a user may give as MODEL to a folder: see Checkpoint::open. Throws Error.
std::filesystem::path resolveModelFolder(const std::string& model);
/// True for a folder whose config.json has quantization_config.quant_method == "bitloom".
bool isBitloomCheckpoint(const std::filesystem::path& folder);

} // namespace bitloom
