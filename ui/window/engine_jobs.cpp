// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "ui/window/engine_jobs.h"

#include "core/base/log.h"
#include "ui/engine_client/engine_client.h"
#include "ui/models/texts.h"
#include "ui/state/jobs.h"
#include "ui/state/settings.h"

namespace bitloom::ui {

namespace {

/// What `serve` understands of the settings.
QStringList engineOptions(const Settings& settings) {
    QStringList options{QStringLiteral("--cache"), settings.cacheFolder()};
    if (settings.threads() > 0)
        options << QStringLiteral("--threads") << QString::number(settings.threads());
    if (settings.memoryLimit() > 0)
        options << QStringLiteral("--memory") << QString::number(settings.memoryLimit());
    options << QStringLiteral("--device") << settings.device();
    return options;
}

/// How the settings want the engine started. A command of the user's says its options itself.
EngineCommand commandOf(const Settings& settings) {
    if (settings.engineIsRemote()) return EngineCommand::fromText(settings.engineCommand());
    return settings.engineProgram().isEmpty()
               ? EngineCommand::local(engineOptions(settings))
               : EngineCommand::localProgram(settings.engineProgram(), engineOptions(settings));
}

void setPatience(EngineClient& engine) {
    // A connection may ask for a password first, and answers take their way.
    engine.setHandshakeTimeout(engine.remote() ? 120'000 : 20'000);
    engine.setCancelTimeout(engine.remote() ? 5'000 : 500);
}

void toLog(const QString& level, const QString& room, const QString& text) {
    const auto log = logger(room.toUtf8().constData());
    const std::string line = text.toStdString();
    if (level == QLatin1String("error"))
        log->error("{}", line);
    else if (level == QLatin1String("warning"))
        log->warn("{}", line);
    else if (level == QLatin1String("debug"))
        log->debug("{}", line);
    else
        log->info("{}", line);
}

} // namespace

EngineJobs::EngineJobs(Workbench& workbench, QObject* parent)
    : QObject(parent), m_workbench(workbench) {
    connect(&workbench.settings(), &Settings::engineChanged, this, &EngineJobs::applySettings);
    connect(&workbench.jobs(), &JobList::activeChanged, this, [this] {
        if (m_settingsWait && m_workbench.jobs().activeCount() == 0) applySettings();
    });
}

void EngineJobs::startEngine() {
    m_engine = new EngineClient(commandOf(m_workbench.settings()), this);
    setPatience(*m_engine);
    connect(m_engine, &EngineClient::log, this, &toLog);
    connect(m_engine, &EngineClient::partial, this,
            [this](int call, const QString&, const QString&, const QJsonObject& details) {
                partialArrived(call, details);
            });
    connect(m_engine, &EngineClient::stateChanged, this,
            [this](EngineClient::State state, const QString& reason) {
                if (state == EngineClient::State::Dead &&
                    m_engine->reason().code != EngineError::Cancelled)
                    logger("ui")->warn("the engine ended: {}", reason.toStdString());
                // A cancel that had to end the process is no reason to be without an engine, but
                // other jobs fell with it.
                if (state == EngineClient::State::Dead &&
                    m_engine->reason().code == EngineError::Cancelled)
                    sayWhatFell();
                if (state == EngineClient::State::Dead &&
                    m_engine->reason().code == EngineError::Cancelled)
                    QMetaObject::invokeMethod(m_engine, &EngineClient::restart,
                                              Qt::QueuedConnection);
            });
    m_workbench.setEngine(m_engine);
    m_engine->start();
}

/// Their calls fail from the event loop, so all that ran or waited is still there.
void EngineJobs::sayWhatFell() {
    QStringList cancelled, others;
    for (const Job& job : m_workbench.jobs().jobs())
        if (job.active()) (job.stopping ? cancelled : others) << job.title;
    if (cancelled.isEmpty() || others.isEmpty()) return;
    const QString separator = QStringLiteral(", ");
    emit m_workbench.message(
        tr("The engine had to be ended to stop \"%1\". With it ended: %2. Finished parts are kept.")
            .arg(cancelled.join(separator), others.join(separator)));
}

void EngineJobs::restartEngine() {
    if (m_engine) m_engine->restart();
}

void EngineJobs::applySettings() {
    if (!m_engine) return;
    m_settingsWait = m_workbench.jobs().activeCount() > 0;
    if (m_settingsWait) return;
    const EngineCommand command = commandOf(m_workbench.settings());
    // A remote engine does not take all of the settings.
    if (command.text() == m_engine->command().text() && command.remote == m_engine->remote())
        return;
    m_engine->setCommand(command);
    setPatience(*m_engine);
    m_engine->restart();
    m_workbench.setEngine(m_engine); // another machine, perhaps: everyone looks again
}

bool EngineJobs::canAnalyze() const {
    return m_workbench.engineHasModel() && m_workbench.model()->checkpoint && m_engine &&
           !m_workbench.jobs().isActive(QStringLiteral("analyze"));
}

void EngineJobs::analyze(const QJsonObject& parameters) {
    if (!canAnalyze()) return;
    JobList& jobs = m_workbench.jobs();
    const auto model = m_workbench.model();
    const int job = jobs.begin(tr("Analyzing %1").arg(model->title), QStringLiteral("analyze"));
    m_analyzeJob = job;
    m_lastPartial.invalidate();
    jobs.setResumable(job, [this, model, parameters] {
        if (m_workbench.model() && m_workbench.model()->fingerprint == model->fingerprint)
            analyze(parameters);
    });
    QJsonObject params = parameters;
    params[QLatin1String("model")] = model->folder;
    jobs.call(
        job, QStringLiteral("calibrate"), params, 0, 1,
        [this, job, model](const EngineResult& result) {
            const QString file = result.value[QLatin1String("statistics")].toString();
            const double seconds = result.value[QLatin1String("seconds")].toDouble();
            const auto tokens = qlonglong(result.value[QLatin1String("tokens")].toDouble());
            m_workbench.jobs().finish(
                job,
                result.value[QLatin1String("cached")].toBool()
                    ? tr("found in the cache")
                    : tr("%1 tokens in %2").arg(QLocale().toString(tokens), durationText(seconds)));
            if (m_workbench.model() && m_workbench.model()->fingerprint == model->fingerprint)
                m_workbench.loadStatistics(file, false);
        });
}

void EngineJobs::partialArrived(int call, const QJsonObject& details) {
    if (m_workbench.jobs().engineCall(m_analyzeJob) != call) return;
    // Reading the file again is cheap, but not for every one of hundreds of layers.
    if (m_lastPartial.isValid() && m_lastPartial.elapsed() < 700) return;
    m_lastPartial.start();
    m_workbench.loadStatistics(details[QLatin1String("path")].toString(), true);
}

} // namespace bitloom::ui
