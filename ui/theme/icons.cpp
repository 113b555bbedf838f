// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "ui/theme/icons.h"

#include <QApplication>
#include <QFile>
#include <QIconEngine>
#include <QPainter>
#include <QPalette>
#include <QPixmapCache>
#include <QSvgRenderer>

static void initialiseIcons() {
    Q_INIT_RESOURCE(icons); // a static library's resources are not linked in by themselves
}

namespace bitloom::ui {

namespace {

QByteArray sourceOf(const QString& name) {
    initialiseIcons();
    QFile file(QStringLiteral(":/icons/") % name % QStringLiteral(".svg"));
    return file.open(QIODevice::ReadOnly) ? file.readAll() : QByteArray();
}

class SymbolEngine : public QIconEngine {
public:
    explicit SymbolEngine(QString name) : m_name(std::move(name)) {}

    void paint(QPainter* painter, const QRect& rect, QIcon::Mode mode, QIcon::State) override {
        QByteArray svg = sourceOf(m_name);
        svg.replace("currentColor", colour(mode).name().toLatin1());
        QSvgRenderer renderer(svg);
        renderer.setAspectRatioMode(Qt::KeepAspectRatio);
        renderer.render(painter, rect);
    }
    QPixmap pixmap(const QSize& size, QIcon::Mode mode, QIcon::State) override {
        return symbolPixmap(m_name, colour(mode), size, 1); // size is in device pixels here
    }
    QPixmap scaledPixmap(const QSize& size, QIcon::Mode mode, QIcon::State, qreal) override {
        return symbolPixmap(m_name, colour(mode), size, 1);
    }
    QIconEngine* clone() const override { return new SymbolEngine(m_name); }
    QString key() const override { return QStringLiteral("bitloom-symbol"); }
    QString iconName() override { return m_name; }

private:
    static QColor colour(QIcon::Mode mode) {
        const QPalette palette = QApplication::palette();
        return palette.color(mode == QIcon::Disabled ? QPalette::Disabled : QPalette::Active,
                             QPalette::ButtonText);
    }
    QString m_name;
};

} // namespace

QIcon symbol(const QString& name) {
    return QIcon(new SymbolEngine(name));
}

QPixmap symbolPixmap(const QString& name, const QColor& colour, QSize size, qreal ratio) {
    const QString key = QStringLiteral("bitloom/%1/%2/%3x%4@%5")
                            .arg(name, colour.name(QColor::HexArgb))
                            .arg(size.width())
                            .arg(size.height())
                            .arg(ratio);
    QPixmap pixmap;
    if (QPixmapCache::find(key, &pixmap)) return pixmap;
    pixmap = QPixmap(size * ratio);
    pixmap.fill(Qt::transparent);
    QByteArray svg = sourceOf(name);
    svg.replace("currentColor", colour.name().toLatin1());
    QSvgRenderer renderer(svg);
    renderer.setAspectRatioMode(Qt::KeepAspectRatio);
    QPainter painter(&pixmap);
    renderer.render(&painter, QRectF(QPointF(0, 0), QSizeF(size * ratio)));
    painter.end();
    pixmap.setDevicePixelRatio(ratio);
    QPixmapCache::insert(key, pixmap);
    return pixmap;
}

QIcon applicationIcon() {
    initialiseIcons();
    return QIcon(QStringLiteral(":/icons/bitloom.svg"));
}

} // namespace bitloom::ui
