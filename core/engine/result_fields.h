// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/base/units.h"
#include "core/engine/calibrate.h"
#include "core/engine/compute.h"
#include "core/engine/evaluate.h"
#include "core/engine/generate.h"
#include "core/model/catalogue.h"
#include "core/model/config.h"

#include <cmath>
#include <cstdint>

namespace bitloom {

// Results as the command line's --json and `bitloom serve` both give them: the same names, in one
// place. `Json` is nlohmann's, ordered or not; the order here is the ordered one's.

/// "max_tokens", "eos", "stop", "context_full", "cancelled".
inline const char* endName(Generation::End end) {
    switch (end) {
    case Generation::End::MaxTokens:
        return "max_tokens";
    case Generation::End::Eos:
        return "eos";
    case Generation::End::StopString:
        return "stop";
    case Generation::End::ContextFull:
        return "context_full";
    case Generation::End::Cancelled:
        return "cancelled";
    }
    return "";
}

/// Where and with what it was computed: peak_rss in bytes, device ("cpu" or "cuda") and threads; of
/// a GPU its name, and of what was meant for one and was computed elsewhere, why.
template<class Json>
Json machineFields(const ComputeOptions& compute) {
    Json fields = {{"peak_rss", peakResidentBytes()},
                   {"device", deviceName(compute)},
                   {"threads", compute.threadsOrDefault()}};
    if (compute.device) fields["device_name"] = deviceText(compute);
    if (!compute.deviceReason.empty()) fields["device_reason"] = compute.deviceReason;
    if (const auto fallbacks = deviceFallbacks(compute); !fallbacks.empty())
        fields["device_fallbacks"] = fallbacks;
    return fields;
}

/// A calibration and, where it was measured, what rounding costs (`probe`, else null).
template<class Json>
Json calibrationFields(const CalibrationReport& report, const Statistics& statistics) {
    Json probe; // null
    if (report.probe)
        probe = {{"delta_nll", report.probe->deltaNll},
                 {"stderr", report.probe->standardError},
                 {"kl_mean", report.probe->klMean},
                 {"tokens", report.probe->tokens},
                 {"model_scale", modelScale(*report.probe)}};
    const CalibrationRecipe& recipe = statistics.recipe();
    return {{"cached", report.cached},
            {"source", recipe.source},
            {"fingerprint", recipe.fingerprint()},
            {"sequences", recipe.sequences},
            {"length", recipe.length},
            {"tokens", report.tokens},
            {"nll", statistics.nllFp()},
            {"stderr", statistics.nllFpStderr()},
            {"ppl", std::exp(statistics.nllFp())},
            {"probe", probe},
            {"layers_resumed", report.layersResumed},
            {"layers_computed", report.layersComputed},
            {"gammas_resumed", report.gammasResumed},
            {"gammas_computed", report.gammasComputed},
            {"warnings", report.warnings},
            {"seconds", report.seconds},
            {"tokens_per_second",
             report.seconds > 0 ? Json(double(report.tokens) / report.seconds) : Json()}};
}

/// What was measured; with a reference, also paired with it. `noRate` stands for tokens per second
/// where no time passed.
template<class Json>
Json evaluationFields(const Evaluation& e, const Json& noRate) {
    Json fields = {{"protocol", e.protocol},        {"tokens", e.tokens},
                   {"windows", e.windowNll.size()}, {"nll", e.nll},
                   {"stderr", e.standardError},     {"ppl", e.perplexity()},
                   {"text_hash", e.textHash}};
    if (e.compared) {
        fields["reference_nll"] = e.referenceNll;
        fields["reference_ppl"] = std::exp(e.referenceNll);
        fields["delta_nll"] = e.deltaNll;
        fields["delta_stderr"] = e.deltaStderr;
        fields["kl_mean"] = e.klMean;
        fields["kl_stderr"] = e.klStderr;
        fields["kl_median"] = e.klMedian;
        fields["kl_p99"] = e.klP99;
        fields["top1_agreement"] = e.top1Agreement;
    }
    fields["seconds"] = e.seconds;
    fields["tokens_per_second"] = e.seconds > 0 ? Json(double(e.tokens) / e.seconds) : noRate;
    return fields;
}

/// A model's architecture in numbers.
template<class Json>
Json shapeFields(const ModelConfig& config, const Catalogue& catalogue) {
    int64_t weights = 0;
    for (const LinearInfo& linear : catalogue.linears)
        weights += linear.rows * linear.cols;
    return {{"architecture", config.architecture},
            {"model_type", config.modelType},
            {"blocks", config.layers},
            {"hidden", config.hidden},
            {"intermediate", config.intermediate},
            {"heads", config.heads},
            {"kv_heads", config.kvHeads},
            {"head_dim", config.headDim},
            {"max_positions", config.maxPositions},
            {"vocab", config.vocab},
            {"tied_embeddings", config.tiedEmbeddings},
            {"linear_layers", catalogue.linears.size()},
            {"linear_weights", weights}};
}

} // namespace bitloom
