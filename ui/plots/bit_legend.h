// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include <QWidget>
#include <vector>

namespace bitloom::ui {

/// "bits [2][3][4]…": the colours of the widths, as chips in a row.
class BitLegend : public QWidget {
    Q_OBJECT
public:
    explicit BitLegend(QWidget* parent = nullptr);
    void setWidths(std::vector<int> widths); ///< in the order of the menu
    QSize sizeHint() const override;
    QSize minimumSizeHint() const override { return sizeHint(); }

protected:
    void paintEvent(QPaintEvent* event) override;

private:
    QFont chipFont() const;
    std::vector<int> m_widths;
};

} // namespace bitloom::ui
