// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include <cstdint>
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

/// What rounding costs a model, measured on its own calibration text before any plan is carried
/// out: every column rounded to a table of 4 bits, without compensation. The Fisher factors are
/// gradients of that text's own tokens; on a text that the model knows badly they are several times
/// too large, and only a measurement tells.
struct RoundingProbe {
    double distortion = 0; ///< ½ Σ γ_l H_kk SSE_lk, what the statistics expect
    double deltaNll = 0;   ///< measured, nats per token over FP16
    double standardError = 0;
    double klMean = 0; ///< KL(FP16 ‖ rounded), nats per token
    int64_t tokens = 0;

    bool operator==(const RoundingProbe&) const = default;
};

/// What predictions for the probed model are multiplied by: measured over expected, in units of the
/// bundled sample, on whose plans the scales below were measured. A mean of ln(ΔNLL) and ln(KL) by
/// precision: ΔNLL is what is predicted, but a few windows measure it with noise; KL is sharp, but
/// only near ΔNLL on a text that the model knows. 1 without a positive KL; between 1/50 and 50.
double modelScale(const RoundingProbe& probe);

/// ΔNLL(plan) = m · s · x · (1 + x / (x1 + x/2)) with x = ½ Σ D: errors add up worse than linearly
/// where they are large; of that y, y / √(1 + (y/5)²), for a model has no more than some 5 nats to
/// lose. s starts per stage from figures measured once (predictor.cpp says on what), x1 is the same
/// for all, m is the model's own (modelScale); measured points re-fit s by least squares on log y,
/// weighted towards the nearest budget.
class Predictor {
public:
    explicit Predictor(MethodStage stage = MethodStage::CoordinateDescent, double modelScale = 1);

    /// A point whose distortion or ΔNLL is not positive says nothing about the scale: left out.
    void addMeasured(const MeasuredPoint& point);
    const std::vector<MeasuredPoint>& measured() const { return m_measured; }
    MethodStage stage() const { return m_stage; }
    double modelScale() const { return m_modelScale; }

    double deltaNll(double distortion, double bitsPerWeight) const;
    /// Inverse in `distortion` of deltaNll, for "at most this much worse".
    double distortionFor(double deltaNll, double bitsPerWeight) const;
    Prediction predict(double distortion, double bitsPerWeight, double nllFp, std::string on) const;

private:
    double scale(double bitsPerWeight) const;
    double logStart(double distortion) const;
    double residualAt(double bitsPerWeight, size_t leaveOut) const;
    MethodStage m_stage;
    double m_modelScale;
    std::vector<MeasuredPoint> m_measured;
};

} // namespace bitloom
