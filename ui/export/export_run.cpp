// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "ui/export/export_run.h"

#include "ui/engine_client/engine_client.h"
#include "ui/engine_client/engine_devices.h"
#include "ui/export/remote_partial.h"
#include "ui/models/texts.h"
#include "ui/state/settings.h"

#include <QJsonArray>

#include <algorithm>

namespace bitloom::ui {

namespace {

const QString exportKind = QStringLiteral("export");
constexpr double unpackShare = 0.1; // of the progress, where a Hugging Face folder follows

/// Where the speed of the last export with the same settings is kept: of the engine's machine, on
/// the same device ("cpu", "cuda") and with as many threads.
QString speedKey(const ExportRequest& request, const Settings& settings, const QString& device,
                 int threads) {
    return settings.placeKey(QStringLiteral("export/weights_per_second/%1-%2-%3-%4")
                                 .arg(request.options.descentPasses)
                                 .arg(request.options.polishSteps)
                                 .arg(device)
                                 .arg(threads));
}

} // namespace

ExportRun::ExportRun(Workbench& workbench, QObject* parent)
    : QObject(parent), m_workbench(workbench) {
    m_poll.setInterval(1000); // looking at the sizes of a few files
    connect(&m_poll, &QTimer::timeout, this, [this] {
        const PartialExport now = PartialExport::read(m_request.partial());
        if (now.totalTensors > 0) m_partial = now; // the folder goes when it is renamed
        emit changed();
    });
    m_remotePartial = new RemotePartial(this);
    connect(m_remotePartial, &RemotePartial::changed, this, &ExportRun::lookedElsewhere);
    JobList& jobs = workbench.jobs();
    connect(&jobs, &JobList::changed, this, [this](int index) {
        const int id = m_workbench.jobs().jobs()[size_t(index)].id;
        if (id == m_job || id == m_verifyJob) emit changed();
    });
    connect(&jobs, &JobList::ended, this, &ExportRun::jobEnded);
}

const Job* ExportRun::job() const {
    return m_workbench.jobs().find(m_job);
}

void ExportRun::start(const ExportRequest& request, qint64 bytes) {
    if (m_state == State::Running) return;
    m_request = request;
    m_bytes = bytes;
    m_elapsed = 0;
    m_result = {};
    m_damaged.clear();
    m_verified = m_quantized = false;
    begin();
}

void ExportRun::resume() {
    if (m_state != State::Cancelled && m_state != State::Failed) return;
    // Elsewhere the engine looks itself; without anything to go on with it begins.
    m_request.resume = m_request.remote || ExportPlace::of(m_request).partialExists;
    begin();
}

void ExportRun::begin() {
    m_state = State::Running;
    m_detached = false;
    m_partial = m_request.resume && !m_request.remote ? PartialExport::read(m_request.partial())
                                                      : PartialExport{};
    m_startBytes = m_partial.writtenBytes;
    m_resumedShare = m_bytes > 0 ? std::clamp(double(m_startBytes) / double(m_bytes), 0.0, 1.0) : 0;
    m_clock.start();
    m_rateClock.start();
    m_startKnown = !m_request.remote || !m_request.resume;
    if (m_request.remote)
        m_remotePartial->watch(m_workbench.engine(), m_request.partial());
    else
        m_poll.start();
    JobList& jobs = m_workbench.jobs();
    m_job = jobs.begin(tr("Exporting %1").arg(m_request.name), exportKind);
    jobs.setResumable(m_job, [this] { resume(); });
    const bool both = m_request.format == ExportRequest::Format::Both;
    emit changed();
    if (m_quantized) { // only the second folder is missing
        quantized({m_result, {}});
        return;
    }
    jobs.call(m_job, QStringLiteral("quantize"), m_request.quantizeParams(), 0,
              both ? 1 - unpackShare : 1,
              [this](const EngineResult& result) { quantized(result); });
}

void ExportRun::lookedElsewhere() {
    const PartialExport now = m_remotePartial->now();
    if (m_state != State::Running || now.totalTensors == 0) return;
    m_partial = now;
    if (!m_startKnown) { // what an earlier run had written is no speed of this one
        m_startKnown = true;
        m_startBytes = now.writtenBytes;
        m_resumedShare =
            m_bytes > 0 ? std::clamp(double(m_startBytes) / double(m_bytes), 0.0, 1.0) : 0;
        m_rateClock.start();
    }
    emit changed();
}

void ExportRun::quantized(const EngineResult& result) {
    m_result = result.value;
    m_quantized = true;
    m_verified = m_result[QLatin1String("verified")].toBool();
    if (m_request.format != ExportRequest::Format::Both) {
        succeed();
        return;
    }
    m_workbench.jobs().call(m_job, QStringLiteral("export"), m_request.exportParams(),
                            1 - unpackShare, 1, [this](const EngineResult&) { succeed(); });
}

void ExportRun::succeed() {
    // What an earlier run did would make the machine look faster than it is.
    if (m_startBytes == 0) rememberSpeed(m_result[QLatin1String("seconds")].toDouble());
    const double bytes = m_result[QLatin1String("bytes")].toDouble();
    m_workbench.jobs().finish(m_job,
                              m_verified ? tr("%1, verified").arg(bytesText(QLocale(), bytes))
                                         : bytesText(QLocale(), bytes),
                              m_request.output());
}

void ExportRun::rememberSpeed(double seconds) {
    if (seconds <= 0 || !m_request.plan) return;
    Settings& settings = m_workbench.settings();
    settings.setValue(speedKey(m_request, settings, m_result[QLatin1String("device")].toString(),
                               m_result[QLatin1String("threads")].toInt()),
                      double(m_request.plan->weights()) / seconds);
}

double ExportRun::estimateSeconds(const ExportRequest& request, Workbench& workbench) {
    if (!workbench.engine()) return -1;
    const QJsonObject hello = workbench.engine()->hello();
    const Settings& settings = workbench.settings();
    const QString device = EngineDevice::of(hello, QStringLiteral("quantize")).key();
    const int threads = hello[QLatin1String("threads")].toInt();
    const double speed = settings.value(speedKey(request, settings, device, threads)).toDouble();
    return speed > 0 && request.plan ? double(request.plan->weights()) / speed : -1;
}

void ExportRun::jobEnded(int id) {
    if (id == m_verifyJob) {
        m_verifyJob = 0;
        emit changed();
        return;
    }
    if (id != m_job || m_state != State::Running) return;
    m_poll.stop();
    m_remotePartial->stop();
    m_elapsed += double(m_clock.elapsed()) / 1000;
    const Job* ended = job();
    m_state = ended && ended->state == Job::State::Done        ? State::Done
              : ended && ended->state == Job::State::Cancelled ? State::Cancelled
                                                               : State::Failed;
    if (m_state != State::Done && !m_request.remote)
        m_partial = PartialExport::read(m_request.partial());
    emit changed();
    emit finished();
}

void ExportRun::cancel() {
    if (m_state == State::Running) m_workbench.jobs().cancel(m_job);
}

void ExportRun::detach() {
    const int call = m_workbench.jobs().engineCall(m_job);
    if (m_state != State::Running || m_detached || call == 0 || !m_workbench.engine()) return;
    m_detached = true;
    m_workbench.engine()->detach(call, [this](const EngineResult& result) {
        if (result.ok()) return;
        m_detached = false;
        emit m_workbench.message(result.error.message);
    });
}

void ExportRun::verify() {
    if (m_state != State::Done || m_verifyJob) return;
    m_verifyJob =
        m_workbench.jobs().begin(tr("Verifying %1").arg(m_request.name), QStringLiteral("verify"));
    const int job = m_verifyJob;
    emit changed();
    m_workbench.jobs().call(
        job, QStringLiteral("verify"), {{QStringLiteral("model"), m_request.output()}}, 0, 1,
        [this, job](const EngineResult& result) {
            m_verified = result.value[QLatin1String("intact")].toBool();
            m_damaged.clear();
            for (const QJsonValue& name : result.value[QLatin1String("damaged")].toArray())
                m_damaged << name.toString();
            m_workbench.jobs().finish(
                job, m_verified ? tr("every file and tensor reads back as written")
                                : tr("damaged: %1").arg(m_damaged.join(QStringLiteral(", "))));
        });
}

double ExportRun::fraction() const {
    const Job* now = job();
    return m_state == State::Done ? 1 : now ? now->fraction : 0;
}

double ExportRun::elapsedSeconds() const {
    return m_elapsed + (m_state == State::Running ? double(m_clock.elapsed()) / 1000 : 0);
}

double ExportRun::bytesPerSecond() const {
    const double seconds = m_state == State::Running ? double(m_rateClock.elapsed()) / 1000 : 0;
    const qint64 fresh = m_partial.writtenBytes - m_startBytes;
    return seconds > 1 && fresh > 0 ? double(fresh) / seconds : 0;
}

EngineError ExportRun::error() const {
    const Job* now = job();
    return now ? now->error : EngineError{};
}

std::vector<ExportRun::Step> ExportRun::steps() const {
    using S = Step::State;
    std::vector<Step> list;
    const Job* now = job();
    if (!now) return list;
    const bool running = m_state == State::Running, done = m_state == State::Done;
    const bool queued = now->state == Job::State::Queued;
    const QLocale locale;
    list.push_back({queued ? S::Running : S::Done,
                    queued ? tr("Waits for the job that runs") : tr("Space checked, folder locked"),
                    {}});
    if (m_startBytes > 0 || m_result[QLatin1String("layers_resumed")].toInt() > 0) {
        const int layers = m_result[QLatin1String("layers_resumed")].toInt();
        list.push_back({queued ? S::Waiting : S::Done,
                        layers > 0 ? tr("%1 finished layers kept, hashes verified").arg(layers)
                                   : tr("Resumed: finished tensors kept, hashes verified"),
                        bytesText(locale, double(m_startBytes))});
    }
    const S ended = done ? S::Done : running ? S::Running : S::Failed;
    QString what = now->what;
    if (!what.isEmpty()) what[0] = what[0].toUpper();
    const bool unpacking = running && m_quantized;
    const bool checking = running && !unpacking && what.contains(QLatin1String("erif"));
    list.push_back({queued                  ? S::Waiting
                    : unpacking || checking ? S::Done
                                            : ended,
                    running && !unpacking && !checking && !what.isEmpty()
                        ? what
                        : tr("Quantize and write, layer by layer"),
                    {}});
    if (m_request.verify)
        list.push_back({done || unpacking ? S::Done
                        : checking        ? S::Running
                                          : S::Waiting,
                        tr("Verify: read again, compare every hash"),
                        {}});
    list.push_back({done || unpacking ? S::Done : S::Waiting,
                    tr("Flush, then rename %1.partial into place").arg(m_request.name),
                    {}});
    if (m_request.format == ExportRequest::Format::Both)
        list.push_back({done        ? S::Done
                        : unpacking ? S::Running
                                    : S::Waiting,
                        tr("Unpack into the Hugging Face folder %1-hf").arg(m_request.name),
                        {}});
    return list;
}

} // namespace bitloom::ui
