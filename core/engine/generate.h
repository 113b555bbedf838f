// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/base/cuda_library.h"
#include "core/base/error.h"
#include "core/base/progress.h"
#include "core/engine/compute.h"
#include "core/engine/model_weights.h"
#include "core/engine/runtime/kv_cache.h"
#include "core/engine/runtime/token_model.h"
#include "core/engine/sampler.h"
#include "core/text/tokenizer.h"

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace bitloom {

struct GenerateOptions {
    SamplingOptions sampling;
    int64_t maxTokens = 256;
    std::vector<std::string> stopStrings; ///< the text ends before the first of them
    bool stopAtEos = true;
    int alternatives = 0; ///< likeliest tokens to report with every token
};

struct TokenAlternative {
    int32_t id = 0;
    float logProb = 0;
};

struct GeneratedToken {
    int32_t id = 0;    ///< −1: only text, held back until the end
    std::string text;  ///< complete UTF-8; may be empty while a character is incomplete
    float logProb = 0; ///< of this token under the model, natural logarithm
    std::vector<TokenAlternative> top; ///< likeliest first, ties to the lower id
};

struct Generation {
    std::vector<int32_t> ids; ///< without the prompt
    std::string text;
    enum class End { MaxTokens, Eos, StopString, ContextFull, Cancelled } end = End::MaxTokens;
    int64_t promptTokens = 0;
    double promptSeconds = 0, generateSeconds = 0;
};

/// How a model runs.
enum class Arithmetic {
    Exact, ///< the reference: everything dequantized to float32, float32 KV cache
    Fast,  ///< core/engine/runtime: at the bits stored, activations rounded to 15 bits
};

/// Where a model computes.
struct ModelPlace {
    enum Kind {
        Processor,
        Gpu, ///< where it can; else on the processor, and TextModel says why. Whether the device's
             ///< memory suffices shows in load(), or in the first call that runs tokens
    } kind = Processor;
    std::shared_ptr<CudaDevice> device; ///< of Gpu; null: the first that is found
};

/// A model ready to generate, with a KV cache for one conversation. Exact keeps weights as float32
/// where memory allows, else reads them block by block per token; Fast keeps what it had to unpack
/// and reads the rest where it lies in the file. One thread at a time.
class TextModel {
public:
    /// `kv` and `place`: of Fast.
    TextModel(std::shared_ptr<const ModelWeights> weights, const ComputeOptions& compute,
              Arithmetic arithmetic = Arithmetic::Exact, runtime::KvType kv = runtime::KvType::F16,
              const ModelPlace& place = {});
    ~TextModel();

    /// Runs `ids` through the model behind what the cache holds; gives the last position's logits
    /// [V]. `progress`, where given, is asked before every block; the Error(Cancelled) that it
    /// throws leaves the cache as it was.
    std::vector<float> advance(std::span<const int32_t> ids, const Progress* progress = nullptr);
    /// The same with the logits of every position, [n, V].
    std::vector<float> advanceAll(std::span<const int32_t> ids, const Progress* progress = nullptr);
    /// Whether tokens can be chosen where the model computes, and their choice: see TokenModel.
    bool chooses(const SamplingOptions& options) const;
    void startChoosing(const SamplingOptions& options, Sampler& sampler, int32_t id, int64_t most);
    runtime::ChosenToken chooseNext();
    void reset() { rewind(0); } ///< empties the cache
    /// Forgets all but the first `position` tokens.
    void rewind(int64_t position);
    int64_t position() const; ///< tokens in the cache
    int64_t maxPositions() const;
    const ModelConfig& config() const;
    /// Reads all weights at once rather than when they are first needed, where they are to stay in
    /// memory. Throws Error(Cancelled); what is read until then is kept. A model on a GPU whose
    /// memory does not suffice goes to the processor; deviceName and whyNoGpu are final behind it.
    void load(Progress& progress);
    std::string deviceName() const; ///< "processor", "NVIDIA H200"
    bool onGpu() const;
    void limitDeviceMemory(int64_t bytes); ///< of the GPU's, from now on; 0 = what there is
    /// Why it computes on the processor where a GPU was wished for; else empty.
    const std::string& whyNoGpu() const;
    /// Gives the GPU's memory back and goes on there, with an empty cache; `why` is whyNoGpu().
    void moveToProcessor(const std::string& why);
    bool isFull(const Error& error) const; ///< the GPU's memory is what it ran out of
    bool resident() const;                 ///< weights stay in memory
    int64_t memoryBytes() const;           ///< held now: weights and cache, without mapped files
    /// Weights and cache, mapped or not: what one model takes beside another.
    int64_t workingBytes() const;
    int64_t weightBytes() const; ///< that a token reads; of what is loaded
    /// Tokens of a prompt that are best run at once: small where weights are ready, so that a wish
    /// to stop is heard soon; large where they must be made anew.
    int64_t promptPiece() const;
    /// How many of `same` tokens that the cache shares with a new prompt can stay in it with the
    /// same results to the bit as without: whole pieces, or all of them where a token's results do
    /// not depend on its company.
    int64_t reusable(int64_t same) const;
    /// What a model takes to be resident, without its cache.
    static int64_t residentBytes(const ModelWeights& weights,
                                 Arithmetic arithmetic = Arithmetic::Exact);

private:
    std::vector<float> run(std::span<const int32_t> ids, bool all, const Progress* progress);

    struct State;
    std::unique_ptr<State> m_state;
};

/// Continues a prompt token by token, so that several models can take turns. A text that a GPU's
/// memory becomes too small for goes on on the processor. One thread at a time.
class TokenGenerator {
public:
    /// `tokenizer` may be null: then texts stay empty and stop strings are refused.
    TokenGenerator(TextModel& model, const Tokenizer* tokenizer, GenerateOptions options);
    ~TokenGenerator();

    /// Runs the prompt behind what the cache holds. The first `known` tokens of `prompt` are in the
    /// cache already and only count as its beginning. Throws Error(Cancelled).
    void start(std::span<const int32_t> prompt, const Progress& progress, int64_t known = 0);
    /// The next token; none at the end. A wish to stop ends the text like any other reason.
    std::optional<GeneratedToken> next(const Progress& progress);
    void stop(); ///< no more tokens: ends as Cancelled
    /// What there is so far; complete after `next` gave nothing. Times count only what happens in
    /// start() and next().
    const Generation& result() const;

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
