// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "ui/plots/plot_view.h"

#include <memory>

namespace bitloom::ui {

/// Share of weights per bit width, widest on top, one row each. Rows do not jump: once a width was
/// there, its row stays until `setShares` is called while not live.
class HistogramWidget : public PlotView {
    Q_OBJECT
public:
    explicit HistogramWidget(QWidget* parent = nullptr);
    ~HistogramWidget() override;

    void setShares(std::vector<BitShare> shares);
    /// What the shares were when the slider was grabbed: a thin mark on each row. Empty: no marks.
    void setReference(std::vector<BitShare> shares);
    void setLive(bool live);

    QString readout() const override;
    QString summary() const override;
    QStringList tableHeader() const override;
    int tableRows() const override;
    QVariant tableCell(int row, int column) const override;
    int tableDecimals(int column) const override;
    std::vector<LegendEntry> legend(const PlotTheme& theme) const override;
    QSize figureSize() const override;
    void paintPlot(QCPPainter& painter, const QRect& rect, const PlotTheme& theme) override;
    QSize sizeHint() const override;

signals:
    void bitsClicked(int bits); ///< click or Enter on a row
    void cursorMoved(int bits); ///< 0: gone

protected:
    bool canvasEvent(QEvent* event) override;
    void themeChanged() override;

private:
    struct Private;
    std::unique_ptr<Private> d;
};

} // namespace bitloom::ui
