// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "ui/plots/channel_envelope.h"
#include "ui/plots/plot_theme.h"

#include <QFont>
#include <QPainter>
#include <QRectF>
#include <QString>
#include <functional>
#include <vector>

namespace bitloom::ui {

/// Draws an envelope into the rectangle of its axes: selection behind, impulses, hatched pins.
struct ChannelPainter {
    const PixelEnvelope& envelope;
    const PlotTheme& theme;
    QRectF area;                               ///< of the axes, logical pixels
    double columnWidth = 1;                    ///< of an envelope column, logical pixels
    std::function<double(double)> toPixel;     ///< value → y
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
    void paintPinFrame(QPainter& painter, const Run& run, double top, double& taken) const;
    template<class Key>
    std::vector<Run> runs(Key key) const;
};

} // namespace bitloom::ui
