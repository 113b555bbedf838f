// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "ui/engine_client/engine_client.h"
#include "ui/export/export_request.h"

#include <QObject>
#include <QPointer>
#include <QStringList>
#include <QTimer>

namespace bitloom::ui {

/// What PartialExport::read says of a folder on the engine's machine, asked of the engine once a
/// second while it writes there: the headers of the shards once, then what is new in the journal.
/// UI thread only.
class RemotePartial : public QObject {
    Q_OBJECT
public:
    explicit RemotePartial(QObject* parent = nullptr);

    void watch(EngineClient* engine, const QString& folder); ///< from the beginning
    void stop();
    /// Without claimedBytes; zeros until the engine answered, or where it lets nobody read.
    const PartialExport& now() const { return m_now; }

signals:
    void changed();

private:
    void next();
    void ask(const QString& method, const QJsonObject& params,
             void (RemotePartial::*then)(const EngineResult&));
    void listed(const EngineResult& result);
    void headerRead(const EngineResult& result);
    void journalRead(const EngineResult& result);

    QPointer<EngineClient> m_engine;
    QString m_folder;
    QTimer m_poll;
    int m_serial = 0;
    bool m_listed = false;
    QStringList m_shards; ///< whose header is still to be read
    QByteArray m_header;  ///< of the first of them, as far as it is there
    qint64 m_offset = 0;  ///< of the journal that was read
    QByteArray m_line;    ///< its last line, unfinished
    PartialExport::Pieces m_pieces;
    PartialExport m_now;
};

} // namespace bitloom::ui
