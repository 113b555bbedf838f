// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "ui/state/remote_model.h"

#include "core/stats/statistics.h"
#include "ui/engine_client/remote_files.h"

#include <QCryptographicHash>
#include <QFile>
#include <QFileInfo>
#include <QJsonArray>

namespace bitloom::ui {

namespace {

QString remoteFolder(const QString& cacheFolder) {
    return cacheFolder % QStringLiteral("/remote");
}

/// An earlier copy that still is what the engine has.
bool isCurrent(const QString& copy, const QString& fingerprint) {
    if (!QFileInfo::exists(copy)) return false;
    try {
        return Statistics::open(copy.toStdString())->recipe().fingerprint() ==
               fingerprint.toStdString();
    } catch (const std::exception&) { // damaged: fetched again
        return false;
    }
}

} // namespace

QString remoteCopyPath(const QString& cacheFolder, const EngineClient& engine,
                       const QString& remoteFile) {
    const QFileInfo file(remoteFile);
    const QByteArray place = (engine.command().text() % QLatin1Char('\n') % file.path()).toUtf8();
    const QByteArray hash = QCryptographicHash::hash(place, QCryptographicHash::Sha256).toHex();
    return remoteFolder(cacheFolder) % QStringLiteral("/files/") %
           QString::fromLatin1(hash.left(24)) % QLatin1Char('/') % file.fileName();
}

RemoteOpening::RemoteOpening(EngineClient* engine, const QString& path, const QString& cacheFolder,
                             const QString& wanted, Done done, QObject* parent)
    : QObject(parent), m_engine(engine), m_cacheFolder(cacheFolder), m_wanted(wanted),
      m_done(std::move(done)) {
    engine->call(QStringLiteral("open"), {{QStringLiteral("model"), path}}, this,
                 [this](const EngineResult& result) { opened(result); });
}

void RemoteOpening::opened(const EngineResult& result) {
    if (!result.ok()) return finish(result.error);
    const QJsonObject& model = result.value;
    m_result.folder = model[QLatin1String("folder")].toString();
    if (model[QLatin1String("kind")].toString() != QLatin1String("model"))
        return finish({EngineError::Failed,
                       tr("'%1' is a quantized model already.").arg(m_result.folder),
                       tr("Open the model that it was made from; the chat and the comparison take "
                          "quantized ones.")});
    const QJsonArray statistics = model[QLatin1String("statistics")].toArray();
    RemoteCopy::skeleton(m_engine, model, remoteFolder(m_cacheFolder) % QStringLiteral("/models"),
                         this, [this, statistics](const QString& path, const EngineError& error) {
                             if (error) return finish(error);
                             m_result.skeleton = path;
                             fetchStatistics(statistics);
                         });
}

void RemoteOpening::fetchStatistics(const QJsonArray& list) {
    if (list.isEmpty() || !m_engine) return finish();
    QJsonObject chosen = list.first().toObject();
    for (const QJsonValue& entry : list)
        if (entry[QLatin1String("path")].toString() == m_wanted) chosen = entry.toObject();
    m_result.statisticsFile = chosen[QLatin1String("path")].toString();
    const QString copy = remoteCopyPath(m_cacheFolder, *m_engine, m_result.statisticsFile);
    if (isCurrent(copy, chosen[QLatin1String("fingerprint")].toString())) {
        m_result.statistics = copy;
        return fetchMeasured();
    }
    RemoteCopy::file(m_engine, m_result.statisticsFile, copy, this,
                     [this](const QString& path, const EngineError& error) {
                         if (error) return finish(error);
                         m_result.statistics = path;
                         fetchMeasured();
                     });
}

/// What predictions are re-fitted by lies beside the statistics; there may be none.
void RemoteOpening::fetchMeasured() {
    if (!m_engine) return finish();
    const QString name = QStringLiteral("/measured.json");
    const QString copy = QFileInfo(m_result.statistics).path() % name;
    RemoteCopy::file(m_engine, QFileInfo(m_result.statisticsFile).path() % name, copy, this,
                     [this, copy](const QString&, const EngineError& error) {
                         if (error) QFile::remove(copy);
                         finish();
                     });
}

void RemoteOpening::finish(const EngineError& error) {
    m_result.error = error;
    const Done done = std::exchange(m_done, nullptr);
    if (done) done(m_result);
}

} // namespace bitloom::ui
