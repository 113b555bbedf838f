// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include <span>
#include <string>
#include <vector>

namespace bitloom {

/// What a plan is expected to do, and what the number refers to.
struct Prediction {
    double deltaNll = 0;      ///< nats per token over FP16
    double nll = 0;           ///< NLL_fp(text) + ΔNLL; 0 where NLL_fp is unknown
    double low = 0, high = 0; ///< band of ΔNLL: spread of measured over predicted
    std::string on;           ///< the text that NLL_fp belongs to
};

/// The stage of the method that lowers ΔNLL systematically (ALGORITHMS §4).
enum class MethodStage { Gptq, CoordinateDescent, Polish };

/// One plan that was both predicted and measured.
struct MeasuredPoint {
    double distortion = 0; ///< ½ Σ D of the plan
    double deltaNll = 0;   ///< measured, > 0
    double bitsPerWeight = 0;
};

/// ΔNLL(plan) = s · x · (1 + x / (x1 + x/2)) with x = ½ Σ D: errors add up worse than linearly
/// where they are large; of that y, y / √(1 + (y/5)²), for a model has no more than some 5 nats to
/// lose. s starts per stage from figures measured once (predictor.cpp says on what), x1 is the same
/// for all; measured points re-fit s by least squares on log y, weighted towards the nearest
/// budget.
class Predictor {
public:
    explicit Predictor(MethodStage stage = MethodStage::CoordinateDescent);

    /// A point whose distortion or ΔNLL is not positive says nothing about the scale: left out.
    void addMeasured(const MeasuredPoint& point);
    const std::vector<MeasuredPoint>& measured() const { return m_measured; }
    MethodStage stage() const { return m_stage; }

    double deltaNll(double distortion, double bitsPerWeight) const;
    /// Inverse in `distortion` of deltaNll, for "at most this much worse".
    double distortionFor(double deltaNll, double bitsPerWeight) const;
    Prediction predict(double distortion, double bitsPerWeight, double nllFp, std::string on) const;

private:
    double scale(double bitsPerWeight) const;
    MethodStage m_stage;
    std::vector<MeasuredPoint> m_measured;
};

} // namespace bitloom
