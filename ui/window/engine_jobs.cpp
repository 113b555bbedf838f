// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "ui/window/engine_jobs.h"

#include "core/base/error.h"
#include "core/base/log.h"
#include "ui/engine_client/engine_client.h"
#include "ui/models/texts.h"
#include "ui/state/jobs.h"
#include "ui/state/settings.h"

#include <QJsonDocument>

#include <cmath>

namespace bitloom::ui {

namespace {

QJsonObject objectOf(const nlohmann::json& json) {
    return QJsonDocument::fromJson(QByteArray::fromStdString(json.dump())).object();
}

/// What `serve` understands of the settings.
QStringList engineOptions(const Settings& settings) {
    QStringList options{QStringLiteral("--cache"), settings.cacheFolder()};
    if (settings.threads() > 0)
        options << QStringLiteral("--threads") << QString::number(settings.threads());
    if (settings.memoryLimit() > 0)
        options << QStringLiteral("--memory") << QString::number(settings.memoryLimit());
    if (settings.device() != QLatin1String("auto"))
        options << QStringLiteral("--device") << settings.device();
    return options;
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
    m_engine = new EngineClient(EngineCommand::local(engineOptions(m_workbench.settings())), this);
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
                // A cancel that had to end the process is no reason to be without an engine.
                if (state == EngineClient::State::Dead &&
                    m_engine->reason().code == EngineError::Cancelled)
                    QMetaObject::invokeMethod(m_engine, &EngineClient::restart,
                                              Qt::QueuedConnection);
            });
    m_workbench.setEngine(m_engine);
    m_engine->start();
}

void EngineJobs::restartEngine() {
    if (m_engine) m_engine->restart();
}

void EngineJobs::applySettings() {
    if (!m_engine) return;
    m_settingsWait = m_workbench.jobs().activeCount() > 0;
    if (m_settingsWait) return;
    m_engine->setCommand(EngineCommand::local(engineOptions(m_workbench.settings())));
    m_engine->restart();
}

bool EngineJobs::canAnalyze() const {
    return m_workbench.hasModel() && m_workbench.model()->checkpoint && m_engine &&
           !m_workbench.jobs().isActive(QStringLiteral("analyze"));
}

bool EngineJobs::canMeasure() const {
    return m_workbench.hasPlan() && m_workbench.model()->source && m_engine &&
           !m_workbench.applyingPins() && !m_workbench.jobs().isActive(QStringLiteral("measure"));
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

void EngineJobs::measure() {
    if (!canMeasure()) return;
    JobList& jobs = m_workbench.jobs();
    const auto model = m_workbench.model();
    const QString name = planName(m_workbench);
    const int job =
        jobs.begin(tr("Measuring perplexity of %1").arg(name), QStringLiteral("measure"));
    Measurement measurement;
    measurement.plan = name;
    const PlanFigures& figures = m_workbench.figures();
    measurement.bitsPerWeight = figures.bitsPerWeight;
    measurement.bytes = figures.size.totalBytes;
    measurement.distortion = figures.distortion;
    measurement.planHash = Workbench::planHash(m_workbench.plan().allocation());
    const double predictedDelta = figures.prediction.deltaNll;

    QJsonObject params{
        {QStringLiteral("model"), model->folder},
        {QStringLiteral("statistics"), QString::fromStdString(model->source->path().string())},
        {QStringLiteral("plan"), objectOf(m_workbench.exportablePlan().toJson())},
        {QStringLiteral("mode"), QStringLiteral("full")},
        {QStringLiteral("head"), m_workbench.options().head == HeadStorage::Rows8 ? 8 : 16},
        {QStringLiteral("passes"), m_workbench.options().descentPasses},
        {QStringLiteral("polish"), m_workbench.options().polishSteps}};
    jobs.setResumable(job, [this] { measure(); });
    jobs.call(job, QStringLiteral("try"), params, 0, 0.7, [=, this](const EngineResult& tried) {
        const QJsonObject evaluate{
            {QStringLiteral("model"), tried.value[QLatin1String("model")].toString()},
            {QStringLiteral("against"), model->folder}};
        m_workbench.jobs().call(
            job, QStringLiteral("evaluate"), evaluate, 0.7, 1,
            [=, this](const EngineResult& result) {
                const QJsonObject& v = result.value;
                Measurement m = measurement;
                m.text = v[QLatin1String("text")].toString();
                m.text = m.text.section(QLatin1Char('/'), -1);
                m.textHash = v[QLatin1String("text_hash")].toString().toStdString();
                m.protocol = v[QLatin1String("protocol")].toString();
                m.nll = v[QLatin1String("nll")].toDouble();
                m.standardError = v[QLatin1String("stderr")].toDouble();
                m.fp16Nll = v[QLatin1String("reference_nll")].toDouble();
                m.deltaStandardError = v[QLatin1String("delta_stderr")].toDouble();
                m.predictedNll = m.fp16Nll + predictedDelta;
                m.klMean = v[QLatin1String("kl_mean")].toDouble();
                m.klP99 = v[QLatin1String("kl_p99")].toDouble();
                m.topAgreement = v[QLatin1String("top1_agreement")].toDouble();
                m.tokens = qint64(v[QLatin1String("tokens")].toDouble());
                m.when = QDateTime::currentDateTime().toString(Qt::ISODate);
                m_workbench.jobs().finish(
                    job, tr("perplexity %1 on %2, predicted %3")
                             .arg(perplexityText(m.nll), m.text, perplexityText(m.predictedNll)));
                // The user may have opened another model meanwhile.
                if (m_workbench.model() && m_workbench.model()->fingerprint == model->fingerprint)
                    m_workbench.addMeasurement(m);
            });
    });
}

} // namespace bitloom::ui
