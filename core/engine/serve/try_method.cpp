// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/engine/serve/quantize_request.h"
#include "core/engine/serve/quick_quantize.h"

namespace bitloom::serve {

namespace {

Json tryModel(Engine& engine, Job& job) {
    Params params(job.params(), job.method());
    const std::string mode = params.choice("mode", {"quick", "full"}, "quick");
    const QuantizeRequest request = QuantizeRequest::read(params, engine);
    params.finish();
    const bool quick = mode == "quick";
    if (quick && request.options.method != Method::CmpqPlus)
        params.refuse("mode quick is for the method cmpq+ alone", "Use the mode full.");
    job.report(0, "planning");
    ResolvedRequest resolved = resolve(request, engine, job);
    job.check();
    ComputeOptions& compute = resolved.options.compute;
    if (quick) {
        compute.choice = DeviceChoice::Cpu; // seconds, and nothing that a GPU could do
        engine.start(compute);
    } else {
        engine.startOnDevice(compute, job);
    }
    engine.models.shrink(compute.memoryOrDefault() / 4);
    ProgressSlice laying(job, 0, 0);
    const SizeParts parts =
        predictSize(*resolved.model, checkpointSpec(*resolved.model, *resolved.statistics,
                                                    resolved.options, laying));
    std::vector<std::string> warnings;
    std::shared_ptr<const ModelWeights> weights;
    if (quick) {
        weights =
            quickQuantize(resolved.model, resolved.options.plan, compute.threadsOrDefault(), job);
    } else {
        QuantizeReport report;
        weights =
            quantizeInMemory(resolved.model, *resolved.statistics, resolved.options, report, job);
        warnings = report.warnings;
    }
    const int64_t memory = unpackedBytes(*resolved.model);
    ModelStore::Try made;
    made.weights = std::move(weights);
    made.bytes = memory;
    made.bitsPerWeight = parts.bitsPerWeight();
    if (!quick && resolved.options.method == Method::CmpqPlus)
        made.planned = {resolved.statistics->path(), resolved.options.plan.distortion,
                        stageOf(resolved.options.descentPasses, resolved.options.polishSteps)};
    Json result = {{"model", engine.models.keep(std::move(made))},
                   {"mode", mode},
                   {"method", methodName(resolved.options.method)},
                   {"bits_per_weight", parts.bitsPerWeight()},
                   {"bytes", parts.totalBytes},
                   {"memory", memory},
                   {"warnings", warnings},
                   {"seconds", job.seconds()}};
    merge(result, machineFields(compute));
    return result;
}

Json forget(Engine& engine, Job& job) {
    Params params(job.params(), job.method());
    const std::string model = params.has("model") ? modelOf(params) : std::string();
    params.finish();
    const ModelStore::Freed freed = engine.models.forget(model);
    return {{"models", freed.models}, {"bytes", freed.bytes}, {"vram", freed.deviceBytes}};
}

} // namespace

void addTry(Methods& methods, Engine& engine) {
    methods["try"] = {Kind::Compute, [&](Job& job) { return tryModel(engine, job); }};
    methods["forget"] = {Kind::Compute, [&](Job& job) { return forget(engine, job); }};
}

} // namespace bitloom::serve
