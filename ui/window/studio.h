// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "ui/state/log_buffer.h"
#include "ui/state/settings.h"
#include "ui/state/workbench.h"
#include "ui/theme/theme.h"

#include <QString>

#include <memory>

namespace bitloom::ui {

class Autosave;
class MainWindow;
class StudioRooms;
class Watchdog;

/// The whole application but its process: log, settings, language, look, workbench, window and
/// what hangs on it. One at a time, made after the QApplication, on its thread; the program's
/// messages go to its log as long as it is there.
class Studio {
public:
    struct Options {
        QString sampleFolder;  ///< of the bundled model; empty: none is offered
        bool engine = true;    ///< false: without `bitloom serve`, plans only
        bool watchdog = false; ///< tells where the user interface did not answer in time
    };

    /// The names by which settings and desktop files are found. Before the first Studio.
    static void nameApplication();

    explicit Studio(const Options& options);
    ~Studio();
    Studio(const Studio&) = delete;
    Studio& operator=(const Studio&) = delete;

    /// Shows the window and opens `path`, a model or a session. Without: the sample at the very
    /// first start or where it is asked for, what a run that did not end properly left (asks), or
    /// what was open at the end of the last one.
    void start(const QString& path = {}, bool sample = false);
    void startEngine(); ///< start() does so by itself

    Settings& settings() { return m_settings; }
    LogBuffer& log() { return m_log; }
    Workbench& workbench() { return *m_workbench; }
    MainWindow& window() { return *m_window; }
    StudioRooms& rooms() { return *m_rooms; }
    Watchdog* watchdog() { return m_watchdog.get(); } ///< nullptr unless asked for
    Autosave* autosave() { return m_autosave.get(); } ///< nullptr before start()

private:
    void showFitting();
    bool offerRestore();

    Options m_options;
    LogBuffer m_log;
    Settings m_settings;
    std::unique_ptr<ThemeControl> m_theme;
    std::unique_ptr<Workbench> m_workbench;
    std::unique_ptr<Watchdog> m_watchdog;
    std::unique_ptr<MainWindow> m_window;
    StudioRooms* m_rooms = nullptr; ///< the window's
    std::unique_ptr<Autosave> m_autosave;
};

} // namespace bitloom::ui
