// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors

#include "core/engine/generate.h"

#include "core/engine/detail/exact_decoder.h"
#include "core/engine/runtime/decoder.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>

namespace bitloom {

struct TextModel::State {
    State(std::shared_ptr<const ModelWeights> given, const ComputeOptions& compute,
          Arithmetic arithmetic, runtime::KvType kv)
        : weights(std::move(given)) {
        const int64_t memory = compute.memoryOrDefault() / 2;
        if (arithmetic == Arithmetic::Fast)
            fast.emplace(weights, runtime::DecoderOptions{compute.threadsOrDefault(), memory, kv});
        else
            exact.emplace(weights, memory, compute.threadsOrDefault());
    }

    std::shared_ptr<const ModelWeights> weights;
    std::optional<detail::ExactDecoder> exact; ///< one of the two
    std::optional<runtime::Decoder> fast;
};

TextModel::TextModel(std::shared_ptr<const ModelWeights> weights, const ComputeOptions& compute,
                     Arithmetic arithmetic, runtime::KvType kv)
    : m_state(std::make_unique<State>(std::move(weights), compute, arithmetic, kv)) {}
TextModel::~TextModel() = default;

void TextModel::rewind(int64_t target) {
    if (target < 0 || target > position())
        throw Error("the cache holds " + std::to_string(position()) + " tokens, not " +
                    std::to_string(target));
    if (m_state->fast)
        m_state->fast->rewind(target);
    else
        m_state->exact->rewind(target);
}
int64_t TextModel::position() const {
    return m_state->fast ? m_state->fast->position() : m_state->exact->position();
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
        if (m_state->fast)
            m_state->fast->loadBlock(b);
        else
            m_state->exact->loadBlock(b);
    }
}
bool TextModel::resident() const {
    return m_state->fast ? m_state->fast->resident() : m_state->exact->resident();
}
int64_t TextModel::memoryBytes() const {
    return m_state->fast ? m_state->fast->memoryBytes() : m_state->exact->memoryBytes();
}
int64_t TextModel::workingBytes() const {
    return m_state->fast ? m_state->fast->workingBytes() : m_state->exact->memoryBytes();
}
int64_t TextModel::weightBytes() const {
    return m_state->fast ? m_state->fast->weightBytes() : m_state->exact->weightBytes();
}
int64_t TextModel::promptPiece() const {
    if (!resident()) return maxPositions();
    return m_state->fast && !m_state->fast->companyMatters() ? 512 : 64;
}
int64_t TextModel::reusable(int64_t same) const {
    if (m_state->fast && resident() && !m_state->fast->companyMatters()) return same;
    return same / promptPiece() * promptPiece();
}
int64_t TextModel::residentBytes(const ModelWeights& weights, Arithmetic arithmetic) {
    return arithmetic == Arithmetic::Fast ? runtime::Decoder::ownBytes(weights)
                                          : detail::ResidentModel::bytesOf(weights);
}

std::vector<float> TextModel::advance(std::span<const int32_t> ids, const Progress* progress) {
    return m_state->fast ? m_state->fast->run(ids, false, progress)
                         : m_state->exact->run(ids, false, progress);
}
std::vector<float> TextModel::advanceAll(std::span<const int32_t> ids, const Progress* progress) {
    return m_state->fast ? m_state->fast->run(ids, true, progress)
                         : m_state->exact->run(ids, true, progress);
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
    const auto piece = size_t(s.model.promptPiece());
    for (size_t at = size_t(known); at < prompt.size(); at += piece)
        s.logits =
            s.model.advance(prompt.subspan(at, std::min(piece, prompt.size() - at)), &progress);
    s.out.promptSeconds = secondsSince(begin);
    if (s.tokenizer) {
        // The text goes on behind the prompt: a first word keeps the space in front of it.
        s.decoder.emplace(*s.tokenizer);
        for (int32_t id : prompt)
            s.decoder->push(id);
    }
    s.history.assign(prompt.begin(), prompt.end());
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
            logits = model.advance({&out.ids.back(), 1}, &progress);
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
    token.id = s.sampler.sample(s.logits, s.history);
    const std::vector<int64_t>& eos = s.model.config().eosTokens;
    if (s.options.stopAtEos && std::find(eos.begin(), eos.end(), token.id) != eos.end()) {
        s.end(Generation::End::Eos);
        return s.flush();
    }
    const auto normalizer = logNormalizer(s.logits);
    token.logProb =
        float(double(s.logits[size_t(token.id)] - normalizer.first) - normalizer.second);
    if (s.options.alternatives > 0)
        token.top = likeliest(s.logits, s.options.alternatives, normalizer);
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
