// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/base/threads.h"
#include "core/engine/generate.h"
#include "core/engine/serve/divergence.h"
#include "core/engine/serve/engine.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>

namespace bitloom::serve {

namespace {

/// Tokens whose logits exist at once.
constexpr int64_t pieceTokens = 64;

struct ScoreRequest {
    std::string model, reference;
    std::string prompt, answer;
    std::vector<int32_t> ids, answerIds;
    bool hasIds = false, hasAnswer = false, hasAnswerIds = false;
    ComputeOptions compute;
};

ScoreRequest readRequest(Params& params, const Engine& engine) {
    ScoreRequest request;
    request.model = modelOf(params);
    request.reference = modelOf(params, "reference");
    if (params.has("prompt") == params.has("ids"))
        params.refuse("either 'prompt' or 'ids' must be given");
    if (params.has("answer") && params.has("answer_ids"))
        params.refuse("both 'answer' and 'answer_ids' were given", "Choose one of them.");
    request.prompt = params.text("prompt");
    request.ids = params.ids("ids");
    request.answer = params.text("answer");
    request.answerIds = params.ids("answer_ids");
    request.hasIds = params.has("ids");
    request.hasAnswer = params.has("answer");
    request.hasAnswerIds = params.has("answer_ids");
    request.compute = engine.computeOf(params);
    return request;
}

/// The whole text as ids, and the first of them that is scored.
std::pair<std::vector<int32_t>, size_t> tokensOf(const ScoreRequest& request,
                                                 const Tokenizer* tokenizer) {
    if (!tokenizer && (!request.hasIds || request.hasAnswer))
        throw Error("'" + request.reference + "' has no tokenizer, so it cannot read text",
                    "Give ids, or put the model's tokenizer files into its folder.");
    std::vector<int32_t> ids =
        request.hasIds ? request.ids : tokenizer->encodeWithBos(request.prompt);
    size_t first = ids.size();
    if (request.hasAnswerIds) {
        ids.insert(ids.end(), request.answerIds.begin(), request.answerIds.end());
    } else if (request.hasAnswer) {
        const std::vector<int32_t> answer = tokenizer->encode(request.answer);
        ids.insert(ids.end(), answer.begin(), answer.end());
    } else {
        first = 0;
    }
    first = std::max<size_t>(first, 1); // nothing predicts the first token
    if (ids.size() <= first)
        throw Error(ErrorCode::Usage, "there is no token to score", "Give a longer text.");
    return {std::move(ids), first};
}

class Scoring {
public:
    Scoring(LoadedModel& model, LoadedModel& reference, std::vector<int32_t> ids, size_t first,
            int threads, Job& job)
        : m_model(model), m_reference(reference), m_ids(std::move(ids)), m_first(first),
          m_threads(threads), m_job(job) {
        for (const LoadedModel* each : {&m_model, &m_reference}) {
            if (int64_t(m_ids.size()) > each->text->maxPositions() + 1)
                throw Error(fmt::format("the text has {} tokens; the model can hold {}",
                                        m_ids.size(), each->text->maxPositions()),
                            "Score a shorter text.");
            for (const int32_t id : m_ids)
                if (id >= each->text->config().vocab)
                    throw Error(fmt::format("token id {} is outside the vocabulary of {} tokens",
                                            id, each->text->config().vocab),
                                "Give ids of this model.");
        }
        const Tokenizer* tokenizer = reference.tokenizer.get();
        if (!tokenizer) return;
        StreamDecoder decoder(*tokenizer);
        for (const int32_t id : m_ids)
            m_texts.push_back(decoder.push(id));
        m_texts.back() += decoder.finish();
    }

