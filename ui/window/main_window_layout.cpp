// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors

// Docks, layouts and the title.
#include "ui/window/main_window.h"

#include "ui/docks/jobs_panel.h"
#include "ui/docks/layers_panel.h"
#include "ui/docks/log_panel.h"
#include "ui/docks/pareto_panel.h"
#include "ui/docks/plan_panel.h"
#include "ui/models/texts.h"
#include "ui/plots/channel_plot.h"
#include "ui/plots/plot_paint.h"
#include "ui/plots/plot_view.h"
#include "ui/state/jobs.h"
#include "ui/state/session.h"
#include "ui/state/settings.h"
#include "ui/window/engine_jobs.h"
#include "ui/window/explore_page.h"
#include "ui/window/status_line.h"
#include "ui/window/welcome_page.h"

#include <QAction>
#include <QActionGroup>
#include <QApplication>
#include <QDockWidget>
#include <QFontMetrics>
#include <QHBoxLayout>
#include <QLabel>
#include <QMenu>
#include <QMenuBar>
#include <QScrollArea>
#include <QStackedWidget>
#include <QTabBar>
#include <QToolButton>

#include <algorithm>
#include <numeric>

namespace bitloom::ui {

void MainWindow::makePanels() {
    // The plan has the full height on the right; the tabs below reach to the left edge.
    setCorner(Qt::BottomRightCorner, Qt::RightDockWidgetArea);
    setCorner(Qt::TopRightCorner, Qt::RightDockWidgetArea);
    setCorner(Qt::BottomLeftCorner, Qt::BottomDockWidgetArea);
    m_layers = new LayersPanel(m_workbench);
    m_plan = new PlanPanel(m_workbench);
    m_pareto = new ParetoPanel(m_workbench);
    m_jobs = new JobsPanel(m_workbench.jobs());
    m_logPanel = new LogPanel(m_log);
    const auto key = [](Qt::Key code) { return QKeySequence(Qt::ALT | code); };
    addPanel(QStringLiteral("layers"), tr("Layers"), m_layers, Qt::LeftDockWidgetArea,
             key(Qt::Key_1));
    addPanel(QStringLiteral("plan"), tr("Plan"), m_plan, Qt::RightDockWidgetArea, key(Qt::Key_2));
    addPanel(QStringLiteral("pareto"), tr("Pareto"), m_pareto, Qt::BottomDockWidgetArea,
             key(Qt::Key_3));
    addPanel(QStringLiteral("jobs"), tr("Jobs"), m_jobs, Qt::BottomDockWidgetArea, key(Qt::Key_4));
    addPanel(QStringLiteral("log"), tr("Log"), m_logPanel, Qt::BottomDockWidgetArea,
             key(Qt::Key_5));

    connect(m_layers, &LayersPanel::pinRequested, this,
            [this] { pinSelection(m_layers->selectedLayers()); });
    connect(m_layers, &LayersPanel::unpinRequested, this,
            [this] { unpinSelection(m_layers->selectedLayers()); });
    connect(m_layers, &LayersPanel::whyRequested, this, &MainWindow::why);
    connect(m_plan, &PlanPanel::pinRequested, this,
            [this] { pinSelection(m_layers->selectedLayers()); });
    connect(m_pareto, &ParetoPanel::measureRequested, action(QStringLiteral("measure")),
            &QAction::trigger);
    connect(m_pareto, &ParetoPanel::renameRequested, this, &MainWindow::renamePreset);
    connect(m_pareto, &ParetoPanel::deleteRequested, this, &MainWindow::deletePreset);
    connect(m_pareto, &ParetoPanel::exportRequested, this, &MainWindow::savePlanFile);
    connect(m_logPanel, &LogPanel::failed, &m_workbench, &Workbench::message);
    const auto jobsTitle = [this] {
        const int count = m_workbench.jobs().activeCount();
        dock(QStringLiteral("jobs"))
            ->setWindowTitle(count > 0 ? tr("Jobs (%1)").arg(count) : tr("Jobs"));
    };
    connect(&m_workbench.jobs(), &JobList::activeChanged, this, jobsTitle);
}

QDockWidget* MainWindow::addPanel(const QString& id, const QString& title, QWidget* panel,
                                  Qt::DockWidgetArea area, const QKeySequence& shortcut) {
    auto* made = new QDockWidget(title, this);
    made->setObjectName(QStringLiteral("dock-") % id);
    made->setWidget(panel);
    adoptPlots(panel);
    made->hide();
    addDockWidget(area, made);
    for (auto* button : made->findChildren<QAbstractButton*>(QString(), Qt::FindDirectChildrenOnly))
        button->setAccessibleName(
            (button->objectName() == QLatin1String("qt_dockwidget_closebutton")
                 ? tr("Close panel %1")
                 : tr("Detach panel %1"))
                .arg(title));
    // Panels that share a place have tabs that name them: a title below the tabs is one too many.
    if (area == Qt::BottomDockWidgetArea) {
        auto* none = new QWidget(made);
        made->setTitleBarWidget(none);
        connect(made, &QDockWidget::topLevelChanged, made, [made, none](bool floating) {
            made->setTitleBarWidget(floating ? nullptr : none);
        });
    }
    // Several in one area become tabs.
    for (const QString& other : m_dockOrder)
        if (dockWidgetArea(m_docks[other]) == area && area == Qt::BottomDockWidgetArea) {
            tabifyDockWidget(m_docks[other], made);
            break;
        }
    m_docks.insert(id, made);
    m_dockOrder.append(id);
    QAction* toggle = made->toggleViewAction();
    toggle->setObjectName(QStringLiteral("panel-") % id);
    toggle->setShortcut(shortcut);
    m_dockMenu->addAction(toggle);
    m_actions.insert(toggle->objectName(), toggle);
    m_actionOrder.append(toggle->objectName());
    return made;
}

void MainWindow::addLayout(const ViewLayout& layout) {
    m_layouts.push_back(layout);
    if (layout.page && m_pages->indexOf(layout.page) < 0) m_pages->addWidget(layout.page);
    adoptPlots(layout.page);
    auto* choose = new QAction(layout.title, this);
    choose->setObjectName(QStringLiteral("layout-") % layout.id);
    choose->setCheckable(true);
    choose->setEnabled(m_workbench.hasModel());
    choose->setShortcut(layout.shortcut);
    choose->setToolTip(
        tr("%1 (%2)").arg(layout.title, layout.shortcut.toString(QKeySequence::NativeText)));
    m_layoutGroup->addAction(choose);
    m_viewMenu->insertAction(m_dockMenu->menuAction(), choose);
    m_actions.insert(choose->objectName(), choose);
    m_actionOrder.append(choose->objectName());
    connect(choose, &QAction::triggered, this, [this, id = layout.id] { setLayoutId(id); });
    auto* button = new QToolButton;
    button->setDefaultAction(choose);
    button->setObjectName(QStringLiteral("segment-") % layout.id);
    button->setAccessibleName(tr("Layout %1").arg(layout.title));
    button->setToolButtonStyle(Qt::ToolButtonTextOnly);
    button->setFocusPolicy(Qt::TabFocus);
    m_segments->layout()->addWidget(button);
    const QList<QToolButton*> all = m_segments->findChildren<QToolButton*>();
    for (int i = 0; i < all.size(); ++i)
        all[i]->setProperty("segment", i == 0 ? -1 : i + 1 == all.size() ? 1 : 0);
    // One choice is none.
    m_segmentsAction->setVisible(all.size() > 1);
    choose->setVisible(all.size() > 1);
    for (const ViewLayout& other : m_layouts)
        m_actions[QStringLiteral("layout-") % other.id]->setVisible(m_layouts.size() > 1);
}

/// Ctrl+T is the window's, for the plot in focus: one shortcut of every plot would be ambiguous.
void MainWindow::adoptPlots(QWidget* page) {
    if (!page) return;
    for (PlotView* view : page->findChildren<PlotView*>())
        if (auto* table = view->findChild<QAction*>(QStringLiteral("showAsTable")))
            table->setShortcuts(QList<QKeySequence>());
}

const MainWindow::ViewLayout* MainWindow::layoutOf(const QString& id) const {
    for (const ViewLayout& layout : m_layouts)
        if (layout.id == id) return &layout;
    return nullptr;
}

QStringList MainWindow::layoutIds() const {
    QStringList ids;
    for (const ViewLayout& layout : m_layouts)
        ids.append(layout.id);
    return ids;
}

void MainWindow::setLayoutId(const QString& id) {
    const ViewLayout* layout = layoutOf(id);
    if (!layout) return;
    rememberLayout();
    m_layout = id;
    m_docksShown = false;
    updatePage();
    // Where the work is: what is typed next must not land in whatever comes first by Tab.
    if (layout->page && layout->page->isVisible()) layout->page->setFocus(Qt::OtherFocusReason);
}

void MainWindow::applyDocks(const ViewLayout& layout) {
    const QFontMetrics metrics(font());
    const int digit = metrics.horizontalAdvance(QLatin1Char('0'));
    QDockWidget *layers = dock(QStringLiteral("layers")), *plan = dock(QStringLiteral("plan"));
    const bool both = layout.docks.contains(QStringLiteral("layers")) &&
                      layout.docks.contains(QStringLiteral("plan"));
    // In a narrow window, or with large letters, both would leave nothing to what is between them.
    const bool narrow = width() < digit * 160;
    if (dockWidgetArea(plan) != Qt::RightDockWidgetArea)
        addDockWidget(Qt::RightDockWidgetArea, plan);
    if (both && narrow) tabifyDockWidget(layers, plan);
    for (const QString& id : m_dockOrder)
        m_docks[id]->setVisible(layout.docks.contains(id));
    if (both && narrow) layers->raise();
    if (QDockWidget* front = m_docks.value(layout.front)) front->raise();
    if (both && narrow)
        resizeDocks({layers}, {std::min(digit * 41, width() * 2 / 5)}, Qt::Horizontal);
    else if (both)
        resizeDocks({layers, plan}, {digit * 41, digit * 41}, Qt::Horizontal);
    // Above each other at the right: every panel what it needs, the last one the rest.
    QList<QDockWidget*> stacked;
    QList<int> heights;
    for (const QString& id : m_dockOrder)
        if (layout.docks.contains(id) && dockWidgetArea(m_docks[id]) == Qt::RightDockWidgetArea) {
            const auto* scroll = qobject_cast<QScrollArea*>(m_docks[id]->widget());
            const QWidget* panel = scroll ? scroll->widget() : m_docks[id]->widget();
            stacked.append(m_docks[id]);
            heights.append(panel->sizeHint().height() + 2 * metrics.height());
        }
    if (stacked.size() > 1) {
        const int others = std::accumulate(heights.begin(), heights.end() - 1, 0);
        const int room = m_pages->height();
        heights.last() = std::max(room / 4, room - others);
        resizeDocks(stacked, heights, Qt::Vertical);
    }
    if (layout.docks.contains(QStringLiteral("pareto")))
        resizeDocks({dock(QStringLiteral("pareto"))}, {height() * 26 / 100}, Qt::Vertical);
}

void MainWindow::rememberLayout() {
    if (m_docksShown) m_workbench.settings().setWindowState(m_layout, saveState(stateVersion));
}

void MainWindow::updatePage() {
    // Welcome has no docks; a model brings those of the layout, as they were left.
    const bool model = m_workbench.hasModel();
    const ViewLayout* layout = layoutOf(m_layout);
    if (!model) {
        rememberLayout();
        m_docksShown = false;
        for (const QString& id : m_dockOrder)
            m_docks[id]->hide();
        m_pages->setCurrentWidget(m_welcome);
    } else if (layout) {
        m_pages->setCurrentWidget(layout->page ? layout->page : m_explore);
        if (!m_docksShown) {
            const QByteArray state = m_workbench.settings().windowState(m_layout);
            if (state.isEmpty() || !restoreState(state, stateVersion)) applyDocks(*layout);
            m_docksShown = true;
        }
    }
    // Tab bars of docks are made by Qt when they are needed, without a name.
    for (QTabBar* bar : findChildren<QTabBar*>(QString(), Qt::FindDirectChildrenOnly))
        bar->setAccessibleName(tr("Choose a panel"));
    for (const QString& id : m_dockOrder)
        m_docks[id]->toggleViewAction()->setEnabled(model);
    for (const ViewLayout& other : m_layouts) {
        QAction* choose = m_actions.value(QStringLiteral("layout-") % other.id);
        if (!choose) continue;
        choose->setEnabled(model);
        choose->setChecked(other.id == m_layout);
    }
}

void MainWindow::resetLayout() {
    m_workbench.settings().clearWindowStates();
    if (const ViewLayout* layout = layoutOf(m_layout)) {
        for (const QString& id : m_dockOrder) {
            m_docks[id]->setFloating(false);
        }
        applyDocks(*layout);
    }
}

void MainWindow::updateTitle() {
    QString detail, file;
    const auto& model = m_workbench.model();
    if (m_workbench.hasPlan()) {
        detail = tr("%1 bits/weight").arg(fixedText(m_workbench.figures().bitsPerWeight, 2));
        if (m_workbench.isModified()) detail += QStringLiteral(", ") % tr("modified");
    }
    const QString name = model ? model->title : QStringLiteral("bitloom-studio");
    const QFontMetrics metrics(boldened(m_titleLabel->font()));
    const QString bold =
        QStringLiteral("<b>%1</b>")
            .arg(metrics.elidedText(name, Qt::ElideMiddle, metrics.averageCharWidth() * 40)
                     .toHtmlEscaped());
    m_titleLabel->setText(detail.isEmpty() ? bold : QStringLiteral("%1, %2").arg(bold, detail));
    // A menu bar asks its corner widget for its size only when it is told to lay out again.
    m_titleLabel->setFixedWidth(m_titleLabel->sizeHint().width());
    menuBar()->setCornerWidget(m_titleLabel);
    m_titleLabel->show();
    setWindowTitle(model ? tr("%1[*] — Bitloom").arg(name) : QStringLiteral("Bitloom[*]"));
    setWindowModified(m_workbench.isModified());
}

PlotView* MainWindow::plotInFocus() const {
    for (QWidget* widget = QApplication::focusWidget(); widget; widget = widget->parentWidget())
        if (auto* view = qobject_cast<PlotView*>(widget)) return view;
    return m_explore->channels();
}

void MainWindow::togglePlotTable() {
    PlotView* view = plotInFocus();
    view->setTableShown(!view->isTableShown());
}

void MainWindow::setSessionParts(std::function<void(Session&)> keep,
                                 std::function<void(const Session&)> take) {
    m_keepParts = std::move(keep);
    m_takeParts = std::move(take);
}

void MainWindow::setMeasuring(Measuring measuring) {
    m_measuring = std::move(measuring);
    updateActions();
}

void MainWindow::setExport(std::function<void()> run) {
    m_export = std::move(run);
    action(QStringLiteral("export"))->setVisible(bool(m_export));
}

} // namespace bitloom::ui
