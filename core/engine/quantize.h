// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/base/progress.h"
#include "core/engine/compute.h"
#include "core/engine/model_weights.h"
#include "core/format/checkpoint_writer.h"
#include "core/plan/plan.h"
#include "core/stats/statistics.h"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace bitloom {

enum class Method {
    CmpqPlus, ///< rate–distortion plan, GPTQ over columns, coordinate descent (ALGORITHMS §5)
    Cmpq,     ///< the paper's method (ALGORITHMS §6)
    Rtn,      ///< round to nearest, per group
    Gptq,     ///< GPTQ, per group
};
Method parseMethod(std::string_view name); ///< "cmpq+", "cmpq", "rtn", "gptq"; throws Error(Usage)
std::string_view methodName(Method method);
std::vector<std::string> methodNames();

/// Hessians of a block: with the blocks before it already quantized, or of the FP model.
enum class HessianMode { Sequential, Parallel };

struct QuantizeOptions {
    Method method = Method::CmpqPlus;
    Plan plan;         ///< CmpqPlus
    double bits = 3;   ///< Cmpq: any fraction in [1, 5]; Rtn, Gptq: a whole number 2…8
    GroupFormat group; ///< Rtn, Gptq: group size, symmetric, actOrder (bits is taken from `bits`)
    int descentPasses = 2; ///< CmpqPlus: passes of coordinate descent
    int polishSteps = 0;   ///< CmpqPlus
    uint64_t seed = 0;     ///< order of polish sequences
    HessianMode hessians = HessianMode::Sequential;
    HeadStorage head = HeadStorage::Keep;
    double cmpqShare = 0.10; ///< p of the faithful mode
    double cmpqActivationOutliers = 0.0045, cmpqErrorOutliers = 0.0005;
    ComputeOptions compute;
};

/// Everything that fixes the bytes of the checkpoint before anything heavy is computed. For Cmpq
/// this runs its (fast) clustering once, because outlier counts follow from it.
CheckpointSpec checkpointSpec(const Checkpoint& model, const Statistics& statistics,
                              const QuantizeOptions& options, Progress& progress);
/// What a resumed run must have in common with the first: model, calibration, plan, method,
/// threads.
std::string quantizeFingerprint(const Checkpoint& model, const Statistics& statistics,
                                const QuantizeOptions& options);

struct QuantizeReport {
    int64_t layersResumed = 0, layersComputed = 0;
    int64_t polishStepsResumed = 0, polishStepsComputed = 0;
    double seconds = 0;
    double objectiveGptq = 0, objectiveDescent = 0; ///< Σ γ tr(E H' Eᵀ)/2 after each stage
    double polishLossBefore = 0,
           polishLossAfter = 0; ///< KL on the first and last steps, nats per token
    std::vector<std::string> warnings;
};

/// Quantizes into a writer made for checkpointSpec(...), going on from what it already holds; then
/// copies the rest. The caller calls writer.finish().
QuantizeReport quantize(std::shared_ptr<const Checkpoint> model, const Statistics& statistics,
                        const QuantizeOptions& options, CheckpointWriter& writer,
                        Progress& progress);

/// The same into memory, for `compare` and for trying a plan without writing anything.
std::shared_ptr<const ModelWeights> quantizeInMemory(std::shared_ptr<const Checkpoint> model,
                                                     const Statistics& statistics,
                                                     const QuantizeOptions& options,
                                                     QuantizeReport& report, Progress& progress);

} // namespace bitloom
