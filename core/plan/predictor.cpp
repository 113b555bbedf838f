// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/plan/predictor.h"

#include <algorithm>
#include <cmath>
#include <iterator>

namespace bitloom {

namespace {

/// Plans of the bundled sample model that were predicted (x = ½ Σ D) and then quantized and
/// measured. Scale and exponent that a stage starts with are the least-squares line through these
/// on logarithmic axes.
struct StagePoint {
    MethodStage stage;
    double distortion, deltaNll;
};
constexpr StagePoint stagePoints[] = {
    {MethodStage::Gptq, 0.1063, 0.1388},
    {MethodStage::Gptq, 0.0694, 0.0849},
    {MethodStage::Gptq, 0.0355, 0.0355},
    {MethodStage::Gptq, 0.0293, 0.0287},
    {MethodStage::Gptq, 0.0099, 0.0076},
    {MethodStage::Gptq, 0.0082, 0.0067},
    {MethodStage::CoordinateDescent, 0.1063, 0.1263},
    {MethodStage::CoordinateDescent, 0.0694, 0.0761},
    {MethodStage::CoordinateDescent, 0.0355, 0.0333},
    {MethodStage::CoordinateDescent, 0.0293, 0.0277},
    {MethodStage::CoordinateDescent, 0.0099, 0.0072},
    {MethodStage::CoordinateDescent, 0.0082, 0.0070},
    {MethodStage::Polish, 0.1063, 0.0857},
    {MethodStage::Polish, 0.0355, 0.0208},
};

constexpr double reference = 0.03;              // x0: amid the points, so that s means "at 3 bits"
constexpr double bandLow = 0.6, bandHigh = 1.6; // measured over predicted, before any measurement
constexpr double bandWeight = 2;                // measurements that this band counts as
constexpr double nearBits = 0.05; // budgets closer than this count as equal when weighting points

struct Line {
    double logScale = 0; ///< ln s
    double exponent = 1; ///< p
    double logDelta(double distortion) const {
        return logScale + std::log(reference) + exponent * std::log(distortion / reference);
    }
};

Line fitLine(MethodStage stage) {
    double n = 0, sx = 0, sy = 0, sxx = 0, sxy = 0;
    for (const StagePoint& point : stagePoints) {
        if (point.stage != stage) continue;
        const double x = std::log(point.distortion / reference);
        const double y = std::log(point.deltaNll / reference);
        n += 1;
        sx += x;
        sy += y;
        sxx += x * x;
        sxy += x * y;
    }
    const double exponent = (n * sxy - sx * sy) / (n * sxx - sx * sx);
    return {(sy - exponent * sx) / n, exponent};
}

const Line& startLine(MethodStage stage) {
    static const Line lines[] = {fitLine(MethodStage::Gptq),
                                 fitLine(MethodStage::CoordinateDescent),
                                 fitLine(MethodStage::Polish)};
    return lines[size_t(stage)];
}

/// Mean of ln(measured/predicted) at `bitsPerWeight`, nearest budgets counting most; one point may
/// be left out.
double residualAt(const Line& line, const std::vector<MeasuredPoint>& points, double bitsPerWeight,
                  size_t leaveOut) {
    double sum = 0, weights = 0;
    for (size_t i = 0; i < points.size(); ++i) {
        if (i == leaveOut) continue;
        const double distance = points[i].bitsPerWeight - bitsPerWeight;
        const double weight = 1 / (distance * distance + nearBits * nearBits);
        sum += weight * (std::log(points[i].deltaNll) - line.logDelta(points[i].distortion));
        weights += weight;
    }
    return weights > 0 ? sum / weights : 0;
}

} // namespace

Predictor::Predictor(MethodStage stage) : m_stage(stage) {}

void Predictor::addMeasured(const MeasuredPoint& point) {
    const auto usable = [](double x) { return x > 0 && std::isfinite(x); };
    if (usable(point.distortion) && usable(point.deltaNll) && std::isfinite(point.bitsPerWeight))
        m_measured.push_back(point);
}

double Predictor::logScale(double bitsPerWeight) const {
    const Line& line = startLine(m_stage);
    return line.logScale + residualAt(line, m_measured, bitsPerWeight, m_measured.size());
}

double Predictor::deltaNll(double distortion, double bitsPerWeight) const {
    if (!(distortion > 0)) return 0;
    const Line line{logScale(bitsPerWeight), startLine(m_stage).exponent};
    return std::exp(line.logDelta(distortion));
}

double Predictor::distortionFor(double deltaNll, double bitsPerWeight) const {
    if (!(deltaNll > 0)) return 0;
    const double atReference = logScale(bitsPerWeight) + std::log(reference);
    return reference * std::exp((std::log(deltaNll) - atReference) / startLine(m_stage).exponent);
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
            const Line& line = startLine(m_stage);
            const double residual = std::log(point.deltaNll) - line.logDelta(point.distortion) -
                                    residualAt(line, m_measured, point.bitsPerWeight, i);
            const double width = 1.65 * residual / std::log(bandHigh);
            squares += width * width;
            count += 1;
        }
    const double width = std::sqrt(squares / count);
    prediction.low = prediction.deltaNll * std::pow(bandLow, width);
    prediction.high = prediction.deltaNll * std::pow(bandHigh, width);
    return prediction;
}

} // namespace bitloom
