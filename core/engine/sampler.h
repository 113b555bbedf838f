// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include <cstdint>
#include <random>
#include <span>
#include <vector>

namespace bitloom {

/// How the next token is chosen. Filters apply in this order: repetition penalty, temperature,
/// top-k, top-p, min-p; temperature 0 is greedy (ties to the lower id).
struct SamplingOptions {
    double temperature = 0;
    int64_t topK = 0;             ///< 0 = off
    double topP = 1;              ///< 1 = off
    double minP = 0;              ///< relative to the most likely token; 0 = off
    double repetitionPenalty = 1; ///< 1 = off; over all tokens so far (Keskar et al. 2019)
    uint64_t seed = 0;
};

/// Draws tokens; the same seed and logits give the same tokens on every machine. Not thread-safe.
class Sampler {
public:
    explicit Sampler(const SamplingOptions& options);
    /// `logits` [V]; `history` are prompt and generated ids so far.
    int32_t sample(std::span<const float> logits, std::span<const int32_t> history);
    /// The next random number, from 0 to below 1: for who chooses in its place.
    double draw() { return static_cast<double>(m_random() >> 11) * 0x1p-53; }

private:
    SamplingOptions m_options;
    std::mt19937_64 m_random;
    std::vector<std::pair<float, int32_t>> m_candidates;
};

/// What sample() throws for logits that are no numbers, and where no token is possible.
[[noreturn]] void throwLogit(int32_t id, float logit);
[[noreturn]] void throwNoToken();

} // namespace bitloom
