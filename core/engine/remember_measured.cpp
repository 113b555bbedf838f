// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/engine/remember_measured.h"

#include "core/base/log.h"
#include "core/engine/quantize.h"
#include "core/plan/measured.h"

namespace bitloom {

bool isMeasurement(const Evaluation& evaluation) {
    return evaluation.compared && evaluation.windowNll.size() > 1 &&
           evaluation.deltaNll > 2 * evaluation.deltaStderr;
}

bool rememberMeasured(const std::filesystem::path& cache, const QuantizedCheckpoint& quantized,
                      const ModelWeights& reference, const Evaluation& evaluation) {
    if (!isMeasurement(evaluation)) return false;
    const nlohmann::json& recipe = quantized.recipe();
    if (recipe.value("method", "") != methodName(Method::CmpqPlus) || !recipe.contains("plan") ||
        recipe.value("model", "") != reference.fingerprint())
        return false;
    for (const auto& path : findCachedStatistics(cache, reference.fingerprint())) {
        try {
            const auto statistics = Statistics::open(path);
            if (recipe["calibration"].value("fingerprint", "") !=
                statistics->recipe().fingerprint())
                continue;
            const nlohmann::json& parameters = recipe["parameters"];
            addMeasured(path, {{recipe["plan"].value("distortion", 0.0), evaluation.deltaNll,
                                quantized.parts().bitsPerWeight()},
                               stageOf(parameters.value("descent_passes", 0),
                                       parameters.value("polish_steps", 0)),
                               quantized.fingerprint(),
                               evaluation.textHash});
            return true;
        } catch (const Error& error) { // the measurement itself matters more
            logger("engine")->warn("the measurement is not remembered: {}", error.what());
            return false;
        }
    }
    return false;
}

} // namespace bitloom
