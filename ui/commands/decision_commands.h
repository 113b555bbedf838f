// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "ui/state/workbench.h"

#include <QUndoCommand>

namespace bitloom::ui {

/// From one decision to another: budget, pins, or both. Commands with the same serial above 0 that
/// change nothing but the budget become one step, so that a drag is undone at once.
class DecisionCommand : public QUndoCommand {
public:
    DecisionCommand(Workbench& workbench, Decision before, Decision after, const QString& text,
                    int serial = 0);
    void undo() override;
    void redo() override;
    int id() const override;
    bool mergeWith(const QUndoCommand* other) override;

private:
    Workbench& m_workbench;
    Decision m_before, m_after;
    int m_serial;
};

/// Another list of presets: saved, renamed, deleted.
class PresetsCommand : public QUndoCommand {
public:
    PresetsCommand(Workbench& workbench, std::vector<Preset> after, QString lastPreset,
                   const QString& text);
    void undo() override;
    void redo() override;

private:
    Workbench& m_workbench;
    std::vector<Preset> m_before, m_after;
    QString m_lastBefore, m_lastAfter;
};

} // namespace bitloom::ui
