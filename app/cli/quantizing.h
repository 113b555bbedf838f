// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "app/cli/planning.h"
#include "core/engine/evaluate.h"
#include "core/engine/quantize.h"
#include "core/engine/write_checkpoint.h"

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

namespace bitloom::cli {

/// --method and what belongs to it.
struct MethodInput {
    std::string method = "cmpq+";
    int head = 0; ///< 8 or 16; 0 = the method's default
    int passes = 2, polish = 0;
    std::string hessians = "sequential";
    int64_t groupSize = 128;
    bool symmetric = false, actOrder = false;
    uint64_t seed = 0;
};
void addHeadOption(CLI::App& command, MethodInput& input);
void addMethodOptions(CLI::App& command, MethodInput& input);
/// Everything but plan and bits. Throws Error(Usage) for options that the method does not have.
QuantizeOptions quantizeOptions(const Context& context, const MethodInput& input);
/// Checks `bits` against what the method can do and sets it. Not for cmpq+. Throws Error(Usage).
void setBits(QuantizeOptions& options, double bits);

/// How a checkpoint is written.
struct OutputInput : OutputFolder {
    bool verify = false, dryRun = false;
};
/// Refuses an OUT that cannot be written before anything long is started. Throws Error.
void checkOutput(const OutputInput& output);

/// Writes a checkpoint (or, dry, says what it would be) with progress and gives the result's
/// fields.
Json writeCheckpoint(Context& context, std::shared_ptr<const Checkpoint> model,
                     const Statistics& statistics, const QuantizeOptions& options,
                     const OutputInput& output);

/// --protocol. Throws Error(Usage), for `word` too, which comes with the evaluation of tasks.
Protocol protocolNamed(const std::string& name);
/// Windows to measure on: --ids, --text, or the held-out text beside the model or the bundled one.
EvaluationWindows evaluationInput(Context& context, const ModelWeights& model,
                                  const TextInput& input, const std::string& protocol,
                                  int64_t context0);
/// nll, ppl, stderr, …; and kl_mean, … where a reference was there.
Json evaluationFields(const Evaluation& evaluation);

/// Hashes every file and tensor of a checkpoint; throws Error naming what is damaged.
void verifyCheckpoint(Context& context, const std::filesystem::path& folder);

} // namespace bitloom::cli
