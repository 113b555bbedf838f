// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "ui/state/sensitivity.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <tuple>

namespace bitloom::ui {

namespace {

constexpr float nan = std::numeric_limits<float>::quiet_NaN();

std::vector<float> errorsAt(const ModelData& model, int layer, auto pointOf) {
    const LayerStatistics& s = model.statistics[size_t(layer)];
    const size_t points = model.menu.size();
    std::vector<float> values(s.conditional.size());
    // While a calibration runs the Fisher factors come last: relative values are better than none.
    const double gamma = s.gamma > 0 ? s.gamma : 1;
    for (size_t k = 0; k < values.size(); ++k)
        values[k] = float(0.5 * gamma * double(s.conditional[k]) *
                          double(s.sse[k * points + size_t(pointOf(k))]));
    return values;
}

} // namespace

int referencePoint(const Menu& menu) {
    int best = 0;
    const auto distance = [&](size_t p) {
        return std::tuple(std::abs(menu[p].bits - 3), menu[p].outlierFraction,
                          menu[p].kind != PointKind::Table);
    };
    for (size_t p = 1; p < menu.size(); ++p)
        if (distance(p) < distance(size_t(best))) best = int(p);
    return best;
}

std::vector<float> channelValues(const ModelData& model, int layer, ChannelMetric metric,
                                 std::span<const uint8_t> points) {
    if (layer < 0 || size_t(layer) >= model.statistics.size() ||
        !model.entries[size_t(layer)].ready)
        return {};
    const LayerStatistics& s = model.statistics[size_t(layer)];
    const auto copy = [](std::span<const float> values) {
        return std::vector<float>(values.begin(), values.end());
    };
    switch (metric) {
    case ChannelMetric::ActivationAbsmax:
        return copy(s.actAbsmax);
    case ChannelMetric::ActivationRms:
        return copy(s.actRms);
    case ChannelMetric::WeightNorm:
        return copy(s.weightRms);
    case ChannelMetric::Sensitivity: {
        const int point = referencePoint(model.menu);
        return errorsAt(model, layer, [point](size_t) { return point; });
    }
    case ChannelMetric::PredictedError:
        if (points.size() != s.conditional.size()) return {};
        return errorsAt(model, layer, [points](size_t k) { return points[k]; });
    case ChannelMetric::Bits: {
        if (points.size() != s.conditional.size()) return {};
        std::vector<float> bits(points.size());
        for (size_t k = 0; k < points.size(); ++k)
            bits[k] = float(model.menu[points[k]].bits);
        return bits;
    }
    }
    return {};
}

double layerSensitivity(const ModelData& model, int layer) {
    const std::vector<float> values = channelValues(model, layer, ChannelMetric::Sensitivity);
    if (values.empty()) return std::numeric_limits<double>::quiet_NaN();
    double sum = 0;
    for (const float value : values)
        sum += double(value);
    return sum;
}

std::vector<float> quantilesOf(std::vector<float> values) {
    std::vector<float> out(heatQuantiles, nan);
    if (values.empty()) return out;
    std::ranges::sort(values);
    for (int q = 0; q < heatQuantiles; ++q) {
        // The middle of every share of the channels; the last shows the largest, so that a single
        // outlier is seen.
        const double at = q + 1 == heatQuantiles ? 1.0 : (q + 0.5) / heatQuantiles;
        out[size_t(q)] = values[size_t(at * double(values.size() - 1))];
    }
    return out;
}

std::vector<float> heatValues(const ModelData& model, ChannelMetric metric,
                              std::span<const uint8_t> points, const std::atomic<bool>& cancelled) {
    const size_t blocks = size_t(model.blocks);
    std::vector<float> all(model.kinds.size() * blocks * heatQuantiles, nan);
    for (size_t l = 0; l < model.entries.size() && !cancelled; ++l) {
        const LayerEntry& entry = model.entries[l];
        const auto own =
            points.empty() ? points : points.subspan(size_t(entry.firstColumn), size_t(entry.cols));
        const std::vector<float> row = quantilesOf(channelValues(model, int(l), metric, own));
        std::ranges::copy(
            row, all.begin() + std::ptrdiff_t((size_t(entry.kind) * blocks + size_t(entry.block)) *
                                              heatQuantiles));
    }
    return all;
}

} // namespace bitloom::ui
