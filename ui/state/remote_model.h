// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "ui/engine_client/engine_client.h"

#include <QObject>
#include <QString>

#include <functional>

namespace bitloom::ui {

/// Where a file of the engine's machine is kept here: in `cacheFolder`, one place for every file of
/// every engine.
QString remoteCopyPath(const QString& cacheFolder, const EngineClient& engine,
                       const QString& remoteFile);

/// Fetches what opening a model on the engine's machine takes here: the skeleton of its files, and
/// its statistics where there are any. Deleting the object breaks it off; UI thread only.
class RemoteOpening : public QObject {
    Q_OBJECT
public:
    struct Result {
        QString skeleton, folder;           ///< here; on the engine's machine
        QString statistics, statisticsFile; ///< likewise; empty: not analyzed yet
        EngineError error;                  ///< the rest is empty then
    };
    using Done = std::function<void(const Result&)>;

    /// `wanted`: the statistics to take, if the engine has them; else the newest.
    RemoteOpening(EngineClient* engine, const QString& path, const QString& cacheFolder,
                  const QString& wanted, Done done, QObject* parent);

private:
    void opened(const EngineResult& result);
    void fetchStatistics(const QJsonArray& list);
    void fetchMeasured();
    void finish(const EngineError& error = {});

    QPointer<EngineClient> m_engine;
    QString m_cacheFolder, m_wanted;
    Done m_done;
    Result m_result;
};

} // namespace bitloom::ui
