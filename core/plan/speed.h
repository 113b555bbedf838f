// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/plan/plan.h"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace bitloom {

/// What the parts of one generated token take on one machine: measured once (engine:
/// speedTable()), then the speed of any plan is a sum. Memory bounds these products, and a column
/// of given width takes the same time whatever its neighbours have; so a matrix of mixed widths
/// takes the mean of the uniform ones, weighted by their columns.
struct SpeedTable {
    static constexpr int widths[] = {2, 3, 4, 5, 6, 8, 16}; ///< as the kernels have them

    struct Matrix {
        int64_t rows = 0, cols = 0;
        /// Of one product with all columns at widths[i].
        std::vector<double> seconds;
        double secondsPerOutlier = 0;
    };
    std::string machine; ///< processor, kernels, threads
    int threads = 0;
    std::vector<Matrix> matrices; ///< one for each shape of the model
    double otherSeconds = 0;      ///< head, attention over a short context, norms, and so on

    /// One layer with so many columns at each point of the menu. Throws Error for a shape that is
    /// not in the table.
    double secondsOfLayer(int64_t rows, int64_t cols, std::span<const int64_t> columns,
                          const Menu& menu) const;
    /// Generated one by one. Throws like secondsOfLayer.
    double secondsPerToken(const Plan& plan) const;
    double tokensPerSecond(const Plan& plan) const { return 1 / secondsPerToken(plan); }

    nlohmann::json toJson() const;
    static SpeedTable fromJson(const nlohmann::json& json); ///< throws Error if it is none
};

} // namespace bitloom
