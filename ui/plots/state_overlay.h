// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "ui/plots/plot_data.h"

#include <QWidget>

class QLabel;
class QPushButton;

namespace bitloom::ui {

/// Stands in for a plot that has nothing to show: a still skeleton, one sentence, what to do, and
/// the button that does it.
class StateOverlay : public QWidget {
    Q_OBJECT
public:
    /// `skeleton`: with the silhouette of a plot, for views that will be one.
    explicit StateOverlay(QWidget* parent, bool skeleton = true);
    void setState(const PlotState& state);

signals:
    void actionRequested();

protected:
    void paintEvent(QPaintEvent* event) override;
    void changeEvent(QEvent* event) override;

private:
    void restyle();
    PlotState m_state;
    bool m_skeleton;
    QLabel *m_message, *m_detail;
    QPushButton* m_action;
};

/// One line under a plot whose data are partial or stale, with thin progress and a button.
class StateStrip : public QWidget {
    Q_OBJECT
public:
    explicit StateStrip(QWidget* parent);
    void setState(const PlotState& state);

signals:
    void actionRequested();

protected:
    void paintEvent(QPaintEvent* event) override;
    void changeEvent(QEvent* event) override;

private:
    void restyle();
    PlotState m_state;
    QLabel* m_message;
    QPushButton* m_action;
};

/// The accent line around a canvas that has the keyboard focus.
class FocusRing : public QWidget {
    Q_OBJECT
public:
    explicit FocusRing(QWidget* parent);

protected:
    void paintEvent(QPaintEvent* event) override;
};

} // namespace bitloom::ui
