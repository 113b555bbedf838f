// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "app/cli/options.h"
#include "core/engine/calibrate.h"
#include "core/engine/inputs.h"
#include "core/engine/quantize.h"
#include "core/model/checkpoint.h"
#include "core/plan/allocator.h"
#include "core/recipe/planner.h"
#include "core/text/dataset.h"

#include <memory>
#include <string>
#include <vector>

namespace bitloom::cli {

/// Checkpoint::open and the like, with something to do in every message.
std::shared_ptr<const Checkpoint> openModel(const std::string& name);
std::shared_ptr<const QuantizedCheckpoint> openQuantized(const std::filesystem::path& folder);
std::shared_ptr<const ModelWeights> openAnyModel(const std::string& name);

/// --text and --ids as a job takes them. Throws Error for a file that is not there.
TextSource textSource(const TextInput& input);
InputNote noteTo(Context& context);

/// Windows for calibration: of the given text or ids, or of the text that lies beside the model or
/// comes with the program. Says what it chose where the user did not.
TokenWindows calibrationWindows(Context& context, const Checkpoint& model,
                                const CalibrationInput& input);

/// Runs (or finds in the cache) the calibration that `input` asks for, with a progress bar.
CalibrationReport runCalibration(Context& context, std::shared_ptr<const Checkpoint> model,
                                 const CalibrationInput& input, bool force);

/// Statistics for planning (DESIGN §6): --stats, or a calibration on the given text or ids, or the
/// newest cached statistics of this model, or else a calibration on the bundled text; says which.
/// `wanted` is the fingerprint of the calibration that a plan was made from: preferred in the
/// cache.
std::shared_ptr<const Statistics> obtainStatistics(Context& context,
                                                   std::shared_ptr<const Checkpoint> model,
                                                   const CalibrationInput& input,
                                                   const std::string& wanted = {});

/// Pins and budget from the command line. Throw Error(Usage).
std::vector<Pin> parsePins(const BudgetInput& input);
Budget parseBudget(const BudgetInput& input);
/// The plan for any budget; for a rate, kernels are timed where they have not been.
Plan planFor(Context& context, const std::shared_ptr<const Checkpoint>& model, Planner& planner,
             const BudgetInput& input, const QuantizeOptions& options);

/// "files.txt, 753 windows of 256": what statistics were taken on.
std::string describe(const Statistics& statistics);

/// The plan as text: widths, parts of the size, what is predicted.
std::string planReport(const Plan& plan, const SizeParts& parts, const Statistics& statistics);

} // namespace bitloom::cli
