// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
//
// Teacher-forced comparison of two models (UX U15): both read the same text, and at every token
// their distributions over the next one are compared. Sums run in double precision over float
// logits; identical logits give exactly 0.
#include "core/engine/serve/divergence.h"

#include <algorithm>
#include <cmath>

namespace bitloom::serve {

namespace {

struct Normalizer {
    int32_t top = 0;
    double shift = 0; ///< log-softmax of a logit is logit − shift
};

Normalizer normalizerOf(std::span<const float> logits) {
    const auto largest = std::max_element(logits.begin(), logits.end());
    double sum = 0;
    for (const float logit : logits)
        sum += std::exp(double(logit) - double(*largest));
    return {int32_t(largest - logits.begin()), double(*largest) + std::log(sum)};
}

} // namespace

TokenDivergence divergenceOf(std::span<const float> model, std::span<const float> reference,
                             int32_t id) {
    const Normalizer q = normalizerOf(model), p = normalizerOf(reference);
    TokenDivergence out;
    for (size_t i = 0; i < model.size(); ++i) {
        const double logP = double(reference[i]) - p.shift, logQ = double(model[i]) - q.shift;
        out.kl += std::exp(logP) * (logP - logQ);
    }
    out.kl = std::max(0.0, out.kl); // rounding may leave a little below
    out.logProb = double(model[size_t(id)]) - q.shift;
    out.referenceLogProb = double(reference[size_t(id)]) - p.shift;
    out.sameTop = p.top == q.top;
    return out;
}

DivergenceSummary summarize(std::span<const TokenDivergence> tokens) {
    DivergenceSummary out;
    out.tokens = int64_t(tokens.size());
    if (tokens.empty()) return out;
    const double n = double(tokens.size());
    std::vector<double> kl;
    for (const TokenDivergence& token : tokens) {
        kl.push_back(token.kl);
        out.klMean += token.kl / n;
        out.sameTop += double(token.sameTop);
        out.nll -= token.logProb / n;
        out.referenceNll -= token.referenceLogProb / n;
        out.lnPplRatio += (token.referenceLogProb - token.logProb) / n;
    }
    out.sameTop /= n;
    std::ranges::sort(kl);
    const auto quantile = [&](double q) {
        return kl[std::min(kl.size() - 1, size_t(q * double(kl.size())))];
    };
    out.klMedian = quantile(0.5);
    out.klP99 = quantile(0.99);
    out.klMax = kl.back();
    return out;
}

} // namespace bitloom::serve
