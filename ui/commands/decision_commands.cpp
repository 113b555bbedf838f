// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "ui/commands/decision_commands.h"

namespace bitloom::ui {

namespace {
constexpr int budgetId = 1;
}

DecisionCommand::DecisionCommand(Workbench& workbench, Decision before, Decision after,
                                 const QString& text, int serial)
    : QUndoCommand(text), m_workbench(workbench), m_before(std::move(before)),
      m_after(std::move(after)), m_serial(serial) {}

void DecisionCommand::undo() {
    m_workbench.applyDecision(m_before);
}

void DecisionCommand::redo() {
    m_workbench.applyDecision(m_after);
}

int DecisionCommand::id() const {
    return m_serial > 0 ? budgetId : -1;
}

bool DecisionCommand::mergeWith(const QUndoCommand* other) {
    // id() was compared: it is one of ours.
    const auto* next = static_cast<const DecisionCommand*>(other);
    if (next->m_serial != m_serial) return false;
    m_after = next->m_after;
    if (m_after == m_before) setObsolete(true);
    return true;
}

PresetsCommand::PresetsCommand(Workbench& workbench, std::vector<Preset> after, QString lastPreset,
                               const QString& text)
    : QUndoCommand(text), m_workbench(workbench), m_before(workbench.m_presets),
      m_after(std::move(after)), m_lastBefore(workbench.m_lastPreset),
      m_lastAfter(std::move(lastPreset)) {}

void PresetsCommand::undo() {
    m_workbench.setPresets(m_before, m_lastBefore);
}

void PresetsCommand::redo() {
    m_workbench.setPresets(m_after, m_lastAfter);
}

} // namespace bitloom::ui
