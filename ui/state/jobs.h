// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "ui/engine_client/engine_client.h"

#include <QDateTime>
#include <QObject>
#include <QPointer>

#include <deque>
#include <functional>

namespace bitloom::ui {

/// A piece of work as the user sees it. It may take several calls of the engine.
struct Job {
    enum class State { Queued, Running, Done, Failed, Cancelled };
    int id = 0;
    QString title; ///< "Measuring perplexity of Balanced"
    QString kind;  ///< "analyze", "measure", "export", "chat": for icons and for finding it again
    State state = State::Queued;
    double fraction = 0;
    QString what;           ///< present step
    bool stopping = false;  ///< cancelled, and not over yet
    double etaSeconds = -1; ///< −1: not known yet
    qint64 peakRss = 0;
    qint64 peakVram = 0; ///< of a GPU, by whatever program; 0 without one
    QDateTime started, ended;
    QString result;     ///< one sentence, once done
    QString resultPath; ///< a folder or file that it made
    EngineError error;
    QString details;        ///< the engine's last words, for "Details" and "Copy report"
    bool resumable = false; ///< the same work may be asked for again and goes on where it stopped

    bool active() const { return state == State::Queued || state == State::Running; }
};

/// All jobs of this run of the program, oldest first, and their way to the engine. One compute job
/// runs at a time (the engine queues); UI thread only.
class JobList : public QObject {
    Q_OBJECT
public:
    using Done = std::function<void(const EngineResult&)>;

    explicit JobList(QObject* parent = nullptr);

    void setEngine(EngineClient* engine);
    EngineClient* engine() const { return m_engine; }

    const std::deque<Job>& jobs() const { return m_jobs; }
    const Job* find(int id) const;
    /// The job that runs, or the next one that waits; nullptr where there is none.
    const Job* active() const;
    int activeCount() const;
    bool isActive(const QString& kind) const;

    /// Enters a job; call() does its work.
    int begin(const QString& title, const QString& kind);
    /// One call of the engine on behalf of a job, which takes the part [from, to] of its progress.
    /// `done` is not called where the call fails: the job is then over, failed or cancelled.
    void call(int job, const QString& method, const QJsonObject& params, double from, double to,
              Done done);
    /// What the present call does now, where its caller knows better than the engine says.
    void setStep(int job, const QString& what);
    void finish(int job, const QString& result, const QString& resultPath = {});
    void fail(int job, const EngineError& error);
    void setResumable(int job, std::function<void()> resume);

    void cancel(int job);
    void cancelAll();
    void resume(int job);
    void clearEnded();
    /// Number of the engine's call that a job waits for; 0 if none.
    int engineCall(int job) const;

signals:
    void added(int index);
    void changed(int index);
    void aboutToReset(); ///< several go at once
    void wasReset();
    void activeChanged();
    void ended(int job);

private:
    struct Extra {
        int call = 0; ///< the engine's
        double from = 0, to = 1;
        bool cancelling = false;
        QString step;
        std::function<void()> resume;
    };
    int indexOf(int id) const;
    int indexOfCall(int call) const;
    void end(int index, Job::State state);
    static EngineError cancelledError();

    QPointer<EngineClient> m_engine;
    std::deque<Job> m_jobs;
    std::deque<Extra> m_extras; ///< like m_jobs
    int m_nextId = 1;
};

} // namespace bitloom::ui
