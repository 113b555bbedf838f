// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/engine/detail/exact_decoder.h"

#include "core/engine/runtime/check_ids.h"

#include <algorithm>

namespace bitloom::detail {

ExactDecoder::ExactDecoder(std::shared_ptr<const ModelWeights> weights, int64_t memoryBytes,
                           int threads)
    : m_model(std::move(weights), memoryBytes, threads),
      m_cache(size_t(m_model.weights().config().layers)) {}

/// Room for `positions` in every layer's cache; grows by doubling.
void ExactDecoder::reserve(int64_t positions) {
    const ModelConfig& config = m_model.weights().config();
    if (positions <= m_capacity) return;
    const int64_t grown =
        std::min(config.maxPositions, std::max<int64_t>({positions, 2 * m_capacity, 256}));
    for (KvLayer& layer : m_cache) {
        const auto grow = [&](at::Tensor& t) {
            at::Tensor larger = at::empty({1, config.kvHeads, grown, config.headDim}, at::kFloat);
            if (m_position > 0) larger.narrow(2, 0, m_position).copy_(t.narrow(2, 0, m_position));
            t = larger;
        };
        grow(layer.keys);
        grow(layer.values);
    }
    m_capacity = grown;
}

int64_t ExactDecoder::promptPiece() const {
    return resident() ? 64 : m_model.weights().config().maxPositions;
}

int64_t ExactDecoder::memoryBytes() const {
    const ModelConfig& c = m_model.weights().config();
    const int64_t perPosition = 2 * c.kvHeads * c.headDim * c.layers * int64_t(sizeof(float));
    const int64_t weights =
        resident() ? m_model.bytes() : c.vocab * c.hidden * int64_t(sizeof(float));
    return weights + m_capacity * perPosition;
}

std::vector<float> ExactDecoder::run(std::span<const int32_t> ids, bool all,
                                     const Progress* progress) {
    at::NoGradGuard noGrad;
    const ModelConfig& config = m_model.weights().config();
    const auto n = int64_t(ids.size());
    runtime::checkIds(config, ids, m_position);
    reserve(m_position + n);
    const Transformer& transformer = m_model.transformer();
    at::Tensor hidden = transformer.embed(m_model.weights(), ids, 1);
    for (int64_t b = 0; b < config.layers; ++b) {
        if (progress) progress->check();
        hidden = transformer.block(m_model.block(b), hidden, b, nullptr, &m_cache[size_t(b)],
                                   m_position);
    }
    m_position += n;
    const HeadWeights& head = m_model.head();
    at::Tensor logits;
    if (all) {
        logits = at::mm(transformer.norm(hidden, head.finalNorm)[0], head.head.t());
    } else {
        const at::Tensor last = hidden.narrow(1, n - 1, 1);
        logits = at::mv(head.head, transformer.norm(last, head.finalNorm).view({-1}));
    }
    return {logits.data_ptr<float>(), logits.data_ptr<float>() + logits.numel()};
}

} // namespace bitloom::detail