    std::vector<TokenDivergence> run() {
        m_model.forget();
        m_reference.forget();
        // Token i is predicted behind tokens 0 … i−1, so the last one is not run.
        const size_t end = m_ids.size() - 1;
        for (size_t at = 0; at < end;) {
            const bool scored = at + 1 >= m_first;
            const size_t limit = scored ? end : m_first - 1;
            const size_t count = std::min<size_t>(pieceTokens, limit - at);
            const std::span<const int32_t> part(m_ids.data() + at, count);
            if (scored) {
                piece(at + 1, m_model.text->advanceAll(part, &m_job),
                      m_reference.text->advanceAll(part, &m_job));
            } else {
                m_model.text->advance(part, &m_job);
                m_reference.text->advance(part, &m_job);
            }
            at += count;
            m_job.report(double(at) / double(end), "scoring");
        }
        m_model.forget();
        m_reference.forget();
        return std::move(m_tokens);
    }

private:
    /// Scores as many tokens as there are rows of logits, from token `first` on, and sends them.
    void piece(size_t first, const std::vector<float>& model, const std::vector<float>& reference) {
        const auto vocab = size_t(m_model.text->config().vocab);
        const size_t count = model.size() / vocab;
        std::vector<TokenDivergence> tokens(count);
        parallelFor(int64_t(count), 1, m_threads, [&](int64_t begin, int64_t end) {
            for (auto i = size_t(begin); i < size_t(end); ++i)
                tokens[i] =
                    divergenceOf(std::span(model).subspan(i * vocab, vocab),
                                 std::span(reference).subspan(i * vocab, vocab), m_ids[first + i]);
        });
        Json kl = Json::array(), delta = Json::array(), logProb = Json::array(),
             referenceLogProb = Json::array(), same = Json::array(), ids = Json::array(),
             texts = Json::array();
        for (size_t i = 0; i < count; ++i) {
            kl.push_back(tokens[i].kl);
            delta.push_back(tokens[i].logProb - tokens[i].referenceLogProb);
            logProb.push_back(tokens[i].logProb);
            referenceLogProb.push_back(tokens[i].referenceLogProb);
            same.push_back(tokens[i].sameTop);
            ids.push_back(m_ids[first + i]);
            texts.push_back(m_texts.empty() ? std::string() : m_texts[first + i]);
        }
        m_job.notify("scores", {{"first", first},
                                {"kl", std::move(kl)},
                                {"delta_logprob", std::move(delta)},
                                {"logprob", std::move(logProb)},
                                {"reference_logprob", std::move(referenceLogProb)},
                                {"same_top", std::move(same)},
                                {"ids", std::move(ids)},
                                {"text", std::move(texts)}});
        m_tokens.insert(m_tokens.end(), tokens.begin(), tokens.end());
    }

    LoadedModel &m_model, &m_reference;
    std::vector<int32_t> m_ids;
    std::vector<std::string> m_texts; ///< what each token adds
    size_t m_first;
    int m_threads;
    Job& m_job;
    std::vector<TokenDivergence> m_tokens;
};

Json scoreText(Engine& engine, Job& job) {
    Params params(job.params(), job.method());
    const ScoreRequest request = readRequest(params, engine);
    params.finish();
    engine.start(request.compute);
    job.report(0, "loading");
    const auto models = engine.models.load({request.model, request.reference}, request.compute,
                                           Arithmetic::Exact, job);
    if (models[0]->text->config().vocab != models[1]->text->config().vocab)
        throw Error(fmt::format("the models have different vocabularies: {} and {} tokens",
                                models[0]->text->config().vocab, models[1]->text->config().vocab),
                    "Compare a quantized model with the original that it was made from.");
    for (LoadedModel* model : models)
        model->text->load(job);
    auto [ids, first] = tokensOf(request, models[1]->tokenizer.get());
    Scoring scoring(*models[0], *models[1], std::move(ids), first,
                    request.compute.threadsOrDefault(), job);
    const DivergenceSummary summary = summarize(scoring.run());
    Json result = {{"tokens", summary.tokens},    {"first", first},
                   {"kl_mean", summary.klMean},   {"kl_median", summary.klMedian},
                   {"kl_p99", summary.klP99},     {"kl_max", summary.klMax},
                   {"same_top", summary.sameTop}, {"ln_ppl_ratio", summary.lnPplRatio},
                   {"nll", summary.nll},          {"reference_nll", summary.referenceNll},
                   {"seconds", job.seconds()}};
    merge(result, machineFields(request.compute));
    return result;
}

} // namespace

void addScore(Methods& methods, Engine& engine) {
    methods["score"] = {Kind::Compute, [&](Job& job) { return scoreText(engine, job); }};
}

} // namespace bitloom::serve
