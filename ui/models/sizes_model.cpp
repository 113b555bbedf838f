// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "ui/models/sizes_model.h"

#include "ui/models/texts.h"
#include "ui/theme/theme.h"

#include <QGuiApplication>

namespace bitloom::ui {

SizesModel::SizesModel(Workbench& workbench, QObject* parent)
    : QAbstractTableModel(parent), m_workbench(workbench), m_rows(rowsNow()) {
    connect(&workbench, &Workbench::planChanged, this, &SizesModel::update);
    connect(&workbench, &Workbench::planSettled, this, &SizesModel::update);
    connect(&workbench, &Workbench::modelChanged, this, &SizesModel::update);
}

std::vector<SizesModel::Row> SizesModel::rowsNow() const {
    if (!m_workbench.hasPlan()) return {};
    const SizeParts& s = m_workbench.figures().size;
    const bool exact = m_workbench.figures().sizeExact;
    std::vector<Row> rows{
        {tr("Codes"), tr("The packed codes of all channels"), s.codes, true, 0, true},
        {tr("Padding"), tr("Bits that fill up the last byte of codes"), s.padding, true, 0, true},
        {tr("Tables"), tr("Values that table codes stand for"), s.tables, true, 0, true},
        {tr("Scales, zeros"), tr("One scale a channel, and zero points of grids"), s.scales, true,
         0, true},
        {tr("Outliers"), tr("Single weights stored exactly"), s.outliers, true, 0, true},
        {tr("Classes"), tr("Which channel is stored how"), s.classes, true, 0, true},
        {tr("Raw columns"), tr("Channels stored as they are"), s.raw, true, 0, true},
        {tr("Block linears"), tr("All of the above: what bits per weight counts"), s.linearBytes,
         true, 1, true},
        {tr("Embedding, head"), {}, s.embeddingAndHead, false, 0, true},
        {tr("Norms, biases"), {}, s.otherTensors, false, 0, true},
        {tr("Tokenizer, config"), tr("Headers, recipe, manifest and copied files"),
         s.headersAndFiles, false, 0, exact},
        {tr("Total"), tr("All files of the folder"), s.totalBytes, false, 2, exact},
        {tr("FP16"), tr("The model's own weight files"), m_workbench.model()->fp16Bytes, false, 3,
         true},
    };
    return rows;
}

void SizesModel::update() {
    std::vector<Row> next = rowsNow();
    if (next.size() != m_rows.size()) {
        beginResetModel();
        m_rows = std::move(next);
        endResetModel();
        return;
    }
    m_rows = std::move(next);
    if (!m_rows.empty())
        emit dataChanged(index(0, 0), index(int(m_rows.size()) - 1, ColumnCount - 1));
}

int SizesModel::rowCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : int(m_rows.size());
}

int SizesModel::columnCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : ColumnCount;
}

QVariant SizesModel::data(const QModelIndex& index, int role) const {
    if (!index.isValid()) return {};
    const Row& row = m_rows[size_t(index.row())];
    switch (role) {
    case Qt::DisplayRole:
        if (index.column() == Part) return row.name;
        if (index.column() == Bytes) {
            const QString text = QLocale().toString(qlonglong(row.bytes));
            return row.exact ? text : isolated(QStringLiteral("≈ ") % text);
        }
        if (!row.linear || m_workbench.model()->weights == 0) return {};
        return fixedText(8.0 * double(row.bytes) / double(m_workbench.model()->weights), 4);
    case Qt::ToolTipRole:
        return row.hint;
    case Qt::TextAlignmentRole:
        return int((index.column() == Part ? Qt::AlignLeft : Qt::AlignRight) | Qt::AlignVCenter);
    case Qt::FontRole:
        return row.sum == 1 || row.sum == 2 ? QVariant(headingFont()) : QVariant();
    case Qt::ForegroundRole:
        if (row.sum == 3 || index.column() == BitsPerWeight)
            return PlotTheme::of(QGuiApplication::palette()).secondary;
        return {};
    case SumRole:
        return row.sum;
    case BytesRole:
        return qlonglong(row.bytes);
    default:
        return {};
    }
}

QVariant SizesModel::headerData(int section, Qt::Orientation orientation, int role) const {
    if (orientation != Qt::Horizontal) return {};
    if (role == Qt::TextAlignmentRole)
        return int((section == Part ? Qt::AlignLeft : Qt::AlignRight) | Qt::AlignVCenter);
    if (role != Qt::DisplayRole) return {};
    switch (section) {
    case Part:
        return tr("part");
    case Bytes:
        return tr("bytes");
    default:
        return tr("bits/w");
    }
}

} // namespace bitloom::ui
