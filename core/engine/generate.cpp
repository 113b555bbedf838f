// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors

#include "core/engine/generate.h"

#include "core/base/log.h"
#include "core/engine/detail/exact_decoder.h"
#include "core/engine/runtime/decoder.h"
#include "core/engine/runtime/gpu_decoder.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>
#include <utility>

namespace bitloom {

struct TextModel::State {
    std::shared_ptr<const ModelWeights> weights;
    std::unique_ptr<runtime::TokenModel> model;
    std::string whyNoGpu;
    runtime::GpuDecoder* gpu = nullptr; ///< the model, where it is one
    runtime::DecoderOptions processor;  ///< how it runs there
};

namespace {

/// The model on a GPU; null, and why, where it must be the processor.
std::unique_ptr<runtime::GpuDecoder>
decoderOnGpu(const std::shared_ptr<const ModelWeights>& weights, const ModelPlace& place,
             runtime::KvType kv, int threads, std::string& why) {
    try {
        std::shared_ptr<CudaDevice> device = place.device;
        if (!device) {
            const auto library = CudaLibrary::open(why);
            if (!library) return nullptr;
            device = std::make_shared<CudaDevice>(library);
        }
        device->requireWorking();
        why = runtime::GpuDecoder::whyNot(*weights, kv, *device);
        if (!why.empty()) return nullptr;
        return std::make_unique<runtime::GpuDecoder>(weights, device, kv, threads);
    } catch (const Error& error) {
        if (error.code() != ErrorCode::NoSpace && error.code() != ErrorCode::NoDevice) throw;
        why = error.what();
        return nullptr;
    }
}

} // namespace

TextModel::TextModel(std::shared_ptr<const ModelWeights> weights, const ComputeOptions& compute,
                     Arithmetic arithmetic, runtime::KvType kv, const ModelPlace& place)
    : m_state(std::make_unique<State>()) {
    State& s = *m_state;
    s.weights = std::move(weights);
    const int64_t memory = compute.memoryOrDefault() / 2;
    const int threads = compute.threadsOrDefault();
    if (arithmetic == Arithmetic::Exact) {
        if (place.kind == ModelPlace::Gpu) s.whyNoGpu = "exact arithmetic is the processor's";
        s.model = std::make_unique<detail::ExactDecoder>(s.weights, memory, threads);
        return;
    }
    s.processor = {threads, memory, kv};
    if (place.kind == ModelPlace::Gpu) {
        auto model = decoderOnGpu(s.weights, place, kv, threads, s.whyNoGpu);
        s.gpu = model.get();
        s.model = std::move(model);
    }
    if (!s.model) s.model = std::make_unique<runtime::Decoder>(s.weights, s.processor);
}
TextModel::~TextModel() = default;

void TextModel::rewind(int64_t target) {
    if (target < 0 || target > position())
        throw Error("the cache holds " + std::to_string(position()) + " tokens, not " +
                    std::to_string(target));
    m_state->model->rewind(target);
}
int64_t TextModel::position() const {
    return m_state->model->position();
}
int64_t TextModel::maxPositions() const {
    return config().maxPositions;
}
const ModelConfig& TextModel::config() const {
    return m_state->weights->config();
}
void TextModel::load(Progress& progress) {
    if (!resident()) return;
    const int64_t blocks = config().layers;
    for (int64_t b = 0; b < blocks; ++b) {
        progress.check();
        progress.report(double(b) / double(blocks),
                        "loading block " + std::to_string(b + 1) + " of " + std::to_string(blocks));
        try {
            m_state->model->loadBlock(b);
        } catch (const Error& error) {
            if (!isFull(error)) throw;
            moveToProcessor(error.what());
            return load(progress);
        }
    }
}
bool TextModel::onGpu() const {
    return m_state->gpu != nullptr;
}
void TextModel::limitDeviceMemory(int64_t bytes) {
    if (m_state->gpu) m_state->gpu->limitMemory(bytes);
}
bool TextModel::isFull(const Error& error) const {
    return onGpu() && error.code() == ErrorCode::NoSpace;
}
void TextModel::moveToProcessor(const std::string& why) {
    State& s = *m_state;
    if (!s.gpu) return;
    s.model.reset();
    s.gpu = nullptr;
    s.whyNoGpu = why;
    s.model = std::make_unique<runtime::Decoder>(s.weights, s.processor);
}
std::string TextModel::deviceName() const {
    return m_state->model->deviceName();
}
const std::string& TextModel::whyNoGpu() const {
    return m_state->whyNoGpu;
}
bool TextModel::resident() const {
    return m_state->model->resident();
}
int64_t TextModel::memoryBytes() const {
    return m_state->model->memoryBytes();
}
int64_t TextModel::workingBytes() const {
    return m_state->model->workingBytes();
}
int64_t TextModel::weightBytes() const {
    return m_state->model->weightBytes();
}
int64_t TextModel::promptPiece() const {
    return m_state->model->promptPiece();
}
int64_t TextModel::reusable(int64_t same) const {
    if (resident() && !m_state->model->companyMatters()) return same;
    return same / promptPiece() * promptPiece();
}
int64_t TextModel::residentBytes(const ModelWeights& weights, Arithmetic arithmetic) {
    return arithmetic == Arithmetic::Fast ? runtime::Decoder::ownBytes(weights)
                                          : detail::ResidentModel::bytesOf(weights);
}

/// Where the device's memory turns out to be too small before the cache holds anything, the
/// processor takes over; later on, only who knows the text can have it read again.
std::vector<float> TextModel::run(std::span<const int32_t> ids, bool all,
                                  const Progress* progress) {
    try {
        // All blocks first: it need not take a prompt to find out that there is no room.
        for (int64_t b = 0; onGpu() && position() == 0 && b < config().layers; ++b) {
            if (progress) progress->check();
            m_state->model->loadBlock(b);
        }
        return m_state->model->run(ids, all, progress);
    } catch (const Error& error) {
        if (!isFull(error) || position() > 0) throw;
        moveToProcessor(error.what());
    }
    // Whoever has asked where it computes does not ask again.
    logger("gpu")->warn("computing on the processor, because {}", whyNoGpu());
    return m_state->model->run(ids, all, progress);
}
std::vector<float> TextModel::advance(std::span<const int32_t> ids, const Progress* progress) {
    return run(ids, false, progress);
}
std::vector<float> TextModel::advanceAll(std::span<const int32_t> ids, const Progress* progress) {
    return run(ids, true, progress);
}
bool TextModel::chooses(const SamplingOptions& options) const {
    return m_state->model->chooses(options);
}
void TextModel::startChoosing(const SamplingOptions& options, Sampler& sampler, int32_t id,
                              int64_t most) {
    m_state->model->startChoosing(options, sampler, id, most);
}
runtime::ChosenToken TextModel::chooseNext() {
    return m_state->model->chooseNext();
}

namespace {

using Clock = std::chrono::steady_clock;

double secondsSince(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
}

/// Largest logit and logarithm of Σ exp(logit − largest): log-softmax is logit − first − second.
std::pair<float, double> logNormalizer(std::span<const float> logits) {
    const float top = *std::max_element(logits.begin(), logits.end());
    double sum = 0;
    for (float logit : logits)
        sum += std::exp(double(logit - top));
    return {top, std::log(sum)};
}

/// The `count` likeliest tokens.
std::vector<TokenAlternative> likeliest(std::span<const float> logits, int count,
                                        std::pair<float, double> normalizer) {
    std::vector<int32_t> ids(logits.size());
    std::iota(ids.begin(), ids.end(), 0);
    const auto kept = std::min<size_t>(size_t(count), ids.size());
    std::partial_sort(ids.begin(), ids.begin() + ptrdiff_t(kept), ids.end(),
                      [&](int32_t a, int32_t b) {
                          const float x = logits[size_t(a)], y = logits[size_t(b)];
                          return x != y ? x > y : a < b;
                      });
    std::vector<TokenAlternative> out;
    for (size_t i = 0; i < kept; ++i)
        out.push_back(
            {ids[i], float(double(logits[size_t(ids[i])] - normalizer.first) - normalizer.second)});
    return out;
}

/// Text that may be shown: up to the first stop string, and holding back what could become one.
class StopFilter {
public:
    explicit StopFilter(const std::vector<std::string>& stops) : m_stops(stops) {}

