// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "ui/state/mailbox.h"

#include <QDateTime>
#include <QObject>
#include <QString>

#include <deque>
#include <memory>
#include <mutex>
#include <vector>

namespace spdlog::sinks {
class sink;
}

namespace bitloom::ui {

struct LogLine {
    enum class Level { Debug, Info, Warning, Error };
    QDateTime time;
    Level level = Level::Info;
    QString room; ///< "core", "engine", "ui"
    QString text;
};

/// The latest lines of the log. Writers may be on any thread; readers are on the thread the object
/// lives in and hear of new lines at most once per turn of the event loop.
class LogBuffer : public QObject {
    Q_OBJECT
public:
    static constexpr size_t capacity = 100'000;

    explicit LogBuffer(QObject* parent = nullptr);
    ~LogBuffer() override;

    /// For spdlog loggers; keeps working, without effect, after the buffer is gone.
    std::shared_ptr<spdlog::sinks::sink> sink() const;
    void add(LogLine line); ///< any thread

    const std::deque<LogLine>& lines() const { return m_lines; }
    int64_t dropped() const { return m_dropped; } ///< oldest lines that made room
    int warnings() const { return m_warnings; }   ///< and errors, since clearWarnings()
    void clear();
    void clearWarnings(); ///< they have been seen

signals:
    void linesAdded(int count, int removed); ///< at the end; removed at the front
    void cleared();
    void warningsChanged(int count);

private:
    class Sink;
    void take();

    Mailbox m_mailbox;
    std::mutex m_mutex;
    std::vector<LogLine> m_waiting; ///< under m_mutex
    bool m_notified = false;        ///< under m_mutex
    std::deque<LogLine> m_lines;
    int64_t m_dropped = 0;
    int m_warnings = 0;
    std::shared_ptr<Sink> m_sink;
};

} // namespace bitloom::ui
