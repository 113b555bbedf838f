// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include <QCoreApplication>
#include <QEvent>
#include <QObject>
#include <QRunnable>
#include <QThreadPool>

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>

namespace bitloom::ui {

/// Takes functions from any thread and calls them from the event loop of the thread it was made
/// by, one at a time, in their order. Those that wait when it goes are dropped. Qt's own queues do
/// as much, but a thread sanitizer does not see into them; here the order of threads is visible.
class Mailbox : public QObject {
public:
    using QObject::QObject;

    void post(std::function<void()> call) {
        auto wake = std::make_unique<QEvent>(QEvent::User); // made before the lock orders it
        {
            const std::lock_guard lock(m_mutex);
            m_calls.push_back(std::move(call));
        }
        QCoreApplication::postEvent(this, wake.release());
    }

protected:
    bool event(QEvent* event) override {
        std::function<void()> call;
        {
            const std::lock_guard lock(m_mutex);
            if (event->type() != QEvent::User || m_calls.empty()) return QObject::event(event);
            call = std::move(m_calls.front());
            m_calls.pop_front();
        }
        call(); // may be the end of this object
        return true;
    }

private:
    std::mutex m_mutex;
    std::deque<std::function<void()>> m_calls; ///< under m_mutex
};

/// job() on the pool, then done(result) from the mailbox. Neither may throw. The mailbox must be
/// there until the pool is done.
template<class Job, class Done>
void inBackground(QThreadPool& pool, Mailbox& mailbox, Job job, Done done) {
    class Task : public QRunnable {
    public:
        Task(Mailbox& mailbox, Job job, Done done)
            : m_mailbox(mailbox), m_job(std::move(job)), m_done(std::move(done)) {
            m_made.store(true, std::memory_order_release);
        }
        void run() override {
            if (!m_made.load(std::memory_order_acquire)) return; // what was made is visible here
            auto result = std::make_shared<decltype(m_job())>(m_job());
            m_mailbox.post([result, done = std::move(m_done)]() mutable { done(*result); });
        }

    private:
        Mailbox& m_mailbox;
        Job m_job;
        Done m_done;
        std::atomic<bool> m_made{false};
    };
    pool.start(new Task(mailbox, std::move(job), std::move(done))); // the pool deletes it
}

} // namespace bitloom::ui
