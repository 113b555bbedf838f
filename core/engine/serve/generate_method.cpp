// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/engine/generate.h"
#include "core/engine/result_fields.h"
#include "core/engine/serve/engine.h"

#include <spdlog/fmt/fmt.h>

namespace bitloom::serve {

namespace {

struct StreamRequest {
    std::string model, prompt;
    std::vector<int32_t> ids;
    bool hasIds = false;
};

struct GenerateRequest {
    std::vector<StreamRequest> streams;
    GenerateOptions options;
    ComputeOptions compute;
    Arithmetic arithmetic = Arithmetic::Fast;
};

GenerateRequest readRequest(Params& params, const Engine& engine) {
    GenerateRequest request;
    SamplingOptions& sampling = request.options.sampling;
    request.options.maxTokens = params.integer("max_tokens", 256, 1, int64_t(1) << 31);
    sampling.temperature = params.number("temperature", 0, 0, 100);
    sampling.topK = params.integer("top_k", 0, 0, int64_t(1) << 31);
    sampling.topP = params.number("top_p", 1, 1e-9, 1);
    sampling.minP = params.number("min_p", 0, 0, 1);
    sampling.repetitionPenalty = params.number("repetition_penalty", 1, 1e-3, 1e3);
    sampling.seed = uint64_t(params.integer("seed", 0, 0, INT64_MAX));
    request.options.stopStrings = params.texts("stop");
    request.options.stopAtEos = !params.flag("ignore_eos", false);
    request.options.alternatives = int(params.integer("alternatives", 0, 0, 20));
    request.compute = engine.deviceComputeOf(params);
    if (params.flag("exact", false)) request.arithmetic = Arithmetic::Exact;

    const auto readText = [](Params& from, StreamRequest& stream) {
        if (from.has("prompt") && from.has("ids"))
            from.refuse("both 'prompt' and 'ids' were given", "Choose one of them.");
        stream.prompt = from.text("prompt", stream.prompt);
        if (from.has("ids")) {
            stream.ids = from.ids("ids");
            stream.hasIds = true;
        } else if (from.has("prompt")) {
            stream.hasIds = false;
        }
    };
    StreamRequest common;
    readText(params, common);
    const bool commonGiven = params.has("prompt") || params.has("ids");
    const Json* streams = params.array("streams");
    if (!streams || streams->empty() || streams->size() > 2)
        params.refuse("'streams' must be a list of one or two models",
                      "Give [{\"model\": …}] or [{\"model\": …}, {\"model\": …}].");
    for (size_t i = 0; i < streams->size(); ++i) {
        Params inner((*streams)[i], fmt::format("{}: streams[{}]", params.where(), i));
        StreamRequest stream = common;
        stream.model = modelOf(inner);
        readText(inner, stream);
        if (!commonGiven && !inner.has("prompt") && !inner.has("ids"))
            inner.refuse("'prompt' or 'ids' is missing");
        inner.finish();
        request.streams.push_back(std::move(stream));
    }
    return request;
}

/// One model's answer while it grows.
class Stream {
public:
    Stream(int index, const StreamRequest& request, LoadedModel& model,
           const GenerateOptions& options, Job& job)
        : m_index(index), m_name(request.model), m_model(model), m_job(job),
          m_alternatives(options.alternatives),
          m_generator(*model.text, model.tokenizer.get(), options) {
        m_prompt = request.ids;
        if (!request.hasIds) {
            if (!model.tokenizer)
                throw Error("'" + request.model + "' has no tokenizer, so it cannot read text",
                            "Give ids, or put the model's tokenizer files into its folder.");
            m_prompt = model.tokenizer->encodeWithBos(request.prompt);
        }
        if (m_prompt.empty())
            throw Error(ErrorCode::Usage, "the prompt is empty and this tokenizer adds nothing",
                        "Give a prompt of at least one character.");
        if (int64_t(m_prompt.size()) >= model.text->maxPositions())
            throw Error(fmt::format("the text so far has {} tokens; the model can hold {}",
                                    m_prompt.size(), model.text->maxPositions()),
                        "Give a shorter prompt, or begin a new conversation.");
    }

    void start() {
        m_known = m_model.reuse(m_prompt);
        const bool there = m_model.onGpu();
        try {
            m_generator.start(m_prompt, m_job, m_known);
        } catch (...) {
            m_model.forget();
            throw;
        }
        if (there && !m_model.onGpu()) m_known = 0; // all of it once more, elsewhere
        m_model.remember(m_prompt);
    }

    bool ended() const { return m_ended; }
    bool anew() const { return m_known == 0; } ///< nothing of the prompt was in the cache

