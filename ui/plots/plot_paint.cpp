// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "ui/plots/plot_paint.h"

#include <QFontMetricsF>
#include <QLocale>
#include <QPaintEngine>

#include <algorithm>
#include <cmath>

namespace bitloom::ui {

double leftAxisRoom(const QFont& font, const QString& widest, double least) {
    const QFontMetricsF metrics(font);
    return std::max(least, std::ceil(metrics.horizontalAdvance(widest) + metrics.height() + 12));
}

void drawLeftTitle(QPainter& painter, const QRectF& inner, double room, const QString& title) {
    const QFontMetricsF metrics(painter.font());
    const QString text = metrics.elidedText(title, Qt::ElideRight, inner.height());
    if (text.size() <= title.size() / 2) return;
    painter.save();
    painter.translate(inner.left() - room + metrics.height() / 2 + 2, inner.center().y());
    painter.rotate(-90);
    painter.drawText(
        QRectF(-inner.height() / 2, -metrics.height() / 2, inner.height(), metrics.height()),
        Qt::AlignCenter | Qt::TextDontClip, text);
    painter.restore();
}

QFont boldened(QFont font) {
    font.setWeight(QFont::DemiBold);
    return font;
}

bool isVector(const QPainter& painter) {
    const QPaintEngine* engine = painter.paintEngine();
    return engine && engine->type() != QPaintEngine::Raster;
}

void drawReadoutBox(QPainter& painter, const PlotTheme& theme, const QFont& font,
                    const QStringList& lines, const QPointF& anchor, const QRectF& bounds) {
    if (lines.isEmpty()) return;
    const QFont bold = boldened(font);
    const QFontMetricsF metrics(font), boldMetrics(bold);
    const double lineHeight = std::ceil(std::max(metrics.height(), boldMetrics.height())) + 2;
    double width = boldMetrics.horizontalAdvance(lines[0]);
    for (int i = 1; i < lines.size(); ++i)
        width = std::max(width, metrics.horizontalAdvance(lines[i]));
    QRectF box(0, 0, std::ceil(width) + 16, lineHeight * double(lines.size()) + 10);
    // Left of the anchor where it fits: what comes next, to the right, stays visible.
    box.moveTopRight({anchor.x() - 12, anchor.y() - box.height() / 2});
    if (box.left() < bounds.left()) box.moveLeft(anchor.x() + 12);
    if (box.right() > bounds.right()) box.moveRight(bounds.right());
    if (box.bottom() > bounds.bottom()) box.moveBottom(bounds.bottom());
    if (box.top() < bounds.top()) box.moveTop(bounds.top());
    box = QRectF(std::round(box.x()) + 0.5, std::round(box.y()) + 0.5, box.width(), box.height());

    painter.save();
    painter.setRenderHint(QPainter::Antialiasing);
    QColor fill = theme.dark ? theme.window.lighter(125) : theme.panel;
    fill.setAlphaF(0.96f);
    painter.setPen(QPen(theme.border, 1));
    painter.setBrush(fill);
    painter.drawRoundedRect(box, 4, 4);
    painter.setPen(theme.text);
    for (int i = 0; i < lines.size(); ++i) {
        painter.setFont(i == 0 ? bold : font);
        painter.drawText(
            QRectF(box.left() + 8, box.top() + 5 + lineHeight * i, width + 1, lineHeight),
            Qt::AlignLeft | Qt::AlignVCenter | Qt::TextDontClip, lines[i]);
    }
    painter.restore();
}

void drawPin(QPainter& painter, const QPointF& tip, const QColor& colour) {
    painter.save();
    painter.setRenderHint(QPainter::Antialiasing);
    painter.translate(tip);
    QPainterPath head;
    head.addRoundedRect(QRectF(-3.6, -12, 7.2, 1.9), 0.9, 0.9);
    QPainterPath body;
    body.moveTo(-2.2, -10.4);
    body.lineTo(2.2, -10.4);
    body.lineTo(2.6, -7.2);
    body.lineTo(4.4, -4.8);
    body.lineTo(-4.4, -4.8);
    body.lineTo(-2.6, -7.2);
    body.closeSubpath();
    painter.fillPath(head.united(body), colour);
    painter.fillRect(QRectF(-0.6, -4.9, 1.2, 4.9), colour);
    painter.restore();
}

void drawBitChip(QPainter& painter, const PlotTheme& theme, const QRectF& rect, int bits,
                 const QFont& font) {
    painter.save();
    painter.setRenderHint(QPainter::Antialiasing);
    painter.setPen(Qt::NoPen);
    painter.setBrush(theme.bits(bits));
    painter.drawRoundedRect(rect, 3, 3);
    painter.setPen(theme.onBits(bits));
    painter.setFont(boldened(font));
    painter.drawText(rect, Qt::AlignCenter | Qt::TextDontClip,
                     bits == 0 ? QStringLiteral("–") : QLocale().toString(bits));
    painter.restore();
}

void drawStripes(QPainter& painter, const QRectF& rect, const QColor& colour, double spacing,
                 double width) {
    if (!rect.isValid()) return;
    painter.save();
    painter.setClipRect(rect, Qt::IntersectClip);
    painter.setRenderHint(QPainter::Antialiasing);
    painter.setPen(QPen(colour, width));
    // Anchored to the coordinates, not to the rectangle: neighbours go on without a seam.
    const double step = spacing * std::sqrt(2.0);
    const double first = std::floor((rect.left() + rect.top()) / step) * step;
    for (double sum = first; sum <= rect.right() + rect.bottom() + step; sum += step)
        painter.drawLine(QPointF(sum - rect.bottom(), rect.bottom()),
                         QPointF(sum - rect.top(), rect.top()));
    painter.restore();
}

void drawMark(QPainter& painter, LegendEntry::Mark mark, const QPointF& centre,
              const QColor& colour, const QColor& panel) {
    using Mark = LegendEntry::Mark;
    painter.save();
    painter.setRenderHint(QPainter::Antialiasing);
    painter.setPen(Qt::NoPen);
    painter.setBrush(colour);
    const auto line = [&](Qt::PenStyle style) {
        painter.setPen(QPen(colour, 1.6, style, Qt::FlatCap));
        painter.drawLine(centre - QPointF(8, 0), centre + QPointF(8, 0));
    };
    switch (mark) {
    case Mark::None:
        break;
    case Mark::Box:
        painter.drawRoundedRect(QRectF(centre.x() - 5, centre.y() - 5, 10, 10), 2, 2);
        break;
    case Mark::HatchedBox: {
        const QRectF box(centre.x() - 5, centre.y() - 5, 10, 10);
        painter.fillRect(box, colour);
        drawStripes(painter, box, panel, 3, 1.4);
        break;
    }
    case Mark::Line:
        line(Qt::SolidLine);
        break;
    case Mark::DashedLine:
        painter.setPen(QPen(colour, 1.6, Qt::CustomDashLine, Qt::FlatCap));
        {
            QPen pen = painter.pen();
            pen.setDashPattern({3, 2});
            painter.setPen(pen);
        }
        painter.drawLine(centre - QPointF(8, 0), centre + QPointF(8, 0));
        break;
    case Mark::DottedLine:
        line(Qt::DotLine);
        break;
    case Mark::Disc:
        painter.drawEllipse(centre, 3.5, 3.5);
        break;
    case Mark::Ring:
        painter.setPen(QPen(colour, 1.4));
        painter.setBrush(panel);
        painter.drawEllipse(centre, 3, 3);
        break;
    case Mark::Triangle: {
        const QPointF points[] = {centre + QPointF(0, -4), centre + QPointF(4, 3.2),
                                  centre + QPointF(-4, 3.2)};
        painter.drawPolygon(points, 3);
        break;
    }
    case Mark::Square:
        painter.drawRect(QRectF(centre.x() - 3.2, centre.y() - 3.2, 6.4, 6.4));
        break;
    }
    painter.restore();
}

std::vector<double> roundTicks(double low, double high, int count) {
    if (!std::isfinite(low) || !std::isfinite(high) || !(high > low) || count < 1) return {};
    const double raw = (high - low) / count;
    const double power = std::pow(10.0, std::floor(std::log10(raw)));
    double step = 10 * power;
    for (const double factor : {1.0, 2.0, 5.0})
        if (factor * power >= raw * 0.999) {
            step = factor * power;
            break;
        }
    std::vector<double> ticks;
    for (double tick = std::ceil(low / step - 1e-9) * step; tick <= high + step * 1e-9;
         tick += step)
        ticks.push_back(std::abs(tick) < step * 1e-9 ? 0 : tick);
    return ticks;
}

} // namespace bitloom::ui
