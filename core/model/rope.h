// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/model/config.h"

#include <vector>

namespace bitloom {

/// Rotary position embedding: angle of pair i at position p is p·inverseFrequencies[i], in float32
/// as the reference computes it, with the scaling of the config. [headDim / 2]
std::vector<float> inverseFrequencies(const ModelConfig& config);

} // namespace bitloom
