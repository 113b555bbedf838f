// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/engine/evaluate.h"
#include "core/format/checkpoint_reader.h"

#include <filesystem>

namespace bitloom {

/// Keeps predicted and measured together, so that later predictions for this model are re-fitted:
/// where the checkpoint is a cmpq+ one of `reference` and its calibration is still in the cache.
/// Returns whether it was.
bool rememberMeasured(const std::filesystem::path& cache, const QuantizedCheckpoint& quantized,
                      const ModelWeights& reference, const Evaluation& evaluation);

} // namespace bitloom
