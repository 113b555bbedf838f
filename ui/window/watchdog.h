// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include <QObject>
#include <QString>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <vector>

namespace bitloom::ui {

/// In debug builds: says in the log when the thread that made it did not get to its event loop for
/// more than 100 ms, and at which event it was. Costs a timer tick every 50 ms, so it is not part
/// of release builds. Made, read and taken down by that thread.
class Watchdog : public QObject {
    Q_OBJECT
public:
    static constexpr int64_t limitMs = 100;

    /// The event loop was not reached in time.
    struct Block {
        int64_t ms = 0;       ///< later than it should have been
        int64_t cpuMs = 0;    ///< of the thread's processor time since the beat before
        int64_t queuedMs = 0; ///< of which other threads had the processor that it was waiting for
        QString doing;        ///< receiver and number of the event that took longest to end
        /// What the thread itself is answerable for: on a busy machine the rest is others' work.
        int64_t ownMs() const { return std::max<int64_t>(0, ms - queuedMs); }
    };

    explicit Watchdog(QObject* parent = nullptr);
    ~Watchdog() override;

    int64_t longestMs() const { return m_longest; }
    const std::vector<Block>& blocks() const { return m_blocks; } ///< at most 1000, oldest first
    void clear();

protected:
    void timerEvent(QTimerEvent* event) override;
    bool eventFilter(QObject* receiver, QEvent* event) override;

private:
    struct Sampler;
    struct Times {
        int64_t wall = 0, cpu = 0, queued = 0; ///< ns
    };
    Times now() const;

    std::unique_ptr<Sampler> m_sampler;
    Times m_last;
    int64_t m_longest = 0;
    std::vector<Block> m_blocks;
};

} // namespace bitloom::ui
