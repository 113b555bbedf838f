// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "ui/screenshots/camera.h"

#include "ui/plots/plot_theme.h"
#include "ui/state/settings.h"

#include <QCoreApplication>
#include <QEventLoop>
#include <QImage>
#include <QPainter>
#include <QPainterPath>
#include <QPixmap>
#include <QThread>
#include <QWidget>

#include <cstdio>

namespace bitloom::ui {

namespace {

constexpr int settleMs = 60; // queued replots and layouts

QString fileName(const QByteArray& name, bool dark) {
    return QString::fromLatin1(name) % (dark ? QStringLiteral("-dark") : QStringLiteral("-light"));
}

/// Corners of 8 px and a shadow, as a window manager would give them.
void paintFloating(QPainter& painter, const QPixmap& dialog, const QRectF& place) {
    painter.setRenderHint(QPainter::Antialiasing);
    painter.setPen(Qt::NoPen);
    for (int step = 12; step > 0; --step) {
        painter.setBrush(QColor(0, 0, 0, 5));
        painter.drawRoundedRect(place.adjusted(-step, -step + 4, step, step + 6), 8 + step,
                                8 + step);
    }
    QPainterPath clip;
    clip.addRoundedRect(place, 8, 8);
    painter.setClipPath(clip);
    painter.drawPixmap(place.topLeft(), dialog);
}

} // namespace

void letRun(int ms, bool frozen) {
    QElapsedTimer clock;
    clock.start();
    const auto flags = frozen ? QEventLoop::ExcludeSocketNotifiers : QEventLoop::AllEvents;
    do {
        QCoreApplication::processEvents(flags, 10);
        QThread::msleep(2);
    } while (clock.elapsed() < ms);
}

Camera::Camera(Settings& settings, QString folder)
    : m_settings(settings), m_folder(std::move(folder)), m_former(int(settings.theme())) {
    m_settings.setTheme(Settings::Theme::Light);
}

Camera::~Camera() {
    m_settings.setTheme(Settings::Theme(m_former));
}

void Camera::setDark(bool dark) {
    if (dark == m_dark) return;
    m_dark = dark;
    m_settings.setTheme(dark ? Settings::Theme::Dark : Settings::Theme::Light);
}

void Camera::shoot(QWidget& widget, const QByteArray& name, bool frozen) {
    for (const bool dark : {false, true}) {
        setDark(dark);
        letRun(settleMs, frozen);
        grab(widget, name);
    }
    setDark(false);
    letRun(10, frozen);
}

void Camera::shootLight(QWidget& widget, const QByteArray& name) {
    letRun(settleMs);
    grab(widget, name);
}

void Camera::grab(QWidget& widget, const QByteArray& name) {
    save(widget.grab().toImage(), fileName(name, m_dark));
}

void Camera::shootOver(QWidget& window, QWidget& dialog, const QByteArray& name) {
    for (const bool dark : {false, true}) {
        setDark(dark);
        letRun(settleMs);
        QPixmap picture = window.grab();
        const QPixmap front = dialog.grab();
        QPainter painter(&picture);
        QColor veil = PlotTheme::of(window.palette()).window;
        veil.setAlphaF(0.5f);
        painter.fillRect(window.rect(), veil);
        const QPointF at((window.width() - dialog.width()) / 2,
                         std::max(24, (window.height() - dialog.height()) / 2));
        paintFloating(painter, front, QRectF(at, QSizeF(dialog.size())));
        painter.end();
        save(picture.toImage(), fileName(name, dark));
    }
    setDark(false);
}

void Camera::save(const QImage& image, const QString& name) {
    const QString path =
        QStringLiteral("%1/%2-%3x.png").arg(m_folder, name).arg(qRound(image.devicePixelRatio()));
    if (image.save(path)) {
        ++m_count;
        std::printf("%s\n", path.toLocal8Bit().constData());
        std::fflush(stdout);
        return;
    }
    complain(QStringLiteral("'%1' could not be written").arg(path));
}

void Camera::complain(const QString& what) {
    m_complete = false;
    std::fprintf(stderr, "error: %s\n", what.toLocal8Bit().constData());
}

} // namespace bitloom::ui
