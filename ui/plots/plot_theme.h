// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include <QColor>
#include <QPalette>
#include <array>

namespace bitloom::ui {

/// Colours of everything that is drawn rather than styled. One value per theme; widgets ask for it
/// whenever they paint, so a changed palette needs no more than a repaint.
///
/// Bit widths are ordinal: blue is cheap, red is precious. On the panel each has a contrast of at
/// least 3:1 and text at least 4.5:1; tests hold both.
struct PlotTheme {
    bool dark = false;
    QColor window, panel, text, secondary, separator, border, accent, selectedRow, groove;
    QColor grid;       ///< text at 12 %
    QColor accentFill; ///< accent at 11 to 14 %: selections and bands
    QColor divergence; ///< marks of KL divergence, at full strength
    QColor warning;    ///< stale and failed states; always beside a word

    static const PlotTheme& light();
    static const PlotTheme& darkTheme();
    /// Light or dark by the lightness of the palette's base. Panel, window and text come from the
    /// palette where the colours of the data keep their contrast on it.
    static PlotTheme of(const QPalette& palette);

    /// Colour of a bit width: 1 to 8, 16 for raw; 0 (not assigned yet) and all else are grey.
    QColor bits(int bits) const;
    QColor onBits(int bits) const; ///< for text on a chip of that colour
};

/// Widths that have a colour of their own, cheapest first.
inline constexpr std::array<int, 9> bitWidths = {1, 2, 3, 4, 5, 6, 7, 8, 16};

/// WCAG 2 contrast of two opaque colours, 1 to 21.
double contrastRatio(const QColor& a, const QColor& b);

} // namespace bitloom::ui
