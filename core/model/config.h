// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include <nlohmann/json.hpp>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace bitloom {

enum class NormKind { Rms, LayerNorm };
enum class PositionKind { Rope, Learned };
enum class RopeScalingKind { None, Linear, Llama3 };
enum class Activation { Silu, Relu, Gelu, GeluTanh };

struct RopeScaling {
    RopeScalingKind kind = RopeScalingKind::None;
    double factor = 1, lowFreqFactor = 1, highFreqFactor = 4;
    int64_t originalMaxPositions = 0;
};

/// What a config.json says, in the spelling of transformers v4 or v5, checked for sense
/// (all sizes positive and bounded, heads divide, known activation and scaling).
struct ModelConfig {
    std::string modelType;    ///< "llama", "mistral", "qwen2", "qwen3", later "opt", "mixtral"
    std::string architecture; ///< "LlamaForCausalLM"
    std::string dtype;        ///< as stated: "float16", "bfloat16", "float32"; may be empty
    int64_t hidden = 0, intermediate = 0, layers = 0, vocab = 0;
    int64_t heads = 0, kvHeads = 0, headDim = 0;
    int64_t maxPositions = 0;
    NormKind norm = NormKind::Rms;
    double normEps = 1e-5;
    Activation activation = Activation::Silu;
    PositionKind positions = PositionKind::Rope;
    double ropeTheta = 10000;
    RopeScaling ropeScaling;
    bool tiedEmbeddings = false;
    bool attentionBias = false;    ///< bias of q, k, v
    bool attentionOutBias = false; ///< bias of o
    bool mlpBias = false;
    bool qkNorm = false;
    /// Per layer: window in tokens (a token sees itself and window−1 before it), 0 = full
    /// attention.
    std::vector<int64_t> slidingWindow;
    std::optional<int64_t> bosToken;
    std::vector<int64_t> eosTokens; ///< config.json and generation_config.json together
    nlohmann::json raw;             ///< the whole config.json, for copying

    /// Throws Error naming the key. `folder` is used in messages and to read
    /// generation_config.json.
    static ModelConfig load(const std::filesystem::path& folder);
    static ModelConfig parse(const nlohmann::json& config, const std::string& where);
};

} // namespace bitloom
