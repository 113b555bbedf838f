// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include <QObject>
#include <QThreadPool>

#include <atomic>
#include <functional>
#include <memory>

namespace bitloom::ui {

/// A kind of background work of which only the newest counts: starting a job cancels the one
/// before, whose result is never delivered. Owner and pool must live as long as the slot, and the
/// owner must wait for the pool before it goes (so that no job outlives what it points to).
/// All calls from the owner's thread; `job` runs on the pool and must not throw; `done` is called
/// on the owner's thread.
class JobSlot {
public:
    using Cancelled = std::atomic<bool>;

    JobSlot(QObject* owner, QThreadPool& pool) : m_owner(owner), m_pool(pool) {}
    ~JobSlot() { cancel(); }
    JobSlot(const JobSlot&) = delete;
    JobSlot& operator=(const JobSlot&) = delete;

    void cancel() {
        if (m_cancelled) *m_cancelled = true;
        m_cancelled.reset();
    }
    bool running() const { return m_cancelled != nullptr; }

    /// job: Result(const Cancelled&); done: void(Result&).
    template<class Job, class Done>
    void start(Job job, Done done) {
        cancel();
        auto cancelled = std::make_shared<Cancelled>(false);
        m_cancelled = cancelled;
        m_pool.start([this, owner = m_owner, cancelled, job = std::move(job),
                      done = std::move(done)]() mutable {
            if (*cancelled) return;
            using Result = decltype(job(std::declval<const Cancelled&>()));
            auto result = std::make_shared<Result>(job(*cancelled));
            if (*cancelled) return;
            QMetaObject::invokeMethod(
                owner,
                [this, cancelled, result, done = std::move(done)]() mutable {
                    if (*cancelled) return; // overtaken, or the slot is gone
                    m_cancelled.reset();
                    done(*result);
                },
                Qt::QueuedConnection);
        });
    }

private:
    QObject* m_owner;
    QThreadPool& m_pool;
    std::shared_ptr<Cancelled> m_cancelled;
};

} // namespace bitloom::ui
