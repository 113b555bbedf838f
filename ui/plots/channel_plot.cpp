// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "ui/plots/channel_plot_private.h"

#include "ui/plots/number_text.h"
#include "ui/plots/plot_paint.h"

#include <QBoxLayout>
#include <QLabel>
#include <QSignalBlocker>
#include <QStandardItemModel>

#include <algorithm>
#include <cmath>

namespace bitloom::ui {

namespace {

QToolButton* scaleButton(QWidget* parent, const QString& text, const QString& name) {
    auto* button = new QToolButton(parent);
    button->setText(text);
    button->setCheckable(true);
    button->setAutoExclusive(true);
    button->setAccessibleName(name);
    button->setToolTip(name);
    return button;
}

} // namespace

ChannelPlot::ChannelPlot(QWidget* parent) : PlotView(parent), d(std::make_unique<Private>(this)) {
    d->plot = new QCustomPlot(this);
    d->plot->setNoAntialiasingOnDrag(false);
    d->plot->setMinimumSize(160, 96);
    d->titles = new AxisTitles(*d->plot);
    d->titles->setTicks(8, 5);
    d->plot->addLayer(QStringLiteral("channels"), d->plot->layer(QStringLiteral("main")));
    d->plot->layer(QStringLiteral("channels"))->setMode(QCPLayer::lmBuffered);
    QCPAxisRect* rect = d->plot->axisRect();
    rect->setMinimumMargins(QMargins(56, 8, 16, 24));
    d->bars = new PaintedLayer(d->plot, QStringLiteral("channels"), rect,
                               [this](QCPPainter& painter) { d->paintBars(painter); });
    d->overlay = new PaintedLayer(d->plot, QStringLiteral("overlay"), nullptr,
                                  [this](QCPPainter& painter) { d->paintOverlay(painter); });
    d->build();
    setCanvas(d->plot, tr("Channel plot"));
    setTitle(tr("Channels"));
    setState({PlotState::Kind::Empty,
              tr("No layer is chosen."),
              tr("Choose one in the list of layers or in the heat map."),
              {},
              -1});
    themeChanged();
}

ChannelPlot::~ChannelPlot() = default;

void ChannelPlot::Private::build() {
    heading = new QLabel(ChannelPlot::tr("Channels"), q);
    heading->setFont(boldened(q->font()));
    name = new ElidedLabel(q, Qt::ElideMiddle);
    facts = new ElidedLabel(q);
    facts->setForegroundRole(QPalette::PlaceholderText);
    metricBox = new QComboBox(q);
    metricBox->setObjectName(QStringLiteral("channelMetric"));
    metricBox->setAccessibleName(ChannelPlot::tr("Channel metric"));
    for (int i = 0; i < channelMetricCount; ++i)
        metricBox->addItem(metricName(ChannelMetric(i)), i);
    orderBox = new QComboBox(q);
    orderBox->setObjectName(QStringLiteral("channelOrder"));
    orderBox->setAccessibleName(ChannelPlot::tr("Order of channels"));
    orderBox->addItems(
        {ChannelPlot::tr("index"), ChannelPlot::tr("largest first"), ChannelPlot::tr("by bits")});
    linear = scaleButton(q, ChannelPlot::tr("Lin"), ChannelPlot::tr("Linear values"));
    logarithmic = scaleButton(q, ChannelPlot::tr("Log"), ChannelPlot::tr("Logarithmic values"));
    linear->setObjectName(QStringLiteral("channelLinear"));
    logarithmic->setObjectName(QStringLiteral("channelLogarithmic"));
    logarithmic->setChecked(true);
    clip = new QCheckBox(ChannelPlot::tr("Clip outliers"), q);
    clip->setObjectName(QStringLiteral("channelClip"));
    clip->setAccessibleName(ChannelPlot::tr("Clip outliers"));
    clip->setToolTip(
        ChannelPlot::tr("Ends the axis below the largest 0.5 %. The data stay whole."));

    q->header()->setContentsMargins(16, 6, 16, 6);
    for (QWidget* widget : {static_cast<QWidget*>(heading), static_cast<QWidget*>(name)})
        q->header()->addWidget(widget);
    q->header()->addWidget(facts, 1);
    q->header()->addWidget(metricBox);
    q->header()->addWidget(orderBox);
    auto* scale = new QHBoxLayout;
    scale->setSpacing(0);
    scale->addWidget(linear);
    scale->addWidget(logarithmic);
    q->header()->addLayout(scale);
    q->header()->addWidget(clip);

    selectionText = new QLabel(q);
    selectionText->setTextFormat(Qt::RichText);
    selectionText->setMinimumWidth(1); // rather cut than a window that cannot be made smaller
    pinButton = new QPushButton(ChannelPlot::tr("Pin…"), q);
    pinButton->setObjectName(QStringLiteral("channelPin"));
    pinButton->setAccessibleName(ChannelPlot::tr("Pin the selected channels"));
    pinButton->hide();
    legend = new BitLegend(q);
    q->footer()->setContentsMargins(16, 4, 16, 8);
    q->footer()->addWidget(selectionText);
    q->footer()->addWidget(pinButton);
    offScaleText = new ElidedLabel(q);
    offScaleText->setForegroundRole(QPalette::PlaceholderText);
    q->footer()->addStretch(1);
    q->footer()->addWidget(offScaleText);
    q->footer()->addSpacing(8);
    q->footer()->addWidget(legend);

    connect(metricBox, &QComboBox::currentIndexChanged, q,
            [this](int index) { q->setMetric(ChannelMetric(index)); });
    connect(orderBox, &QComboBox::currentIndexChanged, q,
            [this](int index) { q->setOrder(ChannelOrder(index)); });
    connect(logarithmic, &QToolButton::toggled, q, &ChannelPlot::setLogarithmic);
    connect(clip, &QCheckBox::toggled, q, &ChannelPlot::setClipOutliers);
    connect(pinButton, &QPushButton::clicked, q, [this] { askForPins(); });
}

void ChannelPlot::setData(ChannelData data) {
    const bool same = data.layer == d->data.layer && data.channels == d->data.channels;
    for (std::vector<float>& values : data.values)
        if (int(values.size()) != data.channels) values.clear();
    d->data = std::move(data);
    const size_t count = size_t(std::max(d->data.channels, 0));
    if (!same) {
        d->bits.clear();
        d->bitValues.clear();
        d->freeBits.clear();
        d->pinned.clear();
        d->selected.clear();
        d->cursor = -1;
        d->first = 0;
        d->last = double(count);
    }
    d->metricsChanged();
    d->sortChannels();
    d->rangeValues();
    d->applyView();
    d->showFacts();
    d->fitHeader();
    d->showSelection();
    d->replot();
    if (state().kind == PlotState::Kind::Empty && count > 0) setState({});
    tellTable();
    tellReadout();
}

void ChannelPlot::setPlan(std::span<const uint8_t> bits, std::span<const float> predictedError) {
    const size_t count = size_t(d->channels());
    if (bits.size() == count) {
        d->bits.assign(bits.begin(), bits.end());
        d->bitValues.assign(bits.begin(), bits.end());
    }
    std::vector<float>& error = d->data.values[size_t(ChannelMetric::PredictedError)];
    if (!predictedError.empty() && predictedError.size() == count) {
        const bool isNew = error.empty();
        error.assign(predictedError.begin(), predictedError.end());
        if (isNew) d->metricsChanged();
    }
    const bool follows =
        d->metric == ChannelMetric::Bits || d->metric == ChannelMetric::PredictedError;
    d->orderStale |= d->orderBy == ChannelOrder::GroupedByBits ||
                     (d->orderBy == ChannelOrder::ValueDescending && follows);
    d->rangeStale |= follows;
    if (!d->live && (d->orderStale || d->rangeStale)) {
        d->sortChannels();
        d->rangeValues();
        d->replot();
    } else {
        d->redrawBars();
    }
    d->showFacts();
    if (!d->live) {
        d->showSelection();
        tellTable();
    }
    if (d->cursor >= 0) tellReadout();
}

void ChannelPlot::setPins(std::vector<ChannelPin> pins) {
    d->updatePinned(pins);
    d->redrawBars();
}

void ChannelPlot::Private::updatePinned(const std::vector<ChannelPin>& pins) {
    pinned.assign(pins.empty() ? 0 : size_t(channels()), 0);
    for (const ChannelPin& pin : pins)
        for (const ChannelRange& range : pin.ranges)
            for (int k = std::max(range.first, 0); k <= std::min(range.last, channels() - 1); ++k)
                pinned[size_t(k)] = uint8_t(pin.bits);
}

void ChannelPlot::setFreeBits(std::span<const uint8_t> bits) {
    if (int(bits.size()) == d->channels()) d->freeBits.assign(bits.begin(), bits.end());
}

void ChannelPlot::setLive(bool live) {
    if (live == d->live) return;
    d->live = live;
    if (live) return;
    if (d->orderStale) d->sortChannels();
    if (d->rangeStale || d->orderStale) {
        d->rangeValues();
        d->replot();
    }
    d->showSelection();
    tellTable();
}

void ChannelPlot::setMetric(ChannelMetric metric) {
    if (metric == d->metric) return;
    d->metric = metric;
    {
        const QSignalBlocker blocker(d->metricBox);
        d->metricBox->setCurrentIndex(int(metric));
    }
    d->metricsChanged();
    if (d->orderBy == ChannelOrder::ValueDescending) d->sortChannels();
    d->rangeValues();
    d->replot();
    d->showSelection();
    tellReadout();
    emit metricChanged(metric);
}

void ChannelPlot::setOrder(ChannelOrder order) {
    if (order == d->orderBy) return;
    d->orderBy = order;
    const QSignalBlocker blocker(d->orderBox);
    d->orderBox->setCurrentIndex(int(order));
    d->sortChannels();
    d->replot();
    tellTable();
}

void ChannelPlot::setLogarithmic(bool on) {
    if (on == d->logWanted) return;
    d->logWanted = on;
    (on ? d->logarithmic : d->linear)->setChecked(true);
    d->rangeValues();
    d->replot();
}

void ChannelPlot::setClipOutliers(bool on) {
    d->clip->setChecked(on);
    d->rangeValues();
    d->replot();
}

ChannelMetric ChannelPlot::metric() const {
    return d->metric;
}
ChannelOrder ChannelPlot::order() const {
    return d->orderBy;
}
bool ChannelPlot::isLogarithmic() const {
    return d->logWanted;
}
bool ChannelPlot::clipsOutliers() const {
    return d->clip->isChecked();
}
int ChannelPlot::offScale() const {
    return d->offScale;
}
int ChannelPlot::cursorChannel() const {
    return d->cursor;
}
QCustomPlot* ChannelPlot::plot() const {
    return d->plot;
}

void ChannelPlot::setSelection(std::vector<ChannelRange> ranges) {
    d->selected.assign(size_t(d->channels()), 0);
    for (const ChannelRange& range : ranges)
        for (int k = std::max(range.first, 0); k <= std::min(range.last, d->channels() - 1); ++k)
            d->selected[size_t(k)] = 1;
    d->selectionEdited();
}

std::vector<ChannelRange> ChannelPlot::selection() const {
    std::vector<ChannelRange> ranges;
    for (int k = 0; k < int(d->selected.size()); ++k) {
        if (!d->selected[size_t(k)]) continue;
        if (!ranges.empty() && ranges.back().last == k - 1)
            ranges.back().last = k;
        else
            ranges.push_back({k, k});
    }
    return ranges;
}

void ChannelPlot::setCursor(int channel) {
    d->moveCursor(channel, true);
}

void ChannelPlot::zoom(double factor, double at) {
    const double span = std::clamp((d->last - d->first) / factor,
                                   std::min(8.0, double(d->channels())), double(d->channels()));
    const double share = (at + 0.5 - d->first) / (d->last - d->first);
    const double from = at + 0.5 - share * span;
    d->setView(from, from + span);
}

void ChannelPlot::resetZoom() {
    d->setView(0, d->channels());
}

std::pair<double, double> ChannelPlot::visiblePositions() const {
    return {d->first, d->last};
}

QString ChannelPlot::readout() const {
    const QStringList lines = d->readoutLines();
    return lines.isEmpty()
               ? QString()
               : QString(lines[0] + QLatin1String(": ") + lines.mid(1).join(QLatin1String(", ")));
}

QString ChannelPlot::summary() const {
    if (d->channels() <= 0) return state().message;
    return tr("%1 of %2, %3 channels, order: %4. Arrow keys move a cursor.")
        .arg(d->metricTitle(d->metric), d->data.layer, countText(locale(), d->channels()),
             d->orderBox->currentText());
}

QStringList ChannelPlot::tableHeader() const {
    QStringList header{tr("channel")};
    for (int i = 0; i < channelMetricCount - 1; ++i)
        if (!d->data.values[size_t(i)].empty()) header << d->metricTitle(ChannelMetric(i));
    if (!d->bits.empty()) header << tr("bits") << tr("pinned");
    return header;
}

int ChannelPlot::tableRows() const {
    return std::max(d->channels(), 0);
}

QVariant ChannelPlot::tableCell(int row, int column) const {
    const int channel = d->channelAt(row);
    if (column == 0) return channel;
    for (const std::vector<float>& values : d->data.values)
        if (!values.empty() && --column == 0) return values[size_t(channel)];
    if (column == 1) return int(d->bits[size_t(channel)]);
    return d->pinned.empty() ? 0 : int(d->pinned[size_t(channel)] != 0);
}

int ChannelPlot::tableDecimals(int) const {
    return -1;
}

std::vector<LegendEntry> ChannelPlot::legend(const PlotTheme& theme) const {
    std::array<int64_t, PixelEnvelope::slotCount> counts{};
    for (const uint8_t bits : d->bits)
        ++counts[size_t(PixelEnvelope::slotOf(bits))];
    std::vector<LegendEntry> entries;
    for (int slot = 1; slot < PixelEnvelope::slotCount; ++slot)
        if (counts[size_t(slot)] > 0) {
            const int bits = PixelEnvelope::bitsOf(slot);
            entries.push_back(
                {LegendEntry::Mark::Box, theme.bits(bits),
                 (counts[size_t(slot)] == 1 ? tr("%1 bits, %2 channel")
                                            : tr("%1 bits, %2 channels"))
                     .arg(locale().toString(bits), countText(locale(), counts[size_t(slot)]))});
        }
    if (std::any_of(d->pinned.begin(), d->pinned.end(), [](uint8_t pin) { return pin != 0; }))
        entries.push_back({LegendEntry::Mark::HatchedBox, theme.secondary, tr("pinned")});
    if (d->offScale > 0) entries.push_back({LegendEntry::Mark::None, {}, d->offScaleWords()});
    return entries;
}

void ChannelPlot::themeChanged() {
    d->heading->setFont(boldened(font()));
    d->restyle();
    d->rangeValues();
    d->showFacts();
    d->fitHeader();
    d->showSelection();
    d->replot();
}

} // namespace bitloom::ui
