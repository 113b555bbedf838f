// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "ui/plots/plot_axes.h"

#include "ui/plots/number_text.h"

#include <algorithm>
#include <cmath>

namespace bitloom::ui {

double NumberTicker::getTickStep(const QCPRange& range) {
    const double step = QCPAxisTicker::getTickStep(range);
    m_step = m_integers ? std::max(1.0, std::round(step)) : step;
    return m_step;
}

QString NumberTicker::getTickLabel(double tick, const QLocale& locale, QChar, int) {
    if (m_integers) return countText(locale, int64_t(std::llround(tick)));
    return tickText(locale, tick, m_step);
}

QVector<double> DecadeTicker::createTickVector(double, const QCPRange& range) {
    QVector<double> ticks;
    if (!(range.lower > 0) || !(range.upper > range.lower)) return ticks;
    const int first = int(std::floor(std::log10(range.lower) + 1e-9));
    const int last = int(std::ceil(std::log10(range.upper) - 1e-9));
    const bool few = last - first <= 2;
    const int stride = std::max(1, int(std::ceil((last - first) / 7.0)));
    for (int exponent = first; exponent <= last; exponent += stride)
        for (const double factor : {1.0, 2.0, 5.0}) {
            if (factor != 1 && !few) continue;
            const double tick = factor * std::pow(10.0, exponent);
            // The axis drops ticks outside; rounding must not drop those at its very ends.
            if (tick > range.lower * 0.999 && tick < range.upper * 1.001)
                ticks << std::clamp(tick, range.lower, range.upper);
        }
    return ticks;
}

QString DecadeTicker::getTickLabel(double tick, const QLocale& locale, QChar, int) {
    return numberText(locale, tick, 3);
}

PaintedLayer::PaintedLayer(QCustomPlot* plot, const QString& layer, QCPAxisRect* clip, Paint paint)
    : QCPLayerable(plot, layer), m_clip(clip), m_paint(std::move(paint)) {}

QRect PaintedLayer::clipRect() const {
    return m_clip ? m_clip->rect() : mParentPlot->viewport();
}

void PaintedLayer::applyDefaultAntialiasingHint(QCPPainter* painter) const {
    // QCPPainter moves everything by half a pixel while it smooths, which would blur or lose whole
    // columns; the functions switch the plain render hint instead.
    painter->setAntialiasing(false);
}

void PaintedLayer::draw(QCPPainter* painter) {
    painter->save();
    m_paint(*painter);
    painter->restore();
}

void styleAxes(QCustomPlot& plot, const PlotTheme& theme, const QFont& small) {
    plot.setBackground(QBrush(theme.panel));
    QCPAxisRect* rect = plot.axisRect();
    for (QCPAxis* axis : {rect->axis(QCPAxis::atBottom), rect->axis(QCPAxis::atLeft)}) {
        axis->setBasePen(QPen(theme.border, 1));
        axis->setTickPen(QPen(theme.border, 1));
        axis->setSubTicks(false);
        axis->setTickLengthIn(0);
        axis->setTickLengthOut(4);
        axis->setTickLabelFont(small);
        axis->setTickLabelColor(theme.secondary);
        axis->setLabelFont(small);
        axis->setLabelColor(theme.secondary);
        axis->setTickLabelPadding(4);
        axis->setLabelPadding(4);
        axis->grid()->setPen(QPen(theme.grid, 1));
        axis->grid()->setZeroLinePen(Qt::NoPen);
        axis->grid()->setSubGridVisible(false);
    }
    rect->axis(QCPAxis::atBottom)->grid()->setVisible(false);
    // Beside the first column, not over it: a spike there is one pixel wide.
    rect->axis(QCPAxis::atLeft)->setOffset(1);
}

AxisTitles::AxisTitles(QCustomPlot& plot) : QObject(&plot), m_plot(plot) {
    connect(&plot, &QCustomPlot::afterLayout, this, &AxisTitles::fit);
}

void AxisTitles::set(const QString& bottom, const QString& left) {
    m_bottom = bottom;
    m_left = left;
}

void AxisTitles::setTicks(int bottom, int left) {
    m_bottomTicks = bottom;
    m_leftTicks = left;
}

bool AxisTitles::show(QCPAxis* axis, const QString& text, int ticks) {
    if (axis->label() == text && axis->ticker()->tickCount() == ticks) return false;
    axis->setLabel(text);
    axis->ticker()->setTickCount(ticks);
    // What a title takes, the rectangle loses: the layout runs again.
    for (const auto phase :
         {QCPLayoutElement::upPreparation, QCPLayoutElement::upMargins, QCPLayoutElement::upLayout})
        m_plot.plotLayout()->update(phase);
    return true;
}

void AxisTitles::fit() {
    constexpr int fewLines = 8;
    const QFontMetrics bottom(m_plot.xAxis->labelFont()), left(m_plot.yAxis->labelFont());
    const auto shortened = [](const QFontMetrics& metrics, const QString& text, int room) {
        const QString fitting = metrics.elidedText(text, Qt::ElideRight, room);
        return fitting.size() > text.size() / 2 ? fitting : QString();
    };
    const QRect all = m_plot.viewport();
    const bool low = all.height() < fewLines * bottom.height();
    const int widest = std::max(1, bottom.horizontalAdvance(QStringLiteral("00000")));
    show(m_plot.xAxis, low ? QString() : shortened(bottom, m_bottom, m_plot.axisRect()->width()),
         std::clamp(m_plot.axisRect()->width() / widest, 2, m_bottomTicks));
    const int room = m_plot.axisRect()->height();
    const auto fits = [&](const QString& line) { return left.horizontalAdvance(line) <= room; };
    const QStringList lines = m_left.split(QStringLiteral(", "));
    show(m_plot.yAxis,
         !fits(m_left) && std::ranges::all_of(lines, fits) ? lines.join(QLatin1Char('\n'))
                                                           : shortened(left, m_left, room),
         std::clamp(room * 2 / (3 * std::max(1, left.height())), 2, m_leftTicks));
}

void paintInto(QCustomPlot& plot, QCPPainter& painter, const QRect& rect) {
    painter.save();
    painter.translate(rect.topLeft());
    plot.toPainter(&painter, rect.width(), rect.height());
    painter.restore();
}

} // namespace bitloom::ui
