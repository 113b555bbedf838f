// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/base/progress.h"
#include "core/engine/compute.h"
#include "core/engine/model_weights.h"
#include "core/engine/sampler.h"
#include "core/text/tokenizer.h"

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace bitloom {

struct GenerateOptions {
    SamplingOptions sampling;
    int64_t maxTokens = 256;
    std::vector<std::string> stopStrings; ///< the text ends before the first of them
    bool stopAtEos = true;
};

struct GeneratedToken {
    int32_t id = 0;
    std::string text;  ///< complete UTF-8; may be empty while a character is incomplete
    float logProb = 0; ///< of this token under the model, natural logarithm
};

struct Generation {
    std::vector<int32_t> ids; ///< without the prompt
    std::string text;
    enum class End { MaxTokens, Eos, StopString, ContextFull, Cancelled } end = End::MaxTokens;
    int64_t promptTokens = 0;
    double promptSeconds = 0, generateSeconds = 0;
};

/// A model ready to generate: weights resident as float32 where memory allows (else read block by
/// block per token), and a KV cache for one conversation. One thread at a time.
class TextModel {
public:
    TextModel(std::shared_ptr<const ModelWeights> weights, const ComputeOptions& compute);
    ~TextModel();

    /// Runs `ids` through the model behind what the cache holds; gives the last position's logits
    /// [V].
    std::vector<float> advance(std::span<const int32_t> ids);
    void reset();             ///< empties the cache
    int64_t position() const; ///< tokens in the cache
    int64_t maxPositions() const;
    const ModelConfig& config() const;

private:
    struct State;
    std::unique_ptr<State> m_state;
};

/// Continues `prompt`; `onToken` sees every token as it is chosen and returns false to stop.
/// `tokenizer` may be null: then texts stay empty and stop strings are refused.
Generation generate(TextModel& model, const Tokenizer* tokenizer, std::span<const int32_t> prompt,
                    const GenerateOptions& options,
                    const std::function<bool(const GeneratedToken&)>& onToken, Progress& progress);

} // namespace bitloom
