// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/recipe/quantize_options.h"
#include "core/stats/statistics.h"

namespace bitloom {

/// Everything that fixes the bytes of the checkpoint, for methods whose formats follow from their
/// options alone: all but Cmpq, whose outlier counts follow from the weights (the engine's
/// checkpointSpec() knows them too); for that one the layers are left empty. Throws Error for a
/// plan that is not of this model, Error(Usage) for options out of range.
CheckpointSpec plannedSpec(const Checkpoint& model, const Statistics& statistics,
                           const QuantizeOptions& options);

/// What a resumed run must have in common with the first: model, calibration, plan, method,
/// threads.
std::string quantizeFingerprint(const Checkpoint& model, const Statistics& statistics,
                                const QuantizeOptions& options);

} // namespace bitloom
