// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors

#include "core/engine/detail/transformer.h"

#include "core/base/error.h"
#include "core/model/rope.h"

#include <ATen/ops/from_blob.h>
#include <ATen/ops/scaled_dot_product_attention.h>

#include <vector>

namespace bitloom::detail {

namespace {

at::Tensor activate(const at::Tensor& x, Activation activation) {
    switch (activation) {
    case Activation::Silu:
        return at::silu(x);
    case Activation::Relu:
        return at::relu(x);
    case Activation::Gelu:
        return at::gelu(x);
    case Activation::GeluTanh:
        return at::gelu(x, "tanh");
    }
    throw Error("unknown activation function");
}

at::Tensor tensorOf(const ModelWeights& weights, const std::string& name, int64_t elements) {
    at::Tensor out = at::empty({elements}, at::kFloat);
    weights.readTensor(name, {out.data_ptr<float>(), size_t(elements)});
    return out;
}

} // namespace

Transformer::Transformer(const ModelConfig& config, const Catalogue& catalogue,
                         RopePrecision precision, Device* device)
    : m_config(config), m_catalogue(catalogue), m_device(device) {
    at::NoGradGuard noGrad;
    const at::Tensor positions = at::arange(config.maxPositions, at::kFloat);
    std::vector<float> inverse = inverseFrequencies(config);
    at::Tensor frequencies =
        at::from_blob(inverse.data(), {int64_t(inverse.size())}, at::kFloat).clone();
    if (precision == RopePrecision::Stored && config.dtype == "float16")
        frequencies = frequencies.to(at::kHalf).to(at::kFloat);
    if (precision == RopePrecision::Stored && config.dtype == "bfloat16")
        frequencies = frequencies.to(at::kBFloat16).to(at::kFloat);
    const at::Tensor angles = at::outer(positions, frequencies);
    const at::Tensor both = at::cat({angles, angles}, -1);
    m_cos = both.cos();
    m_sin = both.sin();
}

std::pair<at::Tensor, at::Tensor> Transformer::rotation(const at::Tensor& x, int64_t past) const {
    const int64_t length = x.size(2), end = past + length;
    if (x.is_cpu()) return {m_cos.narrow(0, past, length), m_sin.narrow(0, past, length)};
    const std::lock_guard lock(m_mutex);
    if (!m_deviceCos.defined() || m_deviceCos.size(0) < end) {
        at::NoGradGuard noGrad;
        at::Tensor cos = m_device->upload(m_cos.narrow(0, 0, end));
        m_deviceSin = m_device->upload(m_sin.narrow(0, 0, end));
        m_deviceCos = std::move(cos);
    }
    return {m_deviceCos.narrow(0, past, length), m_deviceSin.narrow(0, past, length)};
}

at::Tensor Transformer::embed(const ModelWeights& weights, std::span<const int32_t> ids,
                              int64_t batch) const {
    const int64_t width = m_config.hidden;
    at::Tensor out = at::empty({int64_t(ids.size()), width}, at::kFloat);
    float* row = out.data_ptr<float>();
    for (size_t i = 0; i < ids.size(); ++i, row += width) {
        if (ids[i] < 0 || ids[i] >= m_config.vocab)
            throw Error("token id " + std::to_string(ids[i]) + " is outside the vocabulary of " +
                            std::to_string(m_config.vocab),
                        "Use the tokenizer that belongs to the model.");
        weights.readRows(m_catalogue.embedding, ids[i], {row, size_t(width)});
    }
    return out.view({batch, int64_t(ids.size()) / batch, width});
}

at::Tensor Transformer::norm(const at::Tensor& x, const at::Tensor& weight) const {
    return x * at::rsqrt(x.square().mean(-1, true) + m_config.normEps) * weight;
}

at::Tensor Transformer::rotate(const at::Tensor& x, int64_t past) const {
    const auto [cos, sin] = rotation(x, past);
    const auto halves = x.chunk(2, -1);
    return x * cos + at::cat({-halves[1], halves[0]}, -1) * sin;
}

at::Tensor Transformer::attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                                  int64_t layer, int64_t past) const {
    const int64_t length = q.size(2), total = k.size(2);
    const int64_t window =
        size_t(layer) < m_config.slidingWindow.size() ? m_config.slidingWindow[size_t(layer)] : 0;
    at::Tensor keys = k, values = v;
    if (m_config.kvHeads != m_config.heads) {
        const int64_t repeat = m_config.heads / m_config.kvHeads;
        const auto expand = [&](const at::Tensor& x) {
            return x.unsqueeze(2)
                .expand({x.size(0), x.size(1), repeat, x.size(2), x.size(3)})
                .reshape({x.size(0), m_config.heads, x.size(2), x.size(3)});
        };
        keys = expand(keys);
        values = expand(values);
    }
    const bool windowed = window > 0 && total > window;
    if (past == 0 && !windowed)
        return at::scaled_dot_product_attention(q, keys, values, {}, 0.0, /*is_causal=*/true);
    if (length == 1) {
        if (windowed) {
            keys = keys.narrow(2, total - window, window);
            values = values.narrow(2, total - window, window);
        }
        return at::scaled_dot_product_attention(q, keys, values, {}, 0.0, false);
    }
    const at::TensorOptions whole = q.options().dtype(at::kLong);
    const at::Tensor query = at::arange(past, past + length, whole).unsqueeze(1);
    const at::Tensor key = at::arange(total, whole).unsqueeze(0);
    at::Tensor visible = key <= query;
    if (windowed) visible = visible & (key > query - window);
    return at::scaled_dot_product_attention(q, keys, values, visible, 0.0, false);
}

