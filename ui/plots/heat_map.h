// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "ui/plots/plot_view.h"

#include <memory>
#include <span>

namespace bitloom::ui {

/// Layers × channel quantiles as colours, one block per kind of matrix. Rows that have no values
/// yet are hatched, so a calibration under way fills the map from the top.
class HeatMap : public PlotView {
    Q_OBJECT
public:
    explicit HeatMap(QWidget* parent = nullptr);
    ~HeatMap() override;

    void setData(HeatMapData data);
    /// One row of one block, while a calibration runs. `values` has data().columns entries.
    void setRow(int kind, int row, std::span<const float> values);
    /// All values anew, in the order of HeatMapData::values; colours keep their ends while live.
    void setValues(std::span<const float> values);
    void setLive(bool live);
    const HeatMapData& data() const;

    /// Quantities to choose from; none: no chooser.
    void setQuantities(const QStringList& names, int current);

    void setSelected(int kind, int row); ///< −1, −1: none. Emits nothing
    std::pair<int, int> selected() const;

    QString readout() const override;
    QString summary() const override;
    QStringList tableHeader() const override;
    int tableRows() const override;
    QVariant tableCell(int row, int column) const override;
    std::vector<LegendEntry> legend(const PlotTheme& theme) const override;
    void paintPlot(QCPPainter& painter, const QRect& rect, const PlotTheme& theme) override;

signals:
    void layerClicked(int kind, int row);
    void cursorMoved(int kind, int row, int column); ///< −1, −1, −1: gone
    void quantityChosen(int index);

protected:
    bool canvasEvent(QEvent* event) override;
    void themeChanged() override;

private:
    struct Private;
    std::unique_ptr<Private> d;
};

} // namespace bitloom::ui
