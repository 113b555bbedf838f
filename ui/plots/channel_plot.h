// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "ui/plots/plot_view.h"

#include <memory>
#include <span>

class QCustomPlot;

namespace bitloom::ui {

/// One layer's channels as impulses: height = the chosen metric, colour = the bits that the plan
/// gives. Every pixel column shows the largest value of each width that falls into it, so no spike
/// is lost at any zoom.
///
/// `setPlan` is the slider's tick: it recolours and redraws, nothing is laid out or ranged anew
/// while `setLive(true)`.
class ChannelPlot : public PlotView {
    Q_OBJECT
public:
    explicit ChannelPlot(QWidget* parent = nullptr);
    ~ChannelPlot() override;

    void setData(ChannelData data); ///< clears selection, cursor and zoom if the layer changed
    /// Width of every channel (0: none yet, 16: raw), and the predicted error, which follows it.
    /// Spans of another length than the layer's channels are ignored.
    void setPlan(std::span<const uint8_t> bits, std::span<const float> predictedError = {});
    void setPins(std::vector<ChannelPin> pins);
    /// What the channels would get without their pins; for the read-out ("pinned, free: 8").
    void setFreeBits(std::span<const uint8_t> bits);
    /// True while the budget is dragged: places and axes stay where they are.
    void setLive(bool live);

    void setMetric(ChannelMetric metric);
    void setOrder(ChannelOrder order);
    void setLogarithmic(bool on);
    void setClipOutliers(bool on);
    ChannelMetric metric() const;
    ChannelOrder order() const;
    bool isLogarithmic() const;
    bool clipsOutliers() const;
    int offScale() const; ///< channels above the axis

    void setSelection(std::vector<ChannelRange> ranges); ///< emits selectionChanged
    std::vector<ChannelRange> selection() const;         ///< sorted, disjoint, not adjacent
    void setCursor(int channel);                         ///< −1: none
    int cursorChannel() const;

    void zoom(double factor, double at); ///< factor > 1 magnifies; `at`: position on the axis
    void resetZoom();
    std::pair<double, double> visiblePositions() const;

    QString readout() const override;
    QString summary() const override;
    QStringList tableHeader() const override;
    int tableRows() const override;
    QVariant tableCell(int row, int column) const override;
    int tableDecimals(int column) const override;
    std::vector<LegendEntry> legend(const PlotTheme& theme) const override;
    void paintPlot(QCPPainter& painter, const QRect& rect, const PlotTheme& theme) override;

    QCustomPlot* plot() const; ///< for tests and benchmarks

signals:
    void selectionChanged(const std::vector<bitloom::ui::ChannelRange>& ranges);
    /// Enter, or the button beside the selection: these channels are to be pinned.
    void pinRequested(const std::vector<bitloom::ui::ChannelRange>& ranges);
    void cursorMoved(int channel); ///< −1: gone
    void metricChanged(bitloom::ui::ChannelMetric metric);

protected:
    bool canvasEvent(QEvent* event) override;
    void themeChanged() override;

private:
    struct Private;
    std::unique_ptr<Private> d;
};

} // namespace bitloom::ui
