// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include <QSlider>

#include <functional>
#include <utility>
#include <vector>

namespace bitloom::ui {

/// A slider over a real quantity with a logarithmic track: small budgets, where most happens, get
/// most of the way. Its integer value counts steps of `unit`, so keys and assistive technology move
/// in those. The ends of the track are the ends of what is possible, and are labelled with it.
class BudgetSlider : public QSlider {
    Q_OBJECT
public:
    explicit BudgetSlider(QWidget* parent = nullptr);

    /// `format` turns a value into a tick's text. `mirrored`: the least is at the right. Ticks are
    /// round in multiples of `shown`: bytes are read as MiB.
    void setScale(double low, double high, double unit, bool mirrored,
                  std::function<QString(double)> format, double shown = 1);
    double realValue() const;
    /// Does not emit moved().
    void setRealValue(double value);
    double low() const { return m_low; }
    double high() const { return m_high; }
    double valueAt(int x) const; ///< of a point of the widget
    int positionOf(double value) const;

    QSize sizeHint() const override;
    QSize minimumSizeHint() const override;

signals:
    void moved(double value); ///< by the user

protected:
    void paintEvent(QPaintEvent* event) override;
    void mousePressEvent(QMouseEvent* event) override;
    void mouseMoveEvent(QMouseEvent* event) override;
    void mouseReleaseEvent(QMouseEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    void wheelEvent(QWheelEvent* event) override;
    void changeEvent(QEvent* event) override;
    bool event(QEvent* event) override;

private:
    struct Tick {
        double value = 0;
        QString text; ///< empty: a short mark
        bool end = false;
    };
    QRect track() const;
    double share(double value) const; ///< [0, 1] along the track, left to right
    void layTicks();
    std::pair<int, int> textExtent(double value, int textWidth) const; ///< of a tick's text
    void moveTo(double value);

    double m_low = 2, m_high = 8, m_unit = 0.01, m_value = 3, m_shown = 1;
    bool m_mirrored = false, m_hover = false, m_setting = false;
    std::function<QString(double)> m_format;
    std::vector<Tick> m_ticks;
};

} // namespace bitloom::ui
