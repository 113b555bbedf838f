// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/base/progress.h"
#include "core/engine/detail/transformer.h"

#include <algorithm>
#include <cstdint>

namespace bitloom::detail {

/// How many of `count` sequences go through a block at once: their activations may take a quarter
/// of what the cap leaves beside `held` bytes, 4096 tokens at most, one sequence at least.
inline int64_t sequencesPerBatch(const ModelConfig& config, int64_t length, int64_t count,
                                 bool backward, int64_t memoryBytes, int64_t held) {
    const int64_t spare = std::max<int64_t>(memoryBytes - held, 0);
    const int64_t fit = spare / 4 / activationBytesPerToken(config, length, backward);
    return std::clamp<int64_t>(std::clamp<int64_t>(fit, length, 4096) / length, 1, count);
}

/// The largest of a model's blocks as float32.
inline int64_t largestBlockBytes(const Catalogue& catalogue, const ModelConfig& config) {
    int64_t largest = 0;
    for (int64_t i = 0; i < config.layers; ++i)
        largest = std::max(largest, blockBytes(catalogue, i));
    return largest;
}

/// body(first, n) for all sequences in order, `batch` at a time; asks before each whether to stop.
template<class Body>
void forEachBatch(int64_t count, int64_t batch, const Progress& progress, const Body& body) {
    for (int64_t first = 0; first < count; first += batch) {
        progress.check();
        body(first, std::min(batch, count - first));
    }
}

} // namespace bitloom::detail
