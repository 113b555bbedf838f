// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "ui/state/chat_state.h"
#include "ui/state/workbench.h"

#include <QByteArray>
#include <QDateTime>
#include <QObject>
#include <QStringList>
#include <QTimer>

#include <functional>
#include <memory>

namespace bitloom::ui {

/// What a *.bitloom-session file holds: everything that the user decided and measured, and where
/// the model was. A value.
struct Session {
    static constexpr int version = 2;

    QString machine; ///< command of the engine that has the model; empty: it is here
    QString modelFolder;
    std::string modelFingerprint;
    QString statisticsFile;
    std::string statisticsFingerprint;
    Workbench::Restored work;
    HeadStorage head = HeadStorage::Keep;
    int descentPasses = 2, polishSteps = 0;
    QString layout;         ///< "explore", "compare", "chat"
    QByteArray windowState; ///< QMainWindow::saveState
    ChatState chat;
    QString file;    ///< where the user saved it; empty: never
    QString savedAt; ///< ISO 8601

    QByteArray toJson() const;
    /// Throws Error(where + …) for text that is no session, or one of a later version. Version 1
    /// (before presets had pins) is understood.
    static Session fromJson(const QByteArray& text, const QString& where);

    /// Old or new, never half (QSaveFile). Throws Error naming path and reason.
    void save(const QString& path) const;
    static Session load(const QString& path);

    static Session of(const Workbench& workbench);
};

/// Keeps the present session in a file of the state folder: soon after every change, and every
/// autosave interval. When the program ends properly the file becomes the last session, which the
/// next start opens again; one that is found besides is of a run that did not end properly.
class Autosave : public QObject {
    Q_OBJECT
public:
    /// `folder` empty: Settings::stateFolder(). Takes a lock of its own, so that two running
    /// studios do not take each other for crashed.
    Autosave(Workbench& workbench, Settings& settings, const QString& folder = {},
             QObject* parent = nullptr);
    ~Autosave() override;

    /// Files of runs that ended without a word, newest first. Damaged ones are renamed to
    /// *.damaged and reported in the log.
    QStringList leftBehind() const;
    void discard(const QString& file);
    /// The same, as soon as the session that was restored from it is saved under this run's name.
    void takeOver(const QString& file);

    QString file() const { return m_file; }
    QDateTime lastSaved() const { return m_lastSaved; }
    /// Adds what the workbench does not know: layout, window, prompts. Called at every save.
    void setCompletion(std::function<void(Session&)> complete);
    void saveNow();
    void endProperly(); ///< leaves the last session; nothing is saved afterwards
    /// The session that the last run to end left open; empty where it had closed its model.
    QString lastSession() const;

signals:
    void saved();
    void failed(const QString& reason);

private:
    struct Lock;
    Session current() const;
    QString lastFile() const;
    Workbench& m_workbench;
    QString m_folder, m_file;
    QTimer m_soon, m_regular;
    QDateTime m_lastSaved;
    std::function<void(Session&)> m_complete;
    QByteArray m_lastWritten;
    QString m_takenOver;
    bool m_ended = false;
    std::unique_ptr<Lock> m_lock;
};

} // namespace bitloom::ui
