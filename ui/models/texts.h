// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "ui/plots/number_text.h"
#include "ui/state/workbench.h"

#include <QLocale>
#include <QString>

namespace bitloom::ui {

/// Texts that several views show, so that they show the same one.

QString fixedText(double value, int decimals); ///< "3.00"
/// "+0.20", "−0.21": with a real minus sign; "±0.00" never: plain "0.00".
QString signedText(double value, int decimals);
/// "+154 MiB", "−1.2 KiB".
QString signedBytesText(double bytes);
/// "4 096 × 11 008"
QString shapeText(const LayerEntry& layer);
/// "6.74 G": parameters, weights.
QString amountText(double count);
QString
durationText(double seconds); ///< "1 min left" is this + " left": "40 s", "3 min", "2 h 05 min"
/// "5.91": as many digits as the standard error deserves, two by default.
QString perplexityText(double nll);
QString perplexityErrorText(double error, double nll); ///< as many decimals as that one has
/// How a pin reads in lists: "12.mlp.up_proj, channels 3024–3263".
QString pinText(const Pin& pin, const ModelData* model);
/// "≤ 2.61 GiB", "3.00 bits", "≤ +2.0 %": a budget.
QString budgetText(const Decision& decision);
/// "4t+0.25%" in words: "4 bits, table, 0.25 % outliers".
QString pointInWords(const OperatingPoint& point);
/// Why nothing can be asked of an engine that is on another machine than the model.
QString otherMachineText();
/// Name of the present plan: of its preset, or "Balanced, edited", or its bits.
QString planName(const Workbench& workbench);

} // namespace bitloom::ui
