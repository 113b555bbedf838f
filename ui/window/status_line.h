// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "ui/state/workbench.h"

#include <QStatusBar>
#include <QTimer>

class QLabel;
class QProgressBar;
class QPushButton;
class QToolButton;

namespace bitloom::ui {

class Autosave;
class LogBuffer;

/// What runs nearest, with Cancel; the last message; log, last save and engine on the right, with
/// Restart engine where it is gone or silent.
class StatusLine : public QStatusBar {
    Q_OBJECT
public:
    StatusLine(Workbench& workbench, LogBuffer& log, QWidget* parent = nullptr);

    void setAutosave(Autosave* autosave);
    void say(const QString& text); ///< stays some seconds, or until the next
    QString text() const;

signals:
    void logRequested();
    void jobsRequested();

private:
    void updateJob();
    void updateEngine();

    Workbench& m_workbench;
    LogBuffer& m_log;
    QLabel *m_text = nullptr, *m_rest = nullptr, *m_saved = nullptr, *m_engine = nullptr;
    QProgressBar* m_progress = nullptr;
    QPushButton *m_cancel = nullptr, *m_restart = nullptr;
    QToolButton* m_warnings = nullptr;
    QString m_message;
    QTimer m_messageTimer;
};

} // namespace bitloom::ui
