// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/plan/predictor.h"

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace bitloom {

/// A plan that was predicted, carried out and measured.
struct MeasuredRecord {
    MeasuredPoint point;
    MethodStage stage = MethodStage::CoordinateDescent;
    std::string checkpoint; ///< fingerprint of what was measured
    std::string textHash;   ///< of the text it was measured on
};

/// The records of one statistics file, in `measured.json` beside it: what predictions are re-fitted
/// by. A missing file gives none; a damaged one is reported in the log and gives none.
std::vector<MeasuredRecord> loadMeasured(const std::filesystem::path& statistics);
/// Adds a record, in place of an earlier one of the same checkpoint and text. Throws Error if the
/// file cannot be written.
void addMeasured(const std::filesystem::path& statistics, const MeasuredRecord& record);

/// The probe of the model, kept in the same file; nothing where there is none, or a damaged file.
std::optional<RoundingProbe> loadProbe(const std::filesystem::path& statistics);
/// Keeps a probe in place of an earlier one. Throws Error if the file cannot be written.
void keepProbe(const std::filesystem::path& statistics, const RoundingProbe& probe);

/// A predictor for `stage` that knows the model's probe and the records of that stage.
Predictor predictorFor(const std::filesystem::path& statistics, MethodStage stage);

} // namespace bitloom
