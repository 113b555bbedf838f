// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/model/config.h"

#include "core/base/error.h"
#include "core/io/durable.h"
#include "core/model/architecture.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace bitloom {

namespace {

using nlohmann::json;

/// Reads keys of one JSON object; a key that is absent or null gives the fallback.
class Keys {
public:
    Keys(const json& object, std::string where) : m_object(object), m_where(std::move(where)) {}

    [[noreturn]] void fail(const std::string& key, const std::string& what) const {
        throw Error(m_where + ": '" + key + "' " + what);
    }

    const json* find(const char* key) const {
        const auto found = m_object.find(key);
        return found == m_object.end() || found->is_null() ? nullptr : &*found;
    }

    int64_t integer(const char* key, std::optional<int64_t> fallback, int64_t low,
                    int64_t high) const {
        const json* value = find(key);
        if (!value) {
            if (!fallback) fail(key, "is missing");
            return *fallback;
        }
        // 128.0 is how some tools write 128.
        const bool whole = value->is_number_float() && std::isfinite(value->get<double>()) &&
                           std::abs(value->get<double>()) < 1e15 &&
                           std::floor(value->get<double>()) == value->get<double>();
        if (!value->is_number_integer() && !whole) fail(key, "is not a whole number");
        const bool huge =
            value->is_number_unsigned() && value->get<uint64_t>() > uint64_t(INT64_MAX);
        const int64_t number = huge    ? INT64_MAX
                               : whole ? static_cast<int64_t>(value->get<double>())
                                       : value->get<int64_t>();
        if (number < low || number > high)
            fail(key, "is " + value->dump() + ", but must be from " + std::to_string(low) + " to " +
                          std::to_string(high));
        return number;
    }

    double real(const char* key, std::optional<double> fallback, double low, double high) const {
        const json* value = find(key);
        if (!value) {
            if (!fallback) fail(key, "is missing");
            return *fallback;
        }
        if (!value->is_number()) fail(key, "is not a number");
        const auto number = value->get<double>();
        if (!(number >= low && number <= high))
            fail(key, "is " + value->dump() + ", but must be from " + json(low).dump() + " to " +
                          json(high).dump());
        return number;
    }

    bool flag(const char* key, bool fallback) const {
        const json* value = find(key);
        if (!value) return fallback;
        if (!value->is_boolean()) fail(key, "is neither true nor false");
        return value->get<bool>();
    }

    std::string text(const char* key) const {
        const json* value = find(key);
        if (!value) return {};
        if (!value->is_string()) fail(key, "is not a text");
        return value->get<std::string>();
    }

