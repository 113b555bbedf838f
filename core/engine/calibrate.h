// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/base/progress.h"
#include "core/engine/compute.h"
#include "core/model/checkpoint.h"
#include "core/plan/predictor.h"
#include "core/stats/statistics.h"
#include "core/text/dataset.h"

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>

namespace bitloom {

/// Calibration (ALGORITHMS §1, §2): one forward pass by block for norms, c_k and error curves, one
/// backward pass by block for γ_l. Only one block's weights are resident; hidden states live in
/// scratch files of the cache folder. Then the probe, kept beside the statistics (measured.h): one
/// that fails is a warning, for the statistics are complete without it; one that was cancelled is
/// measured by the next call.
struct CalibrateOptions {
    TokenWindows windows;
    std::filesystem::path cache; ///< statistics go to statisticsFolder(cache, recipe)
    double damping = 0.01;
    ComputeOptions compute;
    bool force = false; ///< calibrate even if the cache has the answer
    bool probe = true;  ///< also measure what rounding costs (probeRounding), for predictions
    /// Called after each finished layer with the file as far as it is (for live views); may be
    /// empty.
    std::function<void(const std::filesystem::path& partial, const std::string& layer)> onLayer;
    /// The same for the Fisher factors, which come later and from the last block to the first.
    std::function<void(const std::filesystem::path& partial, const std::string& layer)> onGamma;
};

struct CalibrationReport {
    std::filesystem::path statistics;
    bool cached = false;       ///< nothing had to be computed
    int64_t layersResumed = 0; ///< found finished in the journal
    int64_t layersComputed = 0;
    int64_t gammasResumed = 0, gammasComputed = 0;
    double nll = 0, nllStderr = 0;
    int64_t tokens = 0; ///< seen
    double seconds = 0;
    std::optional<RoundingProbe> probe; ///< as measured now or before
    std::vector<std::string> warnings;  ///< damping that had to climb, low coverage, …
};

CalibrationRecipe calibrationRecipe(const Checkpoint& model, const CalibrateOptions& options);
CalibrationReport calibrate(std::shared_ptr<const Checkpoint> model,
                            const CalibrateOptions& options, Progress& progress);

} // namespace bitloom
