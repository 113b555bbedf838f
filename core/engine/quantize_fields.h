// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/engine/inputs.h"
#include "core/engine/write_checkpoint.h"
#include "core/plan/plan.h"

#include <cstdint>
#include <functional>
#include <map>
#include <string>

namespace bitloom {

// Results of planning and quantizing as the command line's --json and `bitloom serve` both give
// them; see result_fields.h for `Json`.

struct WidthShare {
    int64_t columns = 0, weights = 0;
};

/// A plan by width, widest first.
inline std::map<int, WidthShare, std::greater<>> widthsOf(const Plan& plan) {
    std::map<int, WidthShare, std::greater<>> widths;
    for (const Plan::Layer& layer : plan.layers)
        for (const uint8_t point : layer.points) {
            WidthShare& share = widths[plan.menu[point].bits];
            ++share.columns;
            share.weights += layer.rows;
        }
    return widths;
}

/// bits_per_weight, predicted_…, statistics, widths.
template<class Json>
Json planFields(const Plan& plan, const SizeParts& parts, const Statistics& statistics) {
    Json widths = Json::object();
    for (const auto& [bits, share] : widthsOf(plan))
        widths[std::to_string(bits)] = {{"columns", share.columns}, {"weights", share.weights}};
    const Prediction& p = plan.predicted;
    return {{"bits_per_weight", parts.bitsPerWeight()},
            {"predicted_bytes", parts.totalBytes},
            {"predicted_delta_nll", p.deltaNll},
            {"predicted_delta_nll_low", p.low},
            {"predicted_delta_nll_high", p.high},
            {"predicted_nll", p.nll > 0 ? Json(p.nll) : Json()},
            {"predicted_on", describeCalibration(statistics)},
            {"statistics", statistics.path().string()},
            {"widths", widths}};
}

/// What is known before anything is computed; of cmpq+ `options.plan` with its prediction.
template<class Json>
Json layoutFields(const CheckpointLayout& layout, const QuantizeOptions& options,
                  const Statistics& statistics) {
    Json fields = {{"bits_per_weight", layout.parts().bitsPerWeight()},
                   {"predicted_bytes", layout.totalBytes()}};
    if (options.method == Method::CmpqPlus) {
        const Prediction& predicted = options.plan.predicted;
        fields["predicted_delta_nll"] = predicted.deltaNll;
        fields["predicted_nll"] = predicted.nll > 0 ? Json(predicted.nll) : Json();
        fields["predicted_on"] = describeCalibration(statistics);
    }
    fields["statistics"] = statistics.path().string();
    return fields;
}

template<class Json>
Json fileFields(const CheckpointLayout& layout) {
    Json list = Json::array();
    for (const auto& [name, bytes] : filesOf(layout))
        list.push_back({{"name", name}, {"bytes", bytes}});
    return list;
}

/// What was computed and written.
template<class Json>
Json writtenFields(const WrittenCheckpoint& written, const QuantizeOptions& options) {
    const QuantizeReport& report = written.report;
    Json fields = {{"bytes", written.bytes},
                   {"layers_resumed", report.layersResumed},
                   {"layers_computed", report.layersComputed},
                   {"polish_steps_resumed", report.polishStepsResumed},
                   {"polish_steps_computed", report.polishStepsComputed}};
    if (options.method == Method::CmpqPlus) {
        fields["objective_gptq"] = report.objectiveGptq;
        fields["objective_descent"] = report.objectiveDescent;
        if (options.polishSteps > 0) {
            fields["polish_loss_before"] = report.polishLossBefore;
            fields["polish_loss_after"] = report.polishLossAfter;
            fields["polish_by_block"] = report.polishedByBlock;
        }
    }
    fields["tensors_resumed"] = written.resumedTensors;
    fields["tensors_written"] = written.writtenTensors;
    fields["warnings"] = written.warnings;
    return fields;
}

} // namespace bitloom
