// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "ui/window/budget_slider.h"

#include "ui/plots/plot_theme.h"
#include "ui/theme/theme.h"

#include <QHoverEvent>
#include <QKeyEvent>
#include <QMouseEvent>
#include <QPainter>
#include <QWheelEvent>

#include <algorithm>
#include <cmath>

namespace bitloom::ui {

namespace {

constexpr int handleRadius = 9, grooveHeight = 4;

/// Round values between the ends, for ticks: 1, 1.5, 2, 2.5, 3, 3.5, 4, 5, 6, 7, 8 times a power
/// of 10.
std::vector<double> roundValues(double low, double high) {
    static constexpr double steps[] = {1, 1.5, 2, 2.5, 3, 3.5, 4, 5, 6, 7, 8};
    std::vector<double> values;
    if (!(low > 0) || !(high > low)) return values;
    for (double power = std::pow(10, std::floor(std::log10(low))); power <= high; power *= 10)
        for (const double step : steps)
            if (step * power > low && step * power < high) values.push_back(step * power);
    return values;
}

} // namespace

BudgetSlider::BudgetSlider(QWidget* parent) : QSlider(Qt::Horizontal, parent) {
    setFocusPolicy(Qt::StrongFocus);
    setAttribute(Qt::WA_Hover);
    setCursor(Qt::ArrowCursor);
    setTracking(true);
    connect(this, &QSlider::valueChanged, this, [this](int steps) {
        if (m_setting) return;
        // Keys, or assistive technology.
        m_value = std::clamp(steps * m_unit, m_low, m_high);
        update();
        emit moved(m_value);
    });
}

void BudgetSlider::setScale(double low, double high, double unit, bool mirrored,
                            std::function<QString(double)> format, double shown) {
    m_shown = shown;
    m_low = low;
    m_high = std::max(high, low);
    m_unit = unit;
    m_mirrored = mirrored;
    m_format = std::move(format);
    m_setting = true;
    setRange(int(std::floor(low / unit)), int(std::ceil(m_high / unit)));
    setSingleStep(5);
    setPageStep(50);
    m_setting = false;
    setRealValue(m_value);
    layTicks();
    update();
}

double BudgetSlider::realValue() const {
    return m_value;
}

void BudgetSlider::setRealValue(double value) {
    m_value = std::clamp(value, m_low, m_high);
    m_setting = true;
    setValue(int(std::lround(m_value / m_unit)));
    m_setting = false;
    update();
}

QRect BudgetSlider::track() const {
    const int labels = QFontMetrics(captionFont()).height();
    const int inset = handleRadius + 2;
    return QRect(inset, std::max(handleRadius + 2, (height() - labels - 12) / 2 - grooveHeight / 2),
                 std::max(8, width() - 2 * inset), grooveHeight);
}

double BudgetSlider::share(double value) const {
    if (!(m_high > m_low)) return 0;
    // Logarithmic from a point a little below the least, so that the first steps do not fill half
    // of the track.
    const double origin = m_low > 0 ? m_low * 0.35 : 0;
    const double at = m_low > 0 ? std::log((value - origin) / (m_low - origin)) /
                                      std::log((m_high - origin) / (m_low - origin))
                                : (value - m_low) / (m_high - m_low);
    const bool flipped = m_mirrored != (layoutDirection() == Qt::RightToLeft);
    return flipped ? 1 - at : at;
}

int BudgetSlider::positionOf(double value) const {
    const QRect t = track();
    return t.left() + int(std::lround(share(value) * (t.width() - 1)));
}

double BudgetSlider::valueAt(int x) const {
    const QRect t = track();
    double at = std::clamp(double(x - t.left()) / double(t.width() - 1), 0.0, 1.0);
    const bool flipped = m_mirrored != (layoutDirection() == Qt::RightToLeft);
    if (flipped) at = 1 - at;
    if (at <= 0) return m_low;
    if (at >= 1) return m_high;
    const double origin = m_low > 0 ? m_low * 0.35 : 0;
    const double value =
        m_low > 0 ? origin + (m_low - origin) * std::pow((m_high - origin) / (m_low - origin), at)
                  : m_low + at * (m_high - m_low);
    return std::clamp(std::round(value / m_unit) * m_unit, m_low, m_high);
}

void BudgetSlider::moveTo(double value) {
    if (value == m_value) return;
    setRealValue(value);
    emit moved(m_value);
}

void BudgetSlider::mousePressEvent(QMouseEvent* event) {
    if (event->button() != Qt::LeftButton || !isEnabled()) return;
    setSliderDown(true); // emits sliderPressed
    moveTo(valueAt(event->position().toPoint().x()));
}

void BudgetSlider::mouseMoveEvent(QMouseEvent* event) {
    if (isSliderDown()) moveTo(valueAt(event->position().toPoint().x()));
}

void BudgetSlider::mouseReleaseEvent(QMouseEvent* event) {
    if (event->button() == Qt::LeftButton && isSliderDown()) setSliderDown(false);
    update();
}

void BudgetSlider::keyPressEvent(QKeyEvent* event) {
    const bool flip = m_mirrored;
    const auto step = [&](double steps) { moveTo(m_value + (flip ? -steps : steps) * m_unit); };
    const bool rightToLeft = layoutDirection() == Qt::RightToLeft;
    switch (event->key()) {
    case Qt::Key_Right:
        step(rightToLeft ? -1 : 1);
        break;
    case Qt::Key_Left:
        step(rightToLeft ? 1 : -1);
        break;
    case Qt::Key_Up:
        step(1);
        break;
    case Qt::Key_Down:
        step(-1);
        break;
    case Qt::Key_PageUp:
        step(pageStep());
        break;
    case Qt::Key_PageDown:
        step(-pageStep());
        break;
    case Qt::Key_Home:
        moveTo(flip ? m_high : m_low);
        break;
    case Qt::Key_End:
        moveTo(flip ? m_low : m_high);
        break;
    default:
        QSlider::keyPressEvent(event);
        return;
    }
    event->accept();
}

void BudgetSlider::wheelEvent(QWheelEvent* event) {
    const int delta =
        event->angleDelta().y() != 0 ? event->angleDelta().y() : event->angleDelta().x();
    moveTo(m_value + (m_mirrored ? -1 : 1) * delta / 120.0 * singleStep() * m_unit);
    event->accept();
}

bool BudgetSlider::event(QEvent* event) {
    if (event->type() == QEvent::HoverEnter || event->type() == QEvent::HoverLeave) {
        m_hover = event->type() == QEvent::HoverEnter;
        update();
    }
    if (event->type() == QEvent::Resize) layTicks();
    return QSlider::event(event);
}

void BudgetSlider::changeEvent(QEvent* event) {
    QSlider::changeEvent(event);
    if (event->type() == QEvent::FontChange || event->type() == QEvent::LocaleChange ||
        event->type() == QEvent::LayoutDirectionChange) {
        layTicks();
        updateGeometry();
    }
    update();
}

/// Under its tick, but not beyond the ends of the widget.
std::pair<int, int> BudgetSlider::textExtent(double value, int textWidth) const {
    const int left =
        std::clamp(positionOf(value) - textWidth / 2, 0, std::max(0, width() - textWidth));
    return {left, left + textWidth};
}

void BudgetSlider::layTicks() {
    m_ticks.clear();
    if (!m_format || !(m_high > m_low)) return;
    const QFontMetrics metrics(captionFont());
    std::vector<std::pair<int, int>> taken;
    const auto extent = [&](double value, const QString& text) {
        const auto [left, right] = textExtent(value, metrics.horizontalAdvance(text));
        return std::pair(left - 5, right + 5);
    };
    for (const double end : {m_low, m_high}) {
        m_ticks.push_back({end, m_format(end), true});
        taken.push_back(extent(end, m_ticks.back().text));
    }
    // Whole numbers before halves, as far as there is room.
    std::vector<double> values = roundValues(m_low / m_shown, m_high / m_shown);
    std::ranges::stable_sort(values, {}, [](double v) {
        const double digits = v / std::pow(10, std::floor(std::log10(v)));
        return std::abs(digits - std::round(digits)) > 1e-6;
    });
    for (double value : values) {
        value *= m_shown;
        const QString text = m_format(value);
        const auto own = extent(value, text);
        const bool free = std::ranges::none_of(taken, [&](const auto& other) {
            return own.first < other.second && other.first < own.second;
        });
        m_ticks.push_back({value, free ? text : QString(), false});
        if (free) taken.push_back(own);
    }
}

QSize BudgetSlider::sizeHint() const {
    return {440, 2 * handleRadius + 8 + QFontMetrics(captionFont()).height() + 8};
}

QSize BudgetSlider::minimumSizeHint() const {
    return {160, sizeHint().height()};
}

void BudgetSlider::paintEvent(QPaintEvent*) {
    const PlotTheme theme = PlotTheme::of(palette());
    QPainter painter(this);
    painter.setRenderHint(QPainter::Antialiasing);
    const QRect t = track();
    const bool live = isEnabled();
    painter.setPen(Qt::NoPen);
    painter.setBrush(theme.groove);
    painter.drawRoundedRect(t, 2, 2);
    const int x = positionOf(m_value);
    if (live) {
        QRect done = t;
        if (layoutDirection() == Qt::RightToLeft)
            done.setLeft(x);
        else
            done.setRight(x);
        painter.setBrush(theme.accent);
        painter.drawRoundedRect(done, 2, 2);
    }

    painter.setFont(captionFont());
    const QFontMetrics metrics(captionFont());
    const QColor ink = live ? theme.secondary : palette().color(QPalette::Disabled, QPalette::Text);
    const int top = t.bottom() + handleRadius - 1;
    for (const Tick& tick : m_ticks) {
        const int at = positionOf(tick.value);
        painter.fillRect(QRect(at, top, 1, tick.text.isEmpty() ? 3 : 4), theme.border);
        if (tick.text.isEmpty() || !live) continue;
        const int w = metrics.horizontalAdvance(tick.text);
        const int left = textExtent(tick.value, w).first;
        painter.setPen(ink);
        painter.drawText(QRect(left, top + 5, w + 1, metrics.height()), Qt::AlignLeft, tick.text);
    }
    if (!live) return;
    // The handle: a ring that shows what lies under its centre.
    const QPointF centre(x + 0.5, t.center().y() + 0.5);
    if (hasFocus() || m_hover || isSliderDown()) {
        painter.setPen(Qt::NoPen);
        painter.setBrush(theme.accentFill);
        painter.drawEllipse(centre, handleRadius + (hasFocus() || isSliderDown() ? 3.5 : 2.0),
                            handleRadius + (hasFocus() || isSliderDown() ? 3.5 : 2.0));
    }
    if (hasFocus()) { // the ring that every control has
        painter.setPen(QPen(theme.accent, 1));
        painter.setBrush(Qt::NoBrush);
        painter.drawEllipse(centre, handleRadius + 2.5, handleRadius + 2.5);
    }
    painter.setPen(QPen(theme.accent, 2));
    painter.setBrush(theme.panel);
    painter.drawEllipse(centre, handleRadius - 1, handleRadius - 1);
    painter.setPen(Qt::NoPen);
    painter.setBrush(theme.accent);
    painter.drawEllipse(centre, 2.6, 2.6);
}

} // namespace bitloom::ui
