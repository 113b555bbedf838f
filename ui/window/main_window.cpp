// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "ui/window/main_window.h"

#include "ui/dialogs/analyze_dialog.h"
#include "ui/dialogs/guide_dialog.h"
#include "ui/dialogs/model_dialog.h"
#include "ui/dialogs/pin_dialog.h"
#include "ui/dialogs/preferences_dialog.h"
#include "ui/dialogs/why_dialog.h"
#include "ui/docks/layers_panel.h"
#include "ui/engine_client/engine_client.h"
#include "ui/state/jobs.h"
#include "ui/state/session.h"
#include "ui/state/settings.h"
#include "ui/theme/icons.h"
#include "ui/window/budget_bar.h"
#include "ui/window/engine_banner.h"
#include "ui/window/engine_jobs.h"
#include "ui/window/explore_page.h"
#include "ui/window/status_line.h"
#include "ui/window/welcome_page.h"

#include <QAction>
#include <QComboBox>
#include <QCoreApplication>
#include <QDockWidget>
#include <QEvent>
#include <QLayout>
#include <QStackedWidget>
#include <QVBoxLayout>

namespace bitloom::ui {

MainWindow::MainWindow(Workbench& workbench, LogBuffer& log, Places places, QWidget* parent)
    : QMainWindow(parent), m_workbench(workbench), m_log(log), m_places(std::move(places)) {
    setObjectName(QStringLiteral("mainWindow"));
    setWindowIcon(applicationIcon());
    setAcceptDrops(true);
    setDockOptions(AllowTabbedDocks | AllowNestedDocks | GroupedDragging);
    setTabPosition(Qt::AllDockWidgetAreas, QTabWidget::North);
    setUnifiedTitleAndToolBarOnMac(false);
    resize(1440, 900);
    m_engineJobs = new EngineJobs(workbench, this);
    m_status = new StatusLine(workbench, log);
    setStatusBar(m_status);
    m_pages = new QStackedWidget;
    m_pages->setObjectName(QStringLiteral("pages"));
    m_welcome = new WelcomePage(workbench, m_places.sampleFolder);
    m_explore = new ExplorePage(workbench);
    m_pages->addWidget(m_welcome);
    m_pages->addWidget(m_explore);
    auto* centre = new QWidget;
    auto* column = new QVBoxLayout(centre);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(0);
    column->addWidget(new EngineBanner(workbench));
    column->addWidget(m_pages, 1);
    setCentralWidget(centre);

    makeMenus();
    makeToolBar();
    m_budget = new BudgetBar(workbench);
    addToolBarBreak();
    addToolBar(m_budget);
    makePanels();
    adoptPlots(m_welcome);
    addLayout({QStringLiteral("explore"),
               tr("Explore"),
               m_explore,
               {QStringLiteral("layers"), QStringLiteral("plan"), QStringLiteral("pareto"),
                QStringLiteral("jobs"), QStringLiteral("log")},
               QKeySequence(Qt::CTRL | Qt::Key_1),
               QStringLiteral("pareto")});
    m_layout = QStringLiteral("explore");

    connect(m_welcome, &WelcomePage::openRequested, this, &MainWindow::chooseModel);
    connect(m_welcome, &WelcomePage::sampleRequested, this, &MainWindow::openSample);
    connect(m_welcome, &WelcomePage::modelChosen, this, &MainWindow::openModel);
    connect(m_explore, &ExplorePage::pinRequested, this, [this] { pinSelection({}); });
    connect(m_explore, &ExplorePage::analyzeRequested, this, [this] { m_engineJobs->analyze(); });
    connect(m_status, &StatusLine::logRequested, this, [this] {
        dock(QStringLiteral("log"))->show();
        dock(QStringLiteral("log"))->raise();
    });
    connect(&workbench, &Workbench::phaseChanged, this, [this] {
        const auto phase = m_workbench.phase();
        if (m_workbench.hasModel() && phase != Workbench::Phase::Opening &&
            phase != Workbench::Phase::Failed && m_workbench.engineIsHome())
            m_workbench.settings().addRecentModel(m_workbench.model()->folder);
        if (m_opening && phase != Workbench::Phase::Opening)
            sessionOpened();
        else if (m_workbench.hasModel() && !m_workbench.error().what.isEmpty())
            openingCameToNothing();
        updatePage();
        updateActions();
        updateTitle();
        // The first page says what went wrong by itself; over a model that stays open a box does.
        const Workbench::Problem problem = m_workbench.error();
        if (m_workbench.hasModel() && !problem.what.isEmpty())
            tellProblem(tr("The model could not be opened"),
                        QStringList{problem.what, problem.hint}.join(QLatin1Char('\n')).trimmed());
    });
    for (auto signal : {&Workbench::planSettled, &Workbench::engineChanged,
                        &Workbench::presetsChanged, &Workbench::decisionChanged})
        connect(&workbench, signal, this, &MainWindow::updateActions);
    connect(&workbench.jobs(), &JobList::activeChanged, this, &MainWindow::updateActions);
    connect(&workbench, &Workbench::modifiedChanged, this, &MainWindow::updateTitle);
    connect(&workbench, &Workbench::planSettled, this, &MainWindow::updateTitle);
    connect(&workbench, &Workbench::layerSelected, this, &MainWindow::updateActions);

    if (const QByteArray geometry = workbench.settings().windowGeometry(); !geometry.isEmpty())
        restoreGeometry(geometry);
    updatePage();
    updateActions();
    updatePresetBox();
    updateTitle();
}

MainWindow::~MainWindow() {
    // Nothing may reach the window's own slots while its parts go.
    m_workbench.disconnect(this);
    m_workbench.jobs().disconnect(this);
    if (m_autosave) m_autosave->setCompletion({});
    // Pages and panels first: whatever else belongs to the window, they may still be reading it.
    delete takeCentralWidget();
    for (QDockWidget* dock : std::as_const(m_docks))
        delete dock;
}

void MainWindow::startEngine() {
    m_engineJobs->startEngine();
    if (EngineClient* engine = m_workbench.engine())
        connect(engine, &EngineClient::stateChanged, this, &MainWindow::updateActions);
    updateActions();
}

void MainWindow::setAutosave(Autosave* autosave) {
    m_autosave = autosave;
    m_status->setAutosave(autosave);
    autosave->setCompletion([this](Session& session) { completeSession(session); });
}

QDialog* MainWindow::makeDialog(const QString& id) {
    QDialog* dialog = nullptr;
    const bool plan = m_workbench.hasPlan();
    if (id == QLatin1String("preferences")) dialog = new PreferencesDialog(m_workbench, this);
    if (id == QLatin1String("guide")) dialog = new GuideDialog(allActions(), this);
    if (id == QLatin1String("analyze") && m_workbench.hasModel())
        dialog = new AnalyzeDialog(m_workbench, this);
    if (id == QLatin1String("model") && m_workbench.hasModel())
        dialog = new ModelDialog(m_workbench, this);
    if (id == QLatin1String("pin") && plan)
        dialog = new PinDialog(m_workbench, m_layers->selectedLayers(), this);
    if (id == QLatin1String("why") && plan && m_workbench.selectedLayer() >= 0) {
        const auto& channels = m_workbench.selectedChannels();
        dialog = new WhyDialog(m_workbench, m_workbench.selectedLayer(),
                               channels.empty() ? 0 : channels.front().first, this);
    }
    if (dialog) dialog->setAttribute(Qt::WA_DeleteOnClose);
    return dialog;
}

void MainWindow::changeEvent(QEvent* event) {
    QMainWindow::changeEvent(event);
    // Queued: what is in the window hears of the font after it.
    if (event->type() == QEvent::FontChange && m_titleLabel)
        QMetaObject::invokeMethod(this, &MainWindow::fontChanged, Qt::QueuedConnection);
}

void MainWindow::fontChanged() {
    updateTitle();
    // Qt keeps combo boxes' least sizes, and layouts in hidden pages, as they were, and with them
    // the window's least size.
    for (QComboBox* box : findChildren<QComboBox*>()) {
        QEvent event(QEvent::StyleChange);
        QCoreApplication::sendEvent(box, &event);
    }
    for (QLayout* layout : findChildren<QLayout*>())
        layout->invalidate();
    for (QWidget* widget : findChildren<QWidget*>())
        widget->updateGeometry();
    for (const QDockWidget* dock : std::as_const(m_docks))
        dock->layout()->activate(); // which fixes its least size, shown or not
}

} // namespace bitloom::ui
