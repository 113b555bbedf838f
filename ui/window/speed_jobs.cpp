// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "ui/window/speed_jobs.h"

#include "core/base/error.h"
#include "core/base/log.h"
#include "ui/engine_client/engine_client.h"
#include "ui/state/jobs.h"

#include <QJsonDocument>
#include <QJsonObject>
#include <QLocale>

#include <nlohmann/json.hpp>

namespace bitloom::ui {

SpeedJobs::SpeedJobs(Workbench& workbench, QObject* parent)
    : QObject(parent), m_workbench(workbench) {
    for (auto signal : {&Workbench::phaseChanged, &Workbench::engineChanged})
        connect(&workbench, signal, this, &SpeedJobs::lookUp);
}

bool SpeedJobs::canMeasure() const {
    return m_workbench.hasPlan() && m_workbench.model()->checkpoint && m_workbench.engine() &&
           !m_workbench.jobs().isActive(QStringLiteral("speed"));
}

/// Once for a model and an engine's life: what its cache has is there at once.
void SpeedJobs::lookUp() {
    EngineClient* engine = m_workbench.engine();
    if (!engine || !m_workbench.hasPlan() || !m_workbench.model()->checkpoint) {
        m_asked.reset();
        return;
    }
    if (engine->state() != EngineClient::State::Ready) {
        m_asked.reset();
        // A client tells of its state itself; it may have been ready to begin with.
        connect(engine, &EngineClient::stateChanged, this, &SpeedJobs::lookUp,
                Qt::UniqueConnection);
        return;
    }
    const auto model = m_workbench.model();
    if (m_asked == model) return;
    m_asked = model;
    engine->call(QStringLiteral("speed"),
                 {{QStringLiteral("model"), model->folder}, {QStringLiteral("cached"), true}}, this,
                 [this, model](const EngineResult& result) {
                     if (!result.ok() || m_workbench.model() != model) return;
                     take(result.value);
                 });
}

void SpeedJobs::take(const QJsonObject& value) {
    const QJsonObject table = value[QLatin1String("table")].toObject();
    if (table.isEmpty()) return;
    try {
        const QByteArray text = QJsonDocument(table).toJson(QJsonDocument::Compact);
        m_workbench.setSpeedTable(std::make_shared<const SpeedTable>(SpeedTable::fromJson(
            nlohmann::json::parse(text.constData(), text.constData() + text.size()))));
    } catch (const std::exception& error) {
        logger("ui")->warn("kernel times cannot be used: {}", error.what());
    }
}

void SpeedJobs::measure() {
    if (!canMeasure()) return;
    JobList& jobs = m_workbench.jobs();
    const auto model = m_workbench.model();
    const int job = jobs.begin(tr("Measuring this machine's speed"), QStringLiteral("speed"));
    jobs.setResumable(job, [this] { measure(); });
    jobs.call(job, QStringLiteral("speed"),
              {{QStringLiteral("model"), model->folder}, {QStringLiteral("anew"), true}}, 0, 1,
              [this, job, model](const EngineResult& result) {
                  if (m_workbench.model() && m_workbench.model()->fingerprint == model->fingerprint)
                      take(result.value);
                  const double rate = m_workbench.figures().tokensPerSecond;
                  m_workbench.jobs().finish(job, tr("%1 tokens/s expected with the present plan")
                                                     .arg(QLocale().toString(rate, 'g', 3)));
              });
}

} // namespace bitloom::ui
