// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/model/catalogue.h"

#include "core/base/error.h"
#include "core/model/architecture.h"

#include <array>

namespace bitloom {

namespace {

/// Builds a catalogue piece by piece in the order of the forward pass.
class Builder {
public:
    explicit Builder(Catalogue& catalogue) : m_catalogue(catalogue) {}

    void expect(const std::string& name, std::vector<int64_t> shape) {
        m_catalogue.expected.push_back({name, std::move(shape)});
    }

    /// Opens the group of layers that read the same input of `cols` channels.
    void group(const std::string& name, int64_t block, int64_t cols, int64_t expert = -1) {
        m_catalogue.groups.push_back(
            {.name = name, .block = block, .expert = expert, .cols = cols, .linears = {}});
    }

    /// Adds a layer to the group opened last.
    void linear(const std::string& name, LinearRole role, int64_t rows, bool bias) {
        InputGroup& group = m_catalogue.groups.back();
        group.linears.push_back(static_cast<int64_t>(m_catalogue.linears.size()));
        m_catalogue.linears.push_back(
            {.name = name,
             .role = role,
             .block = group.block,
             .expert = group.expert,
             .rows = rows,
             .cols = group.cols,
             .bias = bias,
             .inputGroup = static_cast<int64_t>(m_catalogue.groups.size()) - 1});
        expect(name + ".weight", {rows, group.cols});
        if (bias) expect(name + ".bias", {rows});
    }

private:
    Catalogue& m_catalogue;
};

/// Llama and its kin: pre-norm blocks of grouped-query attention and a gated MLP.
Catalogue describeLlama(const ModelConfig& config) {
    Catalogue catalogue;
    catalogue.embedding = "model.embed_tokens.weight";
    catalogue.head = config.tiedEmbeddings ? catalogue.embedding : "lm_head.weight";
    catalogue.finalNorm = "model.norm";
    catalogue.blockPrefix = "model.layers.";
    catalogue.inputNorm = "input_layernorm";
    catalogue.postNorm = "post_attention_layernorm";
    if (config.qkNorm) {
        catalogue.queryNorm = "self_attn.q_norm";
        catalogue.keyNorm = "self_attn.k_norm";
    }

    Builder builder(catalogue);
    const int64_t hidden = config.hidden, inner = config.intermediate;
    const int64_t queryRows = config.heads * config.headDim;
    const int64_t keyRows = config.kvHeads * config.headDim;
    builder.expect(catalogue.embedding, {config.vocab, hidden});
    for (int64_t i = 0; i < config.layers; ++i) {
        const std::string block = catalogue.block(i);
        const std::string attention = block + "self_attn.", mlp = block + "mlp.";
        builder.expect(block + catalogue.inputNorm + ".weight", {hidden});
        builder.group(block + "attn_in", i, hidden);
        builder.linear(attention + "q_proj", LinearRole::Query, queryRows, config.attentionBias);
        builder.linear(attention + "k_proj", LinearRole::Key, keyRows, config.attentionBias);
        builder.linear(attention + "v_proj", LinearRole::Value, keyRows, config.attentionBias);
        if (config.qkNorm) {
            builder.expect(block + catalogue.queryNorm + ".weight", {config.headDim});
            builder.expect(block + catalogue.keyNorm + ".weight", {config.headDim});
        }
        builder.group(block + "attn_out", i, queryRows);
        builder.linear(attention + "o_proj", LinearRole::AttentionOut, hidden,
                       config.attentionOutBias);
        builder.expect(block + catalogue.postNorm + ".weight", {hidden});
        builder.group(block + "mlp_in", i, hidden);
        builder.linear(mlp + "gate_proj", LinearRole::Gate, inner, config.mlpBias);
        builder.linear(mlp + "up_proj", LinearRole::Up, inner, config.mlpBias);
        builder.group(block + "mlp_mid", i, inner);
        builder.linear(mlp + "down_proj", LinearRole::Down, hidden, config.mlpBias);
    }
    builder.expect(catalogue.finalNorm + ".weight", {hidden});
    if (!config.tiedEmbeddings) builder.expect(catalogue.head, {config.vocab, hidden});
    return catalogue;
}

constexpr std::array architectures{
    ArchitectureInfo{.architecture = "LlamaForCausalLM",
                     .baseModel = "LlamaModel",
                     .modelType = "llama",
                     .title = "Llama 2 and 3",
                     .qkvBias = BiasRule::ByAttentionBias,
                     .outBias = BiasRule::ByAttentionBias,
                     .mlpBiasKey = true,
                     .qkNorm = false,
                     .window = WindowRule::Never,
                     .defaultHeadDim = 0,
                     .defaultMaxPositions = 2048,
                     .defaultWindow = 0,
                     .describe = describeLlama},
    ArchitectureInfo{.architecture = "MistralForCausalLM",
                     .baseModel = "MistralModel",
                     .modelType = "mistral",
                     .title = "Mistral",
                     .qkvBias = BiasRule::Never,
                     .outBias = BiasRule::Never,
                     .mlpBiasKey = false,
                     .qkNorm = false,
                     .window = WindowRule::AllLayers,
                     .defaultHeadDim = 0,
                     .defaultMaxPositions = 131072,
                     .defaultWindow = 4096,
                     .describe = describeLlama},
    ArchitectureInfo{.architecture = "Qwen2ForCausalLM",
                     .baseModel = "Qwen2Model",
                     .modelType = "qwen2",
                     .title = "Qwen2",
                     .qkvBias = BiasRule::Always,
                     .outBias = BiasRule::Never,
                     .mlpBiasKey = false,
                     .qkNorm = false,
                     .window = WindowRule::ByLayerType,
                     .defaultHeadDim = 0,
                     .defaultMaxPositions = 32768,
                     .defaultWindow = 4096,
                     .describe = describeLlama},
    ArchitectureInfo{.architecture = "Qwen3ForCausalLM",
                     .baseModel = "Qwen3Model",
                     .modelType = "qwen3",
                     .title = "Qwen3",
                     .qkvBias = BiasRule::ByAttentionBias,
                     .outBias = BiasRule::ByAttentionBias,
                     .mlpBiasKey = false,
                     .qkNorm = true,
                     .window = WindowRule::ByLayerType,
                     .defaultHeadDim = 128,
                     .defaultMaxPositions = 32768,
                     .defaultWindow = 4096,
                     .describe = describeLlama},
};

} // namespace

const ArchitectureInfo* findArchitecture(std::string_view architecture) {
    for (const ArchitectureInfo& info : architectures)
        if (info.architecture == architecture || info.baseModel == architecture) return &info;
    return nullptr;
}

const ArchitectureInfo* findModelType(std::string_view modelType) {
    for (const ArchitectureInfo& info : architectures)
        if (info.modelType == modelType) return &info;
    return nullptr;
}

std::string supportedArchitectures() {
    std::string text;
    for (const ArchitectureInfo& info : architectures)
        text += (text.empty() ? "" : ", ") + std::string(info.title) + " (" +
                std::string(info.architecture) + ")";
    return text;
}

void throwUnknownArchitecture(const std::string& where, const std::string& name) {
    throw Error(where + ": the architecture is " + name + ", which Bitloom cannot read. It reads " +
                    supportedArchitectures(),
                "Choose a model of one of these architectures.");
}

std::vector<int64_t> Catalogue::linearsOfBlock(int64_t block) const {
    std::vector<int64_t> found;
    for (size_t i = 0; i < linears.size(); ++i)
        if (linears[i].block == block) found.push_back(static_cast<int64_t>(i));
    return found;
}

const LinearInfo* Catalogue::find(std::string_view name) const {
    for (const LinearInfo& linear : linears)
        if (linear.name == name) return &linear;
    return nullptr;
}

Catalogue Catalogue::make(const ModelConfig& config) {
    const ArchitectureInfo* info = findArchitecture(config.architecture);
    if (!info) throwUnknownArchitecture("config.json", "'" + config.architecture + "'");
    return info->describe(config);
}

} // namespace bitloom
