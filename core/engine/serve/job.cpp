// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/engine/serve/job.h"

#include "core/base/units.h"

#include <algorithm>

namespace bitloom::serve {

using namespace std::chrono_literals;

namespace {

int64_t nanoseconds(std::chrono::steady_clock::time_point time) {
    return std::chrono::nanoseconds(time.time_since_epoch()).count();
}

} // namespace

Job::Job(Request request, Output& output) : m_request(std::move(request)), m_output(output) {}

void Job::begin() {
    const std::lock_guard lock(m_mutex);
    m_start = Clock::now();
    m_history.clear();
    m_asked = nanoseconds(m_start);
    m_silence = 0;
}

bool Job::cancelled() const {
    const int64_t now = nanoseconds(Clock::now()), before = m_asked.exchange(now);
    int64_t longest = m_silence;
    while (before > 0 && now - before > longest &&
           !m_silence.compare_exchange_weak(longest, now - before)) {
    }
    return m_cancelled;
}

double Job::longestSilence() const {
    const int64_t asked = m_asked;
    if (asked == 0) return 0; // it has not begun
    return double(std::max<int64_t>(m_silence, nanoseconds(Clock::now()) - asked)) * 1e-9;
}

void Job::setDeviceBytes(std::function<int64_t()> bytes) {
    const std::lock_guard lock(m_mutex);
    m_deviceBytes = std::move(bytes);
}

double Job::seconds() const {
    const std::lock_guard lock(m_mutex);
    return std::chrono::duration<double>(Clock::now() - m_start).count();
}

/// From the rate of the last half minute; −1 while there is too little to go by.
double Job::secondsLeft(Clock::time_point now, double fraction) {
    // Going back means that another part of the job counts anew.
    if (!m_history.empty() && fraction < m_history.back().second) m_history.clear();
    if (m_history.empty() || now - m_history.back().first > 50ms)
        m_history.emplace_back(now, fraction);
    while (m_history.size() > 2 && now - m_history.front().first > 30s)
        m_history.pop_front();
    const auto& [since, begin] = m_history.front();
    const double seconds = std::chrono::duration<double>(now - since).count();
    if (seconds < 0.5 || fraction <= begin) return -1;
    return (1 - fraction) * seconds / (fraction - begin);
}

void Job::report(double fraction, std::string_view what) {
    const auto now = Clock::now();
    std::string step(what);
    std::erase_if(step, [](char c) { return c >= '0' && c <= '9'; });
    const std::lock_guard lock(m_mutex);
    if (!m_open) return;
    const double left = secondsLeft(now, fraction);
    if (now - m_sent < 100ms && step == m_step) return;
    m_sent = now;
    m_step = std::move(step);
    Json fields = {{"job", id()},
                   {"fraction", std::clamp(fraction, 0.0, 1.0)},
                   {"what", what},
                   {"eta_s", left >= 0 ? Json(left) : Json()},
                   {"seconds", std::chrono::duration<double>(now - m_start).count()},
                   {"rss", residentBytes()},
                   {"peak_rss", peakResidentBytes()},
                   {"vram", m_deviceBytes ? m_deviceBytes() : 0}};
    if (m_watcher) m_watcher(fields);
    if (!m_request.notification())
        m_output.send(notificationMessage("progress", std::move(fields)));
}

void Job::notify(std::string_view method, Json fields) {
    const std::lock_guard lock(m_mutex);
    if (!m_open || m_request.notification()) return;
    fields["job"] = id();
    m_output.send(notificationMessage(method, std::move(fields)));
}

void Job::close() {
    const std::lock_guard lock(m_mutex);
    m_open = false;
    m_watcher = nullptr;
    m_deviceBytes = nullptr;
}

void Job::watch(std::function<void(const Json&)> watcher) {
    const std::lock_guard lock(m_mutex);
    m_watcher = std::move(watcher);
}

} // namespace bitloom::serve
