// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "ui/plots/state_overlay.h"

#include "ui/plots/plot_paint.h"
#include "ui/plots/plot_theme.h"

#include <QEvent>
#include <QHBoxLayout>
#include <QLabel>
#include <QPainter>
#include <QPushButton>
#include <QVBoxLayout>

#include <cmath>

namespace bitloom::ui {

namespace {

void setTextColour(QLabel* label, const QColor& colour) {
    QPalette palette = label->palette();
    if (palette.color(QPalette::WindowText) == colour) return;
    palette.setColor(QPalette::WindowText, colour);
    label->setPalette(palette);
}

/// Silhouette of impulses: the same every time, so it does not flicker.
void drawSkeleton(QPainter& painter, const QRect& area, const PlotTheme& theme) {
    QColor bar = theme.groove;
    bar.setAlphaF(theme.dark ? 0.45f : 0.5f);
    const int left = area.left() + 56, right = area.right() - 16, base = area.bottom() - 28;
    if (right - left < 40 || base - area.top() < 40) return;
    painter.setPen(QPen(theme.grid, 1));
    const int height = base - area.top() - 16;
    for (int line = 0; line <= 3; ++line) {
        const double y = base - height * line / 3.0;
        painter.drawLine(QPointF(left, std::round(y) + 0.5), QPointF(right, std::round(y) + 0.5));
    }
    for (int x = left, i = 0; x + 5 < right; x += 8, ++i) {
        const double wave = std::sin(i * 0.7) * 0.5 + std::sin(i * 0.23 + 1) * 0.5;
        const double share = 0.18 + 0.07 * wave + (i % 23 == 11 ? 0.3 : 0);
        painter.fillRect(QRectF(x, base - height * share, 5, height * share), bar);
    }
}

void drawProgress(QPainter& painter, const QRectF& groove, double progress,
                  const PlotTheme& theme) {
    painter.setRenderHint(QPainter::Antialiasing);
    painter.setPen(Qt::NoPen);
    painter.setBrush(theme.groove);
    painter.drawRoundedRect(groove, 2, 2);
    QRectF done = groove;
    done.setWidth(std::max(groove.height(), groove.width() * std::clamp(progress, 0.0, 1.0)));
    if (painter.layoutDirection() == Qt::RightToLeft) done.moveRight(groove.right());
    painter.setBrush(theme.accent);
    painter.drawRoundedRect(done, 2, 2);
}

} // namespace

StateOverlay::StateOverlay(QWidget* parent, bool skeleton)
    : QWidget(parent), m_skeleton(skeleton), m_message(new QLabel(this)),
      m_detail(new QLabel(this)), m_action(new QPushButton(this)) {
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(24, 16, 24, 16);
    column->setSpacing(8);
    column->addStretch(1);
    for (QLabel* label : {m_message, m_detail}) {
        label->setAlignment(Qt::AlignCenter);
        label->setWordWrap(true);
        label->setTextFormat(Qt::PlainText);
        column->addWidget(label);
    }
    column->addSpacing(8);
    column->addWidget(m_action, 0, Qt::AlignHCenter);
    column->addStretch(1);
    connect(m_action, &QPushButton::clicked, this, &StateOverlay::actionRequested);
    restyle();
}

void StateOverlay::setState(const PlotState& state) {
    m_state = state;
    m_message->setText(state.message);
    m_message->setVisible(!state.message.isEmpty());
    m_detail->setText(state.detail);
    m_detail->setVisible(!state.detail.isEmpty());
    m_action->setText(state.action);
    m_action->setAccessibleName(state.action);
    m_action->setVisible(!state.action.isEmpty());
    restyle();
    update();
}

void StateOverlay::restyle() {
    const PlotTheme theme = PlotTheme::of(palette());
    m_message->setFont(boldened(font()));
    setTextColour(m_message, theme.text);
    setTextColour(m_detail, theme.secondary);
}

void StateOverlay::changeEvent(QEvent* event) {
    QWidget::changeEvent(event);
    if (event->type() == QEvent::PaletteChange || event->type() == QEvent::FontChange) restyle();
}

void StateOverlay::paintEvent(QPaintEvent*) {
    const PlotTheme theme = PlotTheme::of(palette());
    QPainter painter(this);
    painter.fillRect(rect(), theme.panel);
    if (m_skeleton) drawSkeleton(painter, rect(), theme);
    // The words stand on a quiet field, so that they never cross the silhouette.
    QRectF text = m_message->geometry();
    for (const QWidget* widget : {static_cast<QWidget*>(m_detail), static_cast<QWidget*>(m_action)})
        if (widget->isVisible()) text |= QRectF(widget->geometry());
    const double wanted = std::min<double>(
        std::max({double(m_message->fontMetrics().horizontalAdvance(m_state.message)),
                  double(m_detail->fontMetrics().horizontalAdvance(m_state.detail)),
                  double(m_action->width())}) +
            64,
        width());
    text = QRectF(text.center().x() - wanted / 2, text.top() - 20, wanted, text.height() + 40);
    painter.setRenderHint(QPainter::Antialiasing);
    painter.setPen(Qt::NoPen);
    painter.setBrush(theme.panel);
    painter.drawRoundedRect(text, 8, 8);
    if (m_state.kind == PlotState::Kind::Loading && m_state.progress >= 0)
        drawProgress(painter, QRectF(text.center().x() - 80, text.bottom() - 10, 160, 4),
                     m_state.progress, theme);
    if (m_state.kind == PlotState::Kind::Error) {
        const QPointF at(text.center().x(), text.top() + 4);
        const QPointF triangle[] = {at + QPointF(0, -9), at + QPointF(9, 7), at + QPointF(-9, 7)};
        painter.setPen(QPen(theme.warning, 1.6, Qt::SolidLine, Qt::RoundCap, Qt::RoundJoin));
        painter.setBrush(Qt::NoBrush);
        painter.drawPolygon(triangle, 3);
        painter.drawLine(at + QPointF(0, -3), at + QPointF(0, 2));
        painter.drawPoint(at + QPointF(0, 4.6));
    }
}

StateStrip::StateStrip(QWidget* parent)
    : QWidget(parent), m_message(new QLabel(this)), m_action(new QPushButton(this)) {
    auto* row = new QHBoxLayout(this);
    row->setContentsMargins(12, 4, 8, 6);
    row->setSpacing(8);
    m_message->setTextFormat(Qt::PlainText);
    m_message->setWordWrap(true);
    row->addWidget(m_message, 1);
    row->addWidget(m_action);
    connect(m_action, &QPushButton::clicked, this, &StateStrip::actionRequested);
    restyle();
}

void StateStrip::setState(const PlotState& state) {
    m_state = state;
    m_message->setText(state.detail.isEmpty()
                           ? state.message
                           : QString(state.message + QLatin1Char(' ') + state.detail));
    m_action->setText(state.action);
    m_action->setAccessibleName(state.action);
    m_action->setVisible(!state.action.isEmpty());
    restyle();
    update();
}

void StateStrip::restyle() {
    const PlotTheme theme = PlotTheme::of(palette());
    setTextColour(m_message, m_state.kind == PlotState::Kind::Stale ? theme.warning : theme.text);
}

void StateStrip::changeEvent(QEvent* event) {
    QWidget::changeEvent(event);
    if (event->type() == QEvent::PaletteChange) restyle();
}

void StateStrip::paintEvent(QPaintEvent*) {
    const PlotTheme theme = PlotTheme::of(palette());
    QPainter painter(this);
    painter.fillRect(rect(),
                     m_state.kind == PlotState::Kind::Stale ? theme.window : theme.selectedRow);
    if (m_state.progress >= 0)
        drawProgress(painter, QRectF(12, height() - 5, width() - 24, 3), m_state.progress, theme);
}

FocusRing::FocusRing(QWidget* parent) : QWidget(parent) {
    setAttribute(Qt::WA_TransparentForMouseEvents);
    setFocusPolicy(Qt::NoFocus);
    hide();
}

void FocusRing::paintEvent(QPaintEvent*) {
    QPainter painter(this);
    painter.setRenderHint(QPainter::Antialiasing);
    painter.setPen(QPen(PlotTheme::of(palette()).accent, 2));
    painter.drawRoundedRect(QRectF(rect()).adjusted(1, 1, -1, -1), 3, 3);
}

} // namespace bitloom::ui
