// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "ui/plots/plot_data.h"
#include "ui/state/model_data.h"

#include <atomic>
#include <span>
#include <vector>

namespace bitloom::ui {

/// The point that sensitivities are told at: 3 bits without outliers (the nearest width of menus
/// that lack it). "Sensitivity" is what storing a channel so is predicted to cost, in nats per
/// token, before the scale of predictions.
int referencePoint(const Menu& menu);

/// One value per channel of a layer; empty where the statistics lack it.
std::vector<float> channelValues(const ModelData& model, int layer, ChannelMetric metric,
                                 std::span<const uint8_t> points = {});
double layerSensitivity(const ModelData& model, int layer); ///< NaN where unknown

/// Columns of one block in the heat map.
inline constexpr int heatQuantiles = 24;
/// The layer's values at evenly spaced quantiles, ascending; NaN where there are none.
std::vector<float> quantilesOf(std::vector<float> values);
/// Values for the heat map: [kind][block][quantile]. Some 0.2 s for a million channels.
std::vector<float> heatValues(const ModelData& model, ChannelMetric metric,
                              std::span<const uint8_t> points, const std::atomic<bool>& cancelled);

} // namespace bitloom::ui