at::Tensor Transformer::block(const BlockWeights& w, const at::Tensor& hidden, int64_t layer,
                              BlockTrace* trace, KvLayer* cache, int64_t past) const {
    const int64_t batch = hidden.size(0), length = hidden.size(1);
    const auto input = [&](size_t group, const at::Tensor& x) {
        if (trace) trace->groupInput[group] = x;
        return x;
    };
    const auto linear = [&](LinearRole role, const at::Tensor& x) {
        const size_t i = index(role);
        const at::Tensor y = w.bias[i].defined() ? at::linear(x, w.weight[i], w.bias[i])
                                                 : at::linear(x, w.weight[i]);
        if (trace) trace->linearOut[i] = y;
        return y;
    };
    const auto heads = [&](const at::Tensor& x, int64_t count) {
        return x.view({batch, length, count, m_config.headDim});
    };

    const at::Tensor attentionIn = input(0, norm(hidden, w.inputNorm));
    at::Tensor q = heads(linear(LinearRole::Query, attentionIn), m_config.heads);
    at::Tensor k = heads(linear(LinearRole::Key, attentionIn), m_config.kvHeads);
    at::Tensor v = heads(linear(LinearRole::Value, attentionIn), m_config.kvHeads).transpose(1, 2);
    if (w.queryNorm.defined()) q = norm(q, w.queryNorm);
    if (w.keyNorm.defined()) k = norm(k, w.keyNorm);
    q = rotate(q.transpose(1, 2), past);
    k = rotate(k.transpose(1, 2), past);
    if (cache) {
        cache->keys.narrow(2, past, length).copy_(k);
        cache->values.narrow(2, past, length).copy_(v);
        k = cache->keys.narrow(2, 0, past + length);
        v = cache->values.narrow(2, 0, past + length);
    }
    const at::Tensor mixed =
        input(1, attention(q, k, v, layer, past)
                     .transpose(1, 2)
                     .reshape({batch, length, m_config.heads * m_config.headDim}));
    const at::Tensor middle = hidden + linear(LinearRole::AttentionOut, mixed);

    const at::Tensor mlpIn = input(2, norm(middle, w.postNorm));
    const at::Tensor gate = linear(LinearRole::Gate, mlpIn);
    const at::Tensor up = linear(LinearRole::Up, mlpIn);
    const at::Tensor mlpMid = input(3, activate(gate, m_config.activation) * up);
    return middle + linear(LinearRole::Down, mlpMid);
}

