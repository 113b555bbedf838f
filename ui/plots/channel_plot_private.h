// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "ui/plots/bit_legend.h"
#include "ui/plots/channel_envelope.h"
#include "ui/plots/channel_plot.h"
#include "ui/plots/elided_label.h"
#include "ui/plots/plot_axes.h"

#include <QCheckBox>
#include <QComboBox>
#include <QPushButton>
#include <QToolButton>

#include <optional>

namespace bitloom::ui {

/// Of channel_plot*.cpp: values, places, drawing and mouse of one channel plot.
struct ChannelPlot::Private {
    explicit Private(ChannelPlot* owner) : q(owner) {}

    ChannelPlot* q;
    QCustomPlot* plot = nullptr;
    AxisTitles* titles = nullptr;
    PaintedLayer *bars = nullptr, *overlay = nullptr;
    QSharedPointer<NumberTicker> linearTicker{new NumberTicker}, placeTicker{new NumberTicker};
    QSharedPointer<DecadeTicker> decadeTicker{new DecadeTicker};
    QLabel* heading = nullptr;
    ElidedLabel *name = nullptr, *facts = nullptr;
    QString factsText;
    QComboBox *metricBox = nullptr, *orderBox = nullptr;
    QToolButton *linear = nullptr, *logarithmic = nullptr;
    QCheckBox* clip = nullptr;
    QLabel* selectionText = nullptr;
    ElidedLabel* offScaleText = nullptr;
    QPushButton* pinButton = nullptr;
    BitLegend* legend = nullptr;

    ChannelData data;
    std::vector<uint8_t> bits, freeBits, pinned, selected;
    std::vector<float> bitValues;  ///< the bits as a metric
    std::vector<int> order, place; ///< empty: by index
    ChannelMetric metric = ChannelMetric::ActivationAbsmax;
    ChannelOrder orderBy = ChannelOrder::Index;
    bool logWanted = true, live = false, orderStale = false, rangeStale = false;
    int offScale = 0;
    float largest = 0;
    double first = 0, last = 0; ///< visible positions, [first, last)
    int cursor = -1;
    bool hovering = false;
    PixelEnvelope envelope;
    std::optional<PlotTheme> printTheme; ///< while a figure is drawn

    enum class Drag { None, Undecided, Pan, Select };
    Drag drag = Drag::None;
    QPointF dragStart;
    double dragFirst = 0;
    bool dragAdds = false;
    std::vector<uint8_t> selectedBefore;

    int channels() const { return data.channels; }
    std::span<const float> values() const;
    bool logarithmicNow() const { return logWanted && metric != ChannelMetric::Bits; }
    PlotTheme theme() const { return printTheme ? *printTheme : q->theme(); }
    QString metricName(ChannelMetric which) const;
    QString metricTitle(ChannelMetric which) const; ///< with its unit

    // Places and axes.
    void sortChannels();
    int channelAt(int position) const { return order.empty() ? position : order[size_t(position)]; }
    int placeOf(int channel) const { return place.empty() ? channel : place[size_t(channel)]; }
    void rangeValues();
    void setView(double from, double to);
    void applyView();
    double positionAt(double x) const;
    QRectF area() const;

    // Drawing.
    void build();
    void restyle();
    void replot();
    void styleScaleButtons(const PlotTheme& colours);
    void redrawBars(); ///< only what the plan changes
    void paintBars(QCPPainter& painter);
    void paintOverlay(QCPPainter& painter);
    QStringList readoutLines() const;

    // Texts around the plot.
    void showFacts();
    /// In a narrow view the facts move to the footer, then the heading goes: the layer's name
    /// stays.
    void fitHeader();
    void showSelection();
    QString offScaleWords() const;
    void metricsChanged();
    void updatePinned(const std::vector<ChannelPin>& pins);

    // Mouse and keys.
    bool mousePress(QMouseEvent* event);
    bool mouseMove(QMouseEvent* event);
    bool mouseRelease(QMouseEvent* event);
    bool wheel(QWheelEvent* event);
    bool key(QKeyEvent* event);
    int channelNear(double x) const;
    void moveCursor(int channel, bool byHand);
    void stepCursor(int steps, bool extend);
    void selectPositions(int from, int to, bool add);
    void selectionEdited();
    void askForPins();
};

} // namespace bitloom::ui
