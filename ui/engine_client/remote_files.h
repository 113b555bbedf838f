// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "ui/engine_client/engine_client.h"

#include <QFile>
#include <QObject>
#include <QPointer>
#include <QString>

#include <functional>
#include <memory>
#include <vector>

namespace bitloom::ui {

/// Copies what an engine on another machine has, piece by piece, into a file or folder here. One
/// object a copy; deletes itself after `done`, which is called exactly once unless the engine
/// client or `guard` is gone before. Nothing appears under the final name before it is complete.
class RemoteCopy final : public QObject {
    Q_OBJECT

public:
    using Done = std::function<void(const QString& path, const EngineError& error)>;

    /// The whole of a file (statistics, results), to `target`; an existing one is replaced.
    static RemoteCopy* file(EngineClient* engine, const QString& remotePath, const QString& target,
                            const QObject* guard, Done done);
    /// The skeleton of a model (PROTOCOL.md `open`), from the answer to `open`, in
    /// `parentFolder`/<fingerprint>: Checkpoint::open takes it for the model itself, with the same
    /// fingerprint and sizes, though the weights in it are zeros. One that is there is used again.
    static RemoteCopy* skeleton(EngineClient* engine, const QJsonObject& opened,
                                const QString& parentFolder, const QObject* guard, Done done);

signals:
    void progress(double fraction);

private:
    struct Piece {
        int file = 0;
        qint64 offset = 0, bytes = 0;
    };
    struct Target {
        QString remote, local;
        qint64 bytes = 0;
    };

    RemoteCopy(EngineClient* engine, const QObject* guard, Done done);
    bool createTargets();
    void next();
    void received(const Piece& piece, const EngineResult& result);
    void finish(const EngineError& error);
    EngineError diskError(const QFile& file) const;

    QPointer<EngineClient> m_engine;
    bool m_guarded;
    QPointer<const QObject> m_guard;
    Done m_done;
    QString m_draft, m_final; ///< file or folder
    bool m_wholeFile = false;
    std::vector<Target> m_targets;
    std::vector<Piece> m_pieces; ///< to come, the next one last
    qint64 m_total = 0, m_copied = 0;
    std::unique_ptr<QFile> m_open;
    int m_openIndex = -1;
};

} // namespace bitloom::ui
