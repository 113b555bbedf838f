// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/engine/detail/transformer.h"

#include <cstdint>

namespace bitloom::detail {

/// Roughly how long the parts of a calibration take, in float32 operations at the rate of a large
/// matrix product, so that time left can be told from what is done. `tokens` in all sequences.
struct CalibrationCost {
    double forward = 0;  ///< one block: its outputs and the sums of its four Hessians
    double curves = 0;   ///< one block: factors of the Hessians, error curves of the columns
    double backward = 0; ///< one block: recomputed forward, gradients, Fisher sums
    double head = 0;     ///< loss and its gradient
    int64_t blocks = 0;

    CalibrationCost(const Catalogue& catalogue, const ModelConfig& config, int64_t tokens) {
        blocks = config.layers;
        double weights = 0;
        for (const LinearInfo& linear : catalogue.linears) {
            if (linear.block != 0) continue;
            const double size = double(linear.rows) * double(linear.cols);
            weights += size;
            // bench_columns: 226, 113, 48 and 34 ns a weight at N = 256, 768, 4096 and 11008 on one
            // thread; a matrix product does about 50 operations in a nanosecond there.
            curves += 50 * size * (30 + 50'000 / double(linear.rows));
        }
        forward = 2 * weights * double(tokens);
        backward = 4 * forward; // forward again, two products back, one for the Fisher sum
        for (const InputGroup& group : catalogue.groups) {
            if (group.block != 0) continue;
            const double k = double(group.cols);
            forward += k * k * double(tokens); // half of X Xᵀ
            curves += 3 * k * k * k;           // two factorizations in float64, at half the rate
        }
        head = 6 * double(config.vocab) * double(config.hidden) * double(tokens);
    }
    double total() const { return double(blocks) * (forward + curves + backward) + head; }
};

} // namespace bitloom::detail
