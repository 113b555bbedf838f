// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/engine/generate.h"
#include "core/engine/model_weights.h"
#include "core/plan/predictor.h"
#include "core/text/tokenizer.h"

#include <cstdint>
#include <deque>
#include <filesystem>
#include <list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace bitloom::serve {

/// A model that is ready to talk, with what its cache holds.
struct LoadedModel {
    std::string key; ///< fingerprint of the weights, and what sets it apart from others of them
    std::shared_ptr<const ModelWeights> weights;
    std::unique_ptr<Tokenizer> tokenizer; ///< null where the folder has none
    std::unique_ptr<TextModel> text;
    std::vector<int32_t> cached; ///< prompt whose pieces the cache holds (TokenGenerator)
    double loadSeconds = 0;      ///< of the last load; 0 while it stays

    /// Empties the cache but for the beginning that `prompt` shares with it, in whole pieces, so
    /// that results do not depend on what was asked before. Returns the tokens kept.
    int64_t reuse(std::span<const int32_t> prompt);
    /// What the cache holds from now on counts as this prompt.
    void remember(std::vector<int32_t> prompt) { cached = std::move(prompt); }
    void forget();
};

/// Models of the session. Names are what a client sends: a path, org/name, or a handle of `try`.
/// Loaded ones stay until the memory limit asks for the least recently used. Used by the compute
/// thread alone.
class ModelStore {
public:
    /// Weights behind a name; paths are opened anew each time, so that a folder that was replaced
    /// is seen. Throws Error.
    std::shared_ptr<const ModelWeights> weights(const std::string& name) const;

    /// The models, loaded; at most two. Room is made under `compute`'s limit by giving others back;
    /// what still does not fit is read from the disk for every token.
    std::vector<LoadedModel*> load(const std::vector<std::string>& names,
                                   const ComputeOptions& compute, Arithmetic arithmetic,
                                   const Progress& progress);

    /// Weights that `try` made, and what belongs to them.
    struct Try {
        std::string handle;
        std::shared_ptr<const ModelWeights> weights;
        int64_t bytes = 0; ///< in memory
        double bitsPerWeight = 0;
        /// Where a measurement of it re-fits predictions: what was planned, on which statistics.
        struct Planned {
            std::filesystem::path statistics;
            double distortion = 0;
            MethodStage stage = MethodStage::CoordinateDescent;
        };
        std::optional<Planned> planned;
    };
    /// Keeps weights in memory under a handle "try:N"; the two latest are kept.
    std::string keep(Try made);
    const Try* findTry(const std::string& name) const; ///< nullptr where there is none

    struct Freed {
        int64_t models = 0, bytes = 0;
    };
    Freed forget(const std::string& name); ///< empty: all
    /// Gives loaded models back until they hold at most `bytes`: room for other jobs.
    void shrink(int64_t bytes);
    int64_t bytesHeld() const;

    static constexpr size_t triesKept = 2;

private:
    LoadedModel* find(const std::string& key);

    std::list<LoadedModel> m_loaded; ///< latest used first
    std::deque<Try> m_tries;         ///< latest first
    int m_count = 0;
};

} // namespace bitloom::serve
