// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "ui/state/jobs.h"

#include "ui/models/texts.h"

#include <algorithm>

namespace bitloom::ui {

JobList::JobList(QObject* parent) : QObject(parent) {}

void JobList::setEngine(EngineClient* engine) {
    if (m_engine == engine) return;
    if (m_engine) m_engine->disconnect(this);
    m_engine = engine;
    if (!engine) return;
    connect(engine, &EngineClient::started, this, [this](int call) {
        const int index = indexOfCall(call);
        if (index < 0) return;
        Job& job = m_jobs[size_t(index)];
        job.state = Job::State::Running;
        if (!job.started.isValid()) job.started = QDateTime::currentDateTime();
        emit changed(index);
        emit activeChanged();
    });
    connect(engine, &EngineClient::stopDelayed, this, [this](int call, double seconds) {
        const int index = indexOfCall(call);
        if (index < 0) return;
        m_jobs[size_t(index)].what =
            tr("stopping; this step cannot be broken off and may take another %1")
                .arg(durationText(std::max(seconds, 1.0)));
        emit changed(index);
    });
    connect(engine, &EngineClient::progress, this,
            [this](int call, const EngineProgress& progress) {
                const int index = indexOfCall(call);
                if (index < 0) return;
                Job& job = m_jobs[size_t(index)];
                const Extra& extra = m_extras[size_t(index)];
                job.fraction = extra.from + (extra.to - extra.from) * progress.fraction;
                if (!extra.cancelling) job.what = extra.step.isEmpty() ? progress.what : extra.step;
                // What later calls of the same job take is not known to the engine: in proportion.
                const double done = job.fraction - extra.from;
                job.etaSeconds = progress.etaSeconds < 0 || extra.to >= 1 || done <= 0
                                     ? progress.etaSeconds
                                     : (progress.seconds / done) * (1 - job.fraction);
                job.peakRss = std::max(job.peakRss, progress.peakRss);
                job.peakVram = std::max(job.peakVram, progress.vram);
                emit changed(index);
            });
}

const Job* JobList::find(int id) const {
    const int index = indexOf(id);
    return index < 0 ? nullptr : &m_jobs[size_t(index)];
}

const Job* JobList::active() const {
    const Job* first = nullptr;
    for (const Job& job : m_jobs) {
        if (job.state == Job::State::Running) return &job;
        if (job.state == Job::State::Queued && !first) first = &job;
    }
    return first;
}

int JobList::activeCount() const {
    return int(std::ranges::count_if(m_jobs, &Job::active));
}

bool JobList::isActive(const QString& kind) const {
    return std::ranges::any_of(m_jobs,
                               [&](const Job& job) { return job.active() && job.kind == kind; });
}

int JobList::indexOf(int id) const {
    const auto found = std::ranges::find(m_jobs, id, &Job::id);
    return found == m_jobs.end() ? -1 : int(found - m_jobs.begin());
}

int JobList::indexOfCall(int call) const {
    const auto found = std::ranges::find(m_extras, call, &Extra::call);
    return call == 0 || found == m_extras.end() ? -1 : int(found - m_extras.begin());
}

int JobList::engineCall(int job) const {
    const int index = indexOf(job);
    return index < 0 ? 0 : m_extras[size_t(index)].call;
}

int JobList::begin(const QString& title, const QString& kind) {
    Job job;
    job.id = m_nextId++;
    job.title = title;
    job.kind = kind;
    m_jobs.push_back(job);
    m_extras.emplace_back();
    emit added(int(m_jobs.size()) - 1);
    emit activeChanged();
    return job.id;
}

void JobList::call(int job, const QString& method, const QJsonObject& params, double from,
                   double to, Done done) {
    const int index = indexOf(job);
    if (index < 0 || !m_jobs[size_t(index)].active()) return;
    // A wish to stop that came as the call before this one ended.
    if (m_extras[size_t(index)].cancelling) return fail(job, cancelledError());
    if (!m_engine) {
        EngineError error;
        error.code = EngineError::NotRunning;
        error.message = tr("The engine is not running.");
        error.hint = tr("Restart it from the Run menu.");
        fail(job, error);
        return;
    }
    if (m_engine->state() == EngineClient::State::Stopped ||
        m_engine->state() == EngineClient::State::Dead)
        m_engine->restart();
    Extra& extra = m_extras[size_t(index)];
    extra.from = from;
    extra.to = to;
    extra.step.clear();
    extra.call = m_engine->call(method, params, this,
                                [this, job, done = std::move(done)](const EngineResult& result) {
                                    const int now = indexOf(job);
                                    if (now < 0 || !m_jobs[size_t(now)].active()) return;
                                    m_extras[size_t(now)].call = 0;
                                    if (!result.ok()) {
                                        fail(job, result.error);
                                        return;
                                    }
                                    done(result);
                                });
}

void JobList::setStep(int job, const QString& what) {
    const int index = indexOf(job);
    if (index < 0 || !m_jobs[size_t(index)].active()) return;
    Extra& extra = m_extras[size_t(index)];
    if (extra.step == what) return;
    extra.step = what;
    if (extra.cancelling) return;
    m_jobs[size_t(index)].what = what;
    emit changed(index);
}

void JobList::end(int index, Job::State state) {
    Job& job = m_jobs[size_t(index)];
    job.state = state;
    job.ended = QDateTime::currentDateTime();
    job.etaSeconds = -1;
    job.stopping = false;
    m_extras[size_t(index)].call = 0;
    const int id = job.id;
    emit changed(index);
    emit activeChanged();
    emit ended(id);
}

void JobList::finish(int job, const QString& result, const QString& resultPath) {
    const int index = indexOf(job);
    if (index < 0 || !m_jobs[size_t(index)].active()) return;
    m_jobs[size_t(index)].fraction = 1;
    m_jobs[size_t(index)].result = result;
    m_jobs[size_t(index)].resultPath = resultPath;
    end(index, Job::State::Done);
}

void JobList::fail(int job, const EngineError& error) {
    const int index = indexOf(job);
    if (index < 0 || !m_jobs[size_t(index)].active()) return;
    m_jobs[size_t(index)].error = error;
    if (!error.cancelled() && m_engine) m_jobs[size_t(index)].details = m_engine->errorOutput();
    end(index, error.cancelled() ? Job::State::Cancelled : Job::State::Failed);
}

void JobList::setResumable(int job, std::function<void()> resume) {
    const int index = indexOf(job);
    if (index < 0) return;
    m_jobs[size_t(index)].resumable = true;
    m_extras[size_t(index)].resume = std::move(resume);
}

EngineError JobList::cancelledError() {
    EngineError error;
    error.code = EngineError::Cancelled;
    error.message = tr("Cancelled.");
    return error;
}

void JobList::cancel(int job) {
    const int index = indexOf(job);
    if (index < 0 || !m_jobs[size_t(index)].active()) return;
    Extra& extra = m_extras[size_t(index)];
    if (extra.call == 0 || !m_engine) {
        fail(job, cancelledError());
        return;
    }
    if (extra.cancelling) return;
    extra.cancelling = true;
    m_jobs[size_t(index)].what = tr("stopping");
    m_jobs[size_t(index)].stopping = true;
    emit changed(index);
    m_engine->cancel(extra.call);
}

void JobList::cancelAll() {
    std::vector<int> ids;
    for (const Job& job : m_jobs)
        if (job.active()) ids.push_back(job.id);
    for (const int id : ids)
        cancel(id);
}

void JobList::resume(int job) {
    const int index = indexOf(job);
    if (index < 0 || m_jobs[size_t(index)].active() || !m_extras[size_t(index)].resume) return;
    const std::function<void()> again = m_extras[size_t(index)].resume;
    again();
}

void JobList::clearEnded() {
    emit aboutToReset();
    for (int i = int(m_jobs.size()) - 1; i >= 0; --i) {
        if (m_jobs[size_t(i)].active()) continue;
        m_jobs.erase(m_jobs.begin() + i);
        m_extras.erase(m_extras.begin() + i);
    }
    emit wasReset();
    emit activeChanged();
}

} // namespace bitloom::ui
