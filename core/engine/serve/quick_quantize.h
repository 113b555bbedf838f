// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/base/progress.h"
#include "core/engine/model_weights.h"
#include "core/plan/plan.h"

#include <memory>

namespace bitloom::serve {

/// A plan carried out column by column without error compensation: each column's own table or grid,
/// as its error curve was measured with, and every weight rounded to the nearest value. No
/// calibration data, no libtorch; for a first look at a plan. The result shares everything else
/// with `model`. Throws Error for a plan that is not of this model.
std::shared_ptr<const ModelWeights> quickQuantize(std::shared_ptr<const Checkpoint> model,
                                                  const Plan& plan, int threads,
                                                  Progress& progress);
/// Bytes that the layers of a plan take in memory, unpacked.
int64_t unpackedBytes(const Checkpoint& model);

} // namespace bitloom::serve
