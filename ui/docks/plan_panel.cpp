// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "ui/docks/plan_panel.h"

#include "ui/models/delegates.h"
#include "ui/models/metric_help.h"
#include "ui/models/pins_model.h"
#include "ui/models/sizes_model.h"
#include "ui/models/texts.h"
#include "ui/plots/histogram_widget.h"
#include "ui/theme/icons.h"
#include "ui/theme/theme.h"

#include <QEvent>
#include <QHeaderView>
#include <QLabel>
#include <QListView>
#include <QMenu>
#include <QPushButton>
#include <QScrollBar>
#include <QShortcut>
#include <QTableView>
#include <QVBoxLayout>

namespace bitloom::ui {

namespace {

QHBoxLayout* headingRow(const QString& title, QLabel* right) {
    auto* row = new QHBoxLayout;
    auto* label = headingLabel(title);
    label->setProperty("heading", true);
    row->addWidget(label);
    row->addStretch(1);
    if (right) row->addWidget(right);
    return row;
}

} // namespace

PlanPanel::PlanPanel(Workbench& workbench, QWidget* parent)
    : QScrollArea(parent), m_workbench(workbench) {
    setObjectName(QStringLiteral("planPanel"));
    setAccessibleName(tr("Plan"));
    setProperty("flat-panel", true);
    setFrameShape(QFrame::NoFrame);
    setWidgetResizable(true);
    setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    m_sizes = new SizesModel(workbench, this);
    m_pins = new PinsModel(workbench, this);

    m_content = new QWidget;
    m_content->setAutoFillBackground(true);
    m_content->setBackgroundRole(QPalette::Base);
    auto* outer = new QVBoxLayout(m_content);
    outer->setContentsMargins(0, 8, 0, 12);
    outer->setSpacing(0);
    m_empty = captionLabel(tr("The plan appears here once the model is analyzed."));
    m_empty->setWordWrap(true);
    m_empty->setAlignment(Qt::AlignHCenter);
    m_empty->setContentsMargins(16, 16, 16, 0);
    outer->addWidget(m_empty);
    m_figures = new QWidget;
    outer->addWidget(m_figures);
    outer->addStretch(1);
    auto* column = new QVBoxLayout(m_figures);
    column->setContentsMargins(16, 0, 16, 0);
    column->setSpacing(4);

    m_histogram = new HistogramWidget; // with a heading of its own, and margins
    m_histogram->setObjectName(QStringLiteral("histogram"));
    m_histogram->setTitle(tr("Weights by bit width"));
    m_histogram->setWhatsThis(figureHelp(Figure::BitShares));
    outer->insertWidget(1, m_histogram);

    column->addSpacing(4);
    column->addLayout(headingRow(tr("Size, to the byte"), nullptr));
    m_table = new QTableView;
    m_table->setObjectName(QStringLiteral("sizeTable"));
    m_table->setAccessibleName(tr("Size by part"));
    m_table->setWhatsThis(figureHelp(Figure::Size));
    m_table->setProperty("flat-panel", true);
    m_table->setFrameShape(QFrame::NoFrame);
    m_table->setModel(m_sizes);
    m_table->setItemDelegate(new SizeDelegate(m_table));
    m_table->setShowGrid(false);
    m_table->setSelectionMode(QAbstractItemView::NoSelection);
    m_table->setTabKeyNavigation(false);
    m_table->verticalHeader()->hide();
    m_table->horizontalHeader()->setSectionsClickable(false);
    m_table->horizontalHeader()->setHighlightSections(false);
    m_table->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    m_table->setVerticalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    column->addWidget(m_table);

    column->addSpacing(12);
    m_pinTotal = captionLabel({});
    column->addLayout(headingRow(tr("Pins"), m_pinTotal));
    m_noPins = captionLabel(tr("A pin holds channels at a width of your choice, whatever the "
                               "budget. Select channels or layers and press P."));
    m_noPins->setWordWrap(true);
    column->addWidget(m_noPins);
    m_pinList = new QListView;
    m_pinList->setObjectName(QStringLiteral("pinList"));
    m_pinList->setAccessibleName(tr("Pins"));
    m_pinList->setWhatsThis(figureHelp(Figure::PinCost));
    m_pinList->setProperty("flat-panel", true);
    m_pinList->setFrameShape(QFrame::NoFrame);
    m_pinList->setModel(m_pins);
    m_pinList->setItemDelegate(new PinDelegate(m_pinList));
    m_pinList->setSelectionMode(QAbstractItemView::ExtendedSelection);
    m_pinList->setVerticalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    m_pinList->setContextMenuPolicy(Qt::CustomContextMenu);
    column->addWidget(m_pinList);
    m_addPin = new QPushButton(symbol("pin"), tr("Add pin…"));
    m_addPin->setObjectName(QStringLiteral("addPin"));
    m_addPin->setAccessibleName(tr("Add a pin"));
    auto* buttons = new QHBoxLayout;
    buttons->addWidget(m_addPin);
    buttons->addStretch(1);
    column->addSpacing(4);
    column->addLayout(buttons);
    setWidget(m_content);

    connect(m_addPin, &QPushButton::clicked, this, &PlanPanel::pinRequested);
    const auto remove = [this] { m_pins->remove(m_pinList->selectionModel()->selectedRows()); };
    auto* deleteKey =
        new QShortcut(QKeySequence::Delete, m_pinList, nullptr, nullptr, Qt::WidgetShortcut);
    connect(deleteKey, &QShortcut::activated, this, remove);
    connect(m_pinList, &QListView::customContextMenuRequested, this, [this, remove](QPoint at) {
        if (!m_pinList->indexAt(at).isValid()) return;
        QMenu menu;
        menu.addAction(symbol("delete"), tr("Remove"), this, remove);
        menu.exec(m_pinList->viewport()->mapToGlobal(at));
    });

    connect(&workbench, &Workbench::phaseChanged, this, &PlanPanel::updatePhase);
    connect(&workbench, &Workbench::planChanged, this, &PlanPanel::updateHistogram);
    connect(&workbench, &Workbench::pinsChanged, this, &PlanPanel::updatePins);
    connect(&workbench, &Workbench::dragChanged, this, [this] {
        m_histogram->setLive(m_workbench.dragging());
        m_histogram->setReference(m_workbench.dragging() ? sharesNow() : std::vector<BitShare>());
    });
    connect(m_sizes, &QAbstractItemModel::modelReset, this, &PlanPanel::fitTables);
    connect(m_histogram, &PlotView::failed, &workbench, &Workbench::message);
    updatePhase();
}

QSize PlanPanel::minimumSizeHint() const {
    return {m_content->minimumSizeHint().width() + verticalScrollBar()->sizeHint().width(),
            QScrollArea::minimumSizeHint().height()};
}

bool PlanPanel::eventFilter(QObject* object, QEvent* event) {
    // The content needs another width, with letters of another size.
    if (object == widget() && event->type() == QEvent::LayoutRequest) updateGeometry();
    return QScrollArea::eventFilter(object, event);
}

QSize PlanPanel::sizeHint() const {
    return {QFontMetrics(font()).horizontalAdvance(QLatin1Char('0')) * 40 + 32, 480};
}

void PlanPanel::changeEvent(QEvent* event) {
    QScrollArea::changeEvent(event);
    if (event->type() == QEvent::FontChange && m_table) {
        for (QLabel* label : findChildren<QLabel*>())
            if (label->property("heading").toBool()) label->setFont(headingFont());
        fitTables();
    }
}

std::vector<BitShare> PlanPanel::sharesNow() const {
    std::vector<BitShare> shares;
    const WidthShares& total = m_workbench.plan().total();
    for (size_t w = 0; w < planWidths.size(); ++w)
        shares.push_back({planWidths[w], total.weights[w], total.columns[w]});
    return shares;
}

void PlanPanel::updatePhase() {
    const bool plan = m_workbench.hasPlan();
    m_figures->setVisible(plan);
    m_histogram->setVisible(plan);
    m_empty->setVisible(!plan);
    if (plan) {
        updateHistogram();
        fitTables();
    }
    updatePins();
}

void PlanPanel::updateHistogram() {
    if (m_workbench.hasPlan()) m_histogram->setShares(sharesNow());
}

void PlanPanel::updatePins() {
    const int count = m_pins->rowCount();
    m_noPins->setVisible(count == 0);
    m_pinList->setVisible(count > 0);
    if (m_workbench.hasPlan()) {
        const QLocale locale;
        m_pinTotal->setText(
            count == 0 ? QString()
                       : tr("%1 of %2 channels")
                             .arg(locale.toString(qlonglong(m_pins->pinnedChannels())),
                                  locale.toString(qlonglong(m_workbench.model()->columns))));
    }
    fitTables();
}

void PlanPanel::fitTables() {
    const QFontMetrics metrics(font());
    const int row = std::max(22, metrics.height() + 4);
    m_table->verticalHeader()->setMinimumSectionSize(row);
    m_table->verticalHeader()->setDefaultSectionSize(row);
    m_table->horizontalHeader()->setFont(captionFont());
    QHeaderView* header = m_table->horizontalHeader();
    header->setSectionResizeMode(SizesModel::Part, QHeaderView::Stretch);
    header->setSectionResizeMode(SizesModel::Bytes, QHeaderView::ResizeToContents);
    header->setSectionResizeMode(SizesModel::BitsPerWeight, QHeaderView::Fixed);
    header->resizeSection(SizesModel::BitsPerWeight,
                          metrics.horizontalAdvance(QStringLiteral("0.0000")) + 12);
    m_table->setFixedHeight(m_sizes->rowCount() * row + header->sizeHint().height());
    int pins = 0;
    for (int i = 0; i < m_pins->rowCount(); ++i)
        pins += m_pinList->sizeHintForRow(i);
    m_pinList->setFixedHeight(pins + 2);
}

} // namespace bitloom::ui