    const json& raw() const { return m_object; }
    const std::string& where() const { return m_where; }

private:
    const json& m_object;
    std::string m_where;
};

constexpr int64_t maxHidden = 1 << 20, maxIntermediate = 1 << 22, maxLayers = 4096,
                  maxVocab = 1 << 24, maxHeads = 1 << 16, maxHeadDim = 1 << 14,
                  maxPositionsLimit = int64_t{1} << 40;

const ArchitectureInfo& architectureOf(const Keys& keys) {
    std::string name;
    if (const json* list = keys.find("architectures"); list && !list->empty()) {
        if (!list->is_array() || !list->front().is_string())
            keys.fail("architectures", "is not a list of names");
        name = list->front().get<std::string>();
        if (const ArchitectureInfo* info = findArchitecture(name)) return *info;
        throwUnknownArchitecture(keys.where(), "'" + name + "'");
    }
    const std::string modelType = keys.text("model_type");
    if (modelType.empty()) keys.fail("architectures", "is missing, and so is 'model_type'");
    if (const ArchitectureInfo* info = findModelType(modelType)) return *info;
    throwUnknownArchitecture(keys.where(), "of type '" + modelType + "'");
}

Activation activationOf(const Keys& keys) {
    const std::string name = keys.text("hidden_act");
    if (name.empty() || name == "silu" || name == "swish") return Activation::Silu;
    if (name == "relu") return Activation::Relu;
    if (name == "gelu") return Activation::Gelu;
    if (name == "gelu_new" || name == "gelu_pytorch_tanh" || name == "gelu_fast")
        return Activation::GeluTanh;
    keys.fail("hidden_act", "is '" + name + "'; known are silu, relu, gelu and gelu_pytorch_tanh");
}

/// rope_theta and rope_scaling (v4), or rope_parameters (v5), which holds both.
void readRope(const Keys& keys, ModelConfig& config) {
    config.ropeTheta = keys.real("rope_theta", 10000.0, 1e-3, 1e15);
    const char* key = keys.find("rope_parameters") ? "rope_parameters" : "rope_scaling";
    const json* value = keys.find(key);
    if (!value) return;
    if (!value->is_object()) keys.fail(key, "is not an object");
    for (const auto& [name, inner] : value->items())
        if (inner.is_object())
            keys.fail(key, "differs between kinds of layers ('" + name +
                               "'), which none of the supported architectures does");
    const Keys rope(*value, keys.where() + ": " + key);
    config.ropeTheta = rope.real("rope_theta", config.ropeTheta, 1e-3, 1e15);
    if (rope.real("partial_rotary_factor", 1.0, -1e9, 1e9) != 1.0)
        rope.fail("partial_rotary_factor", "other than 1 is not supported");

    std::string kind = rope.text("rope_type");
    if (kind.empty()) kind = rope.text("type");
    RopeScaling& scaling = config.ropeScaling;
    if (kind.empty() || kind == "default") return;
    if (kind != "linear" && kind != "llama3")
        throw Error(rope.where() + ": rotary scaling of type '" + kind +
                        "' is not supported; supported are linear and llama3",
                    "For up to the positions it was trained with, the model works without: remove "
                    "'" +
                        std::string(key) + "' from config.json, or set its type to 'default'.");
    scaling.factor = rope.real("factor", std::nullopt, 1.0, 1e6);
    if (kind == "linear") {
        scaling.kind = RopeScalingKind::Linear;
        return;
    }
    scaling.kind = RopeScalingKind::Llama3;
    scaling.lowFreqFactor = rope.real("low_freq_factor", std::nullopt, 1e-6, 1e6);
    scaling.highFreqFactor = rope.real("high_freq_factor", std::nullopt, 1e-6, 1e6);
    if (scaling.highFreqFactor <= scaling.lowFreqFactor)
        rope.fail("high_freq_factor", "must be larger than 'low_freq_factor'");
    const int64_t original =
        keys.integer("original_max_position_embeddings", config.maxPositions, 1, maxPositionsLimit);
    scaling.originalMaxPositions =
        rope.integer("original_max_position_embeddings", original, 1, maxPositionsLimit);
}

/// Windows of all layers; 0 = full attention.
std::vector<int64_t> readWindows(const Keys& keys, const ArchitectureInfo& info, int64_t layers) {
    std::vector<int64_t> windows(static_cast<size_t>(layers), 0);
    if (info.window == WindowRule::Never) return windows;
    // null means none; only an absent key means the default.
    int64_t window = 0;
    if (!keys.raw().contains("sliding_window"))
        window = info.defaultWindow;
    else if (keys.find("sliding_window"))
        window = keys.integer("sliding_window", std::nullopt, 1, maxPositionsLimit);

    if (info.window == WindowRule::AllLayers) {
        std::ranges::fill(windows, window);
        return windows;
    }
    if (!keys.flag("use_sliding_window", false)) window = 0;
    if (const json* types = keys.find("layer_types")) {
        if (!types->is_array() || types->size() != windows.size())
            keys.fail("layer_types", "is not a list with an entry for each layer");
        for (size_t i = 0; i < windows.size(); ++i) {
            const json& type = (*types)[i];
            if (type == "sliding_attention") {
                if (window == 0)
                    keys.fail("layer_types", "has sliding_attention, but 'sliding_window' is not "
                                             "given or 'use_sliding_window' is not true");
                windows[i] = window;
            } else if (type != "full_attention") {
                keys.fail("layer_types", "has " + type.dump() +
                                             "; known are full_attention and sliding_attention");
            }
        }
        return windows;
    }
    const int64_t first = keys.integer("max_window_layers", 28, 0, INT64_MAX);
    for (int64_t i = std::min(first, layers); i < layers; ++i)
        windows[static_cast<size_t>(i)] = window;
    return windows;
}

/// A number or a list of numbers; what lies outside the vocabulary (old configs say −1) is no
/// token.
std::vector<int64_t> readTokens(const Keys& keys, const char* key, int64_t vocab) {
    const json* value = keys.find(key);
    if (!value) return {};
    std::vector<int64_t> tokens;
    const auto add = [&](const json& item) {
        if (!item.is_number_integer()) keys.fail(key, "is neither a token id nor a list of them");
        if (item.is_number_unsigned() ? item.get<uint64_t>() < uint64_t(vocab) : false)
            tokens.push_back(item.get<int64_t>());
    };
    if (value->is_array())
        for (const json& item : *value)
            add(item);
    else
        add(*value);
    return tokens;
}

void addMissing(std::vector<int64_t>& tokens, const std::vector<int64_t>& more) {
    for (const int64_t token : more)
        if (std::ranges::find(tokens, token) == tokens.end()) tokens.push_back(token);
}

bool biasBy(BiasRule rule, bool attentionBias) {
    return rule == BiasRule::Always || (rule == BiasRule::ByAttentionBias && attentionBias);
}

} // namespace

