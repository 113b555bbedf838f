// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "ui/compare/compare_page.h"

#include "ui/chat/chat_column.h"
#include "ui/compare/layer_difference_plot.h"
#include "ui/dialogs/place_dialog.h"
#include "ui/models/metric_help.h"
#include "ui/models/texts.h"
#include "ui/state/jobs.h"
#include "ui/theme/icons.h"
#include "ui/theme/theme.h"

#include <QClipboard>
#include <QComboBox>
#include <QDragEnterEvent>
#include <QEvent>
#include <QGuiApplication>
#include <QHBoxLayout>
#include <QHeaderView>
#include <QLabel>
#include <QMenu>
#include <QMimeData>
#include <QPainter>
#include <QPushButton>
#include <QSortFilterProxyModel>
#include <QStyledItemDelegate>
#include <QTableView>
#include <QVBoxLayout>

#include <algorithm>
#include <cmath>

namespace bitloom::ui {

namespace {

/// A mark in the accent colour at the present plan.
class RowDelegate : public QStyledItemDelegate {
public:
    using QStyledItemDelegate::QStyledItemDelegate;
    void paint(QPainter* painter, const QStyleOptionViewItem& option,
               const QModelIndex& index) const override {
        QStyleOptionViewItem cell = option;
        cell.state &= ~QStyle::State_HasFocus; // the row is the unit
        const bool mirrored = option.direction == Qt::RightToLeft;
        if (cell.state & QStyle::State_Selected)
            painter->fillRect(option.rect, option.palette.color(QPalette::Highlight));
        QStyledItemDelegate::paint(painter, cell, index);
        if (index.column() != CompareModel::Name || !index.data(CompareModel::CurrentRole).toBool())
            return;
        const int x = mirrored ? option.rect.right() - 1 : option.rect.left();
        painter->fillRect(QRect(x, option.rect.top(), 2, option.rect.height()),
                          PlotTheme::of(option.palette).accent);
    }
};

} // namespace

ComparePage::ComparePage(Workbench& workbench, SubjectModels& models, MeasureRuns& measures,
                         QWidget* parent)
    : QSplitter(Qt::Vertical, parent), m_workbench(workbench), m_measures(measures) {
    setObjectName(QStringLiteral("comparePage"));
    setChildrenCollapsible(false);
    setHandleWidth(1);
    setAcceptDrops(true);
    m_model = new CompareModel(workbench, models, this);
    addWidget(makeTable());
    addWidget(makeBars());
    setStretchFactor(0, 5);
    setStretchFactor(1, 5);
    connect(this, &QSplitter::splitterMoved, this, [this] { m_moved = true; });
    connect(m_model, &CompareModel::rowsChanged, this, [this] {
        showRows();
        fillBoxes();
        updateBars();
        updateButtons();
    });
    connect(&workbench, &Workbench::layerSelected, this,
            [this](int layer) { m_plot->setCurrentLayer(layer); });
    connect(&workbench.jobs(), &JobList::activeChanged, this, &ComparePage::updateButtons);
    connect(&workbench, &Workbench::engineChanged, this, &ComparePage::updateButtons);
    connect(&measures, &MeasureRuns::folderMeasured, m_model, &CompareModel::setFolderMeasurement);
    setFocusProxy(m_table);
    fit();
    fillBoxes();
    compare(uniformPreset(), {Subject::Kind::Plan, {}});
    updateButtons();
}

ComparePage::~ComparePage() {
    m_workbench.disconnect(this);
    m_workbench.jobs().disconnect(this);
    m_measures.disconnect(this);
}

QWidget* ComparePage::makeTable() {
    auto* box = new QWidget;
    box->setBackgroundRole(QPalette::Base);
    box->setAutoFillBackground(true);
    auto* column = new QVBoxLayout(box);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(0);
    auto* head = new QHBoxLayout;
    head->setContentsMargins(panelMargin, gridStep, panelMargin, gridStep);
    head->setSpacing(gridStep);
    QLabel* title = headingLabel(tr("Plans and exports"));
    head->addWidget(title);
    head->addStretch(1);
    const auto button = [&](const char* icon, const QString& text, const QString& id,
                            const QString& tip) {
        auto* made = new QPushButton(text);
        made->setIcon(symbol(icon));
        made->setObjectName(id);
        made->setAccessibleName(text);
        made->setToolTip(tip);
        head->addWidget(made);
        return made;
    };
    m_measure = button("measure", tr("Measure…"), QStringLiteral("compareMeasure"),
                       tr("Perplexity and KL of the selected row"));
    m_chat = button("chat", tr("Chat with both"), QStringLiteral("compareChat"),
                    tr("Puts the two that are compared below side by side in the chat"));
    m_add = button("open", tr("Add export…"), QStringLiteral("compareAdd"),
                   tr("A folder that was exported; it can also be dropped here"));
    m_remove = button("delete", tr("Remove"), QStringLiteral("compareRemove"),
                      tr("Takes the folder off this list; its files stay"));
    column->addLayout(head);
    m_table = new QTableView;
    m_table->setObjectName(QStringLiteral("compareTable"));
    m_table->setAccessibleName(tr("Plans and exports with their figures"));
    m_table->setProperty("flat-panel", true);
    m_table->setFrameShape(QFrame::NoFrame);
    m_sorted = new QSortFilterProxyModel(this);
    m_sorted->setSortRole(CompareModel::SortRole);
    m_sorted->setSourceModel(m_model);
    m_table->setModel(m_sorted);
    m_table->setItemDelegate(new RowDelegate(m_table));
    m_table->setShowGrid(false);
    m_table->setSelectionBehavior(QAbstractItemView::SelectRows);
    m_table->setSelectionMode(QAbstractItemView::SingleSelection);
    m_table->setContextMenuPolicy(Qt::CustomContextMenu);
    m_table->setTabKeyNavigation(false);
    m_table->setWordWrap(false);
    m_table->setSortingEnabled(true);
    m_table->sortByColumn(CompareModel::Bits, Qt::DescendingOrder);
    m_table->verticalHeader()->hide();
    m_table->horizontalHeader()->setHighlightSections(false);
    auto* margins = new QHBoxLayout;
    margins->setContentsMargins(panelMargin - 4, 0, panelMargin - 4, 0);
    margins->addWidget(m_table);
    column->addLayout(margins, 1);
    connect(m_table, &QTableView::customContextMenuRequested, this, &ComparePage::contextMenu);
    connect(m_table->selectionModel(), &QItemSelectionModel::selectionChanged, this, [this] {
        updateButtons();
        // The selected row becomes the right one of the two below.
        if (m_table->selectionModel()->hasSelection()) {
            const int index = m_right->findData(selected().key());
            if (index < 0) return;
            // Nothing is compared with itself: the two change places.
            if (index == m_left->currentIndex()) m_left->setCurrentIndex(m_right->currentIndex());
            m_right->setCurrentIndex(index);
        }
    });
    connect(m_table, &QTableView::activated, this, [this] {
        if (const Subject subject = selected(); subject.kind == Subject::Kind::Preset)
            m_workbench.applyPreset(subject.name);
    });
    connect(m_measure, &QPushButton::clicked, this, [this] { emit measureRequested(selected()); });
    connect(m_chat, &QPushButton::clicked, this, [this] {
        emit chatRequested(Subject::fromKey(m_left->currentData().toString()),
                           Subject::fromKey(m_right->currentData().toString()));
    });
    connect(m_add, &QPushButton::clicked, this, [this] {
        choosePlace(this, m_workbench, PlaceDialog::What::Model, tr("Add an exported folder"), {},
                    [this](const QString& folder) { addFolder(folder); });
    });
    connect(m_remove, &QPushButton::clicked, this, [this] {
        if (const Subject subject = selected(); subject.kind == Subject::Kind::Folder)
            m_model->removeFolder(subject.name);
    });
    return box;
}

QWidget* ComparePage::makeBars() {
    auto* box = new QWidget;
    box->setBackgroundRole(QPalette::Base);
    box->setAutoFillBackground(true);
    auto* column = new QVBoxLayout(box);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(0);
    auto* head = new QHBoxLayout;
    head->setContentsMargins(panelMargin, gridStep, panelMargin, 0);
    head->setSpacing(gridStep);
    QLabel* title = headingLabel(tr("Bits per layer"));
    head->addWidget(title);
    head->addSpacing(gridStep);
    const auto choice = [&](const QString& id, const QString& name) {
        auto* made = new QComboBox;
        made->setObjectName(id);
        made->setAccessibleName(name);
        made->setSizeAdjustPolicy(QComboBox::AdjustToContents);
        connect(made, &QComboBox::currentIndexChanged, this, [this] {
            if (!m_filling) updateBars();
        });
        head->addWidget(made);
        return made;
    };
    m_right = choice(QStringLiteral("compareRight"), tr("Plan that is compared"));
    auto* against = new QLabel(tr("against"));
    against->setForegroundRole(QPalette::PlaceholderText);
    head->addWidget(against);
    m_left = choice(QStringLiteral("compareLeft"), tr("Plan that it is compared with"));
    m_sum = new QLabel;
    m_sum->setObjectName(QStringLiteral("compareSum"));
    m_sum->setTextFormat(Qt::RichText);
    m_sum->setAlignment(Qt::AlignRight | Qt::AlignVCenter);
    m_sum->setWordWrap(true);
    head->addWidget(m_sum, 1);
    column->addLayout(head);
    m_plot = new LayerDifferencePlot;
    m_plot->setObjectName(QStringLiteral("layerDifferences"));
    m_plot->setWhatsThis(figureHelp(Figure::BitsPerWeight));
    column->addWidget(m_plot, 1);
    connect(m_plot, &LayerDifferencePlot::layerClicked, &m_workbench, &Workbench::selectLayer);
    connect(m_plot, &PlotView::failed, &m_workbench, &Workbench::message);
    return box;
}

void ComparePage::fit() {
    const QFontMetrics metrics(font());
    m_table->verticalHeader()->setDefaultSectionSize(std::max(26, metrics.height() + 10));
    // Names may be as long as a folder's; the window must not have to be.
    for (QComboBox* choice : {m_left, m_right})
        choice->setMinimumWidth(metrics.averageCharWidth() * 14);
    QHeaderView* header = m_table->horizontalHeader();
    header->setFont(captionFont());
    header->setSectionResizeMode(CompareModel::Name, QHeaderView::Stretch);
    const QFontMetrics bold{headingFont()};
    const auto width = [&](int column, const QString& sample) {
        header->setSectionResizeMode(column, QHeaderView::Interactive);
        const QString title =
            m_model->headerData(column, Qt::Horizontal, Qt::DisplayRole).toString();
        header->resizeSection(
            column,
            std::max(bold.horizontalAdvance(sample), metrics.horizontalAdvance(title) + 14) + 28);
    };
    width(CompareModel::Size, QStringLiteral("888.88 MiB"));
    width(CompareModel::Bits, QStringLiteral("16.00"));
    width(CompareModel::Predicted, QStringLiteral("≈ 88.88 ± 8.88"));
    width(CompareModel::Measured, QStringLiteral("88.88 ± 8.88"));
    width(CompareModel::Kl, QStringLiteral("0.00888"));
    width(CompareModel::SameTop, QStringLiteral("88.8 %"));
}

/// All rows where that leaves the bars half of the page; until somebody moves the border.
void ComparePage::showRows() {
    if (m_moved || height() < 200) return;
    const int rows = m_table->verticalHeader()->defaultSectionSize() * m_sorted->rowCount();
    const int wanted = rows + m_table->horizontalHeader()->sizeHint().height() +
                       widget(0)->layout()->itemAt(0)->sizeHint().height() + gridStep;
    const int table = std::min(wanted, height() * 55 / 100);
    setSizes({table, height() - table});
}

void ComparePage::resizeEvent(QResizeEvent* event) {
    QSplitter::resizeEvent(event);
    showRows();
}

void ComparePage::changeEvent(QEvent* event) {
    QSplitter::changeEvent(event);
    if (event->type() == QEvent::FontChange && m_table) fit();
}

Subject ComparePage::selected() const {
    const QModelIndexList rows = m_table->selectionModel()->selectedRows();
    return rows.isEmpty() ? Subject{Subject::Kind::Plan, {}}
                          : Subject::fromKey(rows.first().data(CompareModel::KeyRole).toString());
}

/// What plans are first compared with: every weight the same. Its name is another in every
/// language.
Subject ComparePage::uniformPreset() const {
    for (const Preset& preset : m_workbench.presets())
        if (preset.builtIn && preset.decision.uniformBits)
            return {Subject::Kind::Preset, preset.name};
    return {};
}

void ComparePage::fillBoxes() {
    QStringList keys, names;
    for (const CompareRow& row : m_model->rows()) {
        keys << row.subject.key();
        names << row.name;
    }
    m_filling = true;
    for (QComboBox* box : {m_left, m_right}) {
        bool same = box->count() == int(keys.size());
        for (int i = 0; same && i < int(keys.size()); ++i)
            same = box->itemData(i).toString() == keys[i];
        if (same) continue;
        const QString chosen = box->currentData().toString();
        box->clear();
        for (int i = 0; i < int(keys.size()); ++i)
            box->addItem(names[i], keys[i]);
        const QString fallback = box == m_right ? QStringLiteral("plan") : uniformPreset().key();
        int index = box->findData(chosen);
        if (index < 0) index = box->findData(fallback);
        box->setCurrentIndex(std::max(0, index));
    }
    m_filling = false;
}

void ComparePage::compare(const Subject& left, const Subject& right) {
    const auto choose = [](QComboBox* box, const Subject& subject) {
        const int index = box->findData(subject.key());
        if (index >= 0) box->setCurrentIndex(index);
    };
    choose(m_left, left);
    choose(m_right, right);
    updateBars();
}

/// "+0.61 ppl measured": measured figures where both are of one text, read in one way; else
/// predicted ones.
QString ComparePage::qualityText(const CompareRow& left, const CompareRow& right) const {
    const auto original = [](const CompareRow& row) {
        return row.subject.kind == Subject::Kind::Original;
    };
    const auto measuredBeside = [&](const CompareRow& row, const CompareRow& other) {
        if (original(row) && !original(other)) return m_model->originalPplFor(other);
        if (original(other)) return row.measuredPpl;
        return row.measurementKey == other.measurementKey ? row.measuredPpl : std::nullopt;
    };
    const auto predicted = [&](const CompareRow& row) {
        return original(row) ? row.measuredPpl : row.predictedPpl;
    };
    auto from = left.measuredPpl ? measuredBeside(left, right) : std::nullopt;
    auto to = right.measuredPpl ? measuredBeside(right, left) : std::nullopt;
    const bool measured = from && to;
    if (!measured) {
        from = predicted(left);
        to = predicted(right);
    }
    if (!from || !to) return {};
    return QStringLiteral("&nbsp;&nbsp;&nbsp; <b>%1</b>&nbsp;%2")
        .arg(signedText(*to - *from, 2), measured ? tr("ppl measured") : tr("ppl predicted"));
}

void ComparePage::updateBars() {
    const auto row = [&](const QComboBox* box) -> const CompareRow* {
        const int found = m_model->rowOf(Subject::fromKey(box->currentData().toString()));
        return found < 0 ? nullptr : &m_model->rows()[size_t(found)];
    };
    const CompareRow *left = row(m_left), *right = row(m_right);
    LayerDifferences data;
    PlotState state;
    if (!m_workbench.hasPlan() || !left || !right) {
        state = {PlotState::Kind::Empty,
                 tr("Plans can be compared once the model is analyzed."),
                 {},
                 {},
                 -1};
    } else if (left->layerBits.empty() || right->layerBits.empty()) {
        const CompareRow* missing = left->layerBits.empty() ? left : right;
        state.kind = missing->problem.isEmpty() && !missing->known ? PlotState::Kind::Loading
                                                                   : PlotState::Kind::Error;
        state.message = missing->problem.isEmpty()
                            ? (missing->known ? tr("%1 is of another model: its layers are not the "
                                                   "same.")
                                                    .arg(missing->name)
                                              : tr("Working out %1…").arg(missing->name))
                            : missing->problem;
    } else {
        const ModelData& model = *m_workbench.model();
        data.left = left->name;
        data.right = right->name;
        for (const LayerEntry& entry : model.entries) {
            data.layers << entry.path;
            data.blocks.push_back(entry.block);
        }
        data.leftBits = left->layerBits;
        data.rightBits = right->layerBits;
    }
    QString sum;
    if (data.size() > 0 && left->bytes > 0 && right->bytes > 0) {
        sum = QStringLiteral("<b>%1</b>&nbsp;%2&nbsp;&nbsp;&nbsp; <b>%3</b>")
                  .arg(signedText(right->bits - left->bits, 2), tr("bits"),
                       signedBytesText(double(right->bytes - left->bytes)));
        sum += qualityText(*left, *right);
    }
    m_sum->setText(sum);
    m_plot->setData(std::move(data));
    if (!(m_plot->state() == state)) m_plot->setState(state);
    m_plot->setCaption(m_workbench.hasModel() ? m_workbench.model()->title : QString());
}

void ComparePage::updateButtons() {
    const Subject subject = selected();
    m_measure->setEnabled(m_measures.canMeasure() &&
                          (m_workbench.hasPlan() || subject.kind == Subject::Kind::Original));
    m_chat->setEnabled(m_workbench.hasModel());
    m_remove->setVisible(subject.kind == Subject::Kind::Folder);
}

void ComparePage::addFolder(const QString& folder) {
    if (folder.isEmpty()) return;
    m_model->addFolder(folder);
    compare(Subject::fromKey(m_left->currentData().toString()), {Subject::Kind::Folder, folder});
}

void ComparePage::folderWritten(const QString& folder) {
    m_model->forget(folder);
    addFolder(folder);
}

void ComparePage::contextMenu(const QPoint& position) {
    const QModelIndex index = m_table->indexAt(position);
    if (!index.isValid()) return;
    const Subject subject = Subject::fromKey(index.data(CompareModel::KeyRole).toString());
    QMenu menu;
    if (subject.kind == Subject::Kind::Preset)
        menu.addAction(tr("Use this preset"), this,
                       [this, subject] { m_workbench.applyPreset(subject.name); });
    menu.addAction(symbol("measure"), tr("Measure…"), this,
                   [this, subject] { emit measureRequested(subject); })
        ->setEnabled(m_measures.canMeasure());
    menu.addAction(symbol("chat"), tr("Chat with FP16 and this"), this, [this, subject] {
        emit chatRequested({Subject::Kind::Original, {}}, subject);
    });
    if (subject.kind == Subject::Kind::Folder)
        menu.addAction(tr("Remove from the list"), this,
                       [this, subject] { m_model->removeFolder(subject.name); });
    menu.addSeparator();
    menu.addAction(symbol("copy"), tr("Copy table"), this,
                   [this] { QGuiApplication::clipboard()->setText(m_model->text()); });
    menu.exec(m_table->viewport()->mapToGlobal(position));
}

void ComparePage::dragEnterEvent(QDragEnterEvent* event) {
    if (!droppedModel(event->mimeData()).isEmpty()) event->acceptProposedAction();
}

void ComparePage::dropEvent(QDropEvent* event) {
    const QString folder = droppedModel(event->mimeData());
    if (folder.isEmpty()) return;
    event->acceptProposedAction();
    addFolder(folder);
}

} // namespace bitloom::ui
