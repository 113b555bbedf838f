// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
//
// Drawing the next token. Only additions, multiplications, divisions and comparisons of IEEE
// doubles are used, the exponential included, so that a seed means the same text on every machine.
#include "core/engine/sampler.h"

#include "core/base/error.h"
#include "kernels/portable_exp.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

namespace bitloom {

namespace {

/// Likelier first, ties to the lower id.
bool likelier(const std::pair<float, int32_t>& a, const std::pair<float, int32_t>& b) {
    return a.first != b.first ? a.first > b.first : a.second < b.second;
}

void requireRange(bool fine, const char* what, double value, const char* range) {
    if (fine) return;
    throw Error(ErrorCode::Usage, std::string(what) + " is " + std::to_string(value),
                std::string("Give a value ") + range + ".");
}

} // namespace

Sampler::Sampler(const SamplingOptions& options) : m_options(options), m_random(options.seed) {
    requireRange(options.temperature >= 0 && std::isfinite(options.temperature),
                 "the sampling temperature", options.temperature, "from 0 (greedy) up");
    requireRange(options.topK >= 0, "top-k", double(options.topK), "from 0 (off) up");
    requireRange(options.topP > 0 && options.topP <= 1, "top-p", options.topP,
                 "above 0 and up to 1 (off)");
    requireRange(options.minP >= 0 && options.minP <= 1, "min-p", options.minP,
                 "from 0 (off) to 1");
    requireRange(options.repetitionPenalty > 0 && std::isfinite(options.repetitionPenalty),
                 "the repetition penalty", options.repetitionPenalty, "above 0; 1 is off");
}

void throwLogit(int32_t id, float logit) {
    throw Error("the model gives " + std::to_string(logit) + " for token " + std::to_string(id),
                "Its weights may be damaged; `bitloom info MODEL --verify` checks a Bitloom "
                "checkpoint.");
}

void throwNoToken() {
    throw Error("the model leaves no token possible", "All its logits are -infinity.");
}

int32_t Sampler::sample(std::span<const float> logits, std::span<const int32_t> history) {
    auto& candidates = m_candidates;
    candidates.clear();
    candidates.reserve(logits.size());
    for (size_t id = 0; id < logits.size(); ++id) {
        if (std::isnan(logits[id]) || logits[id] == std::numeric_limits<float>::infinity())
            throwLogit(static_cast<int32_t>(id), logits[id]);
        candidates.emplace_back(logits[id], static_cast<int32_t>(id));
    }

    if (m_options.repetitionPenalty != 1) {
        // Each token is penalised once, however often it occurred: compare with the raw logits.
        const auto penalty = static_cast<float>(m_options.repetitionPenalty);
        for (const int32_t id : history) {
            if (id < 0 || size_t(id) >= logits.size()) continue;
            const float logit = logits[size_t(id)];
            candidates[size_t(id)].first = logit > 0 ? logit / penalty : logit * penalty;
        }
    }

    const auto best = std::min_element(candidates.begin(), candidates.end(), likelier);
    if (best == candidates.end() || best->first == -std::numeric_limits<float>::infinity())
        throwNoToken();
    if (m_options.temperature == 0) return best->second;

    const double top = best->first, inverse = 1 / m_options.temperature;
    const auto weight = [&](const std::pair<float, int32_t>& candidate) {
        return kernels::portableExp((double(candidate.first) - top) * inverse);
    };

    if (m_options.topK > 0 && size_t(m_options.topK) < candidates.size()) {
        std::partial_sort(candidates.begin(), candidates.begin() + m_options.topK, candidates.end(),
                          likelier);
        candidates.resize(size_t(m_options.topK));
    }
    if (m_options.topP < 1) {
        double total = 0;
        for (const auto& candidate : candidates)
            total += weight(candidate);
        // The fewest likeliest tokens that reach the share. Sorted in growing pieces: mostly a few
        // hundred of a hundred thousand tokens are enough.
        const double wanted = m_options.topP * total;
        double reached = 0;
        size_t kept = 0, sorted = 0;
        while (kept < candidates.size() && reached < wanted) {
            if (kept == sorted) {
                const size_t more = std::min(candidates.size(), std::max<size_t>(256, 4 * sorted));
                std::partial_sort(candidates.begin() + std::ptrdiff_t(sorted),
                                  candidates.begin() + std::ptrdiff_t(more), candidates.end(),
                                  likelier);
                sorted = more;
            }
            reached += weight(candidates[kept++]);
        }
        candidates.resize(std::max<size_t>(kept, 1));
    }
    if (m_options.minP > 0)
        std::erase_if(candidates,
                      [&](const auto& candidate) { return weight(candidate) < m_options.minP; });

    double total = 0;
    for (const auto& candidate : candidates)
        total += weight(candidate);
    const double drawn = draw() * total;
    double reached = 0;
    for (const auto& candidate : candidates) {
        reached += weight(candidate);
        if (drawn < reached) return candidate.second;
    }
    // Reached only through rounding of the sums: the last token that is possible at all.
    for (auto candidate = candidates.rbegin(); candidate != candidates.rend(); ++candidate)
        if (weight(*candidate) > 0) return candidate->second;
    return best->second;
}

} // namespace bitloom
