// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include <QAbstractTableModel>

namespace bitloom::ui {

class PlotView;

/// The data of a plot for a QTableView: numbers through the view's locale. Owned by the view.
class PlotTableModel : public QAbstractTableModel {
    Q_OBJECT
public:
    explicit PlotTableModel(PlotView& view);
    void refresh(); ///< the view's data changed; only the cells do where the shape stayed

    int rowCount(const QModelIndex& parent = {}) const override;
    int columnCount(const QModelIndex& parent = {}) const override;
    QVariant data(const QModelIndex& index, int role) const override;
    QVariant headerData(int section, Qt::Orientation orientation, int role) const override;

private:
    PlotView& m_view;
    int m_rows = 0;
    QStringList m_header;
};

} // namespace bitloom::ui
