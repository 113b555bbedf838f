// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "ui/state/workbench.h"

#include <QAbstractTableModel>

namespace bitloom::ui {

/// "Size, to the byte": what the folder will hold, part by part, with the sums.
class SizesModel : public QAbstractTableModel {
    Q_OBJECT
public:
    enum Column { Part, Bytes, BitsPerWeight, ColumnCount };
    enum Role { SumRole = Qt::UserRole, BytesRole };

    explicit SizesModel(Workbench& workbench, QObject* parent = nullptr);

    int rowCount(const QModelIndex& parent = {}) const override;
    int columnCount(const QModelIndex& parent = {}) const override;
    QVariant data(const QModelIndex& index, int role) const override;
    QVariant headerData(int section, Qt::Orientation orientation, int role) const override;

private:
    struct Row {
        QString name, hint;
        int64_t bytes = 0;
        bool linear = false; ///< counts towards bits per weight
        int sum = 0;         ///< 1: a subtotal, 2: the total, 3: for comparison
        bool exact = true;
    };
    void update();
    std::vector<Row> rowsNow() const;

    Workbench& m_workbench;
    std::vector<Row> m_rows;
};

} // namespace bitloom::ui
