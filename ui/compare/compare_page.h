// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "ui/compare/compare_model.h"
#include "ui/compare/measure.h"

#include <QSplitter>

class QComboBox;
class QLabel;
class QPushButton;
class QSortFilterProxyModel;
class QTableView;

namespace bitloom::ui {

class LayerDifferencePlot;

/// Plans, presets and exports beside each other: figures above, the difference of two of them layer
/// by layer below.
class ComparePage : public QSplitter {
    Q_OBJECT
public:
    ComparePage(Workbench& workbench, SubjectModels& models, MeasureRuns& measures,
                QWidget* parent = nullptr);
    ~ComparePage() override;

    CompareModel* model() const { return m_model; }
    LayerDifferencePlot* plot() const { return m_plot; }
    void addFolder(const QString& folder);
    /// An export ended there: the folder is added, or what was known of it is not true any more.
    void folderWritten(const QString& folder);
    /// Which two the bars compare.
    void compare(const Subject& left, const Subject& right);

signals:
    void chatRequested(const bitloom::ui::Subject& left, const bitloom::ui::Subject& right);
    void measureRequested(const bitloom::ui::Subject& subject);

protected:
    void changeEvent(QEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;
    void dragEnterEvent(QDragEnterEvent* event) override;
    void dropEvent(QDropEvent* event) override;

private:
    QWidget* makeTable();
    QWidget* makeBars();
    void fit();
    void showRows();
    Subject uniformPreset() const;
    void fillBoxes();
    QString qualityText(const CompareRow& left, const CompareRow& right) const;
    void updateBars();
    void updateButtons();
    void contextMenu(const QPoint& position);
    Subject selected() const;

    Workbench& m_workbench;
    MeasureRuns& m_measures;
    CompareModel* m_model = nullptr;
    QSortFilterProxyModel* m_sorted = nullptr;
    QTableView* m_table = nullptr;
    QComboBox *m_left = nullptr, *m_right = nullptr;
    QPushButton *m_measure = nullptr, *m_chat = nullptr, *m_add = nullptr, *m_remove = nullptr;
    QLabel* m_sum = nullptr;
    LayerDifferencePlot* m_plot = nullptr;
    bool m_moved = false; ///< the border, by hand
    bool m_filling = false;
};

} // namespace bitloom::ui
