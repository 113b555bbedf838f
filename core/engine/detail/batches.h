// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/base/progress.h"
#include "core/base/stretch.h"
#include "core/engine/detail/transformer.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cstdint>

namespace bitloom::detail {

/// How many of `count` sequences go through a block at once: their activations may take a quarter
/// of what the cap leaves beside `held` bytes, `most` tokens at most, one sequence at least.
inline int64_t sequencesPerBatch(const ModelConfig& config, int64_t length, int64_t count,
                                 bool backward, int64_t memoryBytes, int64_t held,
                                 int64_t most = 4096) {
    const int64_t spare = std::max<int64_t>(memoryBytes - held, 0);
    const int64_t fit = spare / 4 / activationBytesPerToken(config, length, backward);
    return std::clamp<int64_t>(std::min(std::max(fit, length), std::max(most, length)) / length, 1,
                               count);
}

/// The same for a device, whose many cores need more tokens at a time.
inline int64_t sequencesPerBatch(const Place& place, const ModelConfig& config, int64_t length,
                                 int64_t count, bool backward, int64_t held) {
    return sequencesPerBatch(config, length, count, backward, place.memoryBytes(0), held, 16384);
}

/// Sums of the Hessians of a block's inputs, and what adding a batch to the largest takes.
inline int64_t hessianBytes(const Catalogue& catalogue, int64_t block) {
    int64_t sums = 0, largest = 0;
    for (const InputGroup& group : catalogue.groups) {
        if (group.block != block) continue;
        sums += group.cols * group.cols * int64_t(sizeof(double));
        largest = std::max(largest, group.cols * group.cols * int64_t(sizeof(float)));
    }
    return sums + largest;
}

/// What one sequence on its way through a block takes beside the weights.
inline int64_t sequenceBytes(const ModelConfig& config, int64_t length, bool backward) {
    return length * activationBytesPerToken(config, length, backward);
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

/// What one batch takes between two questions whether to stop: n tokens through `held` bytes of
/// weights and Hessians, each element a multiplication and an addition.
inline Stretch stretchOf(const Place& place, int64_t held, int64_t tokens, int passes = 1) {
    const double operations =
        2.0 * double(held) / double(sizeof(float)) * double(tokens) * double(passes);
    return {place.onDevice() ? Stretch::On::Gpu : Stretch::On::Processor, operations,
            at::get_num_threads()};
}

} // namespace bitloom::detail
