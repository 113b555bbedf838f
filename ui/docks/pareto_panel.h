// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "ui/state/workbench.h"

#include <QSplitter>

class QTableView;

namespace bitloom::ui {

class ParetoPlot;
class PlansModel;

/// Perplexity over size beside the table of plans.
class ParetoPanel : public QSplitter {
    Q_OBJECT
public:
    explicit ParetoPanel(Workbench& workbench, QWidget* parent = nullptr);

    ParetoPlot* plot() const { return m_plot; }
    PlansModel* plans() const { return m_plans; }
    QTableView* table() const { return m_table; }
    QString selectedPreset() const; ///< empty if no row of a preset is selected

signals:
    void measureRequested();
    void renameRequested(const QString& preset);
    void deleteRequested(const QString& preset);
    void exportRequested(const QString& preset);

protected:
    void changeEvent(QEvent* event) override;

private:
    void updateData();
    void updatePlan();
    void contextMenu(const QPoint& position);
    void fitTable();

    Workbench& m_workbench;
    ParetoPlot* m_plot = nullptr;
    PlansModel* m_plans = nullptr;
    QTableView* m_table = nullptr;
};

} // namespace bitloom::ui
