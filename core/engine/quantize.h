// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/base/progress.h"
#include "core/engine/compute.h"
#include "core/engine/model_weights.h"
#include "core/format/checkpoint_writer.h"
#include "core/recipe/checkpoint_spec.h"
#include "core/recipe/quantize_options.h"
#include "core/stats/statistics.h"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace bitloom {

/// Everything that fixes the bytes of the checkpoint before anything heavy is computed. For Cmpq
/// this runs its (fast) clustering once, because outlier counts follow from it.
CheckpointSpec checkpointSpec(const Checkpoint& model, const Statistics& statistics,
                              const QuantizeOptions& options, Progress& progress);
struct QuantizeReport {
    int64_t layersResumed = 0, layersComputed = 0;
    int64_t polishStepsResumed = 0, polishStepsComputed = 0;
    double seconds = 0;
    double objectiveGptq = 0, objectiveDescent = 0; ///< Σ γ tr(E H' Eᵀ)/2 after each stage
    /// On the first and last steps: KL in nats per token, or, block by block, the relative squared
    /// error of the blocks' outputs.
    double polishLossBefore = 0, polishLossAfter = 0;
    bool polishedByBlock = false; ///< the model did not fit into memory as a whole
    std::vector<std::string> warnings;
};

/// Quantizes into a writer made for checkpointSpec(...), going on from what it already holds; then
/// copies the rest. The caller calls writer.finish().
QuantizeReport quantize(std::shared_ptr<const Checkpoint> model, const Statistics& statistics,
                        const QuantizeOptions& options, CheckpointWriter& writer,
                        Progress& progress);

/// The same into memory, for `compare` and for trying a plan without writing anything. Embedding
/// and head are the original's, whatever `options.head` says: nothing is stored.
std::shared_ptr<const ModelWeights> quantizeInMemory(std::shared_ptr<const Checkpoint> model,
                                                     const Statistics& statistics,
                                                     const QuantizeOptions& options,
                                                     QuantizeReport& report, Progress& progress);

} // namespace bitloom
