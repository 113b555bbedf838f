// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors

// Menus, the tool bar, and when each action can be used.
#include "ui/window/main_window.h"

#include "ui/docks/layers_panel.h"
#include "ui/docks/pareto_panel.h"
#include "ui/engine_client/engine_client.h"
#include "ui/models/texts.h"
#include "ui/state/jobs.h"
#include "ui/state/settings.h"
#include "ui/theme/icons.h"
#include "ui/window/budget_bar.h"
#include "ui/window/engine_jobs.h"

#include <QAction>
#include <QActionGroup>
#include <QApplication>
#include <QComboBox>
#include <QDialog>
#include <QDockWidget>
#include <QFileInfo>
#include <QHBoxLayout>
#include <QLabel>
#include <QMenu>
#include <QMenuBar>
#include <QMessageBox>
#include <QToolBar>
#include <QToolButton>
#include <QUndoView>
#include <QWhatsThis>

namespace bitloom::ui {

QAction* MainWindow::addAction(QMenu* menu, const QString& id, const QString& text,
                               const char* icon, const QKeySequence& shortcut,
                               std::function<void()> run) {
    auto* action = new QAction(text, this);
    action->setObjectName(id);
    if (icon && *icon) action->setIcon(symbol(icon));
    action->setIconVisibleInMenu(false);
    if (!shortcut.isEmpty()) {
        action->setShortcut(shortcut);
        QString plain = text;
        plain.remove(QLatin1Char('&'));
        action->setToolTip(tr("%1 (%2)").arg(plain, shortcut.toString(QKeySequence::NativeText)));
    }
    if (run) connect(action, &QAction::triggered, this, run);
    menu->addAction(action);
    m_actions.insert(id, action);
    m_actionOrder.append(id);
    return action;
}

QAction* MainWindow::action(const QString& id) const {
    return m_actions.value(id);
}

QList<QAction*> MainWindow::allActions() const {
    QList<QAction*> list;
    for (const QString& id : m_actionOrder)
        list.append(m_actions.value(id));
    return list;
}

void MainWindow::makeMenus() {
    const auto id = [](const char* text) { return QString::fromLatin1(text); };
    const auto key = [](QKeyCombination code) { return QKeySequence(code); };
    const auto dialog = [this](const char* which) {
        return [this, which = QString::fromLatin1(which)] {
            if (QDialog* made = makeDialog(which)) made->open();
        };
    };

    QMenu* file = menuBar()->addMenu(tr("&File"));
    addAction(file, id("open"), tr("&Open…"), "open", key(Qt::CTRL | Qt::Key_O),
              [this] { chooseModel(); });
    m_recentMenu = file->addMenu(tr("Open &recent"));
    connect(m_recentMenu, &QMenu::aboutToShow, this, &MainWindow::fillRecentMenu);
    addAction(file, id("sample"), tr("Open the sam&ple"), "sample", {}, [this] { openSample(); });
    file->addSeparator();
    addAction(file, id("openSession"), tr("Open &session…"), "",
              key(Qt::CTRL | Qt::SHIFT | Qt::Key_O), [this] { chooseSession(); });
    addAction(file, id("saveSession"), tr("&Save session"), "save", key(Qt::CTRL | Qt::Key_S),
              [this] {
                  if (m_sessionFile.isEmpty())
                      saveSessionAs();
                  else
                      saveSession(m_sessionFile);
              });
    addAction(file, id("saveSessionAs"), tr("Save session &as…"), "",
              key(Qt::CTRL | Qt::SHIFT | Qt::Key_S), [this] { saveSessionAs(); });
    file->addSeparator();
    addAction(file, id("export"), tr("&Export…"), "export", key(Qt::CTRL | Qt::Key_E), [this] {
        if (m_export) m_export();
    });
    addAction(file, id("savePlan"), tr("Save p&lan file…"), "", {}, [this] { savePlanFile({}); });
    file->addSeparator();
    addAction(file, id("close"), tr("&Close model"), "", key(Qt::CTRL | Qt::Key_W),
              [this] { m_workbench.closeModel(); });
    addAction(file, id("quit"), tr("&Quit"), "", key(Qt::CTRL | Qt::Key_Q), [this] { close(); });

    QMenu* edit = menuBar()->addMenu(tr("&Edit"));
    QUndoStack* undo = m_workbench.undoStack();
    const auto undoable = [&](QAction* made, const char* name, const char* icon,
                              QKeyCombination code) {
        made->setObjectName(id(name));
        made->setIcon(symbol(icon));
        made->setIconVisibleInMenu(false);
        made->setShortcut(key(code));
        edit->addAction(made);
        m_actions.insert(id(name), made);
        m_actionOrder.append(id(name));
    };
    undoable(undo->createUndoAction(this, tr("&Undo")), "undo", "undo", Qt::CTRL | Qt::Key_Z);
    undoable(undo->createRedoAction(this, tr("&Redo")), "redo", "redo",
             Qt::CTRL | Qt::SHIFT | Qt::Key_Z);
    addAction(edit, id("history"), tr("Undo &list…"), "", {}, [this] {
        auto* list = new QUndoView(m_workbench.undoStack());
        list->setObjectName(QStringLiteral("undoView"));
        list->setAccessibleName(tr("Undo list"));
        list->setEmptyLabel(tr("as opened"));
        list->setWindowTitle(tr("Undo list"));
        list->setAttribute(Qt::WA_DeleteOnClose);
        list->setParent(this, Qt::Tool);
        list->resize(320, 400);
        list->show();
    });
    edit->addSeparator();
    addAction(edit, id("pin"), tr("&Pin…"), "pin", key(Qt::Key_P),
              [this] { pinSelection(m_layers->selectedLayers()); });
    addAction(edit, id("unpin"), tr("U&npin"), "unpin", key(Qt::Key_U),
              [this] { unpinSelection(m_layers->selectedLayers()); });
    edit->addSeparator();
    addAction(edit, id("preferences"), tr("Pre&ferences…"), "settings",
              key(Qt::CTRL | Qt::Key_Comma), dialog("preferences"));

    m_viewMenu = menuBar()->addMenu(tr("&View"));
    m_layoutGroup = new QActionGroup(this);
    m_dockMenu = m_viewMenu->addMenu(tr("&Panels"));
    addAction(m_viewMenu, id("filter"), tr("&Filter layers"), "search", key(Qt::CTRL | Qt::Key_L),
              [this] {
                  dock(QStringLiteral("layers"))->show();
                  dock(QStringLiteral("layers"))->raise();
                  m_layers->focusFilter();
              });
    addAction(m_viewMenu, id("table"), tr("Plot as &table"), "", key(Qt::CTRL | Qt::Key_T),
              [this] { togglePlotTable(); });
    m_viewMenu->addSeparator();
    addAction(m_viewMenu, id("resetLayout"), tr("&Reset layout"), "", {},
              [this] { resetLayout(); });
    QAction* full = addAction(m_viewMenu, id("fullScreen"), tr("F&ull screen"), "fullscreen",
                              key(Qt::Key_F11), {});
    full->setCheckable(true);
    connect(full, &QAction::toggled, this,
            [this](bool on) { on ? showFullScreen() : showNormal(); });

    QMenu* model = menuBar()->addMenu(tr("&Model"));
    addAction(model, id("analyze"), tr("&Analyze"), "analyze", key(Qt::CTRL | Qt::Key_R),
              [this] { m_engineJobs->analyze(); });
    addAction(model, id("analyzeWith"), tr("Analyze &with…"), "",
              key(Qt::CTRL | Qt::SHIFT | Qt::Key_R), dialog("analyze"));
    model->addSeparator();
    addAction(model, id("why"), tr("W&hy these bits?"), "help", key(Qt::CTRL | Qt::Key_I),
              [this] { why(m_workbench.selectedLayer()); });
    addAction(model, id("properties"), tr("&Properties…"), "info", key(Qt::ALT | Qt::Key_Return),
              dialog("model"));

    QMenu* plan = menuBar()->addMenu(tr("&Plan"));
    addAction(plan, id("budgetDown"), tr("Budget &down"), "", key(Qt::Key_BracketLeft),
              [this] { m_budget->step(-0.05); });
    addAction(plan, id("budgetUp"), tr("Budget &up"), "", key(Qt::Key_BracketRight),
              [this] { m_budget->step(0.05); });
    addAction(plan, id("budgetFarDown"), tr("Budget far d&own"), "", key(Qt::Key_BraceLeft),
              [this] { m_budget->step(-0.5); });
    addAction(plan, id("budgetFarUp"), tr("Budget far u&p"), "", key(Qt::Key_BraceRight),
              [this] { m_budget->step(0.5); });
    addAction(plan, id("budgetValue"), tr("&Exact budget"), "", key(Qt::CTRL | Qt::Key_B),
              [this] { m_budget->focusValue(); });
    plan->addSeparator();
    m_presetMenu = plan->addMenu(tr("&Preset"));
    connect(m_presetMenu, &QMenu::aboutToShow, this, &MainWindow::fillPresetMenu);
    addAction(plan, id("savePreset"), tr("&Save as preset…"), "",
              key(Qt::CTRL | Qt::SHIFT | Qt::Key_P), [this] { savePresetAs(); });
    addAction(plan, id("renamePreset"), tr("&Rename preset…"), "rename", key(Qt::Key_F2),
              [this] { renamePreset({}); });
    addAction(plan, id("deletePreset"), tr("De&lete preset"), "delete", {},
              [this] { deletePreset({}); });
    plan->addSeparator();
    addAction(plan, id("copyCommand"), tr("&Copy as command"), "command",
              key(Qt::CTRL | Qt::SHIFT | Qt::Key_C), [this] { copyCommand(); });

    QMenu* run = menuBar()->addMenu(tr("&Run"));
    addAction(run, id("measure"), tr("&Measure"), "measure", key(Qt::CTRL | Qt::Key_M),
              [this] { m_measuring.plan(); });
    addAction(run, id("measureAgain"), tr("Measure a&gain"), "", key(Qt::Key_F5),
              [this] { m_measuring.again(); });
    addAction(run, id("stop"), tr("&Stop"), "stop", key(Qt::Key_Escape), [this] { stopNearest(); });
    run->addSeparator();
    addAction(run, id("restartEngine"), tr("&Restart engine"), "resume", {},
              [this] { m_engineJobs->restartEngine(); });

    QMenu* help = menuBar()->addMenu(tr("&Help"));
    addAction(help, id("guide"), tr("&Guide"), "help", key(Qt::Key_F1), dialog("guide"));
    addAction(help, id("whatsThis"), tr("&What is this?"), "", key(Qt::SHIFT | Qt::Key_F1),
              [] { QWhatsThis::enterWhatsThisMode(); });
    addAction(help, id("about"), tr("&About Bitloom"), "", {}, [this] {
        QMessageBox box(QMessageBox::NoIcon, tr("About Bitloom"),
                        QStringLiteral("<b>Bitloom %1</b>").arg(QStringLiteral(BITLOOM_VERSION)),
                        QMessageBox::Close, this);
        box.setIconPixmap(applicationIcon().pixmap(64, 64));
        box.setInformativeText(
            tr("Quantizes large language models to any number of bits per weight.\n\nThe engine is "
               "under the Apache License 2.0, this application under the GNU GPL, version 3 or "
               "later. It is made with Qt %1 and QCustomPlot.")
                .arg(QString::fromLatin1(qVersion())));
        box.exec();
    });

    m_titleLabel = new QLabel;
    m_titleLabel->setObjectName(QStringLiteral("titleLabel"));
    m_titleLabel->setContentsMargins(8, 6, 16, 0);
    m_titleLabel->setAlignment(Qt::AlignTrailing | Qt::AlignVCenter);
    menuBar()->setCornerWidget(m_titleLabel);
    action(id("export"))->setVisible(false);
}

void MainWindow::makeToolBar() {
    m_tools = addToolBar(tr("Actions"));
    m_tools->setObjectName(QStringLiteral("actionBar"));
    m_tools->setMovable(false);
    m_tools->setContentsMargins(0, 2, 0, 6);
    m_tools->setToolButtonStyle(Qt::ToolButtonTextBesideIcon);
    m_tools->toggleViewAction()->setEnabled(false);
    const auto space = [this](int width) {
        auto* gap = new QWidget;
        if (width > 0)
            gap->setFixedWidth(width);
        else
            gap->setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Preferred);
        m_tools->addWidget(gap);
    };
    const auto add = [this](const char* id, bool text) {
        QAction* made = action(QString::fromLatin1(id));
        m_tools->addAction(made);
        if (auto* button = qobject_cast<QToolButton*>(m_tools->widgetForAction(made))) {
            button->setObjectName(QStringLiteral("tool-") % QString::fromLatin1(id));
            QString name = made->text();
            button->setAccessibleName(name.remove(QLatin1Char('&')));
            if (!text) button->setToolButtonStyle(Qt::ToolButtonIconOnly);
            button->setFocusPolicy(Qt::TabFocus);
        }
    };
    space(8);
    for (const char* id : {"open", "analyze", "measure", "export"})
        add(id, true);
    m_tools->addSeparator();
    add("undo", false);
    add("redo", false);
    m_tools->addSeparator();
    auto* label = new QLabel(tr("P&reset"));
    label->setContentsMargins(8, 0, 8, 0);
    m_presets = new QComboBox;
    m_presets->setObjectName(QStringLiteral("presetBox"));
    m_presets->setAccessibleName(tr("Preset"));
    m_presets->setMinimumWidth(190);
    m_presets->setSizeAdjustPolicy(QComboBox::AdjustToContents);
    label->setBuddy(m_presets);
    m_tools->addWidget(label);
    m_tools->addWidget(m_presets);
    space(0);
    m_segments = new QWidget;
    auto* segments = new QHBoxLayout(m_segments);
    segments->setContentsMargins(0, 0, 8, 0);
    segments->setSpacing(0);
    m_segmentsAction = m_tools->addWidget(m_segments);
    add("preferences", false);
    space(8);

