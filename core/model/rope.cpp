// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/model/rope.h"

#include <cmath>
#include <numbers>

namespace bitloom {

std::vector<float> inverseFrequencies(const ModelConfig& config) {
    std::vector<float> frequencies;
    const RopeScaling& scaling = config.ropeScaling;
    const double low = double(scaling.originalMaxPositions) / scaling.lowFreqFactor;
    const double high = double(scaling.originalMaxPositions) / scaling.highFreqFactor;
    for (int64_t i = 0; i < config.headDim; i += 2) {
        const float exponent = float(i) / float(config.headDim);
        float f = 1.f / std::pow(float(config.ropeTheta), exponent);
        if (scaling.kind == RopeScalingKind::Linear) f = float(double(f) / scaling.factor);
        if (scaling.kind == RopeScalingKind::Llama3) {
            const double wavelength = 2 * std::numbers::pi / double(f);
            if (wavelength > low) {
                f = float(double(f) / scaling.factor);
            } else if (wavelength > high) {
                const double smooth =
                    (double(scaling.originalMaxPositions) / wavelength - scaling.lowFreqFactor) /
                    (scaling.highFreqFactor - scaling.lowFreqFactor);
                f = float((1 - smooth) * double(f) / scaling.factor + smooth * double(f));
            }
        }
        frequencies.push_back(f);
    }
    return frequencies;
}

} // namespace bitloom
