// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "app/cli/options.h"
#include "core/engine/calibrate.h"
#include "core/engine/quantize.h"
#include "core/model/checkpoint.h"
#include "core/plan/allocator.h"
#include "core/plan/plan.h"
#include "core/text/dataset.h"

#include <memory>
#include <string>
#include <vector>

namespace bitloom::cli {

/// Checkpoint::open and the like, with something to do in every message.
std::shared_ptr<const Checkpoint> openModel(const std::string& name);
std::shared_ptr<const QuantizedCheckpoint> openQuantized(const std::filesystem::path& folder);
std::shared_ptr<const ModelWeights> openAnyModel(const std::string& name);

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

/// Plans for one model and its statistics. Quick after construction.
class Planner {
public:
    Planner(const Checkpoint& model, std::shared_ptr<const Statistics> statistics,
            std::vector<Pin> pins);

    double minBits() const; ///< bits per weight
    double maxBits() const;

    /// The plan for a budget. `options` (head, passes, polish) tell what the folder will hold
    /// besides and which stage to predict for. Throws Error(Usage) for an impossible budget, naming
    /// the nearest possible one.
    Plan plan(const Budget& budget, const QuantizeOptions& options) const;
    Plan forBits(double bits, const QuantizeOptions& options) const;

private:
    Plan finish(const Allocation& allocation, const Budget& budget,
                const QuantizeOptions& options) const;
    Allocation withinSize(int64_t bytes, const QuantizeOptions& options) const;
    Allocation withinPerplexity(double relative, const QuantizeOptions& options) const;
    int64_t folderBytes(const Allocation& allocation, const QuantizeOptions& options) const;

    const Checkpoint& m_model;
    std::shared_ptr<const Statistics> m_statistics;
    std::vector<Pin> m_pins;
    std::vector<LayerCurves> m_curves;
    Allocator m_allocator;
};

/// Pins and budget from the command line. Throws Error(Usage).
std::vector<Pin> parsePins(const BudgetInput& input);
Budget parseBudget(const BudgetInput& input);

/// The stage that a method with so many passes and steps ends in.
MethodStage stageOf(int descentPasses, int polishSteps);

/// What the predictor, re-fitted by what was measured so far, says about a plan's
/// distortion for the stage that `options` reach.
Prediction predictionOf(const Plan& plan, const Statistics& statistics,
                        const QuantizeOptions& options);

/// "files.txt, 753 windows of 256": what statistics were taken on.
std::string describe(const Statistics& statistics);

/// The plan as text: widths, parts of the size, what is predicted.
std::string planReport(const Plan& plan, const SizeParts& parts, const Statistics& statistics);
/// bits_per_weight, predicted_bytes, predicted_…, widths.
Json planFields(const Plan& plan, const SizeParts& parts, const Statistics& statistics);

} // namespace bitloom::cli
