// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/base/log.h"
#include "core/engine/evaluate.h"
#include "core/engine/remember_measured.h"
#include "core/engine/result_fields.h"
#include "core/engine/serve/engine.h"
#include "core/plan/measured.h"

#include <spdlog/fmt/fmt.h>

namespace bitloom::serve {

namespace {

/// Predicted and measured belong together: a written checkpoint says itself what was planned, of
/// one that was tried the store knows it.
bool remember(const Engine& engine, const std::string& name, const ModelWeights& model,
              const ModelWeights& reference, const Evaluation& evaluation) {
    if (const ModelStore::Try* made = engine.models.findTry(name)) {
        if (!made->planned || !isMeasurement(evaluation)) return false;
        try {
            addMeasured(made->planned->statistics,
                        {{made->planned->distortion, evaluation.deltaNll, made->bitsPerWeight},
                         made->planned->stage,
                         model.fingerprint(),
                         evaluation.textHash});
            return true;
        } catch (const Error& error) {
            logger("serve")->warn("the measurement is not remembered: {}", error.what());
            return false;
        }
    }
    return isBitloomCheckpoint(model.folder()) &&
           rememberMeasured(engine.cache, *QuantizedCheckpoint::open(model.folder()), reference,
                            evaluation);
}

Json evaluateModel(Engine& engine, Job& job) {
    Params params(job.params(), job.method());
    const std::string name = modelOf(params);
    const std::string againstName = params.has("against") ? modelOf(params, "against") : "";
    const TextSource source = textSource(params);
    const Protocol protocol = parseProtocol(params.text("protocol", "gptq"));
    const int64_t context = params.integer("context", 0, 2, int64_t(1) << 31);
    const int64_t most = params.integer("windows", 0, 0, int64_t(1) << 31);
    ComputeOptions compute = engine.deviceComputeOf(params);
    params.finish();

    job.report(0, "opening the models");
    const auto model = engine.models.weights(name);
    const auto reference = againstName.empty() ? nullptr : engine.models.weights(againstName);
    if (reference && reference->config().vocab != model->config().vocab)
        throw Error(fmt::format("the models have different vocabularies: {} and {} tokens",
                                model->config().vocab, reference->config().vocab),
                    "Compare a quantized model with the original that it was made from.");
    job.check();
    EvaluationWindows windows = evaluationInput(*model, source, protocol, context,
                                                engine.bundledEvaluationText(), noteTo(job));
    if (most > 0 && most < windows.windows.count) {
        windows.windows.count = most;
        windows.windows.ids.resize(size_t(most * windows.windows.length));
    }
    job.check();
    engine.startOnDevice(compute, job);
    engine.models.shrink(compute.memoryOrDefault() / 4);
    const Evaluation evaluation =
        evaluate(*model, reference.get(), windows, compute, job, [&](const Evaluation& soFar) {
            job.notify("evaluation", evaluationFields<Json>(soFar, nullptr));
        });

    Json result = evaluationFields<Json>(evaluation, nullptr);
    merge(result, {{"model", name},
                   {"against", reference ? Json(againstName) : Json()},
                   {"text", windows.windows.source},
                   {"window_nll", evaluation.windowNll},
                   {"bytes", model->storedBytes()}});
    if (const ModelStore::Try* made = engine.models.findTry(name)) {
        result["bits_per_weight"] = made->bitsPerWeight;
    } else if (isBitloomCheckpoint(model->folder())) {
        result["bits_per_weight"] =
            QuantizedCheckpoint::open(model->folder())->parts().bitsPerWeight();
    }
    // A few windows of a text are no measurement of it.
    if (reference && most == 0)
        result["remembered"] = remember(engine, name, *model, *reference, evaluation);
    merge(result, machineFields(compute));
    return result;
}

} // namespace

void addEvaluate(Methods& methods, Engine& engine) {
    methods["evaluate"] = {Kind::Compute, [&](Job& job) { return evaluateModel(engine, job); }};
}

} // namespace bitloom::serve
