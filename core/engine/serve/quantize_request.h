// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/engine/quantize.h"
#include "core/engine/serve/engine.h"
#include "core/recipe/planner.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace bitloom::serve {

/// What `plan`, `quantize` and `try` have in common: a model, its statistics, and what is to be
/// done with them. Reading the parameters touches no file; resolve() opens everything.
struct QuantizeRequest {
    std::string model, statistics; ///< statistics empty: the newest cached
    Json plan;                     ///< null where a budget is given
    std::optional<Budget> budget;
    std::vector<Pin> pins;
    QuantizeOptions options;

    /// Method, budget or plan, and everything they bring. Throws RpcError, Error(Usage).
    static QuantizeRequest read(Params& params, const Engine& engine);
};

/// A request with its files open and its plan made.
struct ResolvedRequest {
    std::shared_ptr<const Checkpoint> model;
    std::shared_ptr<const Statistics> statistics;
    std::unique_ptr<Planner> planner; ///< cmpq+ with a budget
    QuantizeOptions options;          ///< with plan and prediction
};
/// Throws Error where model, statistics and plan do not belong together.
ResolvedRequest resolve(const QuantizeRequest& request, const Engine& engine, Job& job);

/// Statistics of a model: those named, else the newest in the cache, preferably those that `wanted`
/// names. Throws Error where there are none: planning never calibrates.
std::shared_ptr<const Statistics> statisticsFor(const Checkpoint& model, const std::string& path,
                                                const std::string& wanted, const Engine& engine,
                                                Job& job);

/// bits_per_weight, predicted_…, statistics, widths, parts.
Json planFields(const Plan& plan, const SizeParts& parts, const Statistics& statistics);

} // namespace bitloom::serve
