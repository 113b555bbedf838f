// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "tests/ui/e2e/robot.h"
#include "tests/ui/e2e/ui_thread.h"
#include "ui/window/studio.h"

#include <QPoint>
#include <QString>

#include <functional>
#include <string>
#include <vector>

class QWidget;

namespace bitloom::ui {

/// A studio that runs in the event loop of the main thread, as in its own program, while a script
/// on another thread works it with a robot's hands and looks at what came of it. What the script
/// throws is the test's failure. The watchdog watches all the time.
class StudioRun {
public:
    using Script = std::function<void(StudioRun&)>;
    /// Once, before the QApplication is made: looks whether the machine is busy.
    static void begin();
    /// Returns the failure; empty where the script went through.
    static std::string play(const Script& script);

    // The user interface's thread: within ask().
    Studio& studio() { return *m_studio; }

    // The script's thread.
    UiThread& ui() { return m_ui; }
    Robot& robot() { return *m_robot; }
    /// Names what follows, for the report on blocks.
    void step(const std::string& name);
    /// What the user interface was blocked for so far, as it is judged on an idle or a busy
    /// machine: empty where it stayed within the limit.
    std::string judgementSoFar(bool idleMachine);
    void forgiveBlocks(); ///< those so far were made on purpose
    /// A visible, enabled widget of this object name in the active window or the main one; its
    /// middle on the screen.
    QPoint middleOf(const QString& name);
    /// Waits for a window of this object name or class that has the keyboard.
    void waitForWindow(const QString& name, int limitMs = 5'000);
    void waitGone(const QString& name);
    /// Percent of one core that this process takes in the next `ms`.
    double cpuPercent(int ms);
    int64_t msSinceStart() const; ///< of main(), less what begin() took

private:
    StudioRun();
    ~StudioRun();
    void collectBlocks();
    std::string judgement(bool idleMachine) const;

    std::unique_ptr<Studio> m_studio;
    UiThread m_ui;
    std::unique_ptr<Robot> m_robot;
    std::string m_step = "start";
    struct Blocked {
        std::string step, doing;
        int64_t ms = 0, cpuMs = 0, ownMs = 0;
    };
    std::vector<Blocked> m_blocks;
    int64_t m_longestMs = 0;
    std::string m_longestStep;
};

/// Throws Failure unless it holds.
void check(bool holds, const std::string& what);

} // namespace bitloom::ui
