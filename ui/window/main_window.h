// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "ui/state/workbench.h"

#include <QHash>
#include <QMainWindow>
#include <QStringList>

#include <functional>
#include <memory>

class QActionGroup;
class QComboBox;
class QDockWidget;
class QLabel;
class QMenu;
class QStackedWidget;
class QToolButton;

namespace bitloom::ui {

class Autosave;
class BudgetBar;
class EngineJobs;
class ExplorePage;
class JobsPanel;
class LayersPanel;
class LogBuffer;
class LogPanel;
class ParetoPanel;
class PlanPanel;
class PlotView;
struct Session;
class StatusLine;
class WelcomePage;

/// The window: tool bars, docks, layouts, and every action of the program. Panels are independent
/// of each other; they meet in the workbench.
///
/// Room for more: `addPanel` makes a dock, `addLayout` a page with a button and a shortcut
/// (Compare, Chat), `setExport` lights up Export….
class MainWindow : public QMainWindow {
    Q_OBJECT
public:
    struct Places {
        QString sampleFolder; ///< of the bundled model; empty: no sample is offered
    };
    MainWindow(Workbench& workbench, LogBuffer& log, Places places, QWidget* parent = nullptr);
    ~MainWindow() override;

    /// A dock with an entry in the View menu. `id` names it in saved layouts, for good.
    QDockWidget* addPanel(const QString& id, const QString& title, QWidget* panel,
                          Qt::DockWidgetArea area, const QKeySequence& shortcut);
    /// A layout: which docks are shown around which central page.
    struct ViewLayout {
        QString id, title;
        QWidget* page = nullptr; ///< shown in the centre while a model is open
        QStringList docks;       ///< ids of the docks shown with it at first
        QKeySequence shortcut;
        QString front; ///< id of the dock that lies on top of its tabs; may be empty
    };
    void addLayout(const ViewLayout& layout);
    void setLayoutId(const QString& id);
    QString layoutId() const { return m_layout; }
    QStringList layoutIds() const;
    void resetLayout();
    /// What Export… does; until it is set the action is not shown.
    void setExport(std::function<void()> run);
    /// What Measure (of the present plan) and Measure again do, and whether they can.
    struct Measuring {
        std::function<void()> plan, again;
        std::function<bool()> possible, repeatable;
    };
    void setMeasuring(Measuring measuring);
    /// What the rooms keep in a session file, and take from one once its model is there.
    void setSessionParts(std::function<void(Session&)> keep,
                         std::function<void(const Session&)> take);

    void openModel(const QString& path);
    void openSample();
    /// Asks for the folder where it moved, and for the engine where that is another one.
    void openSession(const QString& path);
    /// The same for a copy that the program kept by itself: the session goes on to be saved where
    /// the user saved it. `ask` false: where the model is gone this is said and nothing is opened.
    bool restoreSession(const QString& path, bool ask);
    bool saveSession(const QString& path);
    void setAutosave(Autosave* autosave); ///< must outlive the window
    /// Starts `bitloom serve`. Without, nothing can be analyzed or measured.
    void startEngine();

