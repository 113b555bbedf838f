// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "ui/plots/plot_data.h"
#include "ui/state/workbench.h"

#include <QScrollArea>

class QLabel;
class QListView;
class QTableView;
class QPushButton;

namespace bitloom::ui {

class HistogramWidget;
class PinsModel;
class SizesModel;

/// The plan in figures: weights by bit width, size to the byte, pins with their cost.
class PlanPanel : public QScrollArea {
    Q_OBJECT
public:
    explicit PlanPanel(Workbench& workbench, QWidget* parent = nullptr);

    HistogramWidget* histogram() const { return m_histogram; }
    PinsModel* pins() const { return m_pins; }
    SizesModel* sizes() const { return m_sizes; }

signals:
    void pinRequested();

protected:
    void changeEvent(QEvent* event) override;
    QSize sizeHint() const override;
    QSize minimumSizeHint() const override; ///< nothing is cut off at the side
    bool eventFilter(QObject* object, QEvent* event) override;

private:
    void updatePhase();
    void updateHistogram();
    void updatePins();
    void fitTables();
    std::vector<BitShare> sharesNow() const;

    Workbench& m_workbench;
    QWidget *m_content = nullptr, *m_figures = nullptr;
    QLabel *m_pinTotal = nullptr, *m_noPins = nullptr, *m_empty = nullptr;
    HistogramWidget* m_histogram = nullptr;
    QTableView* m_table = nullptr;
    QListView* m_pinList = nullptr;
    QPushButton* m_addPin = nullptr;
    SizesModel* m_sizes = nullptr;
    PinsModel* m_pins = nullptr;
};

} // namespace bitloom::ui
