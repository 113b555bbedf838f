// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/model/config.h"

#include <string>
#include <string_view>

namespace bitloom {

struct Catalogue;

/// Where a linear layer's bias comes from: never there, always there, or as a key of config.json
/// says.
enum class BiasRule { Never, Always, ByAttentionBias };
/// Which layers look back through a window only.
enum class WindowRule {
    Never,
    AllLayers,   ///< wherever sliding_window is given
    ByLayerType, ///< layer_types; without it use_sliding_window from max_window_layers on
};

/// What sets one architecture apart: the only place that a new one has to be described in.
/// Defaults are those of transformers for keys that a config.json leaves out.
struct ArchitectureInfo {
    std::string_view architecture; ///< "LlamaForCausalLM"
    std::string_view baseModel;    ///< "LlamaModel": the same without a head
    std::string_view modelType;    ///< "llama"
    std::string_view title;        ///< for people: "Llama 2 and 3"
    BiasRule qkvBias, outBias;
    bool mlpBiasKey; ///< mlp_bias is honoured
    bool qkNorm;
    WindowRule window;
    int64_t defaultHeadDim; ///< 0: hidden_size / num_attention_heads
    int64_t defaultMaxPositions;
    int64_t defaultWindow; ///< where sliding_window is absent; 0 = none
    Catalogue (*describe)(const ModelConfig& config);
};

/// nullptr if there is none of that name.
const ArchitectureInfo* findArchitecture(std::string_view architecture);
const ArchitectureInfo* findModelType(std::string_view modelType);
/// "Llama 2 and 3 (LlamaForCausalLM), …", for messages.
std::string supportedArchitectures();
[[noreturn]] void throwUnknownArchitecture(const std::string& where, const std::string& name);

} // namespace bitloom
