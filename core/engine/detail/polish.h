// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/base/progress.h"
#include "core/engine/compute.h"
#include "core/engine/model_weights.h"
#include "core/stats/statistics.h"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace bitloom::detail {

/// Polish (ALGORITHMS §5.3): codes fixed, tables, grids and norm weights trained end to end so that
/// the quantized model's next-token distribution follows the FP16 model's: KL(FP16 ‖ quantized),
/// Adam, with cosine decay of a learning rate relative to the size of a layer's weights, a few
/// sequences a step. Ends by rounding to the stored form.
struct PolishOptions {
    int steps = 150;
    int64_t sequencesPerStep = 8;
    double learningRate = 1e-2;     ///< per step, in units of the layer's weight RMS
    double normLearningRate = 5e-4; ///< per step, in units of the norm's mean magnitude
    uint64_t seed = 0;
    ComputeOptions compute;
    std::filesystem::path checkpoint; ///< optimizer and parameters every few steps; empty = none
    int checkpointEvery = 10;
};

struct PolishResult {
    std::map<std::string, std::vector<float>, std::less<>> norms; ///< by tensor name
    int64_t stepsResumed = 0, stepsComputed = 0;
    double lossBefore = 0, lossAfter = 0; ///< mean KL of the first and last tenth of the steps
};

/// Trains the column layers of `linears` in place.
PolishResult polish(const ModelWeights& teacher,
                    std::map<std::string, ColumnWeights, std::less<>>& linears,
                    const Statistics& statistics, const PolishOptions& options, Progress& progress);

} // namespace bitloom::detail