    /// Takes new text, gives out what is safe. `stopped()` afterwards tells whether a stop was met.
    std::string push(const std::string& text) {
        m_pending += text;
        size_t cut = std::string::npos;
        for (const std::string& stop : m_stops)
            if (!stop.empty()) cut = std::min(cut, m_pending.find(stop));
        if (cut != std::string::npos) {
            m_stopped = true;
            return take(cut);
        }
        size_t held = 0;
        for (const std::string& stop : m_stops)
            for (size_t n = std::min(stop.size(), m_pending.size()); n > held; --n)
                if (m_pending.compare(m_pending.size() - n, n, stop, 0, n) == 0) held = n;
        return take(m_pending.size() - held);
    }
    std::string finish() { return m_stopped ? std::string() : take(m_pending.size()); }
    bool stopped() const { return m_stopped; }

private:
    std::string take(size_t n) {
        std::string out = m_pending.substr(0, n);
        m_pending.erase(0, n);
        return out;
    }
    const std::vector<std::string>& m_stops;
    std::string m_pending;
    bool m_stopped = false;
};

} // namespace

struct TokenGenerator::State {
    State(TextModel& textModel, const Tokenizer* textTokenizer, GenerateOptions given)
        : model(textModel), tokenizer(textTokenizer), options(std::move(given)),
          sampler(options.sampling), filter(options.stopStrings) {}

