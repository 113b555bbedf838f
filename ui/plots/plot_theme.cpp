// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "ui/plots/plot_theme.h"

#include <algorithm>
#include <cmath>

namespace bitloom::ui {

namespace {

struct BitColour {
    int bits;
    QRgb light, dark;
};
// An ordinal scale from blue to red through yellow green, which red-green blindness leaves in
// order; darker in the light theme and paler in the dark one for 3:1 on the panel.
constexpr BitColour kBitColours[] = {
    {1, 0xff3552a0, 0xff6c82da}, {2, 0xff4575b4, 0xff5288cc}, {3, 0xff4a9ac4, 0xff7fbbdd},
    {4, 0xff6f9a32, 0xffa9cb6e}, {5, 0xffc9832b, 0xfffdb863}, {6, 0xffe65a2e, 0xfff57b53},
    {7, 0xffd2372f, 0xffec5f60}, {8, 0xffbe1838, 0xffe4486a}, {16, 0xff7b3294, 0xffb583cf},
};
constexpr QRgb kNoBitsLight = 0xff858d9a, kNoBitsDark = 0xff7d8592;

QColor withAlpha(QColor colour, double alpha) {
    colour.setAlphaF(float(alpha));
    return colour;
}

void derive(PlotTheme& theme) {
    theme.grid = withAlpha(theme.text, 0.12);
    theme.accentFill = withAlpha(theme.accent, theme.dark ? 0.14 : 0.11);
}

double luminance(const QColor& colour) {
    const auto linear = [](double channel) {
        return channel <= 0.04045 ? channel / 12.92 : std::pow((channel + 0.055) / 1.055, 2.4);
    };
    return 0.2126 * linear(colour.redF()) + 0.7152 * linear(colour.greenF()) +
           0.0722 * linear(colour.blueF());
}

/// Every width stands out from the panel.
bool carriesData(const PlotTheme& theme, const QColor& panel) {
    return std::all_of(bitWidths.begin(), bitWidths.end(),
                       [&](int width) { return contrastRatio(theme.bits(width), panel) >= 3.0; });
}

} // namespace

double contrastRatio(const QColor& a, const QColor& b) {
    const double first = luminance(a), second = luminance(b);
    return (std::max(first, second) + 0.05) / (std::min(first, second) + 0.05);
}

const PlotTheme& PlotTheme::light() {
    static const PlotTheme theme = [] {
        PlotTheme t;
        t.window = QColor(0xF3, 0xF4, 0xF6);
        t.panel = QColor(0xFF, 0xFF, 0xFF);
        t.text = QColor(0x1A, 0x1D, 0x23);
        t.secondary = QColor(0x5A, 0x62, 0x70);
        t.separator = QColor(0xD9, 0xDC, 0xE2);
        t.border = QColor(0xC3, 0xC8, 0xD1);
        t.accent = QColor(0x0B, 0x7A, 0x75);
        t.selectedRow = QColor(0xDD, 0xED, 0xEC);
        t.groove = QColor(0xD3, 0xD7, 0xDE);
        t.divergence = QColor(0xBE, 0x18, 0x38);
        t.warning = QColor(0x9A, 0x5B, 0x00);
        derive(t);
        return t;
    }();
    return theme;
}

const PlotTheme& PlotTheme::darkTheme() {
    static const PlotTheme theme = [] {
        PlotTheme t;
        t.dark = true;
        t.window = QColor(0x22, 0x25, 0x29);
        t.panel = QColor(0x1A, 0x1C, 0x20);
        t.text = QColor(0xE8, 0xEA, 0xEE);
        t.secondary = QColor(0xA0, 0xA7, 0xB4);
        t.separator = QColor(0x36, 0x3A, 0x42);
        t.border = QColor(0x45, 0x4A, 0x54);
        t.accent = QColor(0x3C, 0xC8, 0xBE);
        t.selectedRow = QColor(0x20, 0x39, 0x3A);
        t.groove = QColor(0x3E, 0x43, 0x4C);
        t.divergence = QColor(0xE4, 0x48, 0x6A);
        t.warning = QColor(0xFD, 0xB8, 0x63);
        derive(t);
        return t;
    }();
    return theme;
}

PlotTheme PlotTheme::of(const QPalette& palette) {
    const QColor base = palette.color(QPalette::Active, QPalette::Base);
    const QColor text = palette.color(QPalette::Active, QPalette::Text);
    PlotTheme theme = base.lightnessF() < 0.5 ? darkTheme() : light();
    if (carriesData(theme, base) && contrastRatio(theme.secondary, base) >= 4.5) {
        theme.panel = base;
        theme.window = palette.color(QPalette::Active, QPalette::Window);
    }
    if (contrastRatio(text, theme.panel) >= 4.5) theme.text = text;
    derive(theme);
    return theme;
}

QColor PlotTheme::bits(int bits) const {
    for (const BitColour& entry : kBitColours)
        if (entry.bits == bits) return QColor::fromRgb(dark ? entry.dark : entry.light);
    return QColor::fromRgb(dark ? kNoBitsDark : kNoBitsLight);
}

QColor PlotTheme::onBits(int bits) const {
    const QColor ink(0x14, 0x16, 0x1A), paper(0xFF, 0xFF, 0xFF), fill = this->bits(bits);
    return contrastRatio(ink, fill) >= contrastRatio(paper, fill) ? ink : paper;
}

} // namespace bitloom::ui
