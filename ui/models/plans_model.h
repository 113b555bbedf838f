// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "ui/state/workbench.h"

#include <QAbstractTableModel>

namespace bitloom::ui {

/// FP16, the presets, the present plan and whatever else was measured, with predicted and measured
/// figures side by side, widest first. The present plan's row follows the slider.
class PlansModel : public QAbstractTableModel {
    Q_OBJECT
public:
    enum Column { Plan, Bits, Size, Predicted, Measured, OffBy, ColumnCount };
    enum Role {
        CurrentRole = Qt::UserRole, ///< the present plan
        PresetRole,                 ///< name of the preset; empty for other rows
        BuiltInRole,
        ProgressRole, ///< [0, 1] while the row is being measured; −1 otherwise
        SortRole,
    };

    explicit PlansModel(Workbench& workbench, QObject* parent = nullptr);

    int rowOfPreset(const QString& name) const;
    int currentRow() const;

    int rowCount(const QModelIndex& parent = {}) const override;
    int columnCount(const QModelIndex& parent = {}) const override;
    QVariant data(const QModelIndex& index, int role) const override;
    QVariant headerData(int section, Qt::Orientation orientation, int role) const override;

private:
    struct Row {
        QString name, preset, error;
        bool current = false, builtIn = false, fp16 = false, known = false;
        double bits = 0;
        int64_t bytes = 0;
        Prediction prediction;
        double measuredNll = 0, measuredError = 0, predictedThen = 0;
        QString measuredOn;
        int64_t tokens = 0;
    };
    void rebuild();
    void updateCurrent();
    Row currentNow() const;
    void setMeasured(Row& row, const std::string& hash) const;
    QString text(const Row& row, Column column) const;

    Workbench& m_workbench;
    std::vector<Row> m_rows;
};

} // namespace bitloom::ui