    bool atEnd(const Progress& progress);
    void read(std::span<const int32_t> tokens, const Progress& progress);
    void run(const Progress& progress);
    void runLast(const Progress& progress);
    std::optional<GeneratedToken> flush();
    void end(Generation::End why) {
        out.end = why;
        ended = true;
    }

    TextModel& model;
    const Tokenizer* tokenizer;
    GenerateOptions options;
    Sampler sampler;
    std::optional<StreamDecoder> decoder;
    StopFilter filter;
    Generation out;
    std::vector<float> logits; ///< for the next token; empty where the last one must run first
    std::optional<runtime::ChosenToken> chosen; ///< in place of logits, where the model chooses
    bool choosing = false;
    std::vector<int32_t> history;
    bool ended = false, flushed = false;
};

TokenGenerator::TokenGenerator(TextModel& model, const Tokenizer* tokenizer,
                               GenerateOptions options)
    : m_state(std::make_unique<State>(model, tokenizer, std::move(options))) {
    if (!m_state->options.stopStrings.empty() && !tokenizer)
        throw Error(ErrorCode::Usage, "stop strings need a tokenizer, and this model has none");
}
TokenGenerator::~TokenGenerator() = default;

const Generation& TokenGenerator::result() const {
    return m_state->out;
}

void TokenGenerator::stop() {
    State& s = *m_state;
    if (s.ended) return;
    s.end(s.filter.stopped() ? Generation::End::StopString : Generation::End::Cancelled);
}

void TokenGenerator::start(std::span<const int32_t> prompt, const Progress& progress,
                           int64_t known) {
    State& s = *m_state;
    s.out.promptTokens = int64_t(prompt.size());
    const auto begin = Clock::now();
    if (prompt.size() <= size_t(known)) throw Error("nothing to run: the prompt is empty");
    // A prompt that is too long leaves the cache as it was.
    const int64_t room = s.model.maxPositions() - s.model.position();
    if (int64_t(prompt.size()) - known > room)
        throw Error("the model's context of " + std::to_string(s.model.maxPositions()) +
                        " tokens is full",
                    "Use a shorter prompt.");
    try {
        s.read(prompt.subspan(size_t(known)), progress);
    } catch (const Error& error) {
        if (!s.model.isFull(error)) throw;
        s.model.moveToProcessor(error.what());
        s.read(prompt, progress);
    }
    s.out.promptSeconds = secondsSince(begin);
    if (s.tokenizer) {
        // The text goes on behind the prompt: a first word keeps the space in front of it.
        s.decoder.emplace(*s.tokenizer);
        for (int32_t id : prompt)
            s.decoder->push(id);
    }
    s.history.assign(prompt.begin(), prompt.end());
}

/// Tokens behind what the cache holds, and the logits of the next one.
void TokenGenerator::State::read(std::span<const int32_t> tokens, const Progress& progress) {
    const auto piece = size_t(model.promptPiece());
    for (size_t at = 0; at < tokens.size(); at += piece)
        logits = model.advance(tokens.subspan(at, std::min(piece, tokens.size() - at)), &progress);
}

void TokenGenerator::State::run(const Progress& progress) {
    try {
        runLast(progress);
    } catch (const Error& error) {
        if (!model.isFull(error)) throw;
        model.moveToProcessor(error.what());
        read(history, progress);
    }
}

/// Runs the last token: logits of the next one, or that itself.
void TokenGenerator::State::runLast(const Progress& progress) {
    if (options.alternatives > 0 || !model.chooses(options.sampling)) {
        logits = model.advance({&out.ids.back(), 1}, &progress);
        return;
    }
    if (!std::exchange(choosing, true))
        model.startChoosing(options.sampling, sampler, out.ids.back(),
                            options.maxTokens - int64_t(out.ids.size()));
    chosen = model.chooseNext();
}

/// Makes logits for the next token; true where there must be none.
bool TokenGenerator::State::atEnd(const Progress& progress) {
    if (ended) return true;
    if (filter.stopped()) {
        end(Generation::End::StopString);
    } else if (int64_t(out.ids.size()) >= options.maxTokens) {
        end(Generation::End::MaxTokens);
    } else if (progress.cancelled()) {
        end(Generation::End::Cancelled);
    } else if (logits.empty()) {
        if (model.position() >= model.maxPositions()) {
            end(Generation::End::ContextFull);
            return true;
        }
        try {
            run(progress);
        } catch (const Error& error) {
            if (error.code() != ErrorCode::Cancelled) throw;
            end(Generation::End::Cancelled);
        }
    }
    return ended;
}

/// What was held back, once.
std::optional<GeneratedToken> TokenGenerator::State::flush() {
    if (flushed || !decoder || filter.stopped()) return std::nullopt;
    flushed = true;
    GeneratedToken rest;
    rest.id = -1;
    rest.text = filter.push(decoder->finish()) + filter.finish();
    if (rest.text.empty()) return std::nullopt;
    out.text += rest.text;
    return rest;
}

std::optional<GeneratedToken> TokenGenerator::next(const Progress& progress) {
    State& s = *m_state;
    const auto begin = Clock::now();
    struct Timer {
        State& state;
        Clock::time_point begin;
        ~Timer() { state.out.generateSeconds += secondsSince(begin); }
    } timer{s, begin};
    if (s.atEnd(progress)) return s.flush();
    GeneratedToken token;
    token.id = s.chosen ? s.chosen->id : s.sampler.sample(s.logits, s.history);
    const std::vector<int64_t>& eos = s.model.config().eosTokens;
    if (s.options.stopAtEos && std::find(eos.begin(), eos.end(), token.id) != eos.end()) {
        s.end(Generation::End::Eos);
        return s.flush();
    }
    if (s.chosen) {
        token.logProb = s.chosen->logProb;
    } else {
        const auto normalizer = logNormalizer(s.logits);
        token.logProb =
            float(double(s.logits[size_t(token.id)] - normalizer.first) - normalizer.second);
        if (s.options.alternatives > 0)
            token.top = likeliest(s.logits, s.options.alternatives, normalizer);
    }
    s.chosen.reset();
    s.logits.clear();
    s.out.ids.push_back(token.id);
    s.history.push_back(token.id);
    if (s.decoder) token.text = s.filter.push(s.decoder->push(token.id));
    s.out.text += token.text;
    return token;
}

Generation generate(TextModel& model, const Tokenizer* tokenizer, std::span<const int32_t> prompt,
                    const GenerateOptions& options,
                    const std::function<bool(const GeneratedToken&)>& onToken, Progress& progress) {
    TokenGenerator generator(model, tokenizer, options);
    try {
        generator.start(prompt, progress);
    } catch (const Error& error) {
        if (error.code() != ErrorCode::Cancelled) throw;
        generator.stop();
    }
    while (const auto token = generator.next(progress))
        if (onToken && !onToken(*token)) generator.stop();
    return generator.result();
}

} // namespace bitloom
