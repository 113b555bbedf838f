// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/engine/evaluate.h"
#include "core/format/checkpoint_reader.h"

#include <filesystem>

namespace bitloom {

/// Whether a comparison says enough to re-fit predictions by: its ΔNLL must stand out of what the
/// choice of the text alone would explain.
bool isMeasurement(const Evaluation& evaluation);

/// Keeps predicted and measured together, so that later predictions for this model are re-fitted:
/// where the checkpoint is a cmpq+ one of `reference`, its calibration is still in the cache, and
/// the evaluation is a measurement.
/// Returns whether it was.
bool rememberMeasured(const std::filesystem::path& cache, const QuantizedCheckpoint& quantized,
                      const ModelWeights& reference, const Evaluation& evaluation);

} // namespace bitloom
