// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "ui/state/workbench.h"

#include <QElapsedTimer>
#include <QJsonObject>

namespace bitloom::ui {

/// The analysis that the main window starts. Also keeps the engine as the settings
/// want it: a changed setting restarts it once no job runs.
class EngineJobs : public QObject {
    Q_OBJECT
public:
    EngineJobs(Workbench& workbench, QObject* parent = nullptr);

    /// Starts an engine of its own from the settings; the workbench hears of it.
    void startEngine();
    void restartEngine();

    /// `parameters` of the engine's calibrate, without the model.
    void analyze(const QJsonObject& parameters = {});
    bool canAnalyze() const;

private:
    void applySettings();
    void sayWhatFell();
    void partialArrived(int call, const QJsonObject& details);

    Workbench& m_workbench;
    EngineClient* m_engine = nullptr;
    int m_analyzeJob = 0;
    QElapsedTimer m_lastPartial;
    bool m_settingsWait = false;
};

} // namespace bitloom::ui
