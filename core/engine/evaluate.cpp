// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors

// Perplexity and comparison with a reference, streamed.
//
// Windows go through the model in chunks whose hidden states fit into memory; a chunk sees each
// block once, so a model that does not fit is read once per chunk and not once per window. Logits
// exist for a few rows at a time and are reduced to a number per target at once.

#include "core/engine/evaluate.h"

#include "core/base/hash.h"
#include "core/engine/detail/batches.h"
#include "core/engine/detail/resident_model.h"
#include "core/engine/detail/scoring.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <utility>

namespace bitloom {

namespace {

using namespace detail;

constexpr std::array<std::pair<Protocol, std::string_view>, 3> protocols{
    {{Protocol::Gptq, "gptq"}, {Protocol::Ctx4096, "ctx4096"}, {Protocol::LlamaCpp, "llamacpp"}}};

std::shared_ptr<const ModelWeights> unowned(const ModelWeights& weights) {
    return {std::shared_ptr<const ModelWeights>(), &weights};
}

/// Normed hidden states [n, T, D] of some windows, on the processor.
at::Tensor finalHidden(ResidentModel& model, const TokenWindows& windows, int64_t first, int64_t n,
                       int64_t batch, Device* device, Progress& progress,
                       const std::function<void(double)>& advance) {
    const std::span ids(windows.ids.data() + first * windows.length, size_t(n * windows.length));
    const ModelConfig& config = model.weights().config();
    const int64_t blocks = config.layers,
                  largest = largestBlockBytes(model.weights().catalogue(), config);
    at::Tensor hidden;
    double advanced = 0;
    const int64_t need = largest + sequenceBytes(config, windows.length, /*backward=*/false);
    runPlaced(device, "the forward pass of " + model.weights().folder().string(), need,
              [&](const Place& place) {
                  advance(-std::exchange(advanced, 0.0));
                  hidden = model.transformer().embed(model.weights(), ids, n);
                  const int64_t size = place.onDevice()
                                           ? sequencesPerBatch(place, config, windows.length, n,
                                                               /*backward=*/false, largest)
                                           : batch;
                  for (int64_t b = 0; b < blocks; ++b) {
                      const BlockWeights weights = model.block(b, place);
                      for (int64_t i = 0; i < n; i += size) {
                          progress.check();
                          at::Tensor part = hidden.narrow(0, i, std::min(size, n - i));
                          part.copy_(
                              place.out(model.transformer().block(weights, place.in(part), b)));
                      }
                      advanced += double(n) / double(blocks);
                      advance(double(n) / double(blocks));
                  }
              });
    return model.transformer().norm(hidden, model.head().finalNorm);
}

/// Hidden rows [R, D] and the head that makes logits of them.
struct ScoredRows {
    at::Tensor hidden, head;
};

/// What one window adds to the figures.
struct WindowScore {
    double sum = 0, referenceSum = 0, klSum = 0; ///< over its targets
    int64_t agreed = 0;
    std::vector<float> kl;
};

/// `exact` undefined: nothing is compared. Logits are made for `chunk` rows at a time.
WindowScore scoreWindow(const ScoredRows& own, const ScoredRows& exact, const at::Tensor& label,
                        int64_t chunk) {
    WindowScore out;
    const int64_t targets = label.size(0);
    for (int64_t r = 0; r < targets; r += chunk) {
        const int64_t count = std::min(chunk, targets - r);
        const at::Tensor index = label.narrow(0, r, count).unsqueeze(1);
        const auto logProbs = [&](const ScoredRows& rows) {
            return at::log_softmax(at::mm(rows.hidden.narrow(0, r, count), rows.head.t()), 1);
        };
        const at::Tensor q = logProbs(own);
        out.sum -= q.gather(1, index).sum(at::kDouble).item<double>();
        if (!exact.hidden.defined()) continue;
        const at::Tensor p = logProbs(exact);
        out.referenceSum -= p.gather(1, index).sum(at::kDouble).item<double>();
        out.agreed += (p.argmax(1) == q.argmax(1)).sum().item<int64_t>();
        const at::Tensor divergence = (p.exp() * (p - q)).sum(1).clamp_min_(0).contiguous().cpu();
        const float* values = divergence.data_ptr<float>();
        out.kl.insert(out.kl.end(), values, values + count);
        for (int64_t i = 0; i < count; ++i)
            out.klSum += double(values[i]);
    }
    return out;
}

struct ChunkPlan {
    int64_t windows = 1; ///< whose hidden states are kept
    int64_t batch = 1;   ///< that go through a block at once
    int64_t rows = 16;   ///< of logits
    int64_t modelBudget = 0;
};

ChunkPlan planChunks(const ModelConfig& config, int64_t length, int64_t count, int models,
                     int64_t memory) {
    ChunkPlan plan;
    plan.modelBudget = memory / 2 / models;
    const int64_t perWindow = length * config.hidden * int64_t(sizeof(float)) * 2 * models;
    plan.windows = std::clamp<int64_t>(memory / 8 / perWindow, 1, count);
    // Enough chunks that progress is seen and a cancel is heard.
    plan.windows = std::min(plan.windows, std::max<int64_t>(1, 16384 / length));
    const int64_t perToken = activationBytesPerToken(config, length, false);
    plan.batch = std::clamp<int64_t>(std::min<int64_t>(memory / 8 / perToken, 4096) / length, 1,
                                     plan.windows);
    plan.rows = logitRows(config.vocab, memory);
    return plan;
}

} // namespace

Protocol parseProtocol(std::string_view name) {
    for (const auto& [protocol, text] : protocols)
        if (text == name) return protocol;
    throw Error(ErrorCode::Usage, "there is no protocol '" + std::string(name) + "'",
                "Protocols: gptq, ctx4096, llamacpp.");
}

std::string_view protocolName(Protocol protocol) {
    for (const auto& [candidate, text] : protocols)
        if (candidate == protocol) return text;
    return "";
}

int64_t defaultContext(Protocol protocol) {
    switch (protocol) {
    case Protocol::Gptq:
        return 2048;
    case Protocol::Ctx4096:
        return 4096;
    case Protocol::LlamaCpp:
        return 512;
    }
    return 2048;
}

std::string EvaluationWindows::name() const {
    return std::string(protocolName(protocol)) + "-" + std::to_string(windows.length);
}

EvaluationWindows evaluationWindows(TokenWindows windows, Protocol protocol,
                                    const ModelConfig& config) {
    if (windows.length > config.maxPositions)
        throw Error(ErrorCode::Usage,
                    "rows of " + std::to_string(windows.length) +
                        " ids exceed the model's maximum of " +
                        std::to_string(config.maxPositions) + " positions",
                    "Use --context " + std::to_string(config.maxPositions) + " or less.");
    if (windows.length < 2)
        throw Error("a window of fewer than two tokens has nothing to predict",
                    "Use a longer --context.");
    EvaluationWindows out;
    out.windows = std::move(windows);
    out.protocol = protocol;
    // llama.cpp scores the second half: targets at positions T/2+1 … T−1.
    out.firstTarget = protocol == Protocol::LlamaCpp ? out.windows.length / 2 + 1 : 1;
    return out;
}

EvaluationWindows evaluationWindows(const Tokenizer& tokenizer, std::string_view text,
                                    const std::string& source, Protocol protocol, int64_t context,
                                    const ModelConfig& config) {
    const int64_t wanted = context > 0 ? context : defaultContext(protocol);
    const int64_t length = std::min(wanted, config.maxPositions);
    EvaluationWindows out =
        evaluationWindows(windowsFromText(tokenizer, text, source, length), protocol, config);
    if (length < wanted)
        out.note = "context capped at " + std::to_string(length) + ", the model's maximum";
    if (protocol == Protocol::LlamaCpp && tokenizer.bosId() && tokenizer.addsBos())
        for (int64_t i = 0; i < out.windows.count; ++i)
            out.windows.ids[size_t(i * length)] = *tokenizer.bosId();
    return out;
}

double Evaluation::perplexity() const {
    return std::exp(nll);
}

Evaluation evaluate(const ModelWeights& model, const ModelWeights* reference,
                    const EvaluationWindows& windows, const ComputeOptions& compute,
                    Progress& progress, const std::function<void(const Evaluation&)>& soFar) {
    const auto start = std::chrono::steady_clock::now();
    at::NoGradGuard noGrad;
    if (reference && reference->config().vocab != model.config().vocab)
        throw Error("the two models have vocabularies of " + std::to_string(model.config().vocab) +
                        " and " + std::to_string(reference->config().vocab) + " tokens",
                    "Compare a model with the one it was made from.");
    const TokenWindows& rows = windows.windows;
    const int64_t length = rows.length, targets = length - windows.firstTarget;
    const int threads = compute.threadsOrDefault();
    const ChunkPlan plan = planChunks(model.config(), length, rows.count, reference ? 2 : 1,
                                      compute.memoryOrDefault());
    Device* const device = compute.device.get();
    // A quarter of the device is for activations and logits.
    const int64_t deviceBudget =
        device ? device->memoryBytes() / 4 * 3 / (reference ? 2 : 1) : int64_t(0);
    ResidentModel own(unowned(model), plan.modelBudget, threads, RopePrecision::Exact, device,
                      deviceBudget);
    std::optional<ResidentModel> other;
    if (reference)
        other.emplace(unowned(*reference), plan.modelBudget, threads, RopePrecision::Exact, device,
                      deviceBudget);

    const int64_t vocab = model.config().vocab;
    const int64_t headNeed =
        (reference ? 2 : 1) * (vocab + length) * model.config().hidden * int64_t(sizeof(float)) +
        logitRows(vocab, 0) * vocab * int64_t(sizeof(float)) * 4;

    Evaluation out;
    out.protocol = windows.name();
    out.textHash = rows.textHash;
    std::vector<double> referenceNll, windowKl;
    std::vector<float> kl;
    int64_t agreed = 0;
    double done = 0;
    const auto advance = [&](double units) {
        done += units;
        const double perplexity =
            out.windowNll.empty() ? 0 : std::exp(meanWithError(out.windowNll).mean);
        char text[80];
        std::snprintf(text, sizeof text, "evaluating, perplexity %.4f so far", perplexity);
        progress.report(std::min(1.0, done / double(rows.count * (reference ? 2 : 1))),
                        perplexity > 0 ? text : "evaluating");
    };

    const auto summarize = [&] {
        out.tokens = int64_t(out.windowNll.size()) * targets;
        const MeanWithError nll = meanWithError(out.windowNll);
        out.nll = nll.mean;
        out.standardError = nll.standardError;
        out.seconds =
            std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
        if (!reference) return;
        out.compared = true;
        out.referenceNll = meanWithError(referenceNll).mean;
        std::tie(out.deltaNll, out.deltaStderr) = pairedDifference(out.windowNll, referenceNll);
        const MeanWithError divergence = meanWithError(windowKl);
        out.klMean = divergence.mean;
        out.klStderr = divergence.standardError;
        const auto quantile = [&](double q) {
            const size_t at = std::min(kl.size() - 1, size_t(q * double(kl.size())));
            std::nth_element(kl.begin(), kl.begin() + long(at), kl.end());
            return double(kl[at]);
        };
        out.klMedian = quantile(0.5);
        out.klP99 = quantile(0.99);
        out.top1Agreement = double(agreed) / double(out.tokens);
    };

    for (int64_t first = 0; first < rows.count; first += plan.windows) {
        const int64_t n = std::min(plan.windows, rows.count - first);
        const at::Tensor hidden =
            finalHidden(own, rows, first, n, plan.batch, device, progress, advance);
        at::Tensor exact;
        if (other)
            exact = finalHidden(*other, rows, first, n, plan.batch, device, progress, advance);
        for (int64_t w = 0; w < n; ++w) {
            progress.check();
            at::Tensor label = at::empty({targets}, at::kLong);
            for (int64_t t = 0; t < targets; ++t)
                label.data_ptr<int64_t>()[t] = rows.row(first + w)[size_t(windows.firstTarget + t)];
            const at::Tensor rowsOf = hidden[w].narrow(0, windows.firstTarget - 1, targets);
            const at::Tensor exactOf =
                other ? exact[w].narrow(0, windows.firstTarget - 1, targets) : at::Tensor();
            WindowScore score;
            runPlaced(device, "the scores of " + model.folder().string(), headNeed,
                      [&](const Place& place) {
                          score = scoreWindow(
                              {place.in(rowsOf), own.head(place).head},
                              other ? ScoredRows{place.in(exactOf), other->head(place).head}
                                    : ScoredRows{},
                              place.in(label),
                              place.onDevice() ? logitRows(vocab, place.memoryBytes(0))
                                               : plan.rows);
                      });
            out.windowNll.push_back(score.sum / double(targets));
            referenceNll.push_back(score.referenceSum / double(targets));
            windowKl.push_back(score.klSum / double(targets));
            agreed += score.agreed;
            kl.insert(kl.end(), score.kl.begin(), score.kl.end());
        }
        if (soFar) {
            summarize();
            soFar(out);
        }
    }

    summarize();
    return out;
}

std::pair<double, double> pairedDifference(std::span<const double> a, std::span<const double> b) {
    if (a.size() != b.size())
        throw Error("two evaluations with " + std::to_string(a.size()) + " and " +
                        std::to_string(b.size()) + " windows cannot be paired",
                    "Evaluate both on the same text with the same protocol and context.");
    std::vector<double> difference(a.size());
    for (size_t i = 0; i < a.size(); ++i)
        difference[i] = a[i] - b[i];
    const detail::MeanWithError mean = detail::meanWithError(difference);
    return {mean.mean, mean.standardError};
}

void computeLogits(const ModelWeights& model, const TokenWindows& rows, RopePrecision precision,
                   const ComputeOptions& compute,
                   const std::function<void(int64_t, std::span<const float>)>& sink,
                   Progress& progress) {
    at::NoGradGuard noGrad;
    if (rows.length > model.config().maxPositions)
        throw Error(ErrorCode::Usage, "rows of " + std::to_string(rows.length) +
                                          " ids exceed the model's maximum of " +
                                          std::to_string(model.config().maxPositions) +
                                          " positions");
    const ChunkPlan plan =
        planChunks(model.config(), rows.length, rows.count, 1, compute.memoryOrDefault());
    ResidentModel resident(unowned(model), plan.modelBudget, compute.threadsOrDefault(), precision);
    double done = 0;
    for (int64_t first = 0; first < rows.count; first += plan.windows) {
        const int64_t n = std::min(plan.windows, rows.count - first);
        const at::Tensor hidden =
            finalHidden(resident, rows, first, n, plan.batch, nullptr, progress, [&](double units) {
                done += units;
                progress.report(std::min(1.0, done / double(rows.count)), "logits");
            });
        for (int64_t w = 0; w < n; ++w) {
            const at::Tensor logits = at::mm(hidden[w], resident.head().head.t());
            sink(first + w, {logits.data_ptr<float>(), size_t(logits.numel())});
        }
    }
}

} // namespace bitloom
