// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "ui/docks/layers_panel.h"

#include "ui/models/delegates.h"
#include "ui/models/layers_filter.h"
#include "ui/models/layers_model.h"
#include "ui/theme/icons.h"
#include "ui/theme/theme.h"

#include <QAction>
#include <QApplication>
#include <QClipboard>
#include <QEvent>
#include <QHeaderView>
#include <QLabel>
#include <QLineEdit>
#include <QMenu>
#include <QVBoxLayout>

namespace bitloom::ui {

LayersPanel::LayersPanel(Workbench& workbench, QWidget* parent)
    : QWidget(parent), m_workbench(workbench) {
    setObjectName(QStringLiteral("layersPanel"));
    setAutoFillBackground(true);
    setBackgroundRole(QPalette::Base);
    m_model = new LayersModel(workbench, this);
    m_filter = new LayersFilter(this);
    m_filter->setSourceModel(m_model);

    m_line = new QLineEdit;
    m_line->setObjectName(QStringLiteral("layersFilter"));
    m_line->setAccessibleName(tr("Filter layers"));
    m_line->setPlaceholderText(tr("Filter: name, kind:v, >3.2, pinned"));
    m_line->setToolTip(tr("Words of the name, kind:v, a bound on the mean bits such as >3.2, "
                          "or pinned. All must hold."));
    m_line->setClearButtonEnabled(true);
    m_line->addAction(symbol("search"), QLineEdit::LeadingPosition);

    m_tree = new QTreeView;
    m_tree->setObjectName(QStringLiteral("layersTree"));
    m_tree->setAccessibleName(tr("Layers"));
    m_tree->setProperty("flat-panel", true);
    m_tree->setFrameShape(QFrame::NoFrame);
    m_tree->setModel(m_filter);
    m_tree->setItemDelegate(new LayerDelegate(m_tree));
    m_tree->setUniformRowHeights(true);
    m_tree->setIndentation(14);
    m_tree->setSortingEnabled(true);
    m_tree->sortByColumn(LayersModel::Name, Qt::AscendingOrder);
    m_tree->setSelectionMode(QAbstractItemView::ExtendedSelection);
    m_tree->setSelectionBehavior(QAbstractItemView::SelectRows);
    m_tree->setContextMenuPolicy(Qt::CustomContextMenu);
    m_tree->setAllColumnsShowFocus(true);
    m_tree->header()->setStretchLastSection(false);
    m_tree->header()->setSectionsMovable(false);
    m_tree->header()->setContextMenuPolicy(Qt::CustomContextMenu);
    m_tree->header()->setSectionResizeMode(LayersModel::Name, QHeaderView::Stretch);
    m_tree->header()->setMinimumSectionSize(24);
    for (const int column : {LayersModel::Kind, LayersModel::Shape, LayersModel::Weights,
                             LayersModel::Pins, LayersModel::DeltaPpl})
        m_tree->setColumnHidden(column, true);

    m_empty = captionLabel({});
    m_empty->setWordWrap(true);
    m_empty->setAlignment(Qt::AlignHCenter | Qt::AlignTop);
    m_empty->setContentsMargins(16, 24, 16, 16);

    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(0);
    auto* top = new QHBoxLayout;
    top->setContentsMargins(16, 8, 16, 8);
    top->addWidget(m_line);
    column->addLayout(top);
    auto* inset = new QHBoxLayout; // arrows under the filter's edge, not at the window's
    inset->setContentsMargins(gridStep, 0, gridStep, 0);
    inset->addWidget(m_tree);
    column->addLayout(inset, 1);
    column->addWidget(m_empty, 1);
    layOutColumns();

    connect(m_line, &QLineEdit::textChanged, this, &LayersPanel::filterNow);
    connect(m_line, &QLineEdit::returnPressed, this, [this] { m_tree->setFocus(); });
    connect(m_tree->selectionModel(), &QItemSelectionModel::currentChanged, this,
            [this](const QModelIndex& current) {
                if (m_selecting) return;
                const int layer = m_model->layerOf(m_filter->mapToSource(current));
                if (layer >= 0) m_workbench.selectLayer(layer);
            });
    connect(m_tree, &QTreeView::customContextMenuRequested, this, &LayersPanel::contextMenu);
    connect(m_tree->header(), &QHeaderView::customContextMenuRequested, this,
            [this](const QPoint& position) {
                QMenu menu;
                for (int c = LayersModel::Kind; c < LayersModel::ColumnCount; ++c) {
                    QAction* action = menu.addAction(
                        m_model->headerData(c, Qt::Horizontal, Qt::DisplayRole).toString());
                    action->setCheckable(true);
                    action->setChecked(!m_tree->isColumnHidden(c));
                    connect(action, &QAction::toggled, this, [this, c](bool shown) {
                        if (c == LayersModel::Bits) m_barsWanted = shown;
                        m_tree->setColumnHidden(c, !shown);
                        if (shown) m_tree->resizeColumnToContents(c);
                    });
                }
                menu.exec(m_tree->header()->mapToGlobal(position));
            });
    connect(&workbench, &Workbench::layerSelected, this, &LayersPanel::showSelected);
    // A tick is a repaint of what is visible: the model reads the plan when it is asked.
    connect(&workbench, &Workbench::planChanged, m_tree->viewport(), qOverload<>(&QWidget::update));
    const auto empty = [this] {
        const bool any = m_workbench.hasModel();
        m_tree->setVisible(any && m_filter->rowCount() > 0);
        m_empty->setVisible(!any || m_filter->rowCount() == 0);
        m_empty->setText(!any ? tr("The layers of the model appear here.")
                              : tr("No layer matches the filter."));
        m_line->setEnabled(any);
    };
    connect(m_filter, &QAbstractItemModel::modelReset, this, [this, empty] {
        empty();
        showSelected();
    });
    connect(m_filter, &QAbstractItemModel::rowsInserted, this, empty);
    connect(m_filter, &QAbstractItemModel::rowsRemoved, this, empty);
    empty();
    showSelected();
}

void LayersPanel::layOutColumns() {
    const QFontMetrics metrics(font());
    m_tree->setColumnWidth(
        LayersModel::Bits,
        std::max(metrics.horizontalAdvance(QLatin1Char('0')) * 9,
                 QFontMetrics(captionFont())
                         .horizontalAdvance(
                             m_model->headerData(LayersModel::Bits, Qt::Horizontal, Qt::DisplayRole)
                                 .toString()) +
                     10));
    m_tree->setColumnWidth(LayersModel::MeanBits,
                           metrics.horizontalAdvance(QStringLiteral("16.00")) + 12);
    m_tree->setColumnWidth(
        LayersModel::Sensitivity,
        QFontMetrics(captionFont())
                .horizontalAdvance(
                    m_model->headerData(LayersModel::Sensitivity, Qt::Horizontal, Qt::DisplayRole)
                        .toString()) +
            16);
    m_tree->header()->setFont(captionFont());
    fitColumns();
}

void LayersPanel::fitColumns() {
    const QFontMetrics metrics(font());
    const int others = m_tree->columnWidth(LayersModel::MeanBits) +
                       m_tree->columnWidth(LayersModel::Sensitivity) + 2 * gridStep +
                       2 * m_tree->indentation();
    const int names = metrics.horizontalAdvance(QStringLiteral("down_proj")) + 24;
    const int bars = m_tree->isColumnHidden(LayersModel::Bits)
                         ? metrics.horizontalAdvance(QLatin1Char('0')) * 11
                         : m_tree->columnWidth(LayersModel::Bits);
    const bool room = width() >= others + names + bars;
    m_tree->setColumnHidden(LayersModel::Bits, !(m_barsWanted && room));
}

void LayersPanel::resizeEvent(QResizeEvent* event) {
    QWidget::resizeEvent(event);
    fitColumns();
}

void LayersPanel::changeEvent(QEvent* event) {
    QWidget::changeEvent(event);
    if (event->type() == QEvent::FontChange && m_tree) layOutColumns();
}

void LayersPanel::focusFilter() {
    m_line->setFocus(Qt::ShortcutFocusReason);
    m_line->selectAll();
}

void LayersPanel::filterNow(const QString& text) {
    m_filter->setFilterText(text);
    if (!text.trimmed().isEmpty()) m_tree->expandAll();
    showSelected();
}

void LayersPanel::showSelected() {
    const QModelIndex index =
        m_filter->mapFromSource(m_model->indexOf(m_workbench.selectedLayer()));
    if (!index.isValid() || index == m_tree->currentIndex()) return;
    m_selecting = true;
    m_tree->expand(index.parent());
    m_tree->selectionModel()->setCurrentIndex(index, QItemSelectionModel::ClearAndSelect |
                                                         QItemSelectionModel::Rows);
    m_tree->scrollTo(index, QAbstractItemView::EnsureVisible);
    m_selecting = false;
}

QList<int> LayersPanel::selectedLayers() const {
    QList<int> layers;
    for (const QModelIndex& proxy : m_tree->selectionModel()->selectedRows()) {
        const QModelIndex index = m_filter->mapToSource(proxy);
        if (const int layer = m_model->layerOf(index); layer >= 0) {
            layers.append(layer);
        } else {
            for (int row = 0; row < m_model->rowCount(index); ++row)
                layers.append(m_model->layerOf(m_model->index(row, 0, index)));
        }
    }
    std::ranges::sort(layers);
    layers.erase(std::unique(layers.begin(), layers.end()), layers.end());
    return layers;
}

void LayersPanel::copyNames() {
    QStringList names;
    for (const int layer : selectedLayers())
        names.append(QString::fromStdString(m_workbench.model()->entries[size_t(layer)].name));
    QApplication::clipboard()->setText(names.join(QLatin1Char('\n')));
}

void LayersPanel::contextMenu(const QPoint& position) {
    const QList<int> layers = selectedLayers();
    if (layers.isEmpty()) return;
    QMenu menu;
    const bool plan = m_workbench.hasPlan();
    menu.addAction(symbol("pin"), tr("Pin…"), this, &LayersPanel::pinRequested)->setEnabled(plan);
    menu.addAction(symbol("unpin"), tr("Unpin"), this, &LayersPanel::unpinRequested)
        ->setEnabled(plan);
    menu.addSeparator();
    menu.addAction(tr("Why these bits?"), this,
                   [this, layers] { emit whyRequested(layers.first()); })
        ->setEnabled(plan);
    menu.addAction(symbol("copy"), tr("Copy name"), this, &LayersPanel::copyNames);
    menu.exec(m_tree->viewport()->mapToGlobal(position));
}

} // namespace bitloom::ui
