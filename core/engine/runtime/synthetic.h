// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/engine/model_weights.h"

#include <memory>
#include <string>
#include <vector>

namespace bitloom::runtime {

/// Columns of one layer for measurements: random codes and tables. `bits` may be fractional: the
/// columns then have the two whole widths around it, in the share that gives it (2.4: 60 % of 2
/// bits, 40 % of 3). Widths 2, 3, 4 are tables, 5, 6, 8 grids, 7 becomes 8. `outliers`: share of a
/// column's weights. `codes`: false leaves them out; a GPU makes up its own.
ColumnWeights syntheticColumns(int64_t rows, int64_t cols, double bits, double outliers,
                               bool codes = true);

/// Shapes of known models: "7b" (LLaMA-2), "8b" (LLaMA-3), "1b" (TinyLlama), with `layers` blocks.
/// Throws Error(Usage) naming those that are known.
ModelConfig syntheticConfig(const std::string& shape, int64_t layers);
const std::vector<std::string>& syntheticShapes();

/// A model of random weights: speed depends on shapes and widths, not on values. `bits` 16: FP16.
/// Embedding and head are FP16 too then, else int8 rows. Matrices are made when they are asked for,
/// every time. `onDevice`: for GpuDecoder alone, which makes up what is large on the device.
std::shared_ptr<const ModelWeights> syntheticModel(const ModelConfig& config, double bits,
                                                   double outliers, bool onDevice = false);

} // namespace bitloom::runtime
