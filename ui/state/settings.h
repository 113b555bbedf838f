// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include <QObject>
#include <QSettings>
#include <QStringList>

namespace bitloom::ui {

/// What the user set once, kept in an INI file. Every setter takes effect at once through the
/// signals and is on disk soon after. No network, no telemetry: there is nothing to switch off.
class Settings : public QObject {
    Q_OBJECT
public:
    enum class Theme { System, Light, Dark };

    /// `file` empty: $XDG_CONFIG_HOME/bitloom/bitloom-studio.ini.
    explicit Settings(const QString& file = {}, QObject* parent = nullptr);

    bool isFirstStart() const { return m_firstStart; } ///< there was no file

    Theme theme() const;
    void setTheme(Theme theme);
    int fontPercent() const; ///< 80 to 200
    void setFontPercent(int percent);
    bool reducedMotion() const;
    void setReducedMotion(bool reduced);
    QString language() const; ///< "", "en", "de": empty follows the system
    void setLanguage(const QString& language);

    QString device() const; ///< "cpu" (the default, as of the engine), "cuda", "auto"
    void setDevice(const QString& device);
    int threads() const; ///< 0 = as many as the machine gives
    void setThreads(int threads);
    qint64 memoryLimit() const; ///< bytes; 0 = the engine's own default
    void setMemoryLimit(qint64 bytes);
    /// The engine of this machine: a program. Empty: the one beside this one, else in PATH.
    QString engineProgram() const;
    void setEngineProgram(const QString& program);
    /// Starts the engine: "ssh box bitloom serve". Empty: the program beside this one, here. With a
    /// command, models, texts and results are those of the engine's machine.
    QString engineCommand() const;
    void setEngineCommand(const QString& command);
    bool engineIsRemote() const { return !engineCommand().isEmpty(); }
    QString cacheFolder() const;                ///< never empty
    void setCacheFolder(const QString& folder); ///< empty: the default

    int autosaveSeconds() const; ///< 0 = only on change
    void setAutosaveSeconds(int seconds);

    /// Newest first, at most 10, missing ones included; every engine command has a list of its own.
    QStringList recentModels() const;
    void addRecentModel(const QString& folder);
    void removeRecentModel(const QString& folder);

    QByteArray windowState(const QString& layout) const;
    void setWindowState(const QString& layout, const QByteArray& state);
    QByteArray windowGeometry() const;
    void setWindowGeometry(const QByteArray& geometry);
    void clearWindowStates();

    /// A key for paths: those of every engine command have one of their own.
    QString placeKey(const QString& key) const;
    QVariant value(const QString& key, const QVariant& otherwise = {}) const;
    void setValue(const QString& key, const QVariant& value);

    /// Where autosaved sessions and the log lie: $XDG_STATE_HOME/bitloom-studio.
    static QString stateFolder();

signals:
    void appearanceChanged(); ///< theme, font, motion
    void languageChanged();
    void engineChanged(); ///< device, threads, memory, program, command, cache
    void autosaveChanged();
    void recentChanged();

private:
    QSettings m_settings;
    bool m_firstStart = false;
};

} // namespace bitloom::ui
