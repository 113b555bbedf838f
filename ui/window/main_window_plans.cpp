// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors

// What the window's actions do with pins, presets and running work.
#include "ui/window/main_window.h"

#include "core/base/error.h"
#include "ui/dialogs/pin_dialog.h"
#include "ui/dialogs/why_dialog.h"
#include "ui/docks/pareto_panel.h"
#include "ui/models/texts.h"
#include "ui/state/jobs.h"
#include "ui/window/status_line.h"

#include <QInputDialog>
#include <QScopeGuard>

#include <algorithm>

namespace bitloom::ui {

void MainWindow::pinSelection(const QList<int>& layers) {
    if (!m_workbench.hasPlan()) return;
    // Selected channels belong to the selected layer, whatever rows the tree has.
    const QList<int> chosen = m_workbench.selectedChannels().empty() && !layers.isEmpty()
                                  ? layers
                                  : QList<int>{m_workbench.selectedLayer()};
    if (chosen.first() < 0) return;
    auto* dialog = new PinDialog(m_workbench, chosen, this);
    dialog->setAttribute(Qt::WA_DeleteOnClose);
    dialog->open();
}

void MainWindow::unpinSelection(const QList<int>& layers) {
    if (!m_workbench.hasPlan()) return;
    const ChannelRanges channels = m_workbench.selectedChannels();
    bool changed = false;
    try {
        if (!channels.empty()) {
            changed = m_workbench.unpin(m_workbench.selectedLayer(), channels);
        } else {
            m_workbench.undoStack()->beginMacro(tr("Unpin"));
            const auto whole = qScopeGuard([this] { m_workbench.undoStack()->endMacro(); });
            for (const int layer : layers)
                changed = m_workbench.unpin(layer, {}) || changed;
        }
    } catch (const Error& error) {
        m_status->say(QString::fromStdString(error.what()));
        return;
    }
    if (!changed)
        m_status->say(tr("No pin names these channels alone. Wider pins are unticked in the list "
                         "of pins."));
}

void MainWindow::savePresetAs() {
    bool ok = false;
    const QString name = QInputDialog::getText(
        this, tr("Save as preset"), tr("Name"), QLineEdit::Normal,
        m_workbench.lastPreset().isEmpty() ? budgetText(m_workbench.decision())
                                           : tr("%1, edited").arg(m_workbench.lastPreset()),
        &ok);
    if (!ok) return;
    try {
        m_workbench.savePreset(name);
    } catch (const Error& error) {
        showError(QString::fromStdString(error.what()), QString::fromStdString(error.hint()));
    }
}

void MainWindow::renamePreset(QString name) {
    if (name.isEmpty()) name = m_workbench.currentPreset();
    if (name.isEmpty()) return;
    bool ok = false;
    const QString next =
        QInputDialog::getText(this, tr("Rename preset"), tr("Name"), QLineEdit::Normal, name, &ok);
    if (!ok) return;
    try {
        m_workbench.renamePreset(name, next);
    } catch (const Error& error) {
        showError(QString::fromStdString(error.what()), QString::fromStdString(error.hint()));
    }
}

void MainWindow::deletePreset(QString name) {
    if (name.isEmpty()) name = m_workbench.currentPreset();
    m_workbench.deletePreset(name);
}

void MainWindow::why(int layer) {
    if (layer < 0 || !m_workbench.hasPlan()) return;
    const auto& channels = m_workbench.selectedChannels();
    const bool own = layer == m_workbench.selectedLayer() && !channels.empty();
    auto* dialog = new WhyDialog(m_workbench, layer, own ? channels.front().first : 0, this);
    dialog->setAttribute(Qt::WA_DeleteOnClose);
    dialog->show();
}

void MainWindow::stopNearest() {
    if (const Job* job = m_workbench.jobs().active())
        m_workbench.jobs().cancel(job->id);
    else if (m_workbench.phase() == Workbench::Phase::Opening)
        stopOpening();
}

} // namespace bitloom::ui
