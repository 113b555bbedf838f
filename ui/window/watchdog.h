// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include <QObject>

#include <atomic>
#include <thread>

namespace bitloom::ui {

/// In debug builds: says in the log when the thread that made it did not get to its event loop for
/// more than 100 ms. Costs a timer tick every 50 ms, so it is not part of release builds.
class Watchdog : public QObject {
    Q_OBJECT
public:
    explicit Watchdog(QObject* parent = nullptr);
    ~Watchdog() override;
    int64_t longestMs() const { return m_longest; }

protected:
    void timerEvent(QTimerEvent* event) override;

private:
    std::atomic<int64_t> m_lastBeat{0}, m_longest{0};
    std::atomic<bool> m_stop{false};
    std::thread m_thread;
};

} // namespace bitloom::ui
