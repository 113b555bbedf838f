// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/recipe/checkpoint_spec.h"

#include "core/recipe/group_sizes.h"

#include "core/base/error.h"
#include "core/base/hash.h"

#include <array>
#include <cmath>

namespace bitloom {

namespace {

constexpr std::array<std::pair<Method, std::string_view>, 4> names{{{Method::CmpqPlus, "cmpq+"},
                                                                    {Method::Cmpq, "cmpq"},
                                                                    {Method::Rtn, "rtn"},
                                                                    {Method::Gptq, "gptq"}}};

nlohmann::json parametersOf(const QuantizeOptions& options) {
    nlohmann::json out;
    switch (options.method) {
    case Method::CmpqPlus:
        out["descent_passes"] = options.descentPasses;
        out["polish_steps"] = options.polishSteps;
        if (options.polishSteps > 0) out["seed"] = options.seed;
        break;
    case Method::Cmpq:
        out["bits"] = options.bits;
        out["share"] = options.cmpqShare;
        out["activation_outliers"] = options.cmpqActivationOutliers;
        out["error_outliers"] = options.cmpqErrorOutliers;
        break;
    case Method::Rtn:
    case Method::Gptq:
        out["bits"] = int(options.bits);
        out["group_size"] = options.group.groupSize;
        out["symmetric"] = options.group.symmetric;
        if (options.method == Method::Gptq) out["act_order"] = options.group.actOrder;
        break;
    }
    if (options.method == Method::CmpqPlus || options.method == Method::Gptq)
        out["hessians"] = options.hessians == HessianMode::Sequential ? "sequential" : "parallel";
    return out;
}

void checkWholeBits(const QuantizeOptions& options) {
    const int bits = int(options.bits);
    if (double(bits) != options.bits || bits < 2 || bits > 8)
        throw Error(ErrorCode::Usage,
                    "method " + std::string(methodName(options.method)) +
                        " stores every weight alike and needs a whole number of bits from 2 to 8",
                    "Use --bits " +
                        std::to_string(std::clamp(int(std::lround(options.bits)), 2, 8)) +
                        ", or --method cmpq+ for any fraction.");
    if (options.group.groupSize < minGroupSize || options.group.groupSize > maxGroupSize)
        throw Error(ErrorCode::Usage,
                    "the group size must lie between " + std::to_string(minGroupSize) + " and " +
                        std::to_string(maxGroupSize),
                    "128 is the usual choice.");
}

} // namespace

Method parseMethod(std::string_view name) {
    for (const auto& [method, text] : names)
        if (text == name) return method;
    std::string known;
    for (const std::string& text : methodNames())
        known += (known.empty() ? "" : ", ") + text;
    throw Error(ErrorCode::Usage, "there is no method '" + std::string(name) + "'",
                "Methods: " + known + ".");
}

std::string_view methodName(Method method) {
    for (const auto& [candidate, text] : names)
        if (candidate == method) return text;
    return "";
}

std::vector<std::string> methodNames() {
    std::vector<std::string> out;
    for (const auto& [method, text] : names)
        out.emplace_back(text);
    return out;
}

MethodStage stageOf(int descentPasses, int polishSteps) {
    if (polishSteps > 0) return MethodStage::Polish;
    return descentPasses > 0 ? MethodStage::CoordinateDescent : MethodStage::Gptq;
}

CheckpointSpec plannedSpec(const Checkpoint& model, const Statistics& statistics,
                           const QuantizeOptions& options) {
    CheckpointSpec spec;
    spec.head = options.head;
    const Catalogue& catalogue = model.catalogue();
    if (options.method == Method::CmpqPlus) {
        if (options.plan.layers.size() != catalogue.linears.size())
            throw Error("the plan has " + std::to_string(options.plan.layers.size()) +
                            " layers and the model " + std::to_string(catalogue.linears.size()),
                        "Make a plan for this model with 'bitloom plan'.");
        for (const Plan::Layer& layer : options.plan.layers) {
            const LinearInfo* linear = catalogue.find(layer.name);
            if (!linear || linear->rows != layer.rows || linear->cols != layer.cols)
                throw Error("the plan's layer " + layer.name + " does not fit the model",
                            "Make a plan for this model with 'bitloom plan'.");
            spec.layers[layer.name] =
                LayerFormat::column(layer.points, options.plan.menu, layer.rows);
        }
    } else if (options.method != Method::Cmpq) {
        checkWholeBits(options);
        LayerFormat format;
        format.layout = LayerLayout::Group;
        format.group = options.group;
        format.group.bits = int(options.bits);
        format.group.actOrder = options.group.actOrder && options.method == Method::Gptq;
        for (const LinearInfo& linear : catalogue.linears)
            spec.layers[linear.name] = format;
    }

    spec.recipe["method"] = methodName(options.method);
    spec.recipe["parameters"] = parametersOf(options);
    spec.recipe["head"] = options.head == HeadStorage::Rows8 ? 8 : 16;
    spec.recipe["threads"] = options.compute.threadsOrDefault();
    spec.recipe["model"] = model.fingerprint();
    spec.recipe["calibration"] = {{"fingerprint", statistics.recipe().fingerprint()},
                                  {"source", statistics.recipe().source},
                                  {"sequences", statistics.recipe().sequences},
                                  {"length", statistics.recipe().length},
                                  {"damping", statistics.recipe().damping}};
    if (options.method == Method::CmpqPlus) {
        // Predicted without what was measured here: the same command gives the same bytes on every
        // machine, and a resumed run the bytes of the one that was broken off.
        Plan plan = options.plan;
        plan.predicted = Predictor(stageOf(options.descentPasses, options.polishSteps))
                             .predict(plan.distortion, plan.bitsPerWeight(), statistics.nllFp(),
                                      statistics.recipe().source);
        spec.recipe["plan"] = plan.toJson();
    }
    spec.recipe["program"] = {{"name", "bitloom"}, {"version", BITLOOM_VERSION}};
    return spec;
}

std::string quantizeFingerprint(const Checkpoint& model, const Statistics& statistics,
                                const QuantizeOptions& options) {
    nlohmann::json all;
    all["model"] = model.fingerprint();
    all["calibration"] = statistics.recipe().fingerprint();
    all["method"] = methodName(options.method);
    all["parameters"] = parametersOf(options);
    all["head"] = options.head == HeadStorage::Rows8;
    all["threads"] = options.compute.threadsOrDefault();
    all["version"] = BITLOOM_VERSION;
    if (options.method == Method::CmpqPlus)
        for (const Plan::Layer& layer : options.plan.layers)
            all["plan"][layer.name] = runLengths(layer.points, options.plan.menu);
    return hashText(all.dump());
}

} // namespace bitloom
