// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "ui/plots/plot_view.h"

#include <QStringList>

namespace bitloom::ui {

/// Mean bits of two plans, layer by layer.
struct LayerDifferences {
    QString left, right; ///< names of the plans
    QStringList layers;
    std::vector<int> blocks; ///< block of every layer, ascending
    std::vector<float> leftBits, rightBits;
    int size() const { return int(layers.size()); }
    float difference(int layer) const { return rightBits[size_t(layer)] - leftBits[size_t(layer)]; }
};

/// Bars from a zero line, a layer each: above it where the right plan spends more bits (towards the
/// colour of wide codes), below where it spends fewer (towards that of narrow ones). The sign of
/// the bar says the same as its colour.
class LayerDifferencePlot : public PlotView {
    Q_OBJECT
public:
    explicit LayerDifferencePlot(QWidget* parent = nullptr);

    void setData(LayerDifferences data);
    const LayerDifferences& data() const { return m_data; }
    int currentLayer() const { return m_current; }
    void setCurrentLayer(int layer); ///< −1: none

    QString readout() const override;
    QString summary() const override;
    QStringList tableHeader() const override;
    int tableRows() const override { return m_data.size(); }
    QVariant tableCell(int row, int column) const override;
    int tableDecimals(int column) const override { return column == 0 ? 0 : 3; }
    std::vector<LegendEntry> legend(const PlotTheme& theme) const override;
    QSize figureSize() const override { return {900, 300}; }
    void paintPlot(QCPPainter& painter, const QRect& rect, const PlotTheme& theme) override;
    QSize sizeHint() const override { return {560, 220}; }
    QSize minimumSizeHint() const override { return {160, 90}; }

signals:
    void layerClicked(int layer);

protected:
    bool canvasEvent(QEvent* event) override;
    void themeChanged() override;

private:
    QRectF area(const QRectF& rect) const;
    double leftRoom() const; ///< of the tick labels and the title
    int layerAt(double x) const;
    void paint(QPainter& painter, const QRectF& rect, const PlotTheme& theme, bool print) const;
    QStringList kindsThatFit(double width) const;
    void paintAxes(QPainter& painter, const QRectF& inner, const PlotTheme& theme) const;
    void moveTo(int layer);
    QStringList readoutLines() const;

    LayerDifferences m_data;
    QWidget* m_plotCanvas = nullptr;
    double m_top = 1; ///< end of the axis, bits
    int m_current = -1;
    bool m_hovering = false;
};

} // namespace bitloom::ui
