// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "ui/state/workbench.h"

#include <QByteArray>
#include <QDateTime>
#include <QObject>
#include <QStringList>
#include <QTimer>

namespace bitloom::ui {

/// What a *.bitloom-session file holds: everything that the user decided and measured, and where
/// the model was. A value.
struct Session {
    static constexpr int version = 2;

    QString modelFolder;
    std::string modelFingerprint;
    QString statisticsFile;
    std::string statisticsFingerprint;
    Workbench::Restored work;
    HeadStorage head = HeadStorage::Keep;
    int descentPasses = 2, polishSteps = 0;
    QString layout;          ///< "explore", "compare", "chat"
    QByteArray windowState;  ///< QMainWindow::saveState
    QStringList chatPrompts; ///< newest last
    QString savedAt;         ///< ISO 8601

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
/// autosave interval. The file goes when the program ends properly; one that is found at the start
/// is of a run that did not.
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

    QString file() const { return m_file; }
    QDateTime lastSaved() const { return m_lastSaved; }
    void setExtra(const QString& layout, const QByteArray& windowState);
    void saveNow();
    void endProperly(); ///< removes the file; nothing is saved afterwards

signals:
    void saved();
    void failed(const QString& reason);

private:
    struct Lock;
    Workbench& m_workbench;
    QString m_folder, m_file;
    QTimer m_soon, m_regular;
    QDateTime m_lastSaved;
    QString m_layout;
    QByteArray m_windowState, m_lastWritten;
    bool m_ended = false;
    std::unique_ptr<Lock> m_lock;
};

} // namespace bitloom::ui
