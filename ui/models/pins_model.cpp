// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "ui/models/pins_model.h"

#include "core/base/error.h"
#include "ui/models/texts.h"

#include <algorithm>
#include <set>

namespace bitloom::ui {

int widthOfChoice(const std::string& choice) {
    return std::atoi(choice.c_str());
}

PinsModel::PinsModel(Workbench& workbench, QObject* parent)
    : QAbstractListModel(parent), m_workbench(workbench),
      m_rows(int(workbench.decision().pins.size())) {
    connect(&workbench, &Workbench::pinsChanged, this, [this] {
        const int now = int(m_workbench.decision().pins.size());
        if (now == m_rows) { // ticked on or off
            if (now > 0) emit dataChanged(index(0), index(now - 1));
            return;
        }
        beginResetModel();
        m_rows = now;
        endResetModel();
    });
    connect(&workbench, &Workbench::pinCostsChanged, this, [this] {
        if (m_rows > 0) emit dataChanged(index(0), index(m_rows - 1));
    });
}

int64_t PinsModel::pinnedChannels() const {
    const auto& model = m_workbench.model();
    const std::vector<Pin> pins = m_workbench.decision().activePins();
    if (!model || !model->complete() || pins.empty()) return 0;
    try {
        return int64_t(limitsOf(pins, model->curves, model->menu).size());
    } catch (const Error&) {
        return 0;
    }
}

int PinsModel::rowCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : m_rows;
}

QString PinsModel::costText(int row) const {
    const auto& costs = m_workbench.pinCosts();
    if (size_t(row) >= costs.size() || !costs[size_t(row)].known) return tr("cost being counted");
    const PinCost& cost = costs[size_t(row)];
    if (!cost.error.isEmpty()) return cost.error;
    const QString bytes = signedBytesText(double(cost.bits) / 8);
    const QString ppl = std::abs(cost.perplexity) < 0.0005
                            ? tr("ppl unchanged to 0.001")
                            : tr("ppl %1").arg(signedText(cost.perplexity, 3));
    return m_workbench.decision().pins[size_t(row)].enabled
               ? tr("%1, %2").arg(bytes, ppl)
               : tr("off; would cost %1, %2").arg(bytes, ppl);
}

QVariant PinsModel::data(const QModelIndex& index, int role) const {
    if (!index.isValid() || size_t(index.row()) >= m_workbench.decision().pins.size()) return {};
    const PinEntry& entry = m_workbench.decision().pins[size_t(index.row())];
    switch (role) {
    case Qt::DisplayRole:
        return pinText(entry.pin, m_workbench.model().get());
    case Qt::CheckStateRole:
        return int(entry.enabled ? Qt::Checked : Qt::Unchecked);
    case Qt::ToolTipRole:
        return tr("%1\nPin as the command line takes it: --pin '%2'")
            .arg(pinText(entry.pin, m_workbench.model().get()),
                 QString::fromStdString(entry.pin.text()));
    case Qt::AccessibleTextRole:
        return tr("%1, pinned to %2 bits, %3")
            .arg(pinText(entry.pin, m_workbench.model().get()))
            .arg(widthOfChoice(entry.pin.choice))
            .arg(costText(index.row()));
    case CostRole:
        return costText(index.row());
    case ChoiceRole:
        return QString::fromStdString(entry.pin.choice);
    case BitsRole:
        return widthOfChoice(entry.pin.choice);
    case ErrorRole: {
        const auto& costs = m_workbench.pinCosts();
        return size_t(index.row()) < costs.size() ? costs[size_t(index.row())].error : QString();
    }
    default:
        return {};
    }
}

bool PinsModel::setData(const QModelIndex& index, const QVariant& value, int role) {
    if (!index.isValid() || role != Qt::CheckStateRole) return false;
    std::vector<PinEntry> pins = m_workbench.decision().pins;
    const bool on = value.toInt() == Qt::Checked;
    pins[size_t(index.row())].enabled = on;
    try {
        m_workbench.requestPins(std::move(pins), on ? tr("Pin on") : tr("Pin off"));
        return true;
    } catch (const Error& error) {
        emit m_workbench.message(QString::fromStdString(error.what()));
        return false;
    }
}

Qt::ItemFlags PinsModel::flags(const QModelIndex& index) const {
    return index.isValid() ? Qt::ItemIsEnabled | Qt::ItemIsSelectable | Qt::ItemIsUserCheckable
                           : Qt::NoItemFlags;
}

void PinsModel::remove(const QModelIndexList& indexes) {
    std::set<int> rows;
    for (const QModelIndex& index : indexes)
        rows.insert(index.row());
    std::vector<PinEntry> kept;
    const auto& pins = m_workbench.decision().pins;
    for (size_t i = 0; i < pins.size(); ++i)
        if (!rows.contains(int(i))) kept.push_back(pins[i]);
    if (kept.size() != pins.size())
        m_workbench.requestPins(std::move(kept), tr("Remove %n pin(s)", nullptr, int(rows.size())));
}

} // namespace bitloom::ui
