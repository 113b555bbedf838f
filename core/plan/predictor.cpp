// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/plan/predictor.h"

#include <algorithm>
#include <cmath>
#include <iterator>

namespace bitloom {

namespace {

/// Scales that the stages start with: geometric means of measured over bent() for 27 plans of the
/// bundled sample (2.2–6 bits; uniform, by layer, pinned), weighted by the precision of the
/// measurement; tests/bench/sample_table.py makes the figures. Small errors come out near 1, as the
/// second-order theory behind the distortion demands.
constexpr double startScales[] = {1.085, 1.0, 0.70}; // GPTQ, coordinate descent, polish

constexpr double bend = 0.27; ///< nats: where errors add up noticeably worse than linearly

/// x for small x; errors of many layers together cost more than their sum, up to three times.
double bent(double x) {
    return x * (1 + x / (bend + 0.5 * x));
}

/// The positive root of 1.5 x² + (bend − y/2) x − bend·y = 0.
double unbent(double y) {
    const double b = bend - y / 2;
    const double root = std::sqrt(b * b + 6 * bend * y);
    // The form without cancellation for either sign of b.
    return b > 0 ? 2 * bend * y / (b + root) : (root - b) / 3;
}

/// Nats over FP16 that no plan exceeds: a model that has lost everything still guesses tokens by
/// how frequent they are, about 7 nats a token, of which a working model needs 2 or more.
constexpr double worst = 5;

/// y for small y (0.5 % less at half a nat), never more than `worst`.
double limited(double y) {
    return y / std::sqrt(1 + y / worst * (y / worst));
}

double unlimited(double nll) {
    const double share = std::min(nll / worst, 1 - 1e-12);
    return worst * share / std::sqrt((1 - share) * (1 + share));
}

constexpr double bandLow = 0.6, bandHigh = 1.6; // measured over predicted, before any measurement
constexpr double bandWeight = 2;                // measurements that this band counts as
constexpr double nearBits = 0.05; // budgets closer than this count as equal when weighting points

/// Measured over bent() in probes of the bundled sample with all of its calibration text.
constexpr double nllProbeOfSample = 1.05, klProbeOfSample = 0.83;
/// Standard deviations of ln(measured): of ΔNLL beside its noise, of KL as an estimate of ΔNLL.
constexpr double nllProbeSpread = 0.1, klProbeSpread = 0.5;
constexpr double mostModelScale = 50;

double startScale(MethodStage stage) {
    return startScales[size_t(stage)];
}

} // namespace

double modelScale(const RoundingProbe& probe) {
    const double expected = bent(probe.distortion);
    if (!(expected > 0) || !std::isfinite(expected) || !(probe.klMean > 0)) return 1;
    const auto lost = [](double nats) { return unlimited(std::min(nats, 0.99 * worst)); };
    double weights = 1 / (klProbeSpread * klProbeSpread);
    double sum = weights * std::log(lost(probe.klMean) / (klProbeOfSample * expected));
    // One window alone has no standard error: how precise it is, is not known.
    const double noise = probe.standardError / probe.deltaNll;
    if (probe.deltaNll > 0 && noise > 0 && std::isfinite(noise)) {
        const double weight = 1 / (nllProbeSpread * nllProbeSpread + noise * noise);
        sum += weight * std::log(lost(probe.deltaNll) / (nllProbeOfSample * expected));
        weights += weight;
    }
    return std::clamp(std::exp(sum / weights), 1 / mostModelScale, mostModelScale);
}

Predictor::Predictor(MethodStage stage, double modelScale)
    : m_stage(stage), m_modelScale(modelScale) {}

double Predictor::logStart(double distortion) const {
    return std::log(m_modelScale * startScale(m_stage) * bent(distortion));
}

/// Mean of ln(measured/predicted) at `bitsPerWeight`, nearest budgets counting most; one point may
/// be left out.
double Predictor::residualAt(double bitsPerWeight, size_t leaveOut) const {
    double sum = 0, weights = 0;
    for (size_t i = 0; i < m_measured.size(); ++i) {
        if (i == leaveOut) continue;
        const MeasuredPoint& point = m_measured[i];
        const double distance = point.bitsPerWeight - bitsPerWeight;
        const double weight = 1 / (distance * distance + nearBits * nearBits);
        sum += weight * (std::log(unlimited(point.deltaNll)) - logStart(point.distortion));
        weights += weight;
    }
    return weights > 0 ? sum / weights : 0;
}

void Predictor::addMeasured(const MeasuredPoint& point) {
    const auto usable = [](double x) { return x > 0 && std::isfinite(x); };
    if (!usable(point.distortion) || !usable(point.deltaNll) || !std::isfinite(point.bitsPerWeight))
        return;
    m_measured.push_back(point);
    // One that lost all there is says only that it did.
    m_measured.back().deltaNll = std::min(point.deltaNll, 0.99 * worst);
}

double Predictor::scale(double bitsPerWeight) const {
    return m_modelScale * startScale(m_stage) *
           std::exp(residualAt(bitsPerWeight, m_measured.size()));
}

double Predictor::deltaNll(double distortion, double bitsPerWeight) const {
    if (!(distortion > 0)) return 0;
    return limited(scale(bitsPerWeight) * bent(distortion));
}

double Predictor::distortionFor(double deltaNll, double bitsPerWeight) const {
    if (!(deltaNll > 0)) return 0;
    return unbent(unlimited(deltaNll) / scale(bitsPerWeight));
}

Prediction Predictor::predict(double distortion, double bitsPerWeight, double nllFp,
                              std::string on) const {
    Prediction prediction;
    prediction.deltaNll = deltaNll(distortion, bitsPerWeight);
    prediction.nll = nllFp > 0 ? nllFp + prediction.deltaNll : 0;
    prediction.on = std::move(on);

    // How far off each measured point would have been, predicted from the others: 1.65 standard
    // deviations, in units of the default band, which counts as a few points itself.
    double squares = bandWeight, count = bandWeight;
    if (m_measured.size() > 1)
        for (size_t i = 0; i < m_measured.size(); ++i) {
            const MeasuredPoint& point = m_measured[i];
            const double residual = std::log(unlimited(point.deltaNll)) -
                                    logStart(point.distortion) - residualAt(point.bitsPerWeight, i);
            const double width = 1.65 * residual / std::log(bandHigh);
            squares += width * width;
            count += 1;
        }
    const double width = std::sqrt(squares / count);
    const double middle = unlimited(prediction.deltaNll);
    prediction.low = limited(middle * std::pow(bandLow, width));
    prediction.high = limited(middle * std::pow(bandHigh, width));
    return prediction;
}

} // namespace bitloom
