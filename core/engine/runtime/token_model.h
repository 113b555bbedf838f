// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/base/progress.h"
#include "core/engine/sampler.h"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace bitloom::runtime {

/// A token that a model has chosen itself.
struct ChosenToken {
    int32_t id = 0;
    float logProb = 0; ///< natural logarithm, under the model
};

/// A model that continues a text, with a cache for one conversation: on the processor (Decoder,
/// ExactDecoder) or on a GPU (GpuDecoder). Thread rule: one thread at a time.
class TokenModel {
public:
    virtual ~TokenModel() = default;

    /// Runs `ids` behind what the cache holds. Logits of the last position [V], or, `all`, of each
    /// [n, V]. `progress`, where given, is asked before every block; its Error(Cancelled) leaves
    /// the cache as it was.
    virtual std::vector<float> run(std::span<const int32_t> ids, bool all,
                                   const Progress* progress) = 0;
    virtual void rewind(int64_t position) = 0;
    virtual int64_t position() const = 0;

    virtual void loadBlock(int64_t block) = 0; ///< where it stays in memory
    virtual bool resident() const = 0;
    virtual int64_t weightBytes() const = 0; ///< read for one token
    virtual int64_t memoryBytes() const = 0; ///< held: weights that are not the file's, and cache
    /// Weights, be they the mapped file's or not, and the cache: what one model takes beside
    /// another, whatever way it is stored.
    virtual int64_t workingBytes() const { return memoryBytes(); }
    /// Tokens of a prompt that are best run at once.
    virtual int64_t promptPiece() const = 0;
    /// A prompt's results depend on the pieces that it is run in.
    virtual bool companyMatters() const = 0;
    /// What it computes with: "processor", "NVIDIA H200".
    virtual std::string deviceName() const { return "processor"; }

    /// Whether it can choose tokens itself, one after the other, without logits coming here.
    virtual bool chooses(const SamplingOptions&) const { return false; }
    /// Begins with `id`, which runs first; `most` tokens will be asked for at most. Random numbers
    /// are drawn from `sampler`, ahead of their use.
    virtual void startChoosing(const SamplingOptions& options, Sampler& sampler, int32_t id,
                               int64_t most);
    /// The next one. The cache then holds what was run for it, and no more, as far as others see.
    /// Throws Error as Sampler does, and where something else has run since the start.
    virtual ChosenToken chooseNext();
};

} // namespace bitloom::runtime
