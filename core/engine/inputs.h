// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/engine/evaluate.h"
#include "core/engine/model_weights.h"
#include "core/model/checkpoint.h"
#include "core/text/dataset.h"

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace bitloom {

/// What a job reads: text files, a file of token ids, a text at hand, or what comes along.
struct TextSource {
    std::vector<std::filesystem::path> files;
    std::filesystem::path ids;
    struct Inline {
        std::string name, text;
    };
    std::optional<Inline> inlined;
    bool bundled = false; ///< the text that comes with the program, whatever lies beside the model

    bool given() const { return !files.empty() || !ids.empty() || inlined || bundled; }
};

/// Hears what was chosen where the user left it open.
using InputNote = std::function<void(const std::string&)>;

/// Windows for calibration. Without a source: calibration.txt beside the model, else `bundledText`.
/// 0 sequences or length: 128 windows of 2048 tokens; a model that holds fewer gets half of what it
/// holds, as it was trained on such texts, and as many windows as make up for it. Throws Error for
/// a model without tokenizer where text must be read.
TokenWindows calibrationWindows(const Checkpoint& model, const TextSource& source,
                                int64_t sequences, int64_t length,
                                const std::filesystem::path& bundledText, const InputNote& note);

/// Windows to measure on; without a source valid.txt beside the model, else `bundledText`.
/// `context` 0: the protocol's, or the length of the rows of ids.
EvaluationWindows evaluationInput(const ModelWeights& model, const TextSource& source,
                                  Protocol protocol, int64_t context,
                                  const std::filesystem::path& bundledText, const InputNote& note);

/// The newest complete statistics of a model in the cache, or those of the calibration `wanted`
/// (a recipe's fingerprint) where they are there; nullptr where there are none. Damaged files are
/// passed over and noted.
std::shared_ptr<const Statistics> newestStatistics(const std::filesystem::path& cache,
                                                   const std::string& modelFingerprint,
                                                   const std::string& wanted,
                                                   const InputNote& note);
/// The same for an opened model, whose own file of statistics is taken into the cache first. Where
/// `wanted` cannot be had, that is noted.
std::shared_ptr<const Statistics> cachedStatistics(const std::filesystem::path& cache,
                                                   const Checkpoint& model,
                                                   const std::string& wanted,
                                                   const InputNote& note);
/// Throws Error where they are of another model.
void requireStatisticsOf(const Statistics& statistics, const Checkpoint& model);

/// "calibration.txt, 753 windows of 256": what statistics were taken on.
std::string describeCalibration(const Statistics& statistics);

} // namespace bitloom
