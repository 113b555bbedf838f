// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "ui/plots/plot_view.h"

#include "core/base/error.h"
#include "ui/plots/figure_dialog.h"
#include "ui/plots/figure_export.h"
#include "ui/plots/number_text.h"
#include "ui/plots/plot_accessible.h"
#include "ui/plots/plot_table_model.h"
#include "ui/plots/state_overlay.h"

#include <QAccessible>
#include <QAction>
#include <QBoxLayout>
#include <QClipboard>
#include <QContextMenuEvent>
#include <QGuiApplication>
#include <QHeaderView>
#include <QKeyEvent>
#include <QMenu>
#include <QTableView>

namespace bitloom::ui {

PlotView::PlotView(QWidget* parent) : QWidget(parent) {
    installPlotAccessibility();
    m_body = new QVBoxLayout(this);
    m_body->setContentsMargins(0, 0, 0, 0);
    m_body->setSpacing(0);
    m_header = new QHBoxLayout;
    m_header->setSpacing(8);
    m_footer = new QHBoxLayout;
    m_footer->setSpacing(8);
    m_body->addLayout(m_header);
    m_strip = new StateStrip(this);
    m_strip->hide();
    m_body->addWidget(m_strip);
    m_body->addLayout(m_footer);
    connect(m_strip, &StateStrip::actionRequested, this, &PlotView::actionRequested);
}

PlotView::~PlotView() = default;

void PlotView::setCanvas(QWidget* canvas, const QString& name) {
    m_canvas = canvas;
    canvas->setParent(this);
    canvas->setAccessibleName(name);
    canvas->setFocusPolicy(Qt::StrongFocus);
    canvas->setMouseTracking(true);
    canvas->installEventFilter(this);
    m_body->insertWidget(1, canvas, 1);
    setFocusProxy(canvas);
    m_overlay = new StateOverlay(this);
    m_overlay->hide();
    connect(m_overlay, &StateOverlay::actionRequested, this, &PlotView::actionRequested);
    m_ring = new FocusRing(this);

    auto* table = new QAction(tr("Show as table"), this);
    table->setObjectName(QStringLiteral("showAsTable"));
    table->setCheckable(true);
    table->setShortcut(QKeySequence(Qt::CTRL | Qt::Key_T));
    table->setShortcutContext(Qt::WidgetWithChildrenShortcut);
    connect(table, &QAction::toggled, this, &PlotView::setTableShown);
    connect(this, &PlotView::tableShownChanged, table, &QAction::setChecked);
    addAction(table);
    auto* copy = new QAction(tr("Copy image"), this);
    connect(copy, &QAction::triggered, this, &PlotView::copyImage);
    auto* save = new QAction(tr("Save figure or data…"), this);
    connect(save, &QAction::triggered, this, &PlotView::saveFigure);
    addAction(copy);
    addAction(save);
    applyTableLook();
}

void PlotView::setTitle(const QString& title) {
    m_title = title;
}

void PlotView::setCaption(const QString& caption) {
    m_caption = caption;
}

void PlotView::setState(const PlotState& state) {
    if (state == m_state) return;
    m_state = state;
    using Kind = PlotState::Kind;
    const bool strip = state.kind == Kind::Partial || state.kind == Kind::Stale;
    const bool covered = !strip && state.kind != Kind::Ready;
    m_strip->setState(state);
    m_strip->setVisible(strip);
    m_overlay->setState(state);
    m_overlay->setVisible(covered && !isTableShown());
    m_overlay->raise();
    if (m_canvas) {
        m_canvas->setFocusPolicy(covered ? Qt::NoFocus : Qt::StrongFocus);
        m_canvas->setAccessibleDescription(summary());
    }
    layoutOverlays();
}

bool PlotView::isTableShown() const {
    return m_table && !m_table->isHidden();
}

void PlotView::setTableShown(bool shown) {
    if (shown == isTableShown() || !m_canvas) return;
    if (!m_table) {
        m_model = new PlotTableModel(*this);
        m_table = new QTableView(this);
        m_table->setModel(m_model);
        m_table->setAccessibleName(tr("%1 as a table").arg(m_canvas->accessibleName()));
        m_table->setAlternatingRowColors(false);
        m_table->setShowGrid(false);
        m_table->setFrameShape(QFrame::NoFrame);
        m_table->setSelectionBehavior(QAbstractItemView::SelectRows);
        m_table->setTabKeyNavigation(false);
        m_table->verticalHeader()->hide();
        m_table->horizontalHeader()->setDefaultAlignment(Qt::AlignTrailing | Qt::AlignVCenter);
        m_table->horizontalHeader()->setHighlightSections(false);
        m_table->horizontalHeader()->setResizeContentsPrecision(64);
        m_body->insertWidget(m_body->indexOf(m_canvas) + 1, m_table, 1);
        applyTableLook();
    } else {
        m_model->refresh();
    }
    const bool focused = m_canvas->hasFocus() || m_table->hasFocus();
    m_canvas->setVisible(!shown);
    m_table->setVisible(shown);
    if (shown) m_table->resizeColumnsToContents();
    QWidget* front = shown ? static_cast<QWidget*>(m_table) : m_canvas;
    setFocusProxy(front);
    if (focused) front->setFocus(Qt::ShortcutFocusReason);
    using Kind = PlotState::Kind;
    m_overlay->setVisible(!shown && m_state.kind != Kind::Ready && m_state.kind != Kind::Partial &&
                          m_state.kind != Kind::Stale);
    layoutOverlays();
    emit tableShownChanged(shown);
}

int PlotView::tableDecimals(int) const {
    return -1;
}

QFont PlotView::smallFont() const {
    QFont small = font();
    if (small.pointSizeF() > 0)
        small.setPointSizeF(small.pointSizeF() * 11 / 13);
    else
        small.setPixelSize(std::max(8, small.pixelSize() * 11 / 13));
    return small;
}

void PlotView::addActions(QMenu& menu) {
    menu.addActions(actions());
}

void PlotView::showContextMenu(const QPoint& position) {
    QMenu menu(this);
    addActions(menu);
    menu.exec(position);
}

void PlotView::copyImage() {
    QGuiApplication::clipboard()->setImage(figureImage(*this, 2));
}

void PlotView::saveFigure() {
    FigureDialog dialog(*this, window());
    if (dialog.exec() != QDialog::Accepted) return;
    try {
        writeFigure(*this, dialog.path(), dialog.format(), dialog.scale());
    } catch (const Error& error) {
        emit failed(QString::fromStdString(error.what()));
    }
}

void PlotView::tellReadout() {
    const QString text = readout();
    const QString description = text.isEmpty() ? summary() : text;
    if (m_canvas->accessibleDescription() != description) {
        m_canvas->setAccessibleDescription(description);
        if (QAccessible::isActive()) {
            QAccessibleEvent event(m_canvas, QAccessible::DescriptionChanged);
            QAccessible::updateAccessibility(&event);
        }
    }
    emit readoutChanged(text);
}

void PlotView::tellTable() {
    if (isTableShown()) m_model->refresh();
    if (m_canvas && readout().isEmpty()) m_canvas->setAccessibleDescription(summary());
}

bool PlotView::canvasEvent(QEvent*) {
    return false;
}

bool PlotView::eventFilter(QObject* object, QEvent* event) {
    if (object != m_canvas) return QWidget::eventFilter(object, event);
    switch (event->type()) {
    case QEvent::Resize:
    case QEvent::Move:
    case QEvent::Show:
    case QEvent::Hide:
        layoutOverlays();
        break;
    case QEvent::FocusIn: {
        // A click shows where it went; the ring is for those who come with the keyboard.
        const Qt::FocusReason reason = static_cast<QFocusEvent*>(event)->reason();
        m_ring->setVisible(reason == Qt::TabFocusReason || reason == Qt::BacktabFocusReason ||
                           reason == Qt::ShortcutFocusReason);
        m_ring->raise();
        break;
    }
    case QEvent::FocusOut:
        m_ring->hide();
        break;
    case QEvent::KeyPress:
        m_ring->show();
        m_ring->raise();
        break;
    case QEvent::MouseButtonPress:
        m_ring->hide();
        break;
    case QEvent::ContextMenu:
        showContextMenu(static_cast<QContextMenuEvent*>(event)->globalPos());
        return true;
    default:
        break;
    }
    return canvasEvent(event);
}

void PlotView::layoutOverlays() {
    if (!m_canvas) return;
    m_overlay->setGeometry(m_canvas->geometry());
    m_ring->setGeometry(m_canvas->geometry());
}

void PlotView::applyTableLook() {
    if (m_table) m_table->verticalHeader()->setDefaultSectionSize(fontMetrics().height() + 9);
}

void PlotView::changeEvent(QEvent* event) {
    QWidget::changeEvent(event);
    switch (event->type()) {
    case QEvent::PaletteChange:
    case QEvent::FontChange:
    case QEvent::LocaleChange:
    case QEvent::StyleChange:
    case QEvent::LayoutDirectionChange:
        if (m_canvas) {
            applyTableLook();
            themeChanged();
            if (isTableShown()) m_model->refresh();
        }
        break;
    default:
        break;
    }
}

} // namespace bitloom::ui
