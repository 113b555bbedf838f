// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "ui/chat/subject.h"

#include <QObject>

class QDialog;

namespace bitloom::ui {

class ChatPage;
class ComparePage;
class DetachedJobs;
class ExportRun;
class MainWindow;
class MeasureRuns;
class SpeedJobs;
struct MeasureRequest;

/// Chat, comparison, export, measurement and report in the main window: their pages, panels, menu
/// entries, and the ways from one to another. Made once, after the window; goes with it.
class StudioRooms : public QObject {
    Q_OBJECT
public:
    StudioRooms(MainWindow& window, Workbench& workbench);

    ChatPage* chat() const { return m_chat; }
    ComparePage* compare() const { return m_compare; }
    ExportRun* exportRun() const { return m_export; }
    MeasureRuns* measures() const { return m_measures; }

    void showChat(const Subject& left, const Subject& right);
    void testInChat(const QString& folder);
    QDialog* openExport();                             ///< nullptr without a plan
    QDialog* openMeasure(const MeasureRequest& start); ///< nullptr without a model
    void saveReport();

private:
    void addPages();
    void addActions();
    void updateActions();
    /// An action behind the one with this id, in the same menu.
    QAction* addAction(const QString& behind, const QString& id, const QString& text,
                       const char* icon, const QKeySequence& shortcut);

    MainWindow& m_window;
    Workbench& m_workbench;
    SubjectModels* m_models = nullptr;
    MeasureRuns* m_measures = nullptr;
    ExportRun* m_export = nullptr;
    DetachedJobs* m_detached = nullptr;
    ChatPage* m_chat = nullptr;
    ComparePage* m_compare = nullptr;
    SpeedJobs* m_speed = nullptr;
    QAction* m_timeMachine = nullptr;
    QAction *m_try = nullptr, *m_measureWith = nullptr, *m_report = nullptr;
};

} // namespace bitloom::ui