    QAction* action(const QString& id) const; ///< nullptr for an unknown one
    QList<QAction*> allActions() const;       ///< those of the menus
    BudgetBar* budgetBar() const { return m_budget; }
    ExplorePage* explorePage() const { return m_explore; }
    LayersPanel* layersPanel() const { return m_layers; }
    PlanPanel* planPanel() const { return m_plan; }
    ParetoPanel* paretoPanel() const { return m_pareto; }
    LogPanel* logPanel() const { return m_logPanel; }
    JobsPanel* jobsPanel() const { return m_jobs; }
    WelcomePage* welcomePage() const { return m_welcome; }
    QDockWidget* dock(const QString& id) const { return m_docks.value(id); }
    EngineJobs* engineJobs() const { return m_engineJobs; }
    QDialog* makeDialog(const QString& id); ///< "pin", "analyze", …: for screenshots and tests

protected:
    void closeEvent(QCloseEvent* event) override;
    void dragEnterEvent(QDragEnterEvent* event) override;
    void dropEvent(QDropEvent* event) override;
    void changeEvent(QEvent* event) override;

private:
    // main_window_actions.cpp
    QAction* addAction(QMenu* menu, const QString& id, const QString& text, const char* icon,
                       const QKeySequence& shortcut, std::function<void()> run);
    void makeMenus();
    void makeToolBar();
    void updateActions();
    void fillRecentMenu();
    void fillPresetMenu();
    void updatePresetBox();
    // main_window_layout.cpp
    void makePanels();
    void adoptPlots(QWidget* page);
    void updatePage();
    void applyDocks(const ViewLayout& layout);
    void rememberLayout();
    const ViewLayout* layoutOf(const QString& id) const;
    void updateTitle();
    void fontChanged();
    PlotView* plotInFocus() const;
    void togglePlotTable();
    // main_window_files.cpp
    QString sampleFolder() const; ///< on the engine's machine
    void chooseModel();
    void chooseSession();
    void saveSessionAs();
    void savePlanFile(const QString& preset);
    void copyCommand();
    bool confirmClose();
    bool loadSession(const QString& path, Session& session);
    bool openSession(const Session& session, bool ask);
    bool takeEngineOf(const Session& session, bool ask);
    bool locateModel(bool ask);
    void sessionOpened();
    void rememberBefore();
    void openingCameToNothing();
    void stopOpening();
    void completeSession(Session& session) const;
    void showError(const QString& what, const QString& hint);
    void tellProblem(const QString& what, const QString& details); ///< does not wait for an answer
    // main_window_plans.cpp
    void pinSelection(const QList<int>& layers);
    void unpinSelection(const QList<int>& layers);
    void savePresetAs();
    void renamePreset(QString name);
    void deletePreset(QString name);
    void why(int layer);
    void stopNearest();

    Workbench& m_workbench;
    LogBuffer& m_log;
    Places m_places;
    Autosave* m_autosave = nullptr;
    EngineJobs* m_engineJobs = nullptr;
    BudgetBar* m_budget = nullptr;
    StatusLine* m_status = nullptr;
    QStackedWidget* m_pages = nullptr;
    WelcomePage* m_welcome = nullptr;
    ExplorePage* m_explore = nullptr;
    LayersPanel* m_layers = nullptr;
    PlanPanel* m_plan = nullptr;
    ParetoPanel* m_pareto = nullptr;
    JobsPanel* m_jobs = nullptr;
    LogPanel* m_logPanel = nullptr;
    QLabel* m_titleLabel = nullptr;
    QComboBox* m_presets = nullptr;
    QMenu *m_recentMenu = nullptr, *m_presetMenu = nullptr, *m_viewMenu = nullptr,
          *m_dockMenu = nullptr;
    QToolBar* m_tools = nullptr;
    QWidget* m_segments = nullptr;
    QAction* m_segmentsAction = nullptr;
    QActionGroup* m_layoutGroup = nullptr;
    QHash<QString, QAction*> m_actions;
    QStringList m_actionOrder;
    QHash<QString, QDockWidget*> m_docks;
    QStringList m_dockOrder;
    std::vector<ViewLayout> m_layouts;
    QString m_layout, m_sessionFile;
    std::function<void()> m_export;
    Measuring m_measuring;
    std::function<void(Session&)> m_keepParts;
    std::function<void(const Session&)> m_takeParts;
    std::unique_ptr<Session> m_opening; ///< a session whose model is on its way
    bool m_openingAsks = true;          ///< the user may be asked about it
    /// Of the model that stays open where another one does not come.
    struct Before {
        QString sessionFile;
        QuantizeOptions options;
    } m_before;
    bool m_docksShown = false;

    /// Of saved docks; raised when they change so that old states no longer fit.
    static constexpr int stateVersion = 1;
};

} // namespace bitloom::ui
