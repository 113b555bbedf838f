// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "ui/plots/channel_envelope.h"
#include "ui/plots/plot_theme.h"

#include <QFont>
#include <QPainter>
#include <QRectF>
#include <QString>
#include <algorithm>
#include <cmath>
#include <functional>
#include <vector>

namespace bitloom::ui {

/// Value → y. The axis could tell, with two logarithms a call: too slow for every column.
class ValueScale {
public:
    /// From `low` (> 0 where logarithmic) at `bottom` to `high`, `height` pixels above.
    ValueScale(double low, double high, bool logarithmic, double bottom, double height)
        : m_low(low), m_high(high), m_bottom(bottom), m_logarithmic(logarithmic),
          m_factor(height / (logarithmic ? std::log(high / low) : high - low)) {}

    double high() const { return m_high; }
    /// What lies below the axis lands on its end.
    double operator()(double value) const {
        value = std::max(value, m_low);
        return m_bottom - m_factor * (m_logarithmic ? std::log(value / m_low) : value - m_low);
    }

private:
    double m_low, m_high, m_bottom;
    bool m_logarithmic;
    double m_factor;
};

/// Draws an envelope into the rectangle of its axes: selection behind, impulses, hatched pins.
struct ChannelPainter {
    const PixelEnvelope& envelope;
    const PlotTheme& theme;
    QRectF area;            ///< of the axes, logical pixels
    double columnWidth = 1; ///< of an envelope column, logical pixels
    ValueScale scale;
    QFont font;                                ///< of labels
    QString selectionLabel;                    ///< "512 selected"
    std::function<QString(int bits)> pinLabel; ///< "pinned to 5 bits"

    void paint(QPainter& painter) const;

private:
    struct Run {
        int first = 0, last = 0; ///< columns, inclusive
        uint8_t pin = 0;
    };
    double left(int column) const { return area.left() + column * columnWidth; }
    std::vector<double> tops() const; ///< y of the tallest impulse of each column
    void paintSelection(QPainter& painter) const;
    void paintImpulses(QPainter& painter, const std::vector<double>& tops) const;
    void paintPins(QPainter& painter, const std::vector<double>& tops) const;
    void paintStripes(QPainter& painter, const std::vector<Run>& striped,
                      const std::vector<double>& tops, const QColor& colour) const;
    void paintPinFrame(QPainter& painter, const Run& run, double top, double& taken) const;
    template<class Key>
    std::vector<Run> runs(Key key) const;
};

} // namespace bitloom::ui