    connect(m_presets, &QComboBox::activated, this, [this](int index) {
        const QString name = m_presets->itemData(index).toString();
        if (!name.isEmpty()) m_workbench.applyPreset(name);
        updatePresetBox();
    });
    for (auto signal :
         {&Workbench::presetsChanged, &Workbench::decisionChanged, &Workbench::phaseChanged})
        connect(&m_workbench, signal, this, &MainWindow::updatePresetBox);
}

void MainWindow::updatePresetBox() {
    const QSignalBlocker blocker(m_presets);
    const bool live = m_workbench.hasPlan();
    m_presets->setEnabled(live);
    if (!live) { // what a model that is not there would start with is nothing to show
        m_presets->clear();
        m_presets->addItem(QStringLiteral("–"), QString());
        return;
    }
    const QString current = m_workbench.currentPreset();
    const QString shown = planName(m_workbench);
    // During a drag only the text of the first entry changes, if anything.
    const auto& presets = m_workbench.presets();
    const bool extra = current.isEmpty();
    bool same = m_presets->count() == int(presets.size()) + (extra ? 1 : 0);
    for (int i = 0; same && i < int(presets.size()); ++i)
        same = m_presets->itemData(i + (extra ? 1 : 0)).toString() == presets[size_t(i)].name;
    if (!same) {
        m_presets->clear();
        if (extra) m_presets->addItem(shown, QString());
        for (const Preset& preset : presets)
            m_presets->addItem(preset.name, preset.name);
    }
    if (extra && m_presets->itemText(0) != shown) m_presets->setItemText(0, shown);
    m_presets->setCurrentIndex(extra ? 0 : m_presets->findData(current));
}

