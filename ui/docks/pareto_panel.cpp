// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "ui/docks/pareto_panel.h"

#include "ui/models/delegates.h"
#include "ui/models/metric_help.h"
#include "ui/models/plans_model.h"
#include "ui/models/texts.h"
#include "ui/plots/pareto_plot.h"
#include "ui/theme/icons.h"
#include "ui/theme/theme.h"

#include <QEvent>
#include <QHBoxLayout>
#include <QHeaderView>
#include <QMenu>
#include <QTableView>

#include <cmath>

namespace bitloom::ui {

namespace {

PredictedPoint predictedPoint(double bits, double bytes, const Prediction& p) {
    PredictedPoint point;
    point.bits = bits;
    point.bytes = bytes;
    const double fp = p.nll > 0 ? p.nll - p.deltaNll : 0;
    point.perplexity = std::exp(fp + p.deltaNll);
    point.low = std::exp(fp + p.low);
    point.high = std::exp(fp + p.high);
    return point;
}

} // namespace

ParetoPanel::ParetoPanel(Workbench& workbench, QWidget* parent)
    : QSplitter(Qt::Horizontal, parent), m_workbench(workbench) {
    setObjectName(QStringLiteral("paretoPanel"));
    setChildrenCollapsible(false);
    m_plot = new ParetoPlot;
    m_plot->setObjectName(QStringLiteral("paretoPlot"));
    m_plot->setTitle(tr("Perplexity over size"));
    m_plot->setWhatsThis(figureHelp(Figure::Predicted) % figureHelp(Figure::Measured));
    m_plans = new PlansModel(workbench, this);
    m_table = new QTableView;
    m_table->setObjectName(QStringLiteral("plansTable"));
    m_table->setAccessibleName(tr("Plans"));
    m_table->setProperty("flat-panel", true);
    m_table->setFrameShape(QFrame::NoFrame);
    m_table->setModel(m_plans);
    m_table->setItemDelegate(new PlanDelegate(m_table));
    m_table->setShowGrid(false);
    m_table->setSelectionBehavior(QAbstractItemView::SelectRows);
    m_table->setSelectionMode(QAbstractItemView::SingleSelection);
    m_table->setContextMenuPolicy(Qt::CustomContextMenu);
    m_table->setTabKeyNavigation(false);
    m_table->setWordWrap(false);
    m_table->verticalHeader()->hide();
    m_table->horizontalHeader()->setHighlightSections(false);
    m_table->horizontalHeader()->setSectionsClickable(false);
    addWidget(m_plot);
    auto* side = new QWidget;
    side->setAutoFillBackground(true);
    side->setBackgroundRole(QPalette::Base);
    auto* margins = new QHBoxLayout(side);
    margins->setContentsMargins(gridStep, 0, gridStep, 0);
    margins->addWidget(m_table);
    addWidget(side);
    setStretchFactor(0, 7);
    setStretchFactor(1, 5);
    fitTable();

    for (auto signal : {&Workbench::curveChanged, &Workbench::measurementsChanged,
                        &Workbench::phaseChanged, &Workbench::planSettled})
        connect(&workbench, signal, this, &ParetoPanel::updateData);
    connect(&workbench, &Workbench::planChanged, this, &ParetoPanel::updatePlan);
    connect(m_plot, &ParetoPlot::budgetRequested, this, [this](double bits) {
        m_workbench.requestBudget({Budget::Kind::Bits, bits}, m_workbench.dragging());
    });
    connect(m_plot, &ParetoPlot::dragStarted, &workbench, &Workbench::beginDrag);
    connect(m_plot, &ParetoPlot::dragFinished, &workbench, &Workbench::endDrag);
    connect(m_plot, &PlotView::failed, &workbench, &Workbench::message);
    connect(m_table, &QTableView::customContextMenuRequested, this, &ParetoPanel::contextMenu);
    connect(m_table, &QTableView::activated, this, [this] {
        if (const QString name = selectedPreset(); !name.isEmpty()) m_workbench.applyPreset(name);
    });
    updateData();
}

void ParetoPanel::fitTable() {
    const QFontMetrics metrics(font());
    m_table->verticalHeader()->setDefaultSectionSize(std::max(26, metrics.height() + 8));
    m_table->horizontalHeader()->setFont(captionFont());
    QHeaderView* header = m_table->horizontalHeader();
    header->setSectionResizeMode(PlansModel::Plan, QHeaderView::Stretch);
    const auto width = [&](int column, const QString& sample) {
        header->setSectionResizeMode(column, QHeaderView::Interactive);
        header->resizeSection(column, metrics.horizontalAdvance(sample) + 18);
    };
    width(PlansModel::Bits, QStringLiteral("16.00"));
    width(PlansModel::Size, QStringLiteral("888.88 MiB"));
    width(PlansModel::Predicted, tr("○ Predicted"));
    width(PlansModel::Measured, QStringLiteral("88.88 ± 8.88"));
    width(PlansModel::OffBy, QStringLiteral("+88.8 %"));
}

void ParetoPanel::changeEvent(QEvent* event) {
    QSplitter::changeEvent(event);
    if (event->type() == QEvent::FontChange && m_table) fitTable();
}

void ParetoPanel::updateData() {
    PlotState state;
    if (!m_workbench.hasPlan()) {
        state.kind = PlotState::Kind::Empty;
        state.message = tr("The curve of size and perplexity appears once the model is analyzed.");
        m_plot->setData({});
        m_plot->setState(state);
        return;
    }
    if (m_workbench.curve().empty()) {
        state.kind = PlotState::Kind::Loading;
        state.message = tr("Predicting the whole range…");
    }
    ParetoData data;
    for (const CurvePoint& point : m_workbench.curve())
        data.predicted.push_back(
            predictedPoint(point.bitsPerWeight, double(point.bytes),
                           m_workbench.predict(point.distortion, point.bitsPerWeight)));
    for (const Measurement& m : m_workbench.measurements()) {
        if (m.planHash.empty() || !(m.nll > 0)) continue;
        MeasuredMark mark;
        mark.label = m.plan;
        mark.bits = m.bitsPerWeight;
        mark.bytes = double(m.bytes);
        mark.perplexity = std::exp(m.nll);
        mark.sigma = mark.perplexity * m.standardError;
        if (m.predictedNll > 0) mark.predicted = std::exp(m.predictedNll);
        mark.text = m.text;
        mark.tokens = m.tokens;
        data.measured.push_back(mark);
    }
    const Workbench::Reference reference = m_workbench.reference();
    if (reference.nll > 0) {
        data.fp16Perplexity = std::exp(reference.nll);
        // The spread over windows of the calibration text says nothing about differences.
        if (reference.measured) data.fp16Sigma = data.fp16Perplexity * reference.standardError;
    }
    data.fp16Bytes = double(m_workbench.model()->fp16Bytes);
    data.text = reference.text;
    m_plot->setCaption(m_workbench.model()->title);
    m_plot->setData(std::move(data));
    m_plot->setState(state);
    updatePlan();
}

void ParetoPanel::updatePlan() {
    if (!m_workbench.hasPlan()) return;
    const PlanFigures& f = m_workbench.figures();
    m_plot->setPlan(predictedPoint(f.bitsPerWeight, double(f.size.totalBytes), f.prediction),
                    tr("this plan"));
}

QString ParetoPanel::selectedPreset() const {
    return m_table->currentIndex().data(PlansModel::PresetRole).toString();
}

void ParetoPanel::contextMenu(const QPoint& position) {
    const QModelIndex index = m_table->indexAt(position);
    const QString preset = index.data(PlansModel::PresetRole).toString();
    const bool own = !preset.isEmpty() && !index.data(PlansModel::BuiltInRole).toBool();
    QMenu menu;
    menu.addAction(tr("Use this preset"), this, [this, preset] { m_workbench.applyPreset(preset); })
        ->setEnabled(!preset.isEmpty());
    menu.addAction(symbol("measure"), tr("Measure this plan"), this, &ParetoPanel::measureRequested)
        ->setEnabled(index.data(PlansModel::CurrentRole).toBool());
    menu.addSeparator();
    menu.addAction(symbol("rename"), tr("Rename…"), this,
                   [this, preset] { emit renameRequested(preset); })
        ->setEnabled(own);
    menu.addAction(symbol("export"), tr("Save as plan file…"), this,
                   [this, preset] { emit exportRequested(preset); })
        ->setEnabled(!preset.isEmpty());
    menu.addAction(symbol("delete"), tr("Delete"), this,
                   [this, preset] { emit deleteRequested(preset); })
        ->setEnabled(own);
    menu.exec(m_table->viewport()->mapToGlobal(position));
}

} // namespace bitloom::ui
