// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include <QByteArray>
#include <QElapsedTimer>
#include <QString>

class QWidget;
class QImage;

namespace bitloom::ui {

class Settings;

/// Lets timers, paints and worker threads go on for `ms`. `frozen`: without reading from the
/// engine, so that what streams stands still for as long.
void letRun(int ms, bool frozen = false);

/// Until `ready` holds, looking every 10 ms; false after `limit` ms.
template<class Ready>
bool waitFor(Ready ready, int limit) {
    QElapsedTimer clock;
    clock.start();
    while (!ready()) {
        if (clock.elapsed() >= limit) return false;
        letRun(10);
    }
    return true;
}

/// Grabs widgets into PNG files: NAME-light-1x.png, NAME-dark-1x.png; the scale is the process's
/// (QT_SCALE_FACTOR). Says every file on standard output and every failure on standard error.
class Camera {
public:
    Camera(Settings& settings, QString folder);
    ~Camera(); ///< puts the former theme back

    /// In both themes. `frozen` as in letRun.
    void shoot(QWidget& widget, const QByteArray& name, bool frozen = false);
    /// Sizes, languages and passing states: once, in the light theme.
    void shootLight(QWidget& widget, const QByteArray& name);
    /// A dialog in the middle of its window, which is dimmed.
    void shootOver(QWidget& window, QWidget& dialog, const QByteArray& name);
    void save(const QImage& image, const QString& name);
    /// Something could not be shown.
    void complain(const QString& what);

    int count() const { return m_count; }
    bool complete() const { return m_complete; }

private:
    void setDark(bool dark);
    void grab(QWidget& widget, const QByteArray& name);

    Settings& m_settings;
    QString m_folder;
    int m_former = 0, m_count = 0;
    bool m_dark = false, m_complete = true;
};

} // namespace bitloom::ui
