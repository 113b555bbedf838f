// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/engine/detail/device.h"
#include "core/engine/evaluate.h"
#include "core/engine/model_weights.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace bitloom::detail {

inline constexpr size_t linearRoles = 7; ///< LinearRole values of a dense block
inline constexpr size_t inputGroups = 4; ///< attention in, attention out, MLP in, MLP middle
constexpr size_t index(LinearRole role) {
    return static_cast<size_t>(role);
}
/// Which input of a block a linear reads.
constexpr size_t groupOf(LinearRole role) {
    switch (role) {
    case LinearRole::Query:
    case LinearRole::Key:
    case LinearRole::Value:
        return 0;
    case LinearRole::AttentionOut:
        return 1;
    case LinearRole::Gate:
    case LinearRole::Up:
        return 2;
    case LinearRole::Down:
        return 3;
    }
    return 0;
}

/// Weights of one block as float32 tensors; absent parts are undefined tensors.
struct BlockWeights {
    at::Tensor inputNorm, postNorm, queryNorm, keyNorm;
    std::array<at::Tensor, linearRoles> weight, bias;
};

/// What a forward pass leaves behind for calibration: the inputs [B, T, K] of the groups and the
/// outputs [B, T, N] of the linears (graph nodes where gradients are on).
struct BlockTrace {
    std::array<at::Tensor, inputGroups> groupInput;
    std::array<at::Tensor, linearRoles> linearOut;
};

/// Keys and values of one layer for one conversation: [1, kvHeads, capacity, headDim].
struct KvLayer {
    at::Tensor keys, values;
};

/// The reference forward pass of the supported architectures in float32. Holds no weights.
/// Thread rule: const members may run at the same time; each sets torch's own threads to work.
class Transformer {
public:
    /// Rotary frequencies are computed in float32, or rounded to the checkpoint's dtype afterwards.
    /// With `device`, blocks may be run with weights and hidden states that are there.
    Transformer(const ModelConfig& config, const Catalogue& catalogue,
                RopePrecision precision = RopePrecision::Exact, Device* device = nullptr);

    /// [B, T] ids → hidden states [B, T, D]. Reads only the rows it needs.
    at::Tensor embed(const ModelWeights& weights, std::span<const int32_t> ids,
                     int64_t batch) const;

    /// One decoder block: h [B, T, D] → [B, T, D]. With `cache`, h continues behind `past`
    /// positions (B = 1), and keys and values are appended.
    at::Tensor block(const BlockWeights& weights, const at::Tensor& hidden, int64_t layer,
                     BlockTrace* trace = nullptr, KvLayer* cache = nullptr, int64_t past = 0) const;

    at::Tensor norm(const at::Tensor& x, const at::Tensor& weight) const;

    const ModelConfig& config() const { return m_config; }
    const Catalogue& catalogue() const { return m_catalogue; }

private:
    at::Tensor attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                         int64_t layer, int64_t past) const;
    at::Tensor rotate(const at::Tensor& x, int64_t past) const;
    /// Cosines and sines for the positions of x [B, heads, T, headDim], where x is.
    std::pair<at::Tensor, at::Tensor> rotation(const at::Tensor& x, int64_t past) const;

    const ModelConfig m_config;
    const Catalogue m_catalogue;
    Device* const m_device;
    at::Tensor m_cos, m_sin; ///< [maxPositions, headDim]
    mutable std::mutex m_mutex;
    /// Copies on the device of as many positions as have been needed: made where work that does not
    /// fit there can still go to the processor.
    mutable at::Tensor m_deviceCos, m_deviceSin;
};

BlockWeights loadBlock(const ModelWeights& weights, int64_t block, int threads);
/// The same weights where `place` computes.
BlockWeights placed(const BlockWeights& weights, const Place& place);
/// One linear layer's weight as float32 [N, K].
at::Tensor loadLinear(const ModelWeights& weights, const LinearInfo& linear, int threads);

/// Final norm and head.
struct HeadWeights {
    at::Tensor finalNorm; ///< [D]
    at::Tensor head;      ///< [V, D]
};
HeadWeights loadHead(const ModelWeights& weights);
HeadWeights placed(const HeadWeights& weights, const Place& place);

/// Bytes that a block's weights take as float32.
int64_t blockBytes(const Catalogue& catalogue, int64_t block);
/// The whole model as float32.
int64_t modelBytes(const Catalogue& catalogue, const ModelConfig& config);
/// Bytes that a forward (or, `backward`, forward and backward) pass of one block needs per token.
int64_t activationBytesPerToken(const ModelConfig& config, int64_t length, bool backward);

} // namespace bitloom::detail
