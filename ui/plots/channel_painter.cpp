// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "ui/plots/channel_painter.h"

#include "ui/plots/plot_paint.h"

#include <QFontMetricsF>
#include <QImage>

#include <algorithm>
#include <cmath>

namespace bitloom::ui {

namespace {

constexpr double kPreciousWidth = 2; ///< of a lone 8-bit or raw impulse, logical pixels
constexpr double kFrameWidth = 12;   ///< from this width on a pinned run gets a frame and words

} // namespace

/// Neighbouring columns with the same key; a key of 0 belongs to no run.
template<class Key>
std::vector<ChannelPainter::Run> ChannelPainter::runs(Key key) const {
    std::vector<Run> found;
    const auto& columns = envelope.columns();
    for (int c = 0; c < int(columns.size()); ++c) {
        const uint8_t value = key(columns[size_t(c)]);
        if (!value) continue;
        if (!found.empty() && found.back().last == c - 1 && found.back().pin == value)
            found.back().last = c;
        else
            found.push_back({c, c, value});
    }
    return found;
}

std::vector<double> ChannelPainter::tops() const {
    std::vector<double> tops;
    tops.reserve(envelope.columns().size());
    for (const PixelEnvelope::Column& column : envelope.columns()) {
        const float top = *std::max_element(column.top.begin(), column.top.end());
        // A channel whose value lies below the axis still shows its colour, one pixel high.
        tops.push_back(top == PixelEnvelope::absent
                           ? area.bottom()
                           : std::clamp(scale(double(top)), area.top(), area.bottom() - 1));
    }
    return tops;
}

void ChannelPainter::paint(QPainter& painter) const {
    painter.setRenderHint(QPainter::Antialiasing, false);
    paintSelection(painter);
    const std::vector<double> tops = this->tops();
    paintImpulses(painter, tops);
    paintPins(painter, tops);
}

void ChannelPainter::paintSelection(QPainter& painter) const {
    const auto selected = runs([](const auto& column) { return uint8_t(column.selected); });
    // In another order than by index a range falls apart: then its shade has to do.
    const bool whole = selected.size() <= 12;
    const Run* widest = nullptr;
    for (const Run& run : selected) {
        const double x = left(run.first), width = left(run.last + 1) - x;
        painter.fillRect(QRectF(x, area.top(), width, area.height()), theme.accentFill);
        if (whole && width >= 4) {
            painter.fillRect(QRectF(x, area.top(), 1, area.height()), theme.accent);
            painter.fillRect(QRectF(x + width - 1, area.top(), 1, area.height()), theme.accent);
        }
        if (!widest || run.last - run.first > widest->last - widest->first) widest = &run;
    }
    if (!widest || !whole || selectionLabel.isEmpty()) return;
    painter.setFont(boldened(font));
    painter.setPen(theme.accent);
    const QFontMetricsF metrics(painter.font());
    QRectF label(left(widest->first) + 6, area.top() + 2,
                 metrics.horizontalAdvance(selectionLabel) + 2, metrics.height());
    if (label.right() > area.right()) label.moveRight(area.right() - 2);
    painter.drawText(label, Qt::AlignLeft | Qt::AlignVCenter | Qt::TextDontClip, selectionLabel);
}

/// In each column the widths stand one behind the other, the tallest last; as rectangles that do
/// not overlap, so the order of drawing does not matter and nothing hides anything.
void ChannelPainter::paintImpulses(QPainter& painter, const std::vector<double>& tops) const {
    std::array<QVector<QRectF>, PixelEnvelope::slotCount> rects;
    const auto& columns = envelope.columns();
    const double minimal = std::min(1.0, columnWidth);
    const int extra = envelope.columnsPerChannel() < 1
                          ? std::max(0, int(std::ceil(kPreciousWidth / columnWidth)) - 1)
                          : 0;
    const auto add = [&](int slot, int column, double y0, double y1) {
        QVector<QRectF>& list = rects[size_t(slot)];
        const double x = left(column);
        if (!list.isEmpty() && std::abs(list.back().right() - x) < 1e-6 &&
            list.back().top() == y0 && list.back().bottom() == y1)
            list.back().setRight(x + columnWidth);
        else
            list.push_back(QRectF(x, y0, columnWidth, y1 - y0));
    };
    struct Entry {
        double y;
        int slot;
    };
    std::array<Entry, PixelEnvelope::slotCount> entries;
    for (int c = 0; c < int(columns.size()); ++c) {
        size_t count = 0;
        for (int slot = 0; slot < PixelEnvelope::slotCount; ++slot) {
            const float top = columns[size_t(c)].top[size_t(slot)];
            if (top == PixelEnvelope::absent) continue;
            const double y = std::clamp(scale(double(top)), area.top(), area.bottom() - 1);
            entries[count++] = {std::round(y / minimal) * minimal, slot};
        }
        std::sort(entries.begin(), entries.begin() + count, [](const Entry& a, const Entry& b) {
            return a.y != b.y ? a.y < b.y : a.slot > b.slot;
        });
        double bottom = area.bottom();
        for (size_t i = count; i-- > 0;) {
            // Of two equal ones the wider keeps at least a pixel.
            const double y = std::min(entries[i].y, bottom - minimal);
            add(entries[i].slot, c, y, bottom);
            if (extra && entries[i].slot >= 8)
                for (int e = 1; e <= extra && c + e < int(columns.size()); ++e) {
                    const double limit = std::min(bottom, tops[size_t(c + e)]);
                    if (limit > y) add(entries[i].slot, c + e, y, limit);
                }
            bottom = y;
        }
    }
    painter.setPen(Qt::NoPen);
    for (int slot = 0; slot < PixelEnvelope::slotCount; ++slot) {
        if (rects[size_t(slot)].isEmpty()) continue;
        painter.setBrush(theme.bits(PixelEnvelope::bitsOf(slot)));
        painter.drawRects(rects[size_t(slot)]);
    }
    // A notch tells a bar that is cut from one that ends at the top.
    QVector<QRectF> cut;
    for (int c = 0; c < int(columns.size()); ++c) {
        const auto& top = columns[size_t(c)].top;
        if (tops[size_t(c)] <= area.top() &&
            double(*std::max_element(top.begin(), top.end())) > scale.high())
            cut.push_back(QRectF(left(c), area.top() + 3, columnWidth, 2));
    }
    painter.setBrush(theme.panel);
    painter.drawRects(cut);
}

void ChannelPainter::paintPins(QPainter& painter, const std::vector<double>& tops) const {
    const auto pinned = runs([](const auto& column) { return column.pin; });
    if (pinned.empty()) return;
    QColor stripe = theme.panel;
    stripe.setAlphaF(theme.dark ? 0.6f : 0.66f);
    std::vector<Run> striped;
    for (const Run& run : pinned) // stripes would eat a hairline up; the glyph has to do
        if (left(run.last + 1) - left(run.first) >= 4) striped.push_back(run);
    if (!isVector(painter)) {
        paintStripes(painter, striped, tops, stripe);
    } else {
        for (const Run& run : striped)
            for (int c = run.first; c <= run.last; ++c)
                drawStripes(
                    painter,
                    QRectF(left(c), tops[size_t(c)], columnWidth, area.bottom() - tops[size_t(c)]),
                    stripe, 4.2, 2);
    }
    painter.setRenderHint(QPainter::Antialiasing, false);
    double taken = -1e9;
    for (const Run& run : pinned) {
        const double top = *std::min_element(tops.begin() + run.first, tops.begin() + run.last + 1);
        paintPinFrame(painter, run, top, taken);
    }
}

/// Pixel by pixel into one image, since a column of the envelope is one of the device: a thousand
/// rectangles with a textured brush take ten times as long.
void ChannelPainter::paintStripes(QPainter& painter, const std::vector<Run>& striped,
                                  const std::vector<double>& tops, const QColor& colour) const {
    if (striped.empty()) return;
    const double ratio = 1 / columnWidth;
    const int tile = std::max(6, int(std::lround(6 * ratio)));
    const int stripe = std::max(2, int(std::lround(2 * ratio)));
    QImage image(int(envelope.columns().size()), int(std::ceil(area.height() * ratio)),
                 QImage::Format_ARGB32_Premultiplied);
    image.fill(Qt::transparent);
    const QRgb ink = qPremultiply(colour.rgba());
    for (const Run& run : striped)
        for (int c = run.first; c <= run.last; ++c) {
            const int top = int(std::lround((tops[size_t(c)] - area.top()) * ratio));
            for (int y = std::max(top, 0); y < image.height(); ++y)
                if ((c + y) % tile < stripe) reinterpret_cast<QRgb*>(image.scanLine(y))[c] = ink;
        }
    painter.drawImage(area, image);
}

/// Frame, glyph and words of one run; `taken` is where the last glyph ended, so that a thousand
/// lone pins do not become a black bar.
void ChannelPainter::paintPinFrame(QPainter& painter, const Run& run, double top,
                                   double& taken) const {
    const double x = left(run.first), width = left(run.last + 1) - x;
    const double centre = x + width / 2;
    if (width < kFrameWidth) {
        if (centre - 7 < taken) return;
        drawPin(painter, {centre, std::max(top - 3, area.top() + 13)}, theme.text);
        taken = centre + 7;
        return;
    }
    const QFontMetricsF metrics(font);
    const double frameTop = std::round(area.top() + metrics.height() + 6) + 0.5;
    painter.setPen(QPen(theme.secondary, 1));
    painter.setBrush(Qt::NoBrush);
    painter.drawRect(
        QRectF(std::round(x) + 0.5, frameTop, std::round(width) - 1, area.bottom() - frameTop));
    const QString words = pinLabel ? pinLabel(run.pin) : QString();
    const double needed = 18 + metrics.horizontalAdvance(words);
    double start = x;
    if (start + needed > area.right()) start = area.right() - needed - 2;
    if (start < taken + 8) {
        if (x + 5 - 6 > taken) {
            drawPin(painter, {x + 7, frameTop - 4}, theme.text);
            taken = x + 14;
        }
        return;
    }
    drawPin(painter, {start + 6, frameTop - 4}, theme.text);
    painter.setFont(font);
    painter.setPen(theme.text);
    painter.drawText(QRectF(start + 15, frameTop - 4 - metrics.height(), needed, metrics.height()),
                     Qt::AlignLeft | Qt::AlignVCenter | Qt::TextDontClip, words);
    taken = start + needed;
}

} // namespace bitloom::ui
