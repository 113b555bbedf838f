// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "ui/plots/plot_table_model.h"

#include "ui/plots/number_text.h"
#include "ui/plots/plot_view.h"

namespace bitloom::ui {

PlotTableModel::PlotTableModel(PlotView& view)
    : QAbstractTableModel(&view), m_view(view), m_rows(view.tableRows()),
      m_header(view.tableHeader()) {}

void PlotTableModel::refresh() {
    const int rows = m_view.tableRows();
    const QStringList header = m_view.tableHeader();
    if (rows != m_rows || header != m_header) {
        beginResetModel();
        m_rows = rows;
        m_header = header;
        endResetModel();
    } else if (m_rows > 0) {
        emit dataChanged(index(0, 0), index(m_rows - 1, int(m_header.size()) - 1));
    }
}

int PlotTableModel::rowCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : m_rows;
}

int PlotTableModel::columnCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : int(m_header.size());
}

QVariant PlotTableModel::data(const QModelIndex& index, int role) const {
    if (!index.isValid() || index.row() >= m_view.tableRows()) return {};
    if (role != Qt::DisplayRole && role != Qt::TextAlignmentRole) return {};
    const QVariant value = m_view.tableCell(index.row(), index.column());
    const int type = value.typeId();
    const bool real = type == QMetaType::Double || type == QMetaType::Float;
    const bool whole = type == QMetaType::Int || type == QMetaType::LongLong;
    if (role == Qt::TextAlignmentRole)
        return int((real || whole ? Qt::AlignTrailing : Qt::AlignLeading) | Qt::AlignVCenter);
    const QLocale locale = m_view.locale();
    if (whole) return countText(locale, value.toLongLong());
    if (!real) return value.toString();
    const int decimals = m_view.tableDecimals(index.column());
    if (decimals < 0 || !qIsFinite(value.toDouble())) return numberText(locale, value.toDouble());
    return locale.toString(value.toDouble(), 'f', decimals);
}

QVariant PlotTableModel::headerData(int section, Qt::Orientation orientation, int role) const {
    if (orientation != Qt::Horizontal || section < 0 || section >= m_header.size()) return {};
    if (role == Qt::DisplayRole) return m_header[section];
    return {};
}

} // namespace bitloom::ui
