// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/model/config.h"

#include <cstdint>
#include <string>
#include <vector>

namespace bitloom {

/// Part of a block that a linear layer plays; the forward pass asks for layers by role.
enum class LinearRole { Query, Key, Value, AttentionOut, Gate, Up, Down };

/// A linear layer y = W x + b that is quantized. `name` is the tensor name without ".weight".
struct LinearInfo {
    std::string name; ///< "model.layers.0.self_attn.q_proj"
    LinearRole role = LinearRole::Query;
    int64_t block = 0;
    int64_t expert = -1; ///< -1 outside a mixture of experts
    int64_t rows = 0, cols = 0;
    bool bias = false;
    int64_t inputGroup = 0; ///< index into Catalogue::groups
};

/// Layers that read the same input and so share its statistics (ALGORITHMS §0).
struct InputGroup {
    std::string name; ///< "model.layers.0.attn_in", "….attn_out", "….mlp_in", "….mlp_mid"
    int64_t block = 0;
    int64_t expert = -1;
    int64_t cols = 0;
    std::vector<int64_t> linears; ///< indices into Catalogue::linears
};

/// Describes an architecture to everything else: names, wiring, shapes. One function makes it from
/// a config; a new architecture is a new description, not new code elsewhere.
struct Catalogue {
    std::vector<LinearInfo> linears; ///< block by block, in the order of the forward pass
    std::vector<InputGroup> groups;  ///< in the order of the forward pass
    std::string embedding;           ///< "model.embed_tokens.weight"
    std::string head;                ///< "lm_head.weight"; equals `embedding` where tied
    std::string finalNorm;           ///< "model.norm"
    std::string blockPrefix;         ///< "model.layers." + index + "."
    std::string inputNorm, postNorm; ///< names within a block: "input_layernorm", …
    std::string queryNorm, keyNorm;  ///< within a block, empty without q/k norm

    std::string block(int64_t index) const { return blockPrefix + std::to_string(index) + "."; }
    std::vector<int64_t> linearsOfBlock(int64_t block) const;
    const LinearInfo* find(std::string_view name) const;

    /// Every tensor the model must have with its shape, for checking a checkpoint.
    struct Expected {
        std::string name;
        std::vector<int64_t> shape;
    };
    std::vector<Expected> expected;

    /// Throws Error naming the architecture and the supported ones.
    static Catalogue make(const ModelConfig& config);
};

} // namespace bitloom
