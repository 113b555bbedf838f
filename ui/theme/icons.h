// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include <QColor>
#include <QIcon>
#include <QPixmap>
#include <QSize>
#include <QString>

namespace bitloom::ui {

/// A symbol of resources/icons (16 × 16, strokes in currentColor) in the colour of the text around
/// it: rendered anew for every size, resolution and palette, so it is crisp and follows the theme.
QIcon symbol(const QString& name);
inline QIcon symbol(const char* name) {
    return symbol(QString::fromLatin1(name));
}
/// The same in a given colour, for painting.
QPixmap symbolPixmap(const QString& name, const QColor& colour, QSize size, qreal ratio);
/// The application's own icon, in colours.
QIcon applicationIcon();

} // namespace bitloom::ui
