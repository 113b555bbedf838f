// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/engine/serve/quantize_request.h"

#include "core/engine/quantize_fields.h"
#include "core/engine/runtime/speed_table.h"
#include "core/engine/serve/model_info.h"
#include "core/recipe/group_sizes.h"

#include <spdlog/fmt/fmt.h>

#include <cmath>

namespace bitloom::serve {

namespace fs = std::filesystem;

namespace {

bool grouped(Method method) {
    return method == Method::Rtn || method == Method::Gptq;
}

Budget readBudget(const Json& object, const std::string& where) {
    Params params(object, where + ": budget");
    const int given = int(params.has("bits")) + int(params.has("size")) +
                      int(params.has("max_ppl")) + int(params.has("tokens_per_second"));
    if (given != 1)
        params.refuse(given == 0 ? "no budget was given" : "more than one budget was given",
                      "Give one of bits, size, max_ppl and tokens_per_second.");
    Budget budget;
    if (params.has("bits")) {
        budget = {Budget::Kind::Bits, params.requireNumber("bits", 0.01, 64)};
    } else if (params.has("size")) {
        budget = {Budget::Kind::Size, double(params.integer("size", 0, 1, int64_t(1) << 50))};
    } else if (params.has("tokens_per_second")) {
        budget = {Budget::Kind::Speed, params.requireNumber("tokens_per_second", 1e-6, 1e9)};
    } else {
        budget = {Budget::Kind::Perplexity, params.requireNumber("max_ppl", 1e-9, 1e9)};
    }
    params.finish();
    return budget;
}

void readMethod(Params& params, QuantizeOptions& options) {
    const std::string name = params.text("method", "cmpq+");
    options.method = parseMethod(name);
    const bool planned = options.method == Method::CmpqPlus;
    const auto onlyFor = [&](const char* parameter, bool fits, const char* method) {
        if (params.has(parameter) && !fits)
            params.refuse(fmt::format("'{}' does not apply to the method {}", parameter, name),
                          fmt::format("Leave it out, or choose the method {}.", method));
    };
    onlyFor("bits", !planned, "rtn, gptq or cmpq");
    for (const char* parameter : {"plan", "budget", "pins", "polish", "passes", "seed"})
        onlyFor(parameter, planned, "cmpq+");
    for (const char* parameter : {"group_size", "symmetric"})
        onlyFor(parameter, grouped(options.method), "rtn or gptq");
    onlyFor("act_order", options.method == Method::Gptq, "gptq");

    options.descentPasses = int(params.integer("passes", 2, 0, 100));
    options.polishSteps = int(params.integer("polish", 0, 0, 1'000'000));
    options.seed = uint64_t(params.integer("seed", 0, 0, INT64_MAX));
    options.hessians =
        params.choice("hessians", {"sequential", "parallel"}, "sequential") == "parallel"
            ? HessianMode::Parallel
            : HessianMode::Sequential;
    options.group.groupSize = params.integer("group_size", 128, minGroupSize, maxGroupSize);
    options.group.symmetric = params.flag("symmetric", false);
    options.group.actOrder = params.flag("act_order", false);
    const int64_t head = params.integer("head", planned ? 8 : 16, 8, 16);
    if (head != 8 && head != 16) params.refuse("'head' must be 8 or 16");
    options.head = head == 8 ? HeadStorage::Rows8 : HeadStorage::Keep;
    if (planned) return;
    if (grouped(options.method)) {
        options.bits = double(params.integer("bits", 0, 2, 8));
        if (!params.has("bits")) params.refuse("'bits' is missing");
        options.group.bits = int(options.bits);
    } else {
        options.bits = params.requireNumber("bits", 1, 5);
    }
}

} // namespace

QuantizeRequest QuantizeRequest::read(Params& params, const Engine& engine) {
    QuantizeRequest request;
    request.model = modelOf(params);
    if (request.model.starts_with("try:"))
        params.refuse("'model' must be an original model, not the result of try");
    if (const std::string path = params.text("statistics"); !path.empty())
        request.statistics = pathOf(path).string();
    readMethod(params, request.options);
    request.options.compute = engine.deviceComputeOf(params);
    const Json* plan = params.object("plan");
    const Json* budget = params.object("budget");
    const std::vector<std::string> pins = params.texts("pins");
    if (request.options.method != Method::CmpqPlus) return request;
    if (!plan == !budget)
        params.refuse(plan ? "both a plan and a budget were given" : "no budget was given",
                      "Give a plan, or a budget with one of bits, size and max_ppl.");
    if (plan && !pins.empty())
        params.refuse("'pins' cannot change a finished plan",
                      "Give a budget in place of the plan.");
    if (plan) request.plan = *plan;
    if (budget) request.budget = readBudget(*budget, params.where());
    for (const std::string& pin : pins)
        request.pins.push_back(Pin::parse(pin));
    return request;
}

std::shared_ptr<const Statistics> statisticsFor(const Checkpoint& model, const std::string& path,
                                                const std::string& wanted, const Engine& engine,
                                                Job& job) {
    if (!path.empty()) {
        auto statistics = Statistics::open(path);
        requireStatisticsOf(*statistics, model);
        return statistics;
    }
    auto statistics = cachedStatistics(engine.cache, model, wanted, noteTo(job));
    if (!statistics)
        throw Error(fmt::format("there are no statistics of '{}' yet", model.folder().string()),
                    "Calibrate it first, or name a statistics file.");
    return statistics;
}

ResolvedRequest resolve(const QuantizeRequest& request, const Engine& engine, Job& job) {
    ResolvedRequest out;
    out.options = request.options;
    out.model = Checkpoint::open(request.model);
    if (!request.plan.is_null()) {
        out.options.plan = Plan::fromJson(request.plan, "the plan");
        if (!out.options.plan.model.empty() && out.options.plan.model != out.model->fingerprint())
            throw Error("the plan is of another model", "Make a plan for this one.");
    }
    out.statistics =
        statisticsFor(*out.model, request.statistics, out.options.plan.statistics, engine, job);
    if (request.options.method != Method::CmpqPlus) return out;
    if (request.budget) {
        out.planner = std::make_unique<Planner>(out.model, out.statistics, request.pins);
        if (request.budget->kind == Budget::Kind::Speed) {
            // Not measured here: `plan` runs beside other jobs, which would slow the kernels down.
            const auto table =
                runtime::cachedSpeedTable(*weightsOf(out.model), engine.cache, engine.compute);
            if (!table)
                throw Error("the times of this model's matrices on this machine are not known",
                            "Call speed first.");
            out.planner->setSpeedTable(*table);
        }
        out.options.plan = out.planner->plan(*request.budget, out.options);
    } else {
        out.options.plan.predicted = predictionOf(out.options.plan, *out.statistics, out.options);
    }
    return out;
}

Json planFields(const Plan& plan, const SizeParts& parts, const Statistics& statistics) {
    Json fields = bitloom::planFields<Json>(plan, parts, statistics);
    fields["parts"] = partsToJson(parts);
    return fields;
}

} // namespace bitloom::serve
