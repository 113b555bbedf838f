// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "ui/plots/bit_legend.h"

#include "ui/plots/plot_paint.h"
#include "ui/plots/plot_theme.h"

#include <QPainter>

namespace bitloom::ui {

namespace {
constexpr int kGap = 4;
}

BitLegend::BitLegend(QWidget* parent) : QWidget(parent), m_widths{2, 3, 4, 5, 6, 8, 16} {
    setSizePolicy(QSizePolicy::Fixed, QSizePolicy::Fixed);
    setAccessibleName(tr("Colours of the bit widths"));
}

void BitLegend::setWidths(std::vector<int> widths) {
    if (widths == m_widths) return;
    m_widths = std::move(widths);
    updateGeometry();
    update();
}

QFont BitLegend::chipFont() const {
    QFont small = font();
    if (small.pointSizeF() > 0) small.setPointSizeF(small.pointSizeF() * 11 / 13);
    return small;
}

QSize BitLegend::sizeHint() const {
    const QFontMetrics metrics(boldened(chipFont()));
    const int chip = metrics.horizontalAdvance(QStringLiteral("16")) + 8;
    const int word = QFontMetrics(chipFont()).horizontalAdvance(tr("bits")) + 8;
    return {word + int(m_widths.size()) * (chip + kGap), metrics.height() + 4};
}

void BitLegend::paintEvent(QPaintEvent*) {
    const PlotTheme theme = PlotTheme::of(palette());
    QPainter painter(this);
    const QFont small = chipFont();
    const QFontMetrics metrics(boldened(small));
    const int chip = metrics.horizontalAdvance(QStringLiteral("16")) + 8;
    const int word = QFontMetrics(small).horizontalAdvance(tr("bits")) + 8;
    painter.setFont(small);
    painter.setPen(theme.secondary);
    const auto placed = [&](int x, int width) {
        return QRectF(layoutDirection() == Qt::RightToLeft ? this->width() - x - width : x, 0,
                      width, height());
    };
    painter.drawText(placed(0, word), Qt::AlignVCenter | Qt::AlignLeft | Qt::TextDontClip,
                     tr("bits"));
    int x = word;
    for (const int width : m_widths) {
        drawBitChip(painter, theme, placed(x, chip), width, small);
        x += chip + kGap;
    }
}

} // namespace bitloom::ui
