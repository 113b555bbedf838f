// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/engine/runtime/speed_table.h"
#include "core/engine/serve/engine.h"

namespace bitloom::serve {

namespace {

Json timeKernels(Engine& engine, Job& job) {
    Params params(job.params(), job.method());
    const std::string model = modelOf(params);
    const bool anew = params.flag("anew", false), cached = params.flag("cached", false);
    const ComputeOptions compute = engine.computeOf(params);
    params.finish();
    const auto weights = engine.models.weights(model);
    Json result = {{"table", nullptr}};
    if (cached) {
        if (const auto known = runtime::cachedSpeedTable(*weights, engine.cache, compute))
            result["table"] = known->toJson();
    } else {
        engine.start(compute);
        result["table"] = runtime::speedTable(*weights, engine.cache, compute, job, anew).toJson();
    }
    result["seconds"] = job.seconds();
    merge(result, machineFields(compute));
    return result;
}

} // namespace

void addSpeed(Methods& methods, Engine& engine) {
    methods["speed"] = {Kind::Compute, [&](Job& job) { return timeKernels(engine, job); }};
}

} // namespace bitloom::serve
