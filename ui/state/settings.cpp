// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "ui/state/settings.h"

#include "core/io/durable.h"

#include <QCryptographicHash>
#include <QDir>
#include <QFileInfo>
#include <QStandardPaths>

#include <algorithm>
#include <array>

namespace bitloom::ui {

namespace {

constexpr qsizetype recentCount = 10;
constexpr std::array themeNames{"system", "light", "dark"};

QString defaultFile() {
    const QString folder = QStandardPaths::writableLocation(QStandardPaths::GenericConfigLocation);
    return folder % QStringLiteral("/bitloom/bitloom-studio.ini");
}

QString text(const char* latin1) {
    return QString::fromLatin1(latin1);
}

} // namespace

Settings::Settings(const QString& file, QObject* parent)
    : QObject(parent), m_settings(file.isEmpty() ? defaultFile() : file, QSettings::IniFormat) {
    m_firstStart = !QFileInfo::exists(m_settings.fileName());
}

Settings::Theme Settings::theme() const {
    const QString name = m_settings.value(text("look/theme")).toString();
    for (size_t i = 0; i < themeNames.size(); ++i)
        if (name == QLatin1String(themeNames[i])) return Theme(i);
    return Theme::System;
}

void Settings::setTheme(Theme theme) {
    if (theme == this->theme()) return;
    m_settings.setValue(text("look/theme"), text(themeNames[size_t(theme)]));
    emit appearanceChanged();
}

int Settings::fontPercent() const {
    return std::clamp(m_settings.value(text("look/font_percent"), 100).toInt(), 80, 200);
}

void Settings::setFontPercent(int percent) {
    percent = std::clamp(percent, 80, 200);
    if (percent == fontPercent()) return;
    m_settings.setValue(text("look/font_percent"), percent);
    emit appearanceChanged();
}

bool Settings::reducedMotion() const {
    return m_settings.value(text("look/reduced_motion"), false).toBool();
}

void Settings::setReducedMotion(bool reduced) {
    if (reduced == reducedMotion()) return;
    m_settings.setValue(text("look/reduced_motion"), reduced);
    emit appearanceChanged();
}

QString Settings::language() const {
    return m_settings.value(text("look/language")).toString();
}

void Settings::setLanguage(const QString& language) {
    if (language == this->language()) return;
    m_settings.setValue(text("look/language"), language);
    emit languageChanged();
}

QString Settings::device() const {
    return m_settings.value(text("engine/device"), text("cpu")).toString();
}

void Settings::setDevice(const QString& device) {
    if (device == this->device()) return;
    m_settings.setValue(text("engine/device"), device);
    emit engineChanged();
}

int Settings::threads() const {
    return std::clamp(m_settings.value(text("engine/threads"), 0).toInt(), 0, 1024);
}

void Settings::setThreads(int threads) {
    if (threads == this->threads()) return;
    m_settings.setValue(text("engine/threads"), threads);
    emit engineChanged();
}

qint64 Settings::memoryLimit() const {
    return std::max(m_settings.value(text("engine/memory"), 0).toLongLong(), qint64(0));
}

void Settings::setMemoryLimit(qint64 bytes) {
    if (bytes == memoryLimit()) return;
    m_settings.setValue(text("engine/memory"), bytes);
    emit engineChanged();
}

QString Settings::engineProgram() const {
    return m_settings.value(text("engine/program")).toString();
}

void Settings::setEngineProgram(const QString& program) {
    const QString trimmed = program.trimmed();
    if (trimmed == engineProgram()) return;
    m_settings.setValue(text("engine/program"), trimmed);
    emit engineChanged();
}

QString Settings::engineCommand() const {
    return m_settings.value(text("engine/command")).toString();
}

void Settings::setEngineCommand(const QString& command) {
    const QString trimmed = command.trimmed();
    if (trimmed == engineCommand()) return;
    m_settings.setValue(text("engine/command"), trimmed);
    emit engineChanged();
    emit recentChanged();
}

QString Settings::cacheFolder() const {
    const QString own = m_settings.value(text("engine/cache")).toString();
    return own.isEmpty() ? QString::fromStdString(defaultCacheFolder().string()) : own;
}

void Settings::setCacheFolder(const QString& folder) {
    if (folder == m_settings.value(text("engine/cache")).toString()) return;
    m_settings.setValue(text("engine/cache"), folder);
    emit engineChanged();
}

int Settings::autosaveSeconds() const {
    return std::clamp(m_settings.value(text("session/autosave"), 30).toInt(), 0, 3600);
}

void Settings::setAutosaveSeconds(int seconds) {
    if (seconds == autosaveSeconds()) return;
    m_settings.setValue(text("session/autosave"), seconds);
    emit autosaveChanged();
}

QStringList Settings::recentModels() const {
    return m_settings.value(placeKey(text("models/recent"))).toStringList().mid(0, recentCount);
}

void Settings::addRecentModel(const QString& folder) {
    QStringList list = recentModels();
    list.removeAll(folder);
    list.prepend(folder);
    m_settings.setValue(placeKey(text("models/recent")), list.mid(0, recentCount));
    emit recentChanged();
}

void Settings::removeRecentModel(const QString& folder) {
    QStringList list = recentModels();
    list.removeAll(folder);
    m_settings.setValue(placeKey(text("models/recent")), list);
    emit recentChanged();
}

QByteArray Settings::windowState(const QString& layout) const {
    return m_settings.value(text("window/state_") % layout).toByteArray();
}

void Settings::setWindowState(const QString& layout, const QByteArray& state) {
    m_settings.setValue(text("window/state_") % layout, state);
}

QByteArray Settings::windowGeometry() const {
    return m_settings.value(text("window/geometry")).toByteArray();
}

void Settings::setWindowGeometry(const QByteArray& geometry) {
    m_settings.setValue(text("window/geometry"), geometry);
}

void Settings::clearWindowStates() {
    m_settings.remove(text("window"));
}

QString Settings::placeKey(const QString& key) const {
    const QString command = engineCommand();
    if (command.isEmpty()) return key;
    const QByteArray hash = QCryptographicHash::hash(command.toUtf8(), QCryptographicHash::Sha256);
    return key % QLatin1Char('_') % QString::fromLatin1(hash.toHex().left(16));
}

QVariant Settings::value(const QString& key, const QVariant& otherwise) const {
    return m_settings.value(key, otherwise);
}

void Settings::setValue(const QString& key, const QVariant& value) {
    m_settings.setValue(key, value);
}

QString Settings::stateFolder() {
    QString base = qEnvironmentVariable("XDG_STATE_HOME");
    if (base.isEmpty()) base = QDir::homePath() % QStringLiteral("/.local/state");
    return base % QStringLiteral("/bitloom-studio");
}

} // namespace bitloom::ui
