// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include <QLabel>

namespace bitloom::ui {

/// A one-line label that gives way: cut where there is no room, in full as tool tip.
class ElidedLabel : public QLabel {
    Q_OBJECT
public:
    explicit ElidedLabel(QWidget* parent = nullptr, Qt::TextElideMode mode = Qt::ElideRight);
    void setFullText(const QString& text);
    /// Shown instead where the full text does not fit, or nothing if that is too long as well;
    /// empty: the full text, cut.
    void setShortText(const QString& text);
    QSize minimumSizeHint() const override;

protected:
    void paintEvent(QPaintEvent* event) override;

private:
    Qt::TextElideMode m_mode;
    QString m_short;
};

} // namespace bitloom::ui
