// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/engine/detail/transformer.h"

#include <memory>
#include <optional>
#include <vector>

namespace bitloom::detail {

/// A model's blocks, kept in memory if they fit under `budget` bytes, else read again each time
/// they are asked for. One thread at a time.
class ResidentModel {
public:
    /// `panels`: keep a model that is stored in columns as panels, at the bits it has, and make
    /// float32 of it only where many tokens go through at once.
    ResidentModel(std::shared_ptr<const ModelWeights> weights, int64_t budget, int threads,
                  RopePrecision precision = RopePrecision::Exact, bool panels = false);

    /// For `tokens` tokens at once; float32 where not told.
    BlockWeights block(int64_t index, int64_t tokens = manyTokens);
    static constexpr int64_t manyTokens = 9; ///< from here on, a float32 product is faster
    const HeadWeights& head() const { return m_head; }
    const ModelWeights& weights() const { return *m_weights; }
    const Transformer& transformer() const { return m_transformer; }
    bool resident() const { return m_resident; }
    bool panels() const { return m_panels; }
    /// What the weights take, or would take, in memory: head and blocks.
    int64_t bytes() const { return bytesOf(*m_weights, m_panels); }
    static int64_t bytesOf(const ModelWeights& weights, bool panels);
    /// Stored in columns, so that panels can be made of it.
    static bool hasPanels(const ModelWeights& weights);

private:
    std::shared_ptr<const ModelWeights> m_weights;
    int m_threads;
    bool m_panels, m_resident;
    Transformer m_transformer;
    HeadWeights m_head;
    std::vector<std::optional<BlockWeights>> m_blocks;
};

} // namespace bitloom::detail
