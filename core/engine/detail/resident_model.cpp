// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors

#include "core/engine/detail/resident_model.h"

namespace bitloom::detail {

ResidentModel::ResidentModel(std::shared_ptr<const ModelWeights> weights, int64_t budget,
                             int threads, RopePrecision precision)
    : m_weights(std::move(weights)), m_threads(threads), m_resident(bytes() <= budget),
      m_transformer(m_weights->config(), m_weights->catalogue(), precision),
      m_head(loadHead(*m_weights)), m_blocks(size_t(m_weights->config().layers)) {}

int64_t ResidentModel::bytesOf(const ModelWeights& weights) {
    return modelBytes(weights.catalogue(), weights.config());
}

BlockWeights ResidentModel::block(int64_t index) {
    std::optional<BlockWeights>& slot = m_blocks[size_t(index)];
    if (slot) return *slot;
    BlockWeights block = loadBlock(*m_weights, index, m_threads);
    if (m_resident) slot = block;
    return block;
}

} // namespace bitloom::detail
