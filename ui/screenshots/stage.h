// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "ui/state/workbench.h"
#include "ui/window/main_window.h"

#include <QSize>

class QDialog;

namespace bitloom::ui {

class Camera;
class ChatPage;
class LogBuffer;
class Settings;
class StudioRooms;

/// What every scene starts from.
struct Stage {
    Settings& settings;
    LogBuffer& log;
    Camera& camera;
    QString sampleFolder;
    QString scratch;    ///< an empty folder that goes when the pictures are taken
    bool engine = true; ///< false: nothing is computed, and what needs it is left out
};

/// One window with everything behind it, as the program has it.
class StageWindow {
public:
    explicit StageWindow(const Stage& stage, QSize size = {1440, 900});
    ~StageWindow();

    Workbench& workbench() { return m_workbench; }
    MainWindow& window() { return m_window; }
    StudioRooms& rooms() { return *m_rooms; }
    ChatPage& chat();

    /// Starts the engine and waits for it; false with a complaint where it does not come.
    bool startEngine();
    /// Opens a model, until its curve is there or the opening came to another end.
    bool open(const QString& folder);
    /// Until no job runs; false with a complaint after `limit` ms.
    bool finishJobs(int limit);
    void layout(const char* id);
    void raise(const char* dock);
    /// The dialog that an action of the window opens; nullptr if there is none.
    QDialog* dialogOf(const char* action);
    void trigger(const char* action);

private:
    const Stage& m_stage;
    Workbench m_workbench;
    MainWindow m_window;
    StudioRooms* m_rooms;
};

// The scenes; each builds the windows that it needs.
void shootWelcome(const Stage& stage);
void shootExplore(const Stage& stage);
void shootEngine(const Stage& stage);
void shootLooks(const Stage& stage);

/// The sample's files without its statistics: a model that nobody has analyzed.
QString bareModel(const Stage& stage);

} // namespace bitloom::ui