ModelConfig ModelConfig::parse(const json& object, const std::string& where) {
    if (!object.is_object()) throw Error(where + ": not a JSON object");
    const Keys keys(object, where);
    const ArchitectureInfo& info = architectureOf(keys);

    ModelConfig config;
    config.architecture = info.architecture;
    config.modelType = info.modelType;
    config.dtype = keys.text(keys.find("dtype") ? "dtype" : "torch_dtype");
    if (config.dtype.starts_with("torch.")) config.dtype.erase(0, 6);
    config.hidden = keys.integer("hidden_size", std::nullopt, 1, maxHidden);
    config.intermediate = keys.integer("intermediate_size", std::nullopt, 1, maxIntermediate);
    config.layers = keys.integer("num_hidden_layers", std::nullopt, 1, maxLayers);
    config.vocab = keys.integer("vocab_size", std::nullopt, 1, maxVocab);
    config.heads = keys.integer("num_attention_heads", std::nullopt, 1, maxHeads);
    config.kvHeads = keys.integer("num_key_value_heads", config.heads, 1, maxHeads);
    if (config.heads % config.kvHeads != 0)
        keys.fail("num_key_value_heads", "(" + std::to_string(config.kvHeads) +
                                             ") does not divide 'num_attention_heads' (" +
                                             std::to_string(config.heads) + ")");
    // An absent key means the default of the architecture, null that the heads share the width.
    const bool split = keys.raw().contains("head_dim") || info.defaultHeadDim == 0;
    if (split && !keys.find("head_dim") && config.hidden % config.heads != 0)
        keys.fail("num_attention_heads", "(" + std::to_string(config.heads) +
                                             ") does not divide 'hidden_size' (" +
                                             std::to_string(config.hidden) + ")");
    const int64_t otherwise = split ? config.hidden / config.heads : info.defaultHeadDim;
    config.headDim = keys.integer("head_dim", otherwise, 2, maxHeadDim);
    if (config.headDim < 2 || config.headDim % 2 != 0)
        keys.fail("head_dim",
                  "(" + std::to_string(config.headDim) + ") is not even, as rotary positions need");
    config.maxPositions =
        keys.integer("max_position_embeddings", info.defaultMaxPositions, 1, maxPositionsLimit);
    config.norm = NormKind::Rms;
    config.normEps = keys.real("rms_norm_eps", 1e-6, 0.0, 1.0);
    config.activation = activationOf(keys);
    config.positions = PositionKind::Rope;
    readRope(keys, config);
    config.tiedEmbeddings = keys.flag("tie_word_embeddings", false);
    const bool attentionBias = keys.flag("attention_bias", false);
    config.attentionBias = biasBy(info.qkvBias, attentionBias);
    config.attentionOutBias = biasBy(info.outBias, attentionBias);
    config.mlpBias = info.mlpBiasKey && keys.flag("mlp_bias", false);
    config.qkNorm = info.qkNorm;
    config.slidingWindow = readWindows(keys, info, config.layers);
    if (const auto bos = readTokens(keys, "bos_token_id", config.vocab); !bos.empty())
        config.bosToken = bos.front();
    addMissing(config.eosTokens, readTokens(keys, "eos_token_id", config.vocab));
    config.raw = object;
    return config;
}

ModelConfig ModelConfig::load(const std::filesystem::path& folder) {
    const auto path = folder / "config.json";
    if (!std::filesystem::exists(path))
        throw Error("'" + folder.string() + "' has no config.json",
                    "Give the folder of a Hugging Face model: config.json and .safetensors files.");
    ModelConfig config = parse(readJsonFile(path), "'" + path.string() + "'");
    const auto generation = folder / "generation_config.json";
    if (std::filesystem::exists(generation)) {
        const json object = readJsonFile(generation);
        const Keys keys(object, "'" + generation.string() + "'");
        if (object.is_object())
            addMissing(config.eosTokens, readTokens(keys, "eos_token_id", config.vocab));
    }
    return config;
}

} // namespace bitloom
