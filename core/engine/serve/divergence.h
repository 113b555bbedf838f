// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace bitloom::serve {

/// How two predictions of the same token differ. Logarithms are natural.
struct TokenDivergence {
    double kl = 0;                            ///< KL(reference ‖ model), ≥ 0
    double logProb = 0, referenceLogProb = 0; ///< of the token that came
    bool sameTop = false; ///< both find the same token likeliest (ties to the lower id)
};
/// From the logits [V] that each model had before the token `id`.
TokenDivergence divergenceOf(std::span<const float> model, std::span<const float> reference,
                             int32_t id);

/// What is said of all tokens of a text.
struct DivergenceSummary {
    int64_t tokens = 0;
    double klMean = 0, klMedian = 0, klP99 = 0, klMax = 0;
    double sameTop = 0;    ///< share
    double lnPplRatio = 0; ///< mean of referenceLogProb − logProb
    double nll = 0, referenceNll = 0;
};
DivergenceSummary summarize(std::span<const TokenDivergence> tokens);

} // namespace bitloom::serve
