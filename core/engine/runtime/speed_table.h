// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/base/compute_options.h"
#include "core/base/progress.h"
#include "core/engine/model_weights.h"
#include "core/plan/speed.h"

#include <filesystem>
#include <optional>

namespace bitloom::runtime {

/// Times of this model's matrices on this machine, measured (seconds) or found in `cache`, the
/// folder that statistics are kept in. A file there that cannot be used is measured anew.
/// Only what the cache has.
std::optional<SpeedTable> cachedSpeedTable(const ModelWeights& model,
                                           const std::filesystem::path& cache,
                                           const ComputeOptions& compute);
SpeedTable speedTable(const ModelWeights& model, const std::filesystem::path& cache,
                      const ComputeOptions& compute, Progress& progress, bool anew = false);

} // namespace bitloom::runtime
