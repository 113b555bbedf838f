// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors

#include "core/engine/detail/resident_model.h"

#include <algorithm>

namespace bitloom::detail {

ResidentModel::ResidentModel(std::shared_ptr<const ModelWeights> weights, int64_t budget,
                             int threads, RopePrecision precision, bool panels)
    : m_weights(std::move(weights)), m_threads(threads), m_panels(panels && hasPanels(*m_weights)),
      m_resident(bytes() <= budget),
      m_transformer(m_weights->config(), m_weights->catalogue(), precision),
      m_head(loadHead(*m_weights)), m_blocks(size_t(m_weights->config().layers)) {}

bool ResidentModel::hasPanels(const ModelWeights& weights) {
    return weights.columns(weights.catalogue().linears.front().name).has_value();
}

int64_t ResidentModel::bytesOf(const ModelWeights& weights, bool panels) {
    const ModelConfig& config = weights.config();
    const int64_t dense = modelBytes(weights.catalogue(), config);
    if (!panels) return dense;
    // Panels take what the file takes, padding and tables included; the head is float32.
    return std::min(dense,
                    weights.storedBytes() + config.vocab * config.hidden * int64_t(sizeof(float)));
}

BlockWeights ResidentModel::block(int64_t index, int64_t tokens) {
    const bool dense = !m_panels || tokens >= manyTokens;
    std::optional<BlockWeights>& slot = m_blocks[size_t(index)];
    if (dense && m_panels) return loadBlock(*m_weights, index, m_threads);
    if (slot) return *slot;
    BlockWeights block = dense ? loadBlock(*m_weights, index, m_threads)
                               : loadPanelBlock(*m_weights, index, m_threads);
    if (m_resident) slot = block;
    return block;
}

} // namespace bitloom::detail
