// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/model/checkpoint.h"

#include <ATen/ATen.h>

#include <array>
#include <cmath>
#include <map>
#include <numbers>
#include <string>
#include <vector>

/// The supported architectures in float64, written from their papers and with nothing of the
/// engine: what the engine's float32 passes are held against.
namespace bitloom::engineTesting {

class ReferenceModel {
public:
    explicit ReferenceModel(const Checkpoint& model)
        : m_config(model.config()), m_catalogue(model.catalogue()) {
        for (const auto& expected : m_catalogue.expected) {
            at::Tensor value = at::empty(expected.shape, at::kFloat);
            model.readFloat(expected.name, {value.data_ptr<float>(), size_t(value.numel())});
            m_tensors[expected.name] = value.to(at::kDouble);
        }
    }

    /// Inputs of the linears, by linear name.
    using Inputs = std::map<std::string, at::Tensor>;
    /// Something added to the output of one linear: what a change of its weights would do.
    struct Nudge {
        std::string linear;
        at::Tensor output; ///< [B, T, N]
    };

    const at::Tensor& tensor(const std::string& name) const { return m_tensors.at(name); }

    /// [B, T] ids → [B, T, D].
    at::Tensor embed(const at::Tensor& ids) const {
        return tensor(m_catalogue.embedding)
            .index_select(0, ids.flatten())
            .view({ids.size(0), ids.size(1), m_config.hidden});
    }

    at::Tensor block(const at::Tensor& hidden, int64_t index, Inputs* inputs = nullptr,
                     const Nudge* nudge = nullptr) const {
        const std::string prefix = m_catalogue.block(index);
        const int64_t batch = hidden.size(0), length = hidden.size(1), dim = m_config.headDim;
        const auto linear = [&](const std::string& part, const at::Tensor& x) {
            const std::string name = prefix + part;
            if (inputs) (*inputs)[name] = x;
            at::Tensor y = at::matmul(x, tensor(name + ".weight").t());
            if (m_tensors.contains(name + ".bias")) y = y + tensor(name + ".bias");
            if (nudge && nudge->linear == name) y = y + nudge->output;
            return y;
        };
        const at::Tensor x = norm(hidden, tensor(prefix + "input_layernorm.weight"));
        at::Tensor q = linear("self_attn.q_proj", x).view({batch, length, m_config.heads, dim});
        at::Tensor k = linear("self_attn.k_proj", x).view({batch, length, m_config.kvHeads, dim});
        const at::Tensor v =
            linear("self_attn.v_proj", x).view({batch, length, m_config.kvHeads, dim});
        if (m_config.qkNorm) {
            q = norm(q, tensor(prefix + "self_attn.q_norm.weight"));
            k = norm(k, tensor(prefix + "self_attn.k_norm.weight"));
        }
        q = rotate(q);
        k = rotate(k);
        const int64_t window =
            m_config.slidingWindow.empty() ? 0 : m_config.slidingWindow[size_t(index)];
        at::Tensor mask = at::zeros({length, length}, at::kDouble);
        for (int64_t i = 0; i < length; ++i)
            for (int64_t j = 0; j < length; ++j)
                if (j > i || (window > 0 && j <= i - window))
                    mask.data_ptr<double>()[i * length + j] = -INFINITY;
        std::vector<at::Tensor> heads;
        for (int64_t head = 0; head < m_config.heads; ++head) {
            const int64_t shared = head / (m_config.heads / m_config.kvHeads);
            const at::Tensor scores =
                at::matmul(q.select(2, head), k.select(2, shared).transpose(1, 2)) /
                    std::sqrt(double(dim)) +
                mask;
            heads.push_back(at::matmul(at::softmax(scores, -1), v.select(2, shared)));
        }
        const at::Tensor middle = hidden + linear("self_attn.o_proj", at::cat(heads, -1));
        const at::Tensor y = norm(middle, tensor(prefix + "post_attention_layernorm.weight"));
        const at::Tensor gate = linear("mlp.gate_proj", y);
        const at::Tensor product = gate / (1 + at::exp(-gate)) * linear("mlp.up_proj", y);
        return middle + linear("mlp.down_proj", product);
    }

    /// Hidden states behind the last block → logits.
    at::Tensor head(const at::Tensor& hidden) const {
        return at::matmul(norm(hidden, tensor(m_catalogue.finalNorm + ".weight")),
                          tensor(m_catalogue.head).t());
    }

    /// Logits [B, T, V].
    at::Tensor logits(const at::Tensor& ids) const {
        at::Tensor hidden = embed(ids);
        for (int64_t i = 0; i < m_config.layers; ++i)
            hidden = block(hidden, i);
        return head(hidden);
    }

    /// Summed negative log-likelihood [B] of what follows each position but the last.
    static at::Tensor summedNll(const at::Tensor& logits, const at::Tensor& ids) {
        const int64_t length = ids.size(1);
        const at::Tensor logProb = at::log_softmax(logits.narrow(1, 0, length - 1), -1);
        return -logProb.gather(2, ids.narrow(1, 1, length - 1).unsqueeze(2)).squeeze(2).sum(1);
    }

    static at::Tensor idTensor(std::span<const int32_t> ids, int64_t length) {
        at::Tensor out = at::empty({int64_t(ids.size()) / length, length}, at::kLong);
        for (size_t i = 0; i < ids.size(); ++i)
            out.data_ptr<int64_t>()[i] = ids[i];
        return out;
    }

private:
    at::Tensor norm(const at::Tensor& x, const at::Tensor& weight) const {
        return x / at::sqrt((x * x).mean(-1, true) + m_config.normEps) * weight;
    }

    double frequency(int64_t i) const {
        const double plain =
            std::pow(m_config.ropeTheta, -2.0 * double(i) / double(m_config.headDim));
        const RopeScaling& scaling = m_config.ropeScaling;
        if (scaling.kind == RopeScalingKind::Linear) return plain / scaling.factor;
        if (scaling.kind != RopeScalingKind::Llama3) return plain;
        // How often the wave turns within the context that the model was first trained with.
        const double turns = double(scaling.originalMaxPositions) * plain / (2 * std::numbers::pi);
        if (turns < scaling.lowFreqFactor) return plain / scaling.factor;
        if (turns > scaling.highFreqFactor) return plain;
        const double share =
            (turns - scaling.lowFreqFactor) / (scaling.highFreqFactor - scaling.lowFreqFactor);
        return plain * (share + (1 - share) / scaling.factor);
    }

    /// [B, T, heads, dim]: pairs (i, i + dim/2) turn by position · frequency.
    at::Tensor rotate(const at::Tensor& x) const {
        const int64_t length = x.size(1), half = m_config.headDim / 2;
        at::Tensor cos = at::empty({length, 1, half}, at::kDouble), sin = at::empty_like(cos);
        for (int64_t t = 0; t < length; ++t)
            for (int64_t i = 0; i < half; ++i) {
                const double angle = double(t) * frequency(i);
                cos.data_ptr<double>()[t * half + i] = std::cos(angle);
                sin.data_ptr<double>()[t * half + i] = std::sin(angle);
            }
        const at::Tensor a = x.narrow(-1, 0, half), b = x.narrow(-1, half, half);
        return at::cat({a * cos - b * sin, b * cos + a * sin}, -1);
    }

    ModelConfig m_config;
    Catalogue m_catalogue;
    std::map<std::string, at::Tensor> m_tensors;
};

} // namespace bitloom::engineTesting
