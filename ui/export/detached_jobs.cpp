// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "ui/export/detached_jobs.h"

#include "ui/engine_client/engine_client.h"
#include "ui/models/texts.h"
#include "ui/state/jobs.h"

#include <QFileInfo>
#include <QJsonArray>

namespace bitloom::ui {

DetachedJobs::DetachedJobs(Workbench& workbench, QObject* parent)
    : QObject(parent), m_workbench(workbench) {
    rewire();
    connect(&workbench, &Workbench::engineChanged, this, &DetachedJobs::rewire);
}

void DetachedJobs::rewire() {
    if (m_engine) m_engine->disconnect(this);
    m_engine = m_workbench.engine();
    if (!m_engine) return;
    connect(m_engine, &EngineClient::stateChanged, this, [this](EngineClient::State state) {
        if (state == EngineClient::State::Ready) look();
    });
    if (m_engine->state() == EngineClient::State::Ready) look();
}

void DetachedJobs::look() {
    const auto own = qint64(m_engine->hello()[QLatin1String("pid")].toDouble());
    for (const QJsonValue& value : m_engine->hello()[QLatin1String("detached")].toArray()) {
        const QJsonObject entry = value.toObject();
        const QString key = entry[QLatin1String("key")].toString();
        if (key.isEmpty() || m_known.contains(key) ||
            qint64(entry[QLatin1String("pid")].toDouble()) == own)
            continue;
        m_known.insert(key);
        attach(entry);
    }
}

void DetachedJobs::attach(const QJsonObject& entry) {
    JobList& jobs = m_workbench.jobs();
    const QString output = entry[QLatin1String("output")].toString();
    const QString model = QFileInfo(entry[QLatin1String("model")].toString()).fileName();
    const bool exporting = entry[QLatin1String("method")].toString() != QLatin1String("calibrate");
    const QString title = exporting ? tr("Exporting %1").arg(QFileInfo(output).fileName())
                                    : tr("Analyzing %1").arg(model);
    const int job =
        jobs.begin(title, exporting ? QStringLiteral("export") : QStringLiteral("analyze"));
    emit found(job);
    jobs.call(job, QStringLiteral("attach"), {{QStringLiteral("key"), entry[QLatin1String("key")]}},
              0, 1, [this, job, output, exporting](const EngineResult& result) {
                  const double bytes = result.value[QLatin1String("bytes")].toDouble();
                  m_workbench.jobs().finish(
                      job, bytes > 0 ? bytesText(QLocale(), bytes) : tr("finished"),
                      exporting ? output : QString());
              });
}

} // namespace bitloom::ui
