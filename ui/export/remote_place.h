// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "ui/engine_client/engine_client.h"
#include "ui/export/export_request.h"

#include <QHash>
#include <QJsonObject>
#include <QObject>
#include <QPointer>

namespace bitloom::ui {

/// What ExportPlace::of says of the engine's machine, asked of the engine: one folder at a time.
class RemotePlace : public QObject {
    Q_OBJECT
public:
    explicit RemotePlace(EngineClient* engine, QObject* parent = nullptr);

    /// As far as it is known; asks for the rest, and `changed` says that it came.
    ExportPlace of(const ExportRequest& request);
    /// An answer is still to come.
    bool looking() const { return m_looking > 0; }
    /// Asks again, also what was asked before.
    void forget();

signals:
    void changed();

private:
    void ask(const QString& folder, const QString& at);
    void askPartial(const QString& folder);

    QPointer<EngineClient> m_engine;
    int m_looking = 0, m_serial = 0;
    QString m_folder;                      ///< that m_listing is of, or of its nearest ancestor
    bool m_known = false, m_there = false; ///< there: of the folder itself
    QJsonObject m_listing;
    QHash<QString, qint64> m_partials; ///< bytes of unfinished exports; −1: asked for
};

} // namespace bitloom::ui
