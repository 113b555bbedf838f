// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include <QWidget>

namespace bitloom::ui {

/// "Underline: KL in nats" with the three strengths as they stand under tokens.
class UnderlineLegend : public QWidget {
    Q_OBJECT
public:
    explicit UnderlineLegend(QWidget* parent = nullptr);
    QSize sizeHint() const override;
    QSize minimumSizeHint() const override { return sizeHint(); }

protected:
    void paintEvent(QPaintEvent* event) override;
    void changeEvent(QEvent* event) override;

private:
    QStringList texts() const;
};

/// Colour and thickness of the mark under a token of this KL, in [0, 2]; −1: none.
int underlineLevel(float kl);
double underlineThickness(int level);
double underlineOpacity(int level);

} // namespace bitloom::ui
