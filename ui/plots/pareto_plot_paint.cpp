// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "ui/plots/number_text.h"
#include "ui/plots/pareto_plot_private.h"
#include "ui/plots/plot_paint.h"

#include <QFontMetricsF>
#include <QPainterPath>

#include <algorithm>
#include <map>

namespace bitloom::ui {

namespace {

constexpr double kDiscSpacing = 24; ///< of the hollow marks on the curve, pixels

} // namespace

QColor ParetoPlot::Private::colourOf(const MeasuredMark& mark, const PlotTheme& theme) const {
    return mark.family == MeasuredMark::Family::Plan ? theme.text : theme.secondary;
}

LegendEntry::Mark ParetoPlot::Private::markOf(const MeasuredMark& mark) {
    switch (mark.family) {
    case MeasuredMark::Family::Plan:
        return LegendEntry::Mark::Disc;
    case MeasuredMark::Family::Uniform:
        return LegendEntry::Mark::Square;
    case MeasuredMark::Family::Other:
        break;
    }
    return LegendEntry::Mark::Triangle;
}

std::vector<LegendEntry> ParetoPlot::legend(const PlotTheme& theme) const {
    using Mark = LegendEntry::Mark;
    std::vector<LegendEntry> entries;
    const auto has = [this](MeasuredMark::Family family) {
        return std::any_of(d->data.measured.begin(), d->data.measured.end(),
                           [&](const MeasuredMark& mark) { return mark.family == family; });
    };
    if (!d->data.predicted.empty())
        entries.push_back({Mark::DashedLine, theme.accent, tr("predicted, with band")});
    if (has(MeasuredMark::Family::Plan))
        entries.push_back({Mark::Disc, theme.text, tr("measured ± error")});
    if (has(MeasuredMark::Family::Uniform))
        entries.push_back({Mark::Square, theme.secondary, tr("uniform, measured")});
    QStringList series;
    for (const MeasuredMark& mark : d->data.measured)
        if (mark.family == MeasuredMark::Family::Other && !series.contains(mark.series))
            series << mark.series;
    for (const QString& name : series)
        entries.push_back({Mark::Triangle, theme.secondary, tr("%1, measured").arg(name)});
    return entries;
}

void ParetoPlot::Private::paintData(QCPPainter& painter) {
    if (area().width() < 8 || (data.predicted.empty() && data.measured.empty())) return;
    const PlotTheme colours = theme();
    painter.setRenderHint(QPainter::Antialiasing);
    const QRectF reserved = printTheme ? QRectF() : paintLegend(painter, colours);
    legendBox = reserved;
    paintBand(painter, colours);
    paintReference(painter, colours);
    paintCurve(painter, colours);
    paintMeasured(painter, colours);
    paintLabels(painter, colours, reserved);
}

void ParetoPlot::Private::paintBand(QCPPainter& painter, const PlotTheme& theme) const {
    QPolygonF band;
    for (const PredictedPoint& point : data.predicted)
        if (std::isfinite(point.high)) band << pixel(point.bits, point.bytes, point.high);
    for (auto point = data.predicted.rbegin(); point != data.predicted.rend(); ++point)
        if (std::isfinite(point->low)) band << pixel(point->bits, point->bytes, point->low);
    painter.setPen(Qt::NoPen);
    painter.setBrush(theme.accentFill);
    painter.drawPolygon(band);
}

void ParetoPlot::Private::paintReference(QCPPainter& painter, const PlotTheme& theme) const {
    if (!std::isfinite(data.fp16Perplexity)) return;
    const QRectF rect = area();
    const double y = plot->yAxis->coordToPixel(data.fp16Perplexity);
    if (data.fp16Sigma > 0) {
        QColor fill = theme.secondary;
        fill.setAlphaF(0.12f);
        const double half =
            std::abs(plot->yAxis->coordToPixel(data.fp16Perplexity + data.fp16Sigma) - y);
        painter.fillRect(QRectF(rect.left(), y - half, rect.width(), 2 * half), fill);
    }
    painter.setPen(QPen(theme.secondary, 1.2, Qt::DotLine));
    painter.drawLine(QPointF(rect.left(), y), QPointF(rect.right(), y));
    painter.setFont(q->smallFont());
    painter.setPen(theme.secondary);
    const double height = QFontMetricsF(painter.font()).height();
    const bool below = y + height + 2 <= rect.bottom();
    // At the left: at the right the curve comes down to this line.
    painter.drawText(
        QRectF(rect.left() + 6, below ? y + 2 : y - height - 2, rect.width() - 12, height),
        Qt::AlignLeft | Qt::AlignVCenter,
        ParetoPlot::tr("FP16 %1").arg(perplexityText(data.fp16Perplexity)));
}

void ParetoPlot::Private::paintCurve(QCPPainter& painter, const PlotTheme& theme) const {
    QPolygonF line;
    for (const PredictedPoint& point : data.predicted)
        line << pixel(point.bits, point.bytes, point.perplexity);
    QPen pen(theme.accent, 1.8, Qt::CustomDashLine, Qt::FlatCap);
    pen.setDashPattern({3.5, 2.2});
    painter.setPen(pen);
    painter.setBrush(Qt::NoBrush);
    painter.drawPolyline(line);
    // Hollow marks a finger apart: the curve is made of points that a budget can take.
    QPointF last(-1e9, 0);
    for (const QPointF& at : line) {
        const QPointF away = at - last;
        if (std::hypot(away.x(), away.y()) < kDiscSpacing) continue;
        drawMark(painter, LegendEntry::Mark::Ring, at, theme.accent, theme.panel);
        last = at;
    }
}

void ParetoPlot::Private::paintMeasured(QCPPainter& painter, const PlotTheme& theme) const {
    std::map<QString, QPolygonF> series;
    for (const MeasuredMark& mark : data.measured)
        if (mark.family == MeasuredMark::Family::Other)
            series[mark.series] << pixel(mark.bits, mark.bytes, mark.perplexity);
    QColor thin = theme.secondary;
    thin.setAlphaF(0.6f);
    painter.setPen(QPen(thin, 1));
    painter.setBrush(Qt::NoBrush);
    for (auto& [name, line] : series) {
        std::sort(line.begin(), line.end(),
                  [](const QPointF& a, const QPointF& b) { return a.x() < b.x(); });
        painter.drawPolyline(line);
    }
    for (const MeasuredMark& mark : data.measured) {
        const QPointF at = pixel(mark.bits, mark.bytes, mark.perplexity);
        const QColor colour = colourOf(mark, theme);
        const double half =
            std::abs(plot->yAxis->coordToPixel(mark.perplexity + mark.sigma) - at.y());
        if (mark.sigma > 0 && half > 3) {
            painter.setPen(QPen(colour, 1));
            painter.drawLine(at - QPointF(0, half), at + QPointF(0, half));
            for (const double end : {-half, half})
                painter.drawLine(at + QPointF(-3, end), at + QPointF(3, end));
        }
        drawMark(painter, markOf(mark), at, colour, theme.panel);
    }
}

/// Names beside points, where they hide neither each other nor a point; otherwise the read-out
/// has to do.
void ParetoPlot::Private::paintLabels(QCPPainter& painter, const PlotTheme& theme,
                                      const QRectF& reserved) const {
    const QFont small = q->smallFont();
    const QFontMetricsF metrics(small);
    painter.setFont(small);
    std::vector<QRectF> taken;
    if (reserved.isValid()) taken.push_back(reserved);
    if (std::isfinite(data.fp16Perplexity)) {
        const double y = plot->yAxis->coordToPixel(data.fp16Perplexity);
        taken.push_back({area().left(), y - 2, 90, metrics.height() + 6});
    }
    for (const MeasuredMark& mark : data.measured)
        taken.push_back(
            QRectF(pixel(mark.bits, mark.bytes, mark.perplexity) - QPointF(4, 4), QSizeF(8, 8)));
    for (const PredictedPoint& point : data.predicted)
        taken.push_back(
            QRectF(pixel(point.bits, point.bytes, point.perplexity) - QPointF(2, 2), QSizeF(4, 4)));
    // Plans first: where there is room for one name only, it is theirs.
    std::vector<const MeasuredMark*> marks;
    for (const MeasuredMark& mark : data.measured)
        marks.push_back(&mark);
    std::stable_sort(marks.begin(), marks.end(), [](const MeasuredMark* a, const MeasuredMark* b) {
        return a->family < b->family;
    });
    for (const MeasuredMark* mark : marks) {
        const bool own = mark->family == MeasuredMark::Family::Plan && mark->bits == plan.bits &&
                         mark->bytes == plan.bytes; // the plan's label speaks of it
        if (mark->label.isEmpty() || own) continue;
        const QPointF at = pixel(mark->bits, mark->bytes, mark->perplexity);
        const double width = metrics.horizontalAdvance(mark->label), height = metrics.height() - 2;
        const QRectF places[] = {{at.x() + 8, at.y() - height / 2, width, height},
                                 {at.x() + 5, at.y() - height - 5, width, height},
                                 {at.x() - 8 - width, at.y() - height / 2, width, height},
                                 {at.x() - width / 2, at.y() - height - 9, width, height},
                                 {at.x() - 5 - width, at.y() + 5, width, height}};
        for (const QRectF& place : places) {
            if (!area().contains(place) ||
                std::any_of(taken.begin(), taken.end(),
                            [&](const QRectF& other) { return other.intersects(place); }))
                continue;
            painter.setPen(colourOf(*mark, theme));
            painter.drawText(place, Qt::AlignLeft | Qt::AlignVCenter | Qt::TextDontClip,
                             mark->label);
            taken.push_back(place);
            break;
        }
    }
}

QRectF ParetoPlot::Private::paintLegend(QCPPainter& painter, const PlotTheme& theme) const {
    const std::vector<LegendEntry> entries = q->legend(theme);
    const QFont small = q->smallFont();
    const QFontMetricsF metrics(small);
    double width = 0;
    for (const LegendEntry& entry : entries)
        width = std::max(width, metrics.horizontalAdvance(entry.text));
    const double line = metrics.height() + 3;
    const QRectF rect = area();
    const int columns = rect.width() > 560 ? 2 : 1;
    const int lines = (int(entries.size()) + columns - 1) / columns;
    const double column = width + 40;
    QRectF box(rect.right() - columns * column - 4, rect.top() + 4, columns * column, lines * line);
    // In a small dock the data need the room more than their legend.
    if (entries.empty() || box.height() > rect.height() * 0.45 || box.width() > rect.width() * 0.6)
        return {};
    painter.setFont(small);
    for (size_t i = 0; i < entries.size(); ++i) {
        const double x = box.left() + double(int(i) / lines) * column;
        const double y = box.top() + double(int(i) % lines) * line;
        drawMark(painter, entries[i].mark, {x + 12, y + line / 2}, entries[i].colour, theme.panel);
        painter.setPen(theme.text);
        painter.drawText(QRectF(x + 28, y, width + 2, line),
                         Qt::AlignLeft | Qt::AlignVCenter | Qt::TextDontClip, entries[i].text);
    }
    return box;
}

void ParetoPlot::Private::paintOverlay(QCPPainter& painter) {
    painter.setRenderHint(QPainter::Antialiasing);
    if (hasPlan()) paintPlan(painter);
    if (cursor < 0 || cursor >= int(stops.size()) || printTheme) return;
    const QPointF at = pixel(stops[size_t(cursor)]);
    painter.setPen(QPen(theme().accent, 1.6));
    painter.setBrush(Qt::NoBrush);
    painter.drawEllipse(at, 7, 7);
    drawReadoutBox(painter, theme(), q->smallFont(), readoutLines(stops[size_t(cursor)]), at,
                   area());
}

void ParetoPlot::Private::paintPlan(QCPPainter& painter) const {
    const PlotTheme colours = theme();
    const QRectF rect = area();
    const QPointF at = pixel(plan.bits, plan.bytes, plan.perplexity);
    if (at.x() < rect.left() - 1 || at.x() > rect.right() + 1) return;
    painter.setPen(QPen(colours.accent, 1));
    painter.drawLine(QPointF(at.x(), rect.top()), QPointF(at.x(), rect.bottom()));
    if (rect.adjusted(-8, -8, 8, 8).contains(at)) {
        painter.setPen(QPen(colours.accent, 2));
        painter.setBrush(colours.panel);
        painter.drawEllipse(at, 6, 6);
        painter.setPen(Qt::NoPen);
        painter.setBrush(colours.accent);
        painter.drawEllipse(at, 2, 2);
    }
    // In a plot of a few lines words would hide the curve; the table beside says the same.
    constexpr int fewLines = 5;
    if (rect.height() >= fewLines * QFontMetricsF(q->smallFont()).height())
        paintPlanLabel(painter, at.x());
}

QString ParetoPlot::Private::planWords() const {
    const QString name = planName.isEmpty() ? ParetoPlot::tr("this plan") : planName;
    const auto measured = std::ranges::find_if(data.measured, [this](const MeasuredMark& mark) {
        return mark.family == MeasuredMark::Family::Plan && mark.bits == plan.bits &&
               mark.bytes == plan.bytes;
    });
    QString predicted = perplexityText(plan.perplexity);
    if (measured == data.measured.end() && std::isfinite(plan.high) && std::isfinite(plan.low) &&
        plan.high > plan.low)
        predicted += QStringLiteral("\u00A0±\u00A0") + perplexityText((plan.high - plan.low) / 2);
    const QString words = ParetoPlot::tr("%1: predicted %2").arg(name, isolated(predicted));
    if (measured == data.measured.end()) return words;
    return ParetoPlot::tr("%1, measured %2").arg(words, perplexityText(measured->perplexity));
}

void ParetoPlot::Private::paintPlanLabel(QCPPainter& painter, double line) const {
    const PlotTheme colours = theme();
    const QRectF rect = area();
    const QString words = planWords();
    const QFont bold = boldened(q->smallFont());
    const QFontMetricsF metrics(bold);
    const double width = metrics.horizontalAdvance(words) + 2;
    double x = line + 7;
    if (x + width > rect.right()) x = line - 7 - width;
    QRectF label(x, rect.top() + 4, width, metrics.height());
    if (label.intersects(legendBox)) {
        if (line - 7 - width > rect.left())
            label.moveRight(line - 7);
        else
            label.moveTop(legendBox.bottom() + 4);
    }
    // In a narrow view it crosses the line rather than the axis.
    label.moveLeft(
        std::clamp(label.left(), rect.left() + 4, std::max(rect.left() + 4, rect.right() - width)));
    QColor halo = colours.panel;
    halo.setAlphaF(0.85f);
    painter.fillRect(label.adjusted(-3, 0, 3, 0), halo);
    painter.setFont(bold);
    painter.setPen(colours.text);
    painter.drawText(label, Qt::AlignLeft | Qt::AlignVCenter | Qt::TextDontClip, words);
}

} // namespace bitloom::ui
