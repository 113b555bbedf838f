// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include <QPainter>
#include <QWidget>
#include <functional>

namespace bitloom::ui {

/// A widget that is drawn by a function: the canvas of plots without axes of QCustomPlot.
class PaintedCanvas : public QWidget {
    Q_OBJECT
public:
    PaintedCanvas(QWidget* parent, std::function<void(QPainter&)> paint)
        : QWidget(parent), m_paint(std::move(paint)) {}

protected:
    void paintEvent(QPaintEvent*) override {
        QPainter painter(this);
        m_paint(painter);
    }

private:
    std::function<void(QPainter&)> m_paint;
};

} // namespace bitloom::ui
