// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors

#include "core/engine/generate.h"

#include "core/engine/detail/resident_model.h"

#include <algorithm>
#include <chrono>
#include <cmath>

namespace bitloom {

using namespace detail;

struct TextModel::State {
    State(std::shared_ptr<const ModelWeights> weights, const ComputeOptions& compute)
        : model(std::move(weights), compute.memoryOrDefault() / 2, compute.threadsOrDefault()),
          cache(size_t(model.weights().config().layers)) {}

    /// Room for `positions` in every layer's cache; grows by doubling.
    void reserve(int64_t positions) {
        const ModelConfig& config = model.weights().config();
        if (positions <= capacity) return;
        const int64_t grown =
            std::min(config.maxPositions, std::max<int64_t>({positions, 2 * capacity, 256}));
        for (KvLayer& layer : cache) {
            const auto grow = [&](at::Tensor& t) {
                at::Tensor larger =
                    at::empty({1, config.kvHeads, grown, config.headDim}, at::kFloat);
                if (position > 0) larger.narrow(2, 0, position).copy_(t.narrow(2, 0, position));
                t = larger;
            };
            grow(layer.keys);
            grow(layer.values);
        }
        capacity = grown;
    }

    ResidentModel model;
    std::vector<KvLayer> cache;
    int64_t position = 0, capacity = 0;
};

TextModel::TextModel(std::shared_ptr<const ModelWeights> weights, const ComputeOptions& compute)
    : m_state(std::make_unique<State>(std::move(weights), compute)) {}
TextModel::~TextModel() = default;

void TextModel::reset() {
    m_state->position = 0;
}
int64_t TextModel::position() const {
    return m_state->position;
}
int64_t TextModel::maxPositions() const {
    return config().maxPositions;
}
const ModelConfig& TextModel::config() const {
    return m_state->model.weights().config();
}

std::vector<float> TextModel::advance(std::span<const int32_t> ids) {
    at::NoGradGuard noGrad;
    State& s = *m_state;
    const int64_t n = int64_t(ids.size());
    if (n == 0) throw Error("nothing to run: the prompt is empty");
    if (s.position + n > maxPositions())
        throw Error("the model's context of " + std::to_string(maxPositions()) + " tokens is full",
                    "Use a shorter prompt.");
    s.reserve(s.position + n);
    const Transformer& transformer = s.model.transformer();
    at::Tensor hidden = transformer.embed(s.model.weights(), ids, 1);
    for (int64_t b = 0; b < config().layers; ++b)
        hidden = transformer.block(s.model.block(b), hidden, b, nullptr, &s.cache[size_t(b)],
                                   s.position);
    s.position += n;
    const at::Tensor last =
        transformer.norm(hidden.narrow(1, n - 1, 1), s.model.head().finalNorm).view({-1});
    const at::Tensor logits = at::mv(s.model.head().head, last);
    return {logits.data_ptr<float>(), logits.data_ptr<float>() + logits.numel()};
}

namespace {

/// Natural logarithm of the softmax probability of `id`.
float logProbability(std::span<const float> logits, int32_t id) {
    const float top = *std::max_element(logits.begin(), logits.end());
    double sum = 0;
    for (float logit : logits)
        sum += std::exp(double(logit - top));
    return float(double(logits[size_t(id)] - top) - std::log(sum));
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

Generation generate(TextModel& model, const Tokenizer* tokenizer, std::span<const int32_t> prompt,
                    const GenerateOptions& options,
                    const std::function<bool(const GeneratedToken&)>& onToken, Progress& progress) {
    using Clock = std::chrono::steady_clock;
    const auto seconds = [](Clock::time_point from) {
        return std::chrono::duration<double>(Clock::now() - from).count();
    };
    if (!options.stopStrings.empty() && !tokenizer)
        throw Error(ErrorCode::Usage, "stop strings need a tokenizer, and this model has none");
    Generation out;
    out.promptTokens = int64_t(prompt.size());
    auto start = Clock::now();
    std::vector<float> logits = model.advance(prompt);
    out.promptSeconds = seconds(start);

    Sampler sampler(options.sampling);
    std::optional<StreamDecoder> decoder;
    if (tokenizer) {
        // The text goes on behind the prompt: a first word keeps the space in front of it.
        decoder.emplace(*tokenizer);
        for (int32_t id : prompt)
            decoder->push(id);
    }
    StopFilter filter(options.stopStrings);
    std::vector<int32_t> history(prompt.begin(), prompt.end());
    const std::vector<int64_t>& eos = model.config().eosTokens;
    start = Clock::now();
    while (int64_t(out.ids.size()) < options.maxTokens) {
        if (progress.cancelled()) {
            out.end = Generation::End::Cancelled;
            break;
        }
        GeneratedToken token;
        token.id = sampler.sample(logits, history);
        if (options.stopAtEos && std::find(eos.begin(), eos.end(), token.id) != eos.end()) {
            out.end = Generation::End::Eos;
            break;
        }
        token.logProb = logProbability(logits, token.id);
        out.ids.push_back(token.id);
        history.push_back(token.id);
        if (decoder) token.text = filter.push(decoder->push(token.id));
        out.text += token.text;
        const bool goOn = !onToken || onToken(token);
        if (filter.stopped()) {
            out.end = Generation::End::StopString;
            break;
        }
        if (!goOn) {
            out.end = Generation::End::Cancelled;
            break;
        }
        if (int64_t(out.ids.size()) == options.maxTokens) break;
        if (model.position() >= model.maxPositions()) {
            out.end = Generation::End::ContextFull;
            break;
        }
        logits = model.advance({&token.id, 1});
    }
    if (decoder && !filter.stopped()) {
        GeneratedToken rest;
        rest.id = -1;
        rest.text = filter.push(decoder->finish()) + filter.finish();
        out.text += rest.text;
        if (!rest.text.empty() && onToken) onToken(rest);
    }
    out.generateSeconds = seconds(start);
    return out;
}

} // namespace bitloom
