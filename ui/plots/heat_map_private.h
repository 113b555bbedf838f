// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "ui/plots/elided_label.h"
#include "ui/plots/heat_map.h"
#include "ui/plots/painted_canvas.h"

#include <QComboBox>
#include <QImage>
#include <QLabel>

#include <algorithm>
#include <cmath>

namespace bitloom::ui {

/// Of heat_map*.cpp.
struct HeatMap::Private {
    explicit Private(HeatMap* owner) : q(owner) {}

    HeatMap* q;
    static constexpr int scaleBar = 110; ///< length of the colour scale
    PaintedCanvas *canvas = nullptr, *scale = nullptr;
    QLabel* heading = nullptr;
    ElidedLabel* columnTitle = nullptr;
    QComboBox* quantities = nullptr;
    HeatMapData data;
    double low = 0, high = 1; ///< of the colours; logarithms where the data are logarithmic
    bool empty = true;        ///< no value at all
    bool live = false;
    int selectedKind = -1, selectedRow = -1;
    int cursorKind = -1, cursorRow = -1, cursorColumn = -1;
    bool hovering = false;

    /// Cells of one block at the resolution it is drawn in; remade when data, size or theme change.
    std::vector<QImage> images;
    QSize imageSize;
    int imageColours = -1;

    struct Layout {
        QRectF blocks; ///< all of them, with gaps
        double blockWidth = 0, gap = 6;
        QRectF block(int kind) const {
            return {blocks.left() + kind * (blockWidth + gap), blocks.top(), blockWidth,
                    blocks.height()};
        }
    };

    int kinds() const { return int(data.kinds.size()); }
    int rows() const { return int(data.rows.size()); }
    size_t offset(int kind, int row) const {
        return (size_t(kind) * size_t(rows()) + size_t(row)) * size_t(data.columns);
    }
    float value(int kind, int row, int column) const {
        return data.values[offset(kind, row) + size_t(column)];
    }
    bool rowKnown(int kind, int row) const {
        const float* first = data.values.data() + offset(kind, row);
        return std::any_of(first, first + data.columns, [](float v) { return !std::isnan(v); });
    }
    bool valid() const {
        return kinds() > 0 && rows() > 0 && data.columns > 0 &&
               data.values.size() == size_t(kinds()) * size_t(rows()) * size_t(data.columns);
    }
    double scaled(double v) const { return data.logarithmic ? std::log10(v) : v; }
    double unscaled(double v) const { return data.logarithmic ? std::pow(10.0, v) : v; }

    void range();
    void invalidate();
    Layout layoutFor(const QRectF& rect) const;
    void makeImages(const QSize& size, const PlotTheme& theme);
    QImage blockImage(int kind, const QSize& size, const PlotTheme& theme) const;
    void paintMap(QPainter& painter, const QRectF& rect, const PlotTheme& theme, bool print);
    void paintBlock(QPainter& painter, int kind, const QRectF& block, const PlotTheme& theme,
                    bool print);
    void paintMissing(QPainter& painter, int kind, const QRectF& block, const PlotTheme& theme);
    void paintRowTicks(QPainter& painter, const Layout& layout, const PlotTheme& theme);
    void paintFrame(QPainter& painter, const QRectF& block, int row, const PlotTheme& theme);
    void paintScale(QPainter& painter, const QRectF& rect, const PlotTheme& theme);
    QStringList readoutLines() const;
    bool hit(const QPointF& at, int& kind, int& row, int& column) const;
    void moveCursor(int kind, int row, int column, bool hover);
    void stepCursor(int columns, int rowsDown);
};

} // namespace bitloom::ui
