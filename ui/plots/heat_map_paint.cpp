// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "ui/plots/heat_colours.h"
#include "ui/plots/heat_map_private.h"
#include "ui/plots/number_text.h"
#include "ui/plots/plot_paint.h"

#include <QFontMetricsF>

namespace bitloom::ui {

namespace {

constexpr double kLeft = 56, kRight = 16, kBottom = 8;
constexpr int kVectorCells = 20'000; ///< more than these go into a vector figure as an image

} // namespace

HeatMap::Private::Layout HeatMap::Private::layoutFor(const QRectF& rect) const {
    Layout layout;
    const double top = kinds() > 1 ? QFontMetricsF(q->smallFont()).height() + 6 : 4;
    layout.blocks = rect.adjusted(kLeft, top, -kRight, -kBottom);
    const int count = std::max(kinds(), 1);
    layout.blockWidth =
        std::max(4.0, std::floor((layout.blocks.width() - layout.gap * (count - 1)) / count));
    return layout;
}

/// The largest value of the cells under each pixel: a lone hot cell stays visible where there are
/// more cells than pixels.
QImage HeatMap::Private::blockImage(int kind, const QSize& size, const PlotTheme& theme) const {
    const int width = std::clamp(size.width(), 1, data.columns);
    const int height = std::clamp(size.height(), 1, rows());
    std::vector<float> pooled;
    const float* cells = data.values.data() + offset(kind, 0);
    if (width < data.columns || height < rows()) {
        pooled.assign(size_t(width) * size_t(height), std::numeric_limits<float>::quiet_NaN());
        for (int row = 0; row < rows(); ++row) {
            float* line =
                pooled.data() + size_t(row) * size_t(height) / size_t(rows()) * size_t(width);
            const float* from = cells + size_t(row) * size_t(data.columns);
            for (int column = 0; column < data.columns; ++column) {
                float& cell = line[size_t(column) * size_t(width) / size_t(data.columns)];
                if (!(from[column] <= cell)) cell = std::isnan(from[column]) ? cell : from[column];
            }
        }
        cells = pooled.data();
    }
    QImage image(width, height, QImage::Format_ARGB32_Premultiplied);
    const std::array<QRgb, 256>& colours = heatColours(theme.dark);
    // Logarithms to base 2 are the cheap ones: the ends are turned to them once.
    const float unit = data.logarithmic ? float(std::log2(10.0)) : 1.f;
    const float origin = float(low) * unit, factor = 255.f / (float(high - low) * unit);
    for (int y = 0; y < height; ++y) {
        auto* line = reinterpret_cast<QRgb*>(image.scanLine(y));
        const float* from = cells + size_t(y) * size_t(width);
        for (int x = 0; x < width; ++x) {
            if (std::isnan(from[x])) {
                line[x] = 0;
                continue;
            }
            // A logarithm of nothing is −∞, which the clamp below takes for the lowest colour.
            const float v = data.logarithmic ? std::log2(std::max(from[x], 0.f)) : from[x];
            line[x] = colours[size_t(std::clamp((v - origin) * factor, 0.f, 255.f))];
        }
    }
    return image;
}

void HeatMap::Private::makeImages(const QSize& size, const PlotTheme& theme) {
    if (int(images.size()) == kinds() && imageSize == size && imageColours == int(theme.dark))
        return;
    images.clear();
    for (int kind = 0; kind < kinds(); ++kind)
        images.push_back(blockImage(kind, size, theme));
    imageSize = size;
    imageColours = int(theme.dark);
}

void HeatMap::Private::paintMap(QPainter& painter, const QRectF& rect, const PlotTheme& theme,
                                bool print) {
    painter.fillRect(rect, theme.panel);
    if (!valid()) return;
    const Layout layout = layoutFor(rect);
    const double ratio = isVector(painter) ? 4 : painter.device()->devicePixelRatioF();
    makeImages(QSize(int(layout.blockWidth * ratio), int(layout.blocks.height() * ratio)), theme);
    const QFont small = q->smallFont();
    for (int kind = 0; kind < kinds(); ++kind) {
        const QRectF block = layout.block(kind);
        paintBlock(painter, kind, block, theme, print);
        if (kinds() == 1) continue;
        const bool current = kind == selectedKind && !print;
        painter.setFont(current ? boldened(small) : small);
        painter.setPen(current ? theme.text : theme.secondary);
        painter.drawText(
            QRectF(block.left() - layout.gap / 2, rect.top(), block.width() + layout.gap,
                   block.top() - rect.top() - 2),
            Qt::AlignHCenter | Qt::AlignBottom,
            QFontMetricsF(painter.font())
                .elidedText(data.kinds[kind], Qt::ElideRight, block.width() + layout.gap));
    }
    paintRowTicks(painter, layout, theme);
    if (!print && cursorKind >= 0) {
        const QRectF block = layout.block(cursorKind);
        const double cellWidth = block.width() / data.columns, cellHeight = block.height() / rows();
        const QRectF cell(block.left() + cursorColumn * cellWidth,
                          block.top() + cursorRow * cellHeight, cellWidth, cellHeight);
        painter.setRenderHint(QPainter::Antialiasing);
        painter.setBrush(Qt::NoBrush);
        const QRectF ring = cell.adjusted(-1.5, -1.5, 1.5, 1.5);
        painter.setPen(QPen(theme.panel, 3));
        painter.drawRect(ring);
        painter.setPen(QPen(theme.text, 1.4));
        painter.drawRect(ring);
        drawReadoutBox(painter, theme, small, readoutLines(), cell.center(), rect);
    }
}

void HeatMap::Private::paintBlock(QPainter& painter, int kind, const QRectF& block,
                                  const PlotTheme& theme, bool print) {
    paintMissing(painter, kind, block, theme);
    const QImage& image = images[size_t(kind)];
    painter.setRenderHint(QPainter::Antialiasing, false);
    painter.setRenderHint(QPainter::SmoothPixmapTransform, false);
    if (isVector(painter) && kinds() * image.width() * image.height() <= kVectorCells) {
        // Cells as rectangles: viewers blur images of a few pixels.
        const double width = block.width() / image.width(),
                     height = block.height() / image.height();
        // Each reaches under the next ones: viewers smooth edges, and the ground would shine
        // through.
        const auto there = [&](int x, int y) {
            return x < image.width() && y < image.height() && qAlpha(image.pixel(x, y)) > 0;
        };
        for (int y = 0; y < image.height(); ++y)
            for (int x = 0; x < image.width(); ++x)
                if (there(x, y))
                    painter.fillRect(QRectF(block.left() + x * width, block.top() + y * height,
                                            width + (there(x + 1, y) ? 0.6 : 0),
                                            height + (there(x, y + 1) ? 0.6 : 0)),
                                     QColor::fromRgb(image.pixel(x, y)));
    } else {
        painter.drawImage(block, image);
    }
    if (!print && kind == selectedKind && selectedRow >= 0 && selectedRow < rows())
        paintFrame(painter, block, selectedRow, theme);
}

/// What is not there yet is hatched, in one piece for neighbouring rows.
void HeatMap::Private::paintMissing(QPainter& painter, int kind, const QRectF& block,
                                    const PlotTheme& theme) {
    const double height = block.height() / rows();
    for (int row = 0; row < rows();) {
        if (rowKnown(kind, row)) {
            ++row;
            continue;
        }
        int end = row;
        while (end < rows() && !rowKnown(kind, end))
            ++end;
        const QRectF gap(block.left(), block.top() + row * height, block.width(),
                         (end - row) * height);
        painter.fillRect(gap, theme.window);
        drawStripes(painter, gap, theme.border, 6, 1);
        row = end;
    }
}

void HeatMap::Private::paintFrame(QPainter& painter, const QRectF& block, int row,
                                  const PlotTheme& theme) {
    const double height = block.height() / rows();
    QRectF frame(block.left(), block.top() + row * height, block.width(), height);
    // Thin rows get a frame that is tall enough to be seen.
    if (frame.height() < 4) frame.adjust(0, -(4 - frame.height()) / 2, 0, (4 - frame.height()) / 2);
    painter.save();
    painter.setRenderHint(QPainter::Antialiasing);
    painter.setBrush(Qt::NoBrush);
    painter.setPen(QPen(theme.panel, 4));
    painter.drawRect(frame.adjusted(-1, -1, 1, 1));
    painter.setPen(QPen(theme.accent, 2));
    painter.drawRect(frame.adjusted(-1, -1, 1, 1));
    painter.restore();
}

void HeatMap::Private::paintRowTicks(QPainter& painter, const Layout& layout,
                                     const PlotTheme& theme) {
    const QFont small = q->smallFont();
    const QFontMetricsF metrics(small);
    painter.setFont(small);
    painter.setPen(theme.secondary);
    const double height = layout.blocks.height() / rows();
    // Round steps that leave room for the text.
    int step = 1;
    for (const int candidate : {1, 2, 4, 5, 8, 10, 16, 20, 32, 40, 50, 64, 100})
        if (step = candidate; candidate * height >= metrics.height() + 4) break;
    for (int row = 0; row < rows(); row += step) {
        const QRectF label(layout.blocks.left() - kLeft + 22,
                           layout.blocks.top() + (row + 0.5) * height - metrics.height() / 2,
                           kLeft - 28, metrics.height());
        painter.drawText(label, Qt::AlignRight | Qt::AlignVCenter | Qt::TextDontClip,
                         metrics.elidedText(data.rows[row], Qt::ElideLeft, kLeft - 28));
    }
    if (data.rowTitle.isEmpty() || layout.blocks.height() < 60) return;
    painter.save();
    painter.translate(layout.blocks.left() - kLeft + 8, layout.blocks.center().y());
    painter.rotate(-90);
    painter.drawText(QRectF(-80, 0, 160, metrics.height()), Qt::AlignCenter, data.rowTitle);
    painter.restore();
}

/// Unit, low end, colours, high end; at the trailing edge.
void HeatMap::Private::paintScale(QPainter& painter, const QRectF& rect, const PlotTheme& theme) {
    if (empty) return;
    const QFont small = q->smallFont();
    const QFontMetricsF metrics(small);
    const QLocale locale = q->locale();
    const QString from = numberText(locale, unscaled(low), 2),
                  to = numberText(locale, unscaled(high), 2);
    constexpr double bar = scaleBar;
    painter.setFont(small);
    painter.setPen(theme.secondary);
    const double toWidth = metrics.horizontalAdvance(to),
                 fromWidth = metrics.horizontalAdvance(from);
    double x = rect.right() - toWidth;
    const auto text = [&](double at, double width, const QString& words) {
        painter.drawText(QRectF(at, rect.top(), width + 1, rect.height()),
                         Qt::AlignLeft | Qt::AlignVCenter | Qt::TextDontClip, words);
    };
    text(x, toWidth, to);
    x -= 8 + bar;
    const QRectF strip(x, std::floor(rect.center().y() - 5), bar, 10);
    const std::array<QRgb, 256>& colours = heatColours(theme.dark);
    painter.setRenderHint(QPainter::Antialiasing, false);
    for (int i = 0; i < int(bar); ++i)
        painter.fillRect(QRectF(strip.left() + i, strip.top(), 1.05, strip.height()),
                         QColor::fromRgb(colours[size_t(i * 255 / (int(bar) - 1))]));
    x -= 8 + fromWidth;
    text(x, fromWidth, from);
    const double unitWidth = metrics.horizontalAdvance(data.unit);
    if (x - 12 - unitWidth >= rect.left()) text(x - 12 - unitWidth, unitWidth, data.unit);
}

QStringList HeatMap::Private::readoutLines() const {
    if (!valid() || cursorKind < 0 || cursorRow < 0 || cursorColumn < 0) return {};
    const QLocale locale = q->locale();
    QString where = data.rowTitle.isEmpty()
                        ? data.rows[cursorRow]
                        : QString(data.rowTitle + QChar(0x00A0) + data.rows[cursorRow]);
    if (kinds() > 1) where += QLatin1String(", ") + data.kinds[cursorKind];
    QStringList lines{where};
    const float v = value(cursorKind, cursorRow, cursorColumn);
    if (std::isnan(v)) return lines << HeatMap::tr("not measured yet");
    QString text = data.quantity + QChar(0x00A0) + numberText(locale, double(v), 3);
    if (!data.unit.isEmpty()) text += QChar(0x00A0) + data.unit;
    return lines << text
                 << HeatMap::tr("quantile %1")
                        .arg(locale.toString((cursorColumn + 1.0) / data.columns, 'f', 2));
}

} // namespace bitloom::ui
