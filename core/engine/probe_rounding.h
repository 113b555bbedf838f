// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/base/progress.h"
#include "core/engine/compute.h"
#include "core/engine/model_weights.h"
#include "core/plan/predictor.h"
#include "core/stats/statistics.h"
#include "core/text/dataset.h"

#include <memory>
#include <optional>

namespace bitloom {

/// Every linear of `base` as it is after rounding each column to a 4-bit table of its own, without
/// compensation. Rounded anew whenever a layer is read: nothing is held. Safe to share, as `base`.
std::shared_ptr<const ModelWeights> roundedWeights(std::shared_ptr<const ModelWeights> base);

/// Compares roundedWeights of the model with the model, on windows spread evenly over those of the
/// calibration: 16,384 tokens, at least eight windows, or all there are. Nothing where the
/// statistics have no error curve of a 4-bit table. `windows` [count, length] are those that the
/// statistics were made on. Costs a few percent of a calibration. Throws as evaluate does,
/// Cancelled among it.
std::optional<RoundingProbe> probeRounding(std::shared_ptr<const Checkpoint> model,
                                           const Statistics& statistics,
                                           const TokenWindows& windows,
                                           const ComputeOptions& compute, Progress& progress);

/// The share of a calibration with its probe that the probe takes, roughly, in [0, 1): for
/// progress.
double probeShare(const TokenWindows& windows);

} // namespace bitloom
