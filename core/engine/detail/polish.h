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

/// Polish (ALGORITHMS §5.3): codes fixed, tables, grids and norm weights trained by Adam with
/// cosine decay of a learning rate relative to the size of a layer's weights, a few sequences a
/// step. Ends by rounding to the stored form.
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

using NormWeights = std::map<std::string, std::vector<float>, std::less<>>; ///< by tensor name
using ColumnLayers = std::map<std::string, ColumnWeights, std::less<>>;     ///< by linear

struct PolishResult {
    NormWeights norms;
    int64_t stepsResumed = 0, stepsComputed = 0;
    double lossBefore = 0, lossAfter = 0; ///< means of the first and last tenth of the steps
};

/// What end to end needs: both models as float32, twice the weights' gradients.
int64_t polishBytes(const ModelWeights& teacher);
/// What it needs on a device, for steps of so many tokens: the weights of both and their gradients,
/// and everything that a step's forward pass leaves behind for its backward pass.
int64_t polishDeviceBytes(const ModelWeights& teacher, const Statistics& statistics,
                          const PolishOptions& options);

/// Trains the column layers of `linears` in place, so that the quantized model's next-token
/// distribution follows the FP16 model's: KL(FP16 ‖ quantized), nats per token. Throws Error
/// (NoSpace) where polishBytes() is more than the cap.
PolishResult polish(const ModelWeights& teacher, ColumnLayers& linears,
                    const Statistics& statistics, const PolishOptions& options, Progress& progress);

/// Where the blocks of polishBlocks come from and go to. Norms are given and wanted as they will
/// read once stored.
struct BlockStore {
    std::function<ColumnWeights(const LinearInfo&)> quantized; ///< as the quantizer left it
    /// Keeps a finished block, and says so for good; norms come back rounded as stored.
    std::function<void(int64_t block, const ColumnLayers&, NormWeights&)> keep;
    std::function<bool(int64_t block)> kept;
    std::function<ColumnWeights(const LinearInfo&)> polished;   ///< of a kept block
    std::function<std::vector<float>(const std::string&)> norm; ///< of a kept block
    /// Scratch for hidden states, and marks that tell which of them survived; empty = in memory.
    std::filesystem::path scratch;
    std::function<void(const std::string& name, const std::string& hash)> putMark;
    std::function<std::string(const std::string& name)> mark; ///< "" if there is none
};

/// For models that do not fit: one block after another, `steps` each, is trained so that its
/// outputs, on the inputs that the polished blocks before it give, follow what the FP16 model has
/// there. The loss is the squared error of a token's hidden state over its squared length, because
/// the norms that follow see the direction alone. Memory: one block and a batch of its activations.
/// The final norm stays. Blocks that `store` kept are not trained again.
PolishResult polishBlocks(const ModelWeights& teacher, const Statistics& statistics,
                          const PolishOptions& options, const BlockStore& store,
                          Progress& progress);

} // namespace bitloom::detail
