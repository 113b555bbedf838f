// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "ui/window/figure_label.h"

#include "ui/plots/number_text.h"
#include "ui/plots/plot_theme.h"
#include "ui/theme/theme.h"

#include <QEvent>
#include <QPainter>
#include <QStyle>

#include <algorithm>

namespace bitloom::ui {

namespace {
constexpr int gap = 6;
}

FigureLabel::FigureLabel(const QString& name, QWidget* parent) : QWidget(parent), m_name(name) {
    setAccessibleName(name);
    setSizePolicy(QSizePolicy::Preferred, QSizePolicy::Fixed);
    m_fade.setDuration(700);
    m_fade.setStartValue(1.0);
    m_fade.setEndValue(0.0);
    connect(&m_fade, &QVariantAnimation::valueChanged, this, [this](const QVariant& value) {
        m_opacity = value.toDouble();
        update();
    });
    connect(&m_fade, &QVariantAnimation::finished, this, [this] {
        m_change.clear();
        m_caption = m_captionAfter;
        m_opacity = 1;
        update();
    });
}

void FigureLabel::setSamples(const QString& value, const QString& suffix, const QString& caption) {
    m_sampleValue = value;
    m_sampleSuffix = suffix;
    m_sampleCaption = caption;
    updateGeometry();
}

void FigureLabel::setFigure(const QString& figure, const QString& after) {
    const QString value = isolated(figure), suffix = isolated(after);
    if (value == m_value && suffix == m_suffix) return;
    m_value = value;
    m_suffix = suffix;
    update();
}

void FigureLabel::setCaption(const QString& below, const QString& difference) {
    const QString caption = isolated(below), change = isolated(difference);
    m_fade.stop();
    m_opacity = 1;
    if (caption == m_caption && change == m_change) return;
    m_caption = caption;
    m_change = change;
    update();
}

void FigureLabel::fadeChange(const QString& captionAfter, bool animate) {
    m_captionAfter = isolated(captionAfter);
    if (m_change.isEmpty() || !animate) {
        setCaption(captionAfter);
        return;
    }
    m_fade.start();
}

QString FigureLabel::plainText() const {
    QStringList parts;
    for (const QString& part : {m_value, m_suffix, m_change, m_caption})
        if (!part.isEmpty()) parts.append(part);
    return parts.join(QLatin1Char(' '));
}

QSize FigureLabel::sizeHint() const {
    const QFontMetrics big(figureFont()), body(font()), caption(captionFont());
    const int first =
        big.horizontalAdvance(m_sampleValue) + gap + body.horizontalAdvance(m_sampleSuffix);
    const int second = caption.horizontalAdvance(m_sampleCaption);
    return {std::max(first, second) + 4, big.height() + caption.height() + 4};
}

QSize FigureLabel::minimumSizeHint() const {
    const QFontMetrics big(figureFont());
    return {big.horizontalAdvance(m_sampleValue) + 4, sizeHint().height()};
}

void FigureLabel::changeEvent(QEvent* event) {
    QWidget::changeEvent(event);
    if (event->type() == QEvent::FontChange) updateGeometry();
    update();
}

void FigureLabel::paintEvent(QPaintEvent*) {
    const PlotTheme theme = PlotTheme::of(palette());
    QPainter painter(this);
    const QFontMetrics big(figureFont()), body(font()), caption(captionFont());
    const bool rightToLeft = layoutDirection() == Qt::RightToLeft;
    const auto place = [&](QRect rect) {
        return rightToLeft ? QStyle::visualRect(Qt::RightToLeft, this->rect(), rect) : rect;
    };
    const int baseline = big.ascent();
    painter.setFont(figureFont());
    painter.setPen(theme.text);
    const int advance = big.horizontalAdvance(m_value);
    painter.drawText(place(QRect(0, 0, advance + 2, big.height())), Qt::AlignLeft | Qt::AlignTop,
                     m_value);
    painter.setFont(font());
    painter.setPen(theme.secondary);
    const int left = advance + gap, room = width() - left;
    if (room > 8)
        painter.drawText(place(QRect(left, baseline - body.ascent(), room, body.height())),
                         Qt::AlignLeft | Qt::AlignTop,
                         body.elidedText(m_suffix, Qt::ElideRight, room));
    painter.setFont(captionFont());
    int x = 0;
    const int top = big.height() + 2;
    if (!m_change.isEmpty()) {
        QFont strong = captionFont();
        strong.setWeight(QFont::DemiBold);
        painter.setFont(strong);
        painter.setOpacity(m_opacity);
        painter.setPen(theme.accent);
        const int w = QFontMetrics(strong).horizontalAdvance(m_change);
        painter.drawText(place(QRect(x, top, w + 2, caption.height())), Qt::AlignLeft, m_change);
        x += w + 5;
        painter.setFont(captionFont());
    }
    painter.setOpacity(m_opacity);
    painter.setPen(theme.secondary);
    painter.drawText(place(QRect(x, top, std::max(0, width() - x), caption.height())),
                     Qt::AlignLeft,
                     caption.elidedText(m_caption, Qt::ElideRight, std::max(0, width() - x)));
}

} // namespace bitloom::ui
