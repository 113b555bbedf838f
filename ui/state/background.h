// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "ui/state/mailbox.h"

#include <QThreadPool>

#include <atomic>
#include <memory>
#include <optional>

namespace bitloom::ui {

/// A kind of background work of which only the newest counts: starting a job cancels the one
/// before, whose result is never delivered. The pool must live as long as the slot, and the owner
/// must wait for the pool before the slot goes (so that no job outlives what it points to).
/// All calls from the owner's thread; `job` runs on the pool and must not throw; `done` is called
/// on the owner's thread.
class JobSlot {
public:
    using Cancelled = std::atomic<bool>;

    explicit JobSlot(QThreadPool& pool) : m_pool(pool) {}
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
        using Result = decltype(job(std::declval<const Cancelled&>()));
        inBackground(
            m_pool, m_mailbox,
            [cancelled, job = std::move(job)]() mutable -> std::optional<Result> {
                if (*cancelled) return {};
                return job(*cancelled);
            },
            [this, cancelled, done = std::move(done)](std::optional<Result>& result) mutable {
                if (*cancelled || !result) return; // overtaken
                m_cancelled.reset();
                done(*result);
            });
    }

private:
    QThreadPool& m_pool;
    Mailbox m_mailbox;
    std::shared_ptr<Cancelled> m_cancelled;
};

} // namespace bitloom::ui
