// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/base/progress.h"
#include "core/engine/compute.h"
#include "core/engine/model_weights.h"
#include "core/text/dataset.h"

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace bitloom {

/// How perplexity is defined (ALGORITHMS §9). `word` belongs to the task evaluation and is not
/// here.
enum class Protocol { Gptq, Ctx4096, LlamaCpp };
Protocol parseProtocol(std::string_view name); ///< throws Error(Usage)
std::string_view protocolName(Protocol protocol);
int64_t defaultContext(Protocol protocol); ///< 2048, 4096, 512

/// Windows of a text or of ids under a protocol: window length, and which targets count.
struct EvaluationWindows {
    TokenWindows windows;
    Protocol protocol = Protocol::Gptq;
    int64_t firstTarget =
        1; ///< positions [firstTarget, length) are scored: 1, or length/2 + … for llamacpp
    std::string note;         ///< "context capped at 512 by the model"; may be empty
    std::string name() const; ///< "gptq-2048"
};
/// Cuts text under a protocol; `context` 0 = the protocol's default; capped at the model's maximum.
/// For llamacpp the tokenizer's BOS replaces each window's first token.
EvaluationWindows evaluationWindows(const Tokenizer& tokenizer, std::string_view text,
                                    const std::string& source, Protocol protocol, int64_t context,
                                    const ModelConfig& config);
EvaluationWindows evaluationWindows(TokenWindows windows, Protocol protocol,
                                    const ModelConfig& config);

struct Evaluation {
    std::string protocol;              ///< "gptq-256"
    int64_t tokens = 0;                ///< scored targets
    std::vector<double> windowNll;     ///< mean NLL of each window
    double nll = 0, standardError = 0; ///< nats per token; over windows
    double perplexity() const;
    double seconds = 0;
    std::string textHash;

    bool compared = false; ///< against a reference
    double referenceNll = 0;
    double deltaNll = 0, deltaStderr = 0;                     ///< paired over windows
    double klMean = 0, klStderr = 0, klMedian = 0, klP99 = 0; ///< KL(reference ‖ model), nats
    double top1Agreement = 0;
};

/// NLL of every scored target, streamed: logits are never kept. With `reference`, both models see
/// every window and the comparison is filled in. `soFar`, where given, sees the figures over the
/// windows that are done, whenever more are.
Evaluation evaluate(const ModelWeights& model, const ModelWeights* reference,
                    const EvaluationWindows& windows, const ComputeOptions& compute,
                    Progress& progress, const std::function<void(const Evaluation&)>& soFar = {});

/// Mean and standard error of a − b, window by window. Sizes must agree.
std::pair<double, double> pairedDifference(std::span<const double> a, std::span<const double> b);

/// How rotary frequencies are held. Exact: float32, as transformers' from_pretrained has them, and
/// as everything in Bitloom runs. Stored: rounded to the checkpoint's dtype, as a transformers
/// model has them after model.to(dtype), which casts its buffers too. Only for checking against
/// such logits.
enum class RopePrecision { Exact, Stored };

/// Logits [B, T, V] of whole rows, float32, nothing added (the `logits` command). `sink` gets them
/// row by row: row index, T·V values.
void computeLogits(const ModelWeights& model, const TokenWindows& rows, RopePrecision precision,
                   const ComputeOptions& compute,
                   const std::function<void(int64_t row, std::span<const float> logits)>& sink,
                   Progress& progress);

} // namespace bitloom
