// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/engine/detail/transformer.h"

#include <memory>
#include <optional>
#include <vector>

namespace bitloom::detail {

/// A model's blocks, kept in memory if they fit under `budget` bytes, else read again each time
/// they are asked for; the same on a device, with a budget of its own. One thread at a time.
class ResidentModel {
public:
    ResidentModel(std::shared_ptr<const ModelWeights> weights, int64_t budget, int threads,
                  RopePrecision precision = RopePrecision::Exact, Device* device = nullptr,
                  int64_t deviceBudget = 0);

    /// Where `place` computes.
    BlockWeights block(int64_t index, const Place& place = {});
    HeadWeights head(const Place& place);
    const HeadWeights& head() const { return m_head; }
    const ModelWeights& weights() const { return *m_weights; }
    const Transformer& transformer() const { return m_transformer; }
    bool resident() const { return m_resident; }
    /// What the weights take, or would take, in memory: head and blocks.
    int64_t bytes() const { return bytesOf(*m_weights); }
    static int64_t bytesOf(const ModelWeights& weights);

private:
    std::shared_ptr<const ModelWeights> m_weights;
    int m_threads;
    bool m_resident, m_deviceResident;
    Transformer m_transformer;
    HeadWeights m_head, m_deviceHead;
    std::vector<std::optional<BlockWeights>> m_blocks, m_deviceBlocks;
};

} // namespace bitloom::detail
