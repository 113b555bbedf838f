// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "ui/state/workbench.h"

#include <QAbstractListModel>

namespace bitloom::ui {

/// The user's pins, in their order (later ones win), with what each costs. Ticking one off keeps it
/// in the list; both go through the undo stack.
class PinsModel : public QAbstractListModel {
    Q_OBJECT
public:
    enum Role {
        CostRole = Qt::UserRole, ///< "+665 KiB, ppl −0.001"; what it would cost if it is off
        ChoiceRole,              ///< "5", "16", "4t+0.25%"
        BitsRole,                ///< width of the choice
        ErrorRole,               ///< why it has no effect; empty if it has
    };

    explicit PinsModel(Workbench& workbench, QObject* parent = nullptr);

    int64_t pinnedChannels() const; ///< by enabled pins, those that overlap counted once

    int rowCount(const QModelIndex& parent = {}) const override;
    QVariant data(const QModelIndex& index, int role) const override;
    bool setData(const QModelIndex& index, const QVariant& value, int role) override;
    Qt::ItemFlags flags(const QModelIndex& index) const override;
    void remove(const QModelIndexList& indexes);

private:
    QString costText(int row) const;

    Workbench& m_workbench;
    int m_rows = 0;
};

int widthOfChoice(const std::string& choice); ///< 16 for "16", 4 for "4t+0.25%"

} // namespace bitloom::ui
