// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include <QSortFilterProxyModel>

#include <optional>

namespace bitloom::ui {

/// Filters layers as the user types: words that must occur in the name ("12 up"), a kind
/// ("kind:v"), a bound on the mean bits (">3.2", "<=4") or "pinned". All must hold. Blocks stay
/// while a layer of theirs does.
class LayersFilter : public QSortFilterProxyModel {
    Q_OBJECT
public:
    explicit LayersFilter(QObject* parent = nullptr);
    void setFilterText(const QString& text);
    const QString& filterText() const { return m_text; }
    int matchingLayers() const;

protected:
    bool filterAcceptsRow(int row, const QModelIndex& parent) const override;
    bool lessThan(const QModelIndex& left, const QModelIndex& right) const override;

private:
    struct Bound {
        QString sign;
        double value = 0;
    };
    QString m_text;
    QStringList m_words;
    QString m_kind;
    std::vector<Bound> m_bounds;
    bool m_pinned = false;
};

} // namespace bitloom::ui
