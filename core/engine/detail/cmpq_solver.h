// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/base/progress.h"
#include "core/format/column_weights.h"

#include <ATen/ATen.h>

#include <span>

namespace bitloom::detail {

/// The paper's method (arXiv 2410.13056; ALGORITHMS §6) on one layer: widths per column from
/// activation norms, outliers by |w|·a_k taken out before clustering, unweighted k-means per
/// column, then a few more outliers by a_k²·err².
struct CmpqParameters {
    double bits = 3;     ///< target width, any fraction in [1, 5]
    double share = 0.10; ///< p: columns raised and lowered where `bits` is whole
    double activationOutliers = 0.0045, errorOutliers = 0.0005; ///< shares of all weights
};

/// `weight` [N, K]; `actRms` [K] a_k. The classes of the result follow from the data. A layer has
/// at most 256 classes: where widths and outlier counts give more, some columns get more outliers.
ColumnWeights cmpqQuantize(const at::Tensor& weight, std::span<const float> actRms,
                           const CmpqParameters& parameters, int threads, const Progress& progress);

} // namespace bitloom::detail
