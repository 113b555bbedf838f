// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "ui/window/explore_page.h"

#include "ui/models/metric_help.h"
#include "ui/models/texts.h"
#include "ui/plots/channel_plot.h"
#include "ui/plots/heat_map.h"
#include "ui/state/jobs.h"
#include "ui/state/sensitivity.h"

#include <algorithm>
#include <limits>

namespace bitloom::ui {

namespace {

struct Quantity {
    ChannelMetric metric;
    const char *name, *unit;
    bool logarithmic;
};
/// What the heat map can show; the last follows the plan.
const Quantity quantities[] = {
    {ChannelMetric::Sensitivity, QT_TRANSLATE_NOOP("ExplorePage", "sensitivity"),
     QT_TRANSLATE_NOOP("ExplorePage", "nats per token at 3 bits"), true},
    {ChannelMetric::ActivationAbsmax, QT_TRANSLATE_NOOP("ExplorePage", "activation abs-max"), "",
     true},
    {ChannelMetric::ActivationRms, QT_TRANSLATE_NOOP("ExplorePage", "activation RMS"), "", true},
    {ChannelMetric::WeightNorm, QT_TRANSLATE_NOOP("ExplorePage", "weight RMS"), "", true},
    {ChannelMetric::Bits, QT_TRANSLATE_NOOP("ExplorePage", "bits"), "", false},
};

} // namespace

ExplorePage::ExplorePage(Workbench& workbench, QWidget* parent)
    : QSplitter(Qt::Vertical, parent), m_workbench(workbench) {
    setObjectName(QStringLiteral("explorePage"));
    setChildrenCollapsible(false);
    m_pool.setMaxThreadCount(1);
    m_channels = new ChannelPlot;
    m_channels->setObjectName(QStringLiteral("channelPlot"));
    m_heat = new HeatMap;
    m_heat->setObjectName(QStringLiteral("heatMap"));
    QStringList names;
    for (const Quantity& quantity : quantities)
        names.append(tr(quantity.name));
    m_heat->setQuantities(names, 0);
    addWidget(m_channels);
    addWidget(m_heat);
    setFocusProxy(m_channels);
    setStretchFactor(0, 3);
    setStretchFactor(1, 2);

    connect(&workbench, &Workbench::modelChanged, this, [this] {
        m_layer = -1;
        showHeat();
        updateStates();
    });
    connect(&workbench, &Workbench::statisticsChanged, this, [this] {
        m_layer = -1;
        showLayer();
        showHeat();
        updateStates();
    });
    connect(&workbench, &Workbench::phaseChanged, this, &ExplorePage::updateStates);
    connect(&workbench.jobs(), &JobList::activeChanged, this, &ExplorePage::updateStates);
    connect(&workbench, &Workbench::layerSelected, this, [this] {
        showLayer();
        selectInHeat();
    });
    connect(&workbench, &Workbench::planChanged, this, [this] {
        showPlan();
        if (quantities[m_quantity].metric == ChannelMetric::Bits) showHeatBits();
    });
    connect(&workbench, &Workbench::planSettled, this, [this] {
        showPins(); // what free channels would get follows λ
        m_channels->setCaption(caption());
        m_heat->setCaption(caption());
    });
    connect(&workbench, &Workbench::pinsChanged, this, &ExplorePage::showPins);
    connect(&workbench, &Workbench::dragChanged, this, [this] {
        m_channels->setLive(m_workbench.dragging());
        m_heat->setLive(m_workbench.dragging());
    });
    connect(&workbench, &Workbench::channelsSelected, this, [this] {
        if (m_channels->selection() != m_workbench.selectedChannels())
            m_channels->setSelection(m_workbench.selectedChannels());
    });

    connect(
        m_channels, &ChannelPlot::selectionChanged, this,
        [this](const std::vector<ChannelRange>& ranges) { m_workbench.selectChannels(ranges); });
    connect(m_channels, &ChannelPlot::pinRequested, this,
            [this](const std::vector<ChannelRange>& ranges) {
                m_workbench.selectChannels(ranges);
                emit pinRequested();
            });
    connect(m_channels, &ChannelPlot::metricChanged, this, [this](ChannelMetric metric) {
        m_channels->setWhatsThis(metricHelp(metric));
        m_revision = 0;
        showPlan();
    });
    connect(m_heat, &HeatMap::layerClicked, this, [this](int kind, int row) {
        const auto& model = m_workbench.model();
        if (!model) return;
        for (size_t l = 0; l < model->entries.size(); ++l)
            if (model->entries[l].kind == kind && model->entries[l].block == row) {
                m_workbench.selectLayer(int(l));
                return;
            }
    });
    connect(m_heat, &HeatMap::quantityChosen, this, [this](int index) {
        m_quantity = index;
        showHeat();
    });
    for (PlotView* view : {static_cast<PlotView*>(m_channels), static_cast<PlotView*>(m_heat)}) {
        connect(view, &PlotView::failed, &m_workbench, &Workbench::message);
        connect(view, &PlotView::actionRequested, this, &ExplorePage::analyzeRequested);
    }
    m_channels->setWhatsThis(metricHelp(m_channels->metric()));
    m_heat->setWhatsThis(metricHelp(quantities[m_quantity].metric));
    updateStates();
    if (workbench.hasModel()) {
        showLayer();
        showHeat();
        selectInHeat();
    }
}

ExplorePage::~ExplorePage() {
    m_heatJob.cancel();
    m_pool.waitForDone();
}

QString ExplorePage::caption() const {
    if (!m_workbench.hasModel()) return {};
    if (!m_workbench.hasPlan()) return m_workbench.model()->title;
    return tr("%1, %2, %3 bits per weight")
        .arg(m_workbench.model()->title, planName(m_workbench),
             fixedText(m_workbench.figures().bitsPerWeight, 3));
}

void ExplorePage::showLayer() {
    const int layer = m_workbench.selectedLayer();
    const auto& model = m_workbench.model();
    if (layer < 0 || !model) {
        m_layer = -1;
        m_channels->setData({});
        return;
    }
    if (layer == m_layer) return;
    m_layer = layer;
    m_revision = 0;
    const LayerEntry& entry = model->entries[size_t(layer)];
    ChannelData data;
    data.layer = entry.path;
    data.rows = entry.rows;
    data.channels = int(entry.cols);
    for (const ChannelMetric metric :
         {ChannelMetric::ActivationAbsmax, ChannelMetric::ActivationRms, ChannelMetric::WeightNorm,
          ChannelMetric::Sensitivity})
        data.values[size_t(metric)] = channelValues(*model, layer, metric);
    if (m_workbench.hasPlan())
        data.values[size_t(ChannelMetric::PredictedError)] = channelValues(
            *model, layer, ChannelMetric::PredictedError, m_workbench.plan().points(layer));
    data.units[size_t(ChannelMetric::Sensitivity)] = tr("nats per token at 3 bits");
    data.units[size_t(ChannelMetric::PredictedError)] = tr("nats per token");
    m_channels->setTitle(tr("Channels of %1").arg(entry.path));
    m_channels->setCaption(caption());
    m_channels->setData(std::move(data));
    showPins();
    showPlan();
    m_channels->setSelection(m_workbench.selectedChannels());
    updateStates();
}

void ExplorePage::showPlan() {
    if (m_layer < 0 || !m_workbench.hasPlan()) return;
    const PlanState& plan = m_workbench.plan();
    const uint32_t revision = plan.revision(m_layer);
    if (revision == m_revision && !m_bits.empty()) return; // this layer did not change
    m_revision = revision;
    const std::span<const uint8_t> points = plan.points(m_layer);
    const Menu& menu = m_workbench.model()->menu;
    m_bits.resize(points.size());
    std::array<uint8_t, 64> widthOf{};
    for (size_t p = 0; p < menu.size(); ++p)
        widthOf[p] = uint8_t(menu[p].bits);
    for (size_t k = 0; k < points.size(); ++k)
        m_bits[k] = widthOf[points[k]];
    m_errors.clear();
    if (m_channels->metric() == ChannelMetric::PredictedError)
        m_errors =
            channelValues(*m_workbench.model(), m_layer, ChannelMetric::PredictedError, points);
    m_channels->setPlan(m_bits, m_errors);
}

void ExplorePage::showPins() {
    if (m_layer < 0) return;
    std::vector<ChannelPin> pins = m_workbench.pinsOf(m_layer);
    m_channels->setFreeBits(pins.empty() ? std::vector<uint8_t>() : m_workbench.freeBits(m_layer));
    m_channels->setPins(std::move(pins));
}

void ExplorePage::showHeat() {
    const auto& model = m_workbench.model();
    m_heatJob.cancel();
    if (!model) {
        m_heat->setData({});
        return;
    }
    const Quantity& quantity = quantities[m_quantity];
    HeatMapData data;
    data.quantity = tr(quantity.name);
    data.unit = *quantity.unit ? tr(quantity.unit) : QString();
    data.columnTitle = tr("channel quantile, low to high, in each kind");
    data.rowTitle = tr("layer");
    for (const QString& kind : model->kinds)
        data.kinds.append(kind);
    for (int block = 0; block < model->blocks; ++block)
        data.rows.append(QString::number(block));
    data.columns = heatQuantiles;
    data.logarithmic = quantity.logarithmic;
    data.values.assign(model->kinds.size() * size_t(model->blocks) * heatQuantiles,
                       std::numeric_limits<float>::quiet_NaN());
    m_heat->setTitle(tr("%1 by layer and channel quantile").arg(data.quantity));
    m_heat->setCaption(caption());
    m_heat->setWhatsThis(metricHelp(quantity.metric));
    if (quantity.metric == ChannelMetric::Bits) {
        data.low = 2;
        data.high = 8;
        m_heat->setData(std::move(data));
        showHeatBits();
        selectInHeat();
        return;
    }
    const bool small = model->columns <= 100'000;
    if (small) {
        const std::atomic<bool> never{false};
        data.values = heatValues(*model, quantity.metric, {}, never);
        m_heat->setData(std::move(data));
        selectInHeat();
        return;
    }
    m_heatJob.start(
        [model, metric = quantity.metric](const JobSlot::Cancelled& cancelled) {
            return heatValues(*model, metric, {}, cancelled);
        },
        [this, data](std::vector<float>& values) mutable {
            data.values = std::move(values);
            m_heat->setData(std::move(data));
            selectInHeat();
        });
}

/// From the counts per width of every layer: the widths sorted, read at the quantiles.
void ExplorePage::showHeatBits() {
    const auto& model = m_workbench.model();
    if (!model || !m_workbench.hasPlan()) return;
    const PlanState& plan = m_workbench.plan();
    m_heatBits.assign(model->kinds.size() * size_t(model->blocks) * heatQuantiles,
                      std::numeric_limits<float>::quiet_NaN());
    for (size_t l = 0; l < model->entries.size(); ++l) {
        const LayerEntry& entry = model->entries[l];
        const WidthShares& shares = plan.shares(int(l));
        float* const row =
            &m_heatBits[(size_t(entry.kind) * size_t(model->blocks) + size_t(entry.block)) *
                        heatQuantiles];
        size_t width = 0;
        int64_t before = shares.columns[0];
        for (int q = 0; q < heatQuantiles; ++q) {
            const int64_t at = std::min<int64_t>(
                entry.cols - 1, int64_t((q + 0.5) / heatQuantiles * double(entry.cols)));
            while (width + 1 < planWidths.size() && at >= before)
                before += shares.columns[++width];
            row[q] = float(planWidths[width]);
        }
    }
    m_heat->setValues(m_heatBits);
}

void ExplorePage::selectInHeat() {
    const int layer = m_workbench.selectedLayer();
    const auto& model = m_workbench.model();
    if (layer < 0 || !model)
        m_heat->setSelected(-1, -1);
    else
        m_heat->setSelected(model->entries[size_t(layer)].kind,
                            model->entries[size_t(layer)].block);
}

void ExplorePage::updateStates() {
    PlotState channels, heat;
    const auto missing = [&](PlotState& state) {
        state.kind = PlotState::Kind::Empty;
        state.message = tr("This model has not been analyzed yet.");
        state.detail =
            tr("One run over a calibration text measures how much every channel matters; "
               "it is kept and serves every budget.");
        state.action = tr("Analyze");
    };
    switch (m_workbench.phase()) {
    case Workbench::Phase::Empty:
    case Workbench::Phase::Failed:
        channels.kind = heat.kind = PlotState::Kind::Empty;
        channels.message = heat.message = tr("No model is open.");
        break;
    case Workbench::Phase::Opening:
        channels.kind = heat.kind = PlotState::Kind::Loading;
        channels.message = heat.message = tr("Opening the model…");
        break;
    case Workbench::Phase::Headers:
        if (m_workbench.jobs().isActive(QStringLiteral("analyze"))) {
            channels.kind = heat.kind = PlotState::Kind::Loading;
            channels.message = heat.message = tr("An analysis is running.");
            channels.detail = tr("Channels appear here layer by layer.");
            break;
        }
        missing(channels);
        missing(heat);
        heat.detail.clear();
        heat.action.clear();
        break;
    case Workbench::Phase::Partial: {
        const auto& entries = m_workbench.model()->entries;
        const auto ready = std::ranges::count_if(entries, &LayerEntry::ready);
        heat.kind = PlotState::Kind::Partial;
        heat.message = tr("%1 of %2 layers analyzed").arg(ready).arg(entries.size());
        heat.progress = double(ready) / double(std::max<size_t>(1, entries.size()));
        const int layer = m_workbench.selectedLayer();
        if (layer >= 0 && !entries[size_t(layer)].ready) {
            channels.kind = PlotState::Kind::Loading;
            channels.message = tr("This layer has not been analyzed yet.");
        }
        break;
    }
    case Workbench::Phase::Ready:
        break;
    }
    m_channels->setState(channels);
    m_heat->setState(heat);
}

} // namespace bitloom::ui
