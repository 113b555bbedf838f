// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include <QRgb>
#include <array>

namespace bitloom::ui {

/// A sequential map from mint over teal and blue to a dark violet whose lightness falls in equal
/// steps (OKLab), so equal steps of value look equal, also to colour-blind people and in grey.
/// Index 255 is the most important end: the darkest on light panels, the palest on dark ones.
const std::array<QRgb, 256>& heatColours(bool dark);

} // namespace bitloom::ui
