// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "ui/models/layers_filter.h"

#include "ui/models/layers_model.h"

#include <QLocale>
#include <QRegularExpression>

namespace bitloom::ui {

LayersFilter::LayersFilter(QObject* parent) : QSortFilterProxyModel(parent) {
    setSortRole(LayersModel::SortRole);
    setDynamicSortFilter(true);
}

void LayersFilter::setFilterText(const QString& text) {
    if (text == m_text) return;
    m_text = text;
    m_words.clear();
    m_bounds.clear();
    m_kind.clear();
    m_pinned = false;
    static const QRegularExpression bound(QStringLiteral("^(<=|>=|<|>|=)(.*)$"));
    for (const QString& word : text.split(QLatin1Char(' '), Qt::SkipEmptyParts)) {
        const auto match = bound.match(word);
        bool isNumber = false;
        double value = match.hasMatch() ? QLocale().toDouble(match.captured(2), &isNumber) : 0;
        if (match.hasMatch() && !isNumber) value = match.captured(2).toDouble(&isNumber);
        if (isNumber)
            m_bounds.push_back({match.captured(1), value});
        else if (match.hasMatch())
            continue; // a bound that is still being typed
        else if (word.startsWith(QLatin1String("kind:")))
            m_kind = word.mid(5);
        else if (word.compare(QLatin1String("pinned"), Qt::CaseInsensitive) == 0)
            m_pinned = true;
        else
            m_words.append(word);
    }
    invalidateFilter();
}

bool LayersFilter::filterAcceptsRow(int row, const QModelIndex& parent) const {
    const QModelIndex index = sourceModel()->index(row, 0, parent);
    if (m_text.trimmed().isEmpty()) return true;
    if (!parent.isValid()) {
        for (int child = 0; child < sourceModel()->rowCount(index); ++child)
            if (filterAcceptsRow(child, index)) return true;
        return false;
    }
    const QString name = parent.data().toString() % QLatin1Char('.') % index.data().toString();
    for (const QString& word : m_words)
        if (!name.contains(word, Qt::CaseInsensitive)) return false;
    if (!m_kind.isEmpty() && index.siblingAtColumn(LayersModel::Kind)
                                     .data()
                                     .toString()
                                     .compare(m_kind, Qt::CaseInsensitive) != 0)
        return false;
    if (m_pinned && !index.data(LayersModel::PinnedRole).toBool()) return false;
    const double bits =
        index.siblingAtColumn(LayersModel::MeanBits).data(LayersModel::SortRole).toDouble();
    for (const Bound& bound : m_bounds) {
        const bool holds = bound.sign == QLatin1String("<")    ? bits < bound.value
                           : bound.sign == QLatin1String("<=") ? bits <= bound.value
                           : bound.sign == QLatin1String(">")  ? bits > bound.value
                           : bound.sign == QLatin1String(">=")
                               ? bits >= bound.value
                               : std::abs(bits - bound.value) < 0.005;
        if (!holds) return false;
    }
    return true;
}

bool LayersFilter::lessThan(const QModelIndex& left, const QModelIndex& right) const {
    const QVariant a = left.data(LayersModel::SortRole), b = right.data(LayersModel::SortRole);
    if (a.typeId() == QMetaType::QString) return a.toString() < b.toString();
    return a.toDouble() < b.toDouble();
}

int LayersFilter::matchingLayers() const {
    int count = 0;
    for (int row = 0; row < rowCount(); ++row)
        count += rowCount(index(row, 0));
    return count;
}

} // namespace bitloom::ui