    /// One more token, or the end.
    void step() {
        const auto token = m_generator.next(m_job);
        if (!token) {
            m_ended = true;
            Json fields = result();
            fields["stream"] = m_index;
            m_job.notify("stream", std::move(fields));
            return;
        }
        if (m_firstToken < 0) m_firstToken = m_job.seconds();
        Json fields = {
            {"stream", m_index}, {"index", m_count}, {"id", token->id}, {"text", token->text}};
        if (token->id >= 0) {
            ++m_count;
            fields["logprob"] = token->logProb;
            if (m_alternatives > 0) fields["top"] = alternatives(*token);
        }
        m_job.notify("token", std::move(fields));
    }

    Json result() const {
        const Generation& g = m_generator.result();
        const TextModel& text = *m_model.text;
        Json fields = {{"model", m_name},
                       {"text", g.text},
                       {"prompt_ids", m_prompt},
                       {"ids", g.ids},
                       {"end", endName(g.end)},
                       {"prompt_tokens", g.promptTokens},
                       {"cached_tokens", m_known},
                       {"tokens", g.ids.size()},
                       {"load_seconds", m_model.loadSeconds},
                       {"prompt_seconds", g.promptSeconds},
                       {"first_token_seconds", m_firstToken >= 0 ? Json(m_firstToken) : Json()},
                       {"seconds", g.generateSeconds},
                       {"tokens_per_second", g.generateSeconds > 0
                                                 ? Json(double(g.ids.size()) / g.generateSeconds)
                                                 : Json()},
                       {"device", text.deviceName()},
                       {"memory", text.workingBytes()},
                       {"resident", text.resident()},
                       {"context_used", m_prompt.size() + g.ids.size()},
                       {"context_total", text.maxPositions()}};
        if (!m_model.whyNoGpu().empty()) fields["device_reason"] = m_model.whyNoGpu();
        return fields;
    }

private:
    Json alternatives(const GeneratedToken& token) const {
        Json list = Json::array();
        for (const TokenAlternative& entry : token.top)
            list.push_back(
                {{"id", entry.id}, {"text", pieceText(entry.id)}, {"logprob", entry.logProb}});
        return list;
    }
    std::string pieceText(int32_t id) const {
        const Tokenizer* tokenizer = m_model.tokenizer.get();
        return tokenizer && id < tokenizer->vocabSize() ? tokenizer->pieceBytes(id) : std::string();
    }

    int m_index;
    std::string m_name;
    LoadedModel& m_model;
    Job& m_job;
    int m_alternatives;
    TokenGenerator m_generator;
    std::vector<int32_t> m_prompt;
    int64_t m_known = 0, m_count = 0;
    double m_firstToken = -1;
    bool m_ended = false;
};

/// The models, with all their weights in memory where these are to stay.
std::vector<LoadedModel*> loadModels(Engine& engine, const GenerateRequest& request, Job& job) {
    std::vector<std::string> names;
    for (const StreamRequest& stream : request.streams)
        names.push_back(stream.model);
    job.report(0, "loading");
    std::vector<LoadedModel*> models =
        engine.models.load(names, request.compute, request.arithmetic, job);
    for (size_t i = 0; i < models.size(); ++i) {
        ProgressSlice part(job, double(i) / double(models.size()),
                           double(i + 1) / double(models.size()));
        const double begin = job.seconds();
        models[i]->text->load(part);
        if (models[i]->loadSeconds > 0) models[i]->loadSeconds += job.seconds() - begin;
    }
    job.setDeviceBytes([held = engine.models.deviceBytesHeld()] { return held; });
    return models;
}

Json generateText(Engine& engine, Job& job) {
    Params params(job.params(), job.method());
    const GenerateRequest request = readRequest(params, engine);
    params.finish();
    engine.start(request.compute);
    const std::vector<LoadedModel*> models = loadModels(engine, request, job);
    std::vector<std::unique_ptr<Stream>> streams;
    for (size_t i = 0; i < models.size(); ++i)
        streams.push_back(
            std::make_unique<Stream>(int(i), request.streams[i], *models[i], request.options, job));
    job.report(0, "reading the prompt");
    for (size_t i = 0; i < streams.size(); ++i) {
        streams[i]->start();
        if (streams[i]->anew()) engine.models.beginsAnew(*models[i]);
    }
    for (bool going = true; going;) {
        going = false;
        for (const auto& stream : streams) {
            if (!stream->ended()) stream->step();
            going |= !stream->ended();
        }
    }
    job.check();
    Json list = Json::array();
    for (const auto& stream : streams)
        list.push_back(stream->result());
    Json result = {{"streams", std::move(list)}, {"seconds", job.seconds()}};
    merge(result, machineFields(request.compute));
    // What machineFields() knows is where libtorch computes.
    for (const LoadedModel* model : models) {
        if (model->onGpu()) {
            result["device"] = "cuda";
            result["device_name"] = model->text->deviceName();
        } else if (!model->whyNoGpu().empty()) {
            result["device_reason"] = model->whyNoGpu();
        }
    }
    return result;
}

} // namespace

void addGenerate(Methods& methods, Engine& engine) {
    methods["generate"] = {Kind::Compute, [&](Job& job) { return generateText(engine, job); }};
}

} // namespace bitloom::serve
