// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "ui/plots/plot_theme.h"
#include "ui/plots/qcp.h"

namespace bitloom::ui {

/// Round ticks whose labels go through the locale, all with the same decimals.
class NumberTicker : public QCPAxisTicker {
public:
    /// Whole numbers only: for axes that count channels.
    void setIntegers(bool on) { m_integers = on; }

protected:
    double getTickStep(const QCPRange& range) override;
    int getSubTickCount(double) override { return 0; }
    QString getTickLabel(double tick, const QLocale& locale, QChar, int) override;

private:
    bool m_integers = false;
    double m_step = 1;
};

/// Decades of a logarithmic axis; 2 and 5 as well where there are few, every nth where many.
class DecadeTicker : public QCPAxisTicker {
protected:
    double getTickStep(const QCPRange&) override { return 1; }
    int getSubTickCount(double) override { return 0; }
    QVector<double> createTickVector(double, const QCPRange& range) override;
    QString getTickLabel(double tick, const QLocale& locale, QChar, int) override;
};

/// Something drawn by a function, on a layer of its own, clipped to an axis rectangle.
class PaintedLayer : public QCPLayerable {
    Q_OBJECT
public:
    using Paint = std::function<void(QCPPainter&)>;
    /// `clip` nullptr: the whole plot.
    PaintedLayer(QCustomPlot* plot, const QString& layer, QCPAxisRect* clip, Paint paint);

protected:
    QRect clipRect() const override;
    void applyDefaultAntialiasingHint(QCPPainter* painter) const override;
    void draw(QCPPainter* painter) override;

private:
    QCPAxisRect* m_clip;
    Paint m_paint;
};

/// Thin axes, horizontal grid lines, no frame; fonts and colours of the theme.
void styleAxes(QCustomPlot& plot, const PlotTheme& theme, const QFont& small);

/// The titles of a plot's two axes, as far as there is room for them: the left one breaks after its
/// comma, then is shortened; the bottom one is left out of a plot of a few lines. Ticks are as many
/// as their labels have room for, up to what `setTicks` says.
class AxisTitles : public QObject {
    Q_OBJECT
public:
    explicit AxisTitles(QCustomPlot& plot); ///< owned by it
    void set(const QString& bottom, const QString& left);
    void setTicks(int bottom, int left);

private:
    void fit();
    bool show(QCPAxis* axis, const QString& text, int ticks);

    QCustomPlot& m_plot;
    QString m_bottom, m_left;
    int m_bottomTicks = 5, m_leftTicks = 5;
};

/// Draws a plot into a rectangle of `painter`; sizes of the view
/// itself stay as they are.
void paintInto(QCustomPlot& plot, QCPPainter& painter, const QRect& rect);

} // namespace bitloom::ui
