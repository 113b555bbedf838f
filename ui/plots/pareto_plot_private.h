// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "ui/plots/pareto_plot.h"
#include "ui/plots/plot_axes.h"

#include <cmath>
#include <optional>

namespace bitloom::ui {

/// Of pareto_plot*.cpp.
struct ParetoPlot::Private {
    explicit Private(ParetoPlot* owner) : q(owner) {}

    /// What the cursor can stand on.
    struct Stop {
        bool measured = false;
        size_t index = 0; ///< into data.predicted or data.measured
    };

    ParetoPlot* q;
    QCustomPlot* plot = nullptr;
    AxisTitles* titles = nullptr;
    QSharedPointer<NumberTicker> bottomTicker{new NumberTicker}, leftTicker{new NumberTicker};
    ParetoData data;
    PredictedPoint plan{NAN, NAN, NAN, NAN, NAN};
    QString planName;
    Horizontal horizontal = Horizontal::BitsPerWeight;
    std::vector<Stop> stops; ///< by x
    int cursor = -1;         ///< index into stops
    bool hovering = false, dragging = false;
    double sizeUnit = 1; ///< bytes of one unit of the size axis
    QRectF legendBox;    ///< where the data layer put the legend
    std::optional<PlotTheme> printTheme;

    PlotTheme theme() const { return printTheme ? *printTheme : q->theme(); }
    QRectF area() const { return QRectF(plot->axisRect()->rect()); }
    double x(double bits, double bytes) const {
        return horizontal == Horizontal::BitsPerWeight ? bits : bytes / sizeUnit;
    }
    QPointF pixel(double bits, double bytes, double perplexity) const {
        return {plot->xAxis->coordToPixel(x(bits, bytes)), plot->yAxis->coordToPixel(perplexity)};
    }
    QPointF pixel(const Stop& stop) const;
    bool hasPlan() const { return std::isfinite(plan.bits) && std::isfinite(plan.perplexity); }

    void range();
    void restyle();
    void sortStops();
    /// Bits of the predicted curve at a place on the axis, within the curve's ends.
    double bitsAt(double coordinate) const;
    QStringList readoutLines(const Stop& stop) const;
    QString perplexityText(double value) const;

    void paintData(QCPPainter& painter);
    void paintOverlay(QCPPainter& painter);
    void paintPlan(QCPPainter& painter) const;
    QString planWords() const;
    void paintPlanLabel(QCPPainter& painter, double line) const; ///< beside the plan's line
    void paintBand(QCPPainter& painter, const PlotTheme& theme) const;
    void paintCurve(QCPPainter& painter, const PlotTheme& theme) const;
    void paintReference(QCPPainter& painter, const PlotTheme& theme) const;
    void paintMeasured(QCPPainter& painter, const PlotTheme& theme) const;
    void paintLabels(QCPPainter& painter, const PlotTheme& theme, const QRectF& reserved) const;
    QRectF paintLegend(QCPPainter& painter, const PlotTheme& theme) const;
    QColor colourOf(const MeasuredMark& mark, const PlotTheme& theme) const;
    static LegendEntry::Mark markOf(const MeasuredMark& mark);

    int stopNear(const QPointF& at) const;
    bool onHandle(const QPointF& at) const;
    void moveCursor(int stop, bool hover);
    void request(const QPointF& at);
};

} // namespace bitloom::ui
