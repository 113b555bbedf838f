// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/base/progress.h"
#include "core/engine/serve/transport.h"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

namespace bitloom::serve {

/// One request while it is open: what it was asked, the way back for progress, and the wish to
/// stop. report() and notify() may be called from any thread; after close() nothing is sent any
/// more.
class Job final : public Progress {
public:
    Job(Request request, Output& output);

    const Json& id() const { return m_request.id; }
    const std::string& method() const { return m_request.method; }
    const Json& params() const { return m_request.params; }

    void report(double fraction, std::string_view what) override;
    bool cancelled() const override;
    void cancel() { m_cancelled = true; }
    /// The client is gone: for jobs that only watch and must not stop what they watch.
    bool abandoned() const { return m_abandoned; }
    void abandon() { m_abandoned = true; }

    /// Sends a notification with `fields` and this job's id.
    void notify(std::string_view method, Json fields);
    void close();
    /// Time starts to count when the job leaves the queue.
    void begin();
    double seconds() const;

    /// Seconds that the job has gone on, at the longest, without asking whether to stop.
    double longestSilence() const;
    /// Says how many bytes of a GPU are in use, wherever progress is reported; empty: none.
    void setDeviceBytes(std::function<int64_t()> bytes);

    /// Sees the fields of every progress notification, sent or not; for a detached job's record.
    void watch(std::function<void(const Json&)> watcher);

private:
    using Clock = std::chrono::steady_clock;
    double secondsLeft(Clock::time_point now, double fraction);

    const Request m_request;
    Output& m_output;
    std::atomic<bool> m_cancelled = false, m_abandoned = false;
    Clock::time_point m_start = Clock::now();
    /// Nanoseconds on the clock at the last question whether to stop, and the longest between two.
    mutable std::atomic<int64_t> m_asked{0}, m_silence{0};

    mutable std::mutex m_mutex; ///< guards what follows
    bool m_open = true;
    Clock::time_point m_sent{};
    std::string m_step; ///< `what` of the last progress without its digits
    std::deque<std::pair<Clock::time_point, double>> m_history; ///< of the last half minute
    std::function<void(const Json&)> m_watcher;
    std::function<int64_t()> m_deviceBytes;
};

} // namespace bitloom::serve
