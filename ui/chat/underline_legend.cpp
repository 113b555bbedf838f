// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "ui/chat/underline_legend.h"

#include "ui/models/texts.h"
#include "ui/plots/divergence_strip.h"
#include "ui/theme/theme.h"

#include <QEvent>
#include <QPainter>

namespace bitloom::ui {

namespace {
constexpr int gap = 16;
}

int underlineLevel(float kl) {
    int level = -1;
    for (const float threshold : DivergenceStrip::thresholds)
        level += kl >= threshold;
    return level;
}

double underlineThickness(int level) {
    return 1.5 + level;
}

double underlineOpacity(int level) {
    return level == 2 ? 1.0 : level == 1 ? 0.7 : 0.45;
}

UnderlineLegend::UnderlineLegend(QWidget* parent) : QWidget(parent) {
    setObjectName(QStringLiteral("underlineLegend"));
    setAccessibleName(texts().join(QStringLiteral(", ")));
    setSizePolicy(QSizePolicy::Fixed, QSizePolicy::Fixed);
}

QStringList UnderlineLegend::texts() const {
    QStringList list{tr("Underline: KL in nats")};
    for (const float threshold : DivergenceStrip::thresholds)
        list << tr("from %1").arg(numberText(QLocale(), double(threshold), 2));
    return list;
}

QSize UnderlineLegend::sizeHint() const {
    const QFontMetrics metrics(captionFont());
    int width = 0;
    for (const QString& text : texts())
        width += metrics.horizontalAdvance(text) + gap;
    return {width - gap, metrics.height() + 8};
}

void UnderlineLegend::paintEvent(QPaintEvent*) {
    QPainter painter(this);
    const PlotTheme theme = PlotTheme::of(palette());
    painter.setFont(captionFont());
    const QFontMetrics metrics(captionFont());
    const QStringList list = texts();
    int x = 0;
    for (int i = 0; i < int(list.size()); ++i) {
        const int width = metrics.horizontalAdvance(list[i]);
        const int left = layoutDirection() == Qt::RightToLeft ? this->width() - x - width : x;
        painter.setPen(theme.secondary);
        painter.drawText(left, metrics.ascent(), list[i]);
        if (i > 0) {
            QColor colour = theme.divergence;
            colour.setAlphaF(float(underlineOpacity(i - 1)));
            painter.fillRect(QRectF(left, metrics.height() + 2, width, underlineThickness(i - 1)),
                             colour);
        }
        x += width + gap;
    }
}

void UnderlineLegend::changeEvent(QEvent* event) {
    QWidget::changeEvent(event);
    if (event->type() == QEvent::FontChange || event->type() == QEvent::ApplicationFontChange)
        updateGeometry();
}

} // namespace bitloom::ui