at::Tensor loadLinear(const ModelWeights& weights, const LinearInfo& linear, int threads) {
    at::Tensor out = at::empty({linear.rows, linear.cols}, at::kFloat);
    weights.readLinear(linear.name, {out.data_ptr<float>(), size_t(out.numel())}, threads);
    return out;
}

BlockWeights loadBlock(const ModelWeights& weights, int64_t block, int threads) {
    const Catalogue& catalogue = weights.catalogue();
    const ModelConfig& config = weights.config();
    const std::string prefix = catalogue.block(block);
    BlockWeights out;
    out.inputNorm = tensorOf(weights, prefix + catalogue.inputNorm + ".weight", config.hidden);
    out.postNorm = tensorOf(weights, prefix + catalogue.postNorm + ".weight", config.hidden);
    if (!catalogue.queryNorm.empty()) {
        out.queryNorm = tensorOf(weights, prefix + catalogue.queryNorm + ".weight", config.headDim);
        out.keyNorm = tensorOf(weights, prefix + catalogue.keyNorm + ".weight", config.headDim);
    }
    for (int64_t i : catalogue.linearsOfBlock(block)) {
        const LinearInfo& linear = catalogue.linears[size_t(i)];
        const size_t slot = index(linear.role);
        out.weight[slot] = loadLinear(weights, linear, threads);
        if (linear.bias) out.bias[slot] = tensorOf(weights, linear.name + ".bias", linear.rows);
    }
    return out;
}

BlockWeights placed(const BlockWeights& weights, const Place& place) {
    if (!place.onDevice()) return weights;
    BlockWeights out;
    out.inputNorm = place.in(weights.inputNorm);
    out.postNorm = place.in(weights.postNorm);
    out.queryNorm = place.in(weights.queryNorm);
    out.keyNorm = place.in(weights.keyNorm);
    for (size_t i = 0; i < linearRoles; ++i) {
        out.weight[i] = place.in(weights.weight[i]);
        out.bias[i] = place.in(weights.bias[i]);
    }
    return out;
}

HeadWeights placed(const HeadWeights& weights, const Place& place) {
    return {place.in(weights.finalNorm), place.in(weights.head)};
}

HeadWeights loadHead(const ModelWeights& weights) {
    const ModelConfig& config = weights.config();
    HeadWeights out;
    out.finalNorm = tensorOf(weights, weights.catalogue().finalNorm + ".weight", config.hidden);
    out.head = tensorOf(weights, weights.catalogue().head, config.vocab * config.hidden)
                   .view({config.vocab, config.hidden});
    return out;
}

int64_t blockBytes(const Catalogue& catalogue, int64_t block) {
    int64_t elements = 0;
    for (int64_t i : catalogue.linearsOfBlock(block)) {
        const LinearInfo& linear = catalogue.linears[size_t(i)];
        elements += linear.rows * linear.cols;
    }
    return elements * int64_t(sizeof(float));
}

int64_t modelBytes(const Catalogue& catalogue, const ModelConfig& config) {
    int64_t bytes = config.vocab * config.hidden * int64_t(sizeof(float));
    for (int64_t block = 0; block < config.layers; ++block)
        bytes += blockBytes(catalogue, block);
    return bytes;
}

int64_t activationBytesPerToken(const ModelConfig& config, int64_t length, bool backward) {
    const int64_t attentionWidth = config.heads * config.headDim;
    // Forward: the residual stream twice, norms, q/k/v before and after rotation, gate/up/product.
    // Backward keeps them all and adds a gradient for each.
    int64_t floats = 8 * config.hidden + 8 * attentionWidth + 4 * config.intermediate;
    // The masked path of windowed attention may materialise scores.
    bool windowed = false;
    for (int64_t window : config.slidingWindow)
        windowed |= window > 0 && window < length;
    if (windowed) floats += 3 * config.heads * length;
    return (backward ? 3 : 1) * floats * int64_t(sizeof(float));
}

} // namespace bitloom::detail
