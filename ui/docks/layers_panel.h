// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "ui/state/workbench.h"

#include <QTreeView>
#include <QWidget>

class QLabel;
class QLineEdit;

namespace bitloom::ui {

class LayersFilter;
class LayersModel;

/// The tree of layers with its filter line.
class LayersPanel : public QWidget {
    Q_OBJECT
public:
    explicit LayersPanel(Workbench& workbench, QWidget* parent = nullptr);

    void focusFilter();
    QList<int> selectedLayers() const; ///< several may be selected; blocks count as their layers
    LayersModel* model() const { return m_model; }
    LayersFilter* filter() const { return m_filter; }
    QTreeView* tree() const { return m_tree; }

signals:
    void pinRequested();
    void unpinRequested();
    void whyRequested(int layer);

protected:
    void changeEvent(QEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;

private:
    void filterNow(const QString& text);
    void fitColumns(); ///< names come first: bars give way in a narrow panel
    void showSelected();
    void contextMenu(const QPoint& position);
    void copyNames();
    void layOutColumns();

    Workbench& m_workbench;
    LayersModel* m_model = nullptr;
    LayersFilter* m_filter = nullptr;
    QLineEdit* m_line = nullptr;
    QTreeView* m_tree = nullptr;
    bool m_barsWanted = true;
    QLabel* m_empty = nullptr;
    bool m_selecting = false;
};

} // namespace bitloom::ui
