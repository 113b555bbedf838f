// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include <QCoreApplication>
#include <QEvent>
#include <QObject>

#include <atomic>
#include <chrono>
#include <deque>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>

namespace bitloom::ui {

struct Failure : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// Lets another thread look at what belongs to the user interface. It looks from the event loop,
/// also from that of a dialog or a menu, so a test that waits for its user interface does not keep
/// it from working. Made by the thread of the user interface.
class UiThread : public QObject {
public:
    /// What `look()` returns there; throws what it throws, and Failure where nobody answers.
    template<class Look>
    auto ask(Look look) -> decltype(look()) {
        using Result = decltype(look());
        auto task = std::make_shared<std::packaged_task<Result()>>(std::move(look));
        std::future<Result> result = task->get_future();
        auto wake = std::make_unique<QEvent>(QEvent::User); // made before the lock orders it
        {
            const std::lock_guard lock(m_mutex);
            m_tasks.push_back([task] { (*task)(); });
        }
        QCoreApplication::postEvent(this, wake.release());
        for (int tenths = 0; tenths < 600; ++tenths) {
            if (result.wait_for(std::chrono::milliseconds(100)) == std::future_status::ready)
                return result.get();
            if (m_ended) throw Failure("the application has ended");
        }
        throw Failure("the user interface has not answered for a minute");
    }

    /// Looks every 10 ms until it holds. Returns the milliseconds it took.
    template<class Holds>
    int64_t waitFor(const std::string& what, int limitMs, Holds holds) {
        using namespace std::chrono;
        const auto start = steady_clock::now();
        const auto elapsed = [&] {
            return duration_cast<milliseconds>(steady_clock::now() - start).count();
        };
        while (!ask(holds)) {
            if (elapsed() > limitMs)
                throw Failure("not within " + std::to_string(limitMs) + " ms: " + what);
            std::this_thread::sleep_for(milliseconds(10));
        }
        return elapsed();
    }

    void end() { m_ended = true; } ///< nobody will answer any more

protected:
    bool event(QEvent* event) override {
        if (event->type() != QEvent::User) return QObject::event(event);
        std::function<void()> task;
        {
            const std::lock_guard lock(m_mutex);
            if (m_tasks.empty()) return true;
            task = std::move(m_tasks.front());
            m_tasks.pop_front();
        }
        task();
        return true;
    }

private:
    std::mutex m_mutex;
    std::deque<std::function<void()>> m_tasks; ///< under m_mutex
    std::atomic<bool> m_ended{false};
};

} // namespace bitloom::ui
