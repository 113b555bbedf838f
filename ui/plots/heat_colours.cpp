// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "ui/plots/heat_colours.h"

#include <algorithm>
#include <cmath>
#include <iterator>

namespace bitloom::ui {

namespace {

struct Anchor {
    double at, chroma, hue; ///< hue in degrees of OKLCh
};
// Lightness is not listed: it is a straight line. Chroma stays inside sRGB all the way.
constexpr Anchor kPath[] = {{0.00, 0.050, 160}, {0.20, 0.100, 168}, {0.42, 0.098, 200},
                            {0.62, 0.094, 245}, {0.80, 0.092, 282}, {1.00, 0.045, 305}};
constexpr double kPale = 0.95, kDeep = 0.20;

double encode(double linear) {
    linear = std::clamp(linear, 0.0, 1.0);
    return linear <= 0.0031308 ? 12.92 * linear : 1.055 * std::pow(linear, 1 / 2.4) - 0.055;
}

/// OKLab by Björn Ottosson.
QRgb fromOklch(double lightness, double chroma, double hueDegrees) {
    const double hue = hueDegrees * 3.14159265358979323846 / 180;
    const double a = chroma * std::cos(hue), b = chroma * std::sin(hue);
    const double l = std::pow(lightness + 0.3963377774 * a + 0.2158037573 * b, 3);
    const double m = std::pow(lightness - 0.1055613458 * a - 0.0638541728 * b, 3);
    const double s = std::pow(lightness - 0.0894841775 * a - 1.2914855480 * b, 3);
    const double red = 4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s;
    const double green = -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s;
    const double blue = -0.0041960863 * l - 0.7034186147 * m + 1.7076147010 * s;
    return qRgb(int(std::lround(255 * encode(red))), int(std::lround(255 * encode(green))),
                int(std::lround(255 * encode(blue))));
}

std::array<QRgb, 256> makeColours(bool dark) {
    std::array<QRgb, 256> colours{};
    for (int i = 0; i < 256; ++i) {
        const double t = i / 255.0;
        const Anchor* next = std::find_if(std::begin(kPath) + 1, std::end(kPath) - 1,
                                          [&](const Anchor& anchor) { return anchor.at >= t; });
        const Anchor& from = next[-1];
        const double share = (t - from.at) / (next->at - from.at);
        const QRgb colour = fromOklch(kPale + (kDeep - kPale) * t,
                                      from.chroma + (next->chroma - from.chroma) * share,
                                      from.hue + (next->hue - from.hue) * share);
        colours[size_t(dark ? 255 - i : i)] = colour;
    }
    return colours;
}

} // namespace

const std::array<QRgb, 256>& heatColours(bool dark) {
    static const std::array<QRgb, 256> onLight = makeColours(false), onDark = makeColours(true);
    return dark ? onDark : onLight;
}

} // namespace bitloom::ui