void MainWindow::fillRecentMenu() {
    m_recentMenu->clear();
    const QStringList recent = m_workbench.settings().recentModels();
    for (const QString& folder : recent) {
        const bool there = m_workbench.engineIsRemote() || QFileInfo::exists(folder);
        QAction* open =
            m_recentMenu->addAction(there ? folder : tr("Remove %1 (missing)").arg(folder));
        connect(open, &QAction::triggered, this, [this, folder, there] {
            if (there)
                openModel(folder);
            else
                m_workbench.settings().removeRecentModel(folder);
        });
    }
    if (recent.isEmpty()) m_recentMenu->addAction(tr("none yet"))->setEnabled(false);
}

void MainWindow::fillPresetMenu() {
    m_presetMenu->clear();
    const QString current = m_workbench.currentPreset();
    for (const Preset& preset : m_workbench.presets()) {
        QAction* use =
            m_presetMenu->addAction(tr("%1 (%2)").arg(preset.name, budgetText(preset.decision)));
        use->setCheckable(true);
        use->setChecked(preset.name == current);
        use->setEnabled(m_workbench.hasPlan());
        connect(use, &QAction::triggered, this,
                [this, name = preset.name] { m_workbench.applyPreset(name); });
    }
}

void MainWindow::updateActions() {
    const auto enable = [this](const char* id, bool on) {
        if (QAction* found = action(QString::fromLatin1(id))) found->setEnabled(on);
    };
    const bool model = m_workbench.hasModel(), plan = m_workbench.hasPlan();
    enable("sample", !sampleFolder().isEmpty());
    enable("saveSession", model);
    enable("saveSessionAs", model);
    enable("export", plan);
    enable("savePlan", plan);
    enable("close", model);
    enable("pin", plan);
    enable("unpin", plan && !m_workbench.decision().pins.empty());
    enable("filter", model);
    enable("analyze", m_engineJobs->canAnalyze());
    enable("analyzeWith", m_engineJobs->canAnalyze());
    enable("why", plan && m_workbench.selectedLayer() >= 0);
    enable("properties", model);
    for (const char* id : {"budgetDown", "budgetUp", "budgetFarDown", "budgetFarUp", "budgetValue",
                           "savePreset", "copyCommand"})
        enable(id, plan);
    const QString current = m_workbench.currentPreset();
    bool own = false;
    for (const Preset& preset : m_workbench.presets())
        own = own || (preset.name == current && !preset.builtIn);
    enable("renamePreset", own);
    enable("deletePreset", own);
    enable("measure", m_measuring.possible && m_measuring.possible());
    enable("measureAgain", m_measuring.repeatable && m_measuring.repeatable());
    enable("stop", m_workbench.jobs().activeCount() > 0 ||
                       m_workbench.phase() == Workbench::Phase::Opening);
    enable("restartEngine", m_workbench.engine() != nullptr);
}

} // namespace bitloom::ui
