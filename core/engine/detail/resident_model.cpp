// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors

#include "core/engine/detail/resident_model.h"

namespace bitloom::detail {

ResidentModel::ResidentModel(std::shared_ptr<const ModelWeights> weights, int64_t budget,
                             int threads, RopePrecision precision, Device* device,
                             int64_t deviceBudget)
    : m_weights(std::move(weights)), m_threads(threads), m_resident(bytes() <= budget),
      m_deviceResident(device && bytes() <= deviceBudget),
      m_transformer(m_weights->config(), m_weights->catalogue(), precision, device),
      m_head(loadHead(*m_weights)), m_blocks(size_t(m_weights->config().layers)),
      m_deviceBlocks(m_blocks.size()) {}

int64_t ResidentModel::bytesOf(const ModelWeights& weights) {
    return modelBytes(weights.catalogue(), weights.config());
}

BlockWeights ResidentModel::block(int64_t index, const Place& place) {
    if (place.onDevice()) {
        std::optional<BlockWeights>& there = m_deviceBlocks[size_t(index)];
        if (there) return *there;
        // What stays on the device need not stay here too.
        BlockWeights copy = placed(
            m_deviceResident ? loadBlock(*m_weights, index, m_threads) : block(index), place);
        if (m_deviceResident) there = copy;
        return copy;
    }
    std::optional<BlockWeights>& slot = m_blocks[size_t(index)];
    if (slot) return *slot;
    BlockWeights block = loadBlock(*m_weights, index, m_threads);
    if (m_resident) slot = block;
    return block;
}

HeadWeights ResidentModel::head(const Place& place) {
    if (!place.onDevice()) return m_head;
    if (!m_deviceHead.head.defined()) m_deviceHead = placed(m_head, place);
    return m_deviceHead;
}

} // namespace bitloom::detail
