// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "ui/plots/plot_data.h"

#include <QString>

namespace bitloom::ui {

/// What a quantity means and by which formula it is computed: for "What is this?" (Shift+F1). The
/// first line names it.
QString metricHelp(ChannelMetric metric);

enum class Figure {
    BitsPerWeight,
    Size,
    Predicted,
    Measured,
    OffBy,
    KlDivergence,
    SameTop,
    BitShares,
    LayerSensitivity,
    LayerDeltaPpl,
    PinCost,
    TokenKl,
    LnPplRatio,
};
QString figureHelp(Figure figure);

} // namespace bitloom::ui
