// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "ui/chat/studio_rooms.h"

#include "core/base/error.h"
#include "ui/chat/chat_page.h"
#include "ui/chat/sampling_panel.h"
#include "ui/chat/token_panel.h"
#include "ui/compare/compare_page.h"
#include "ui/compare/measure.h"
#include "ui/export/detached_jobs.h"
#include "ui/export/export_dialog.h"
#include "ui/export/report_source.h"
#include "ui/state/jobs.h"
#include "ui/state/session.h"
#include "ui/theme/icons.h"
#include "ui/window/main_window.h"
#include "ui/window/speed_jobs.h"

#include <QMenu>
#include <QMenuBar>
#include <QMessageBox>

namespace bitloom::ui {

StudioRooms::StudioRooms(MainWindow& window, Workbench& workbench)
    : QObject(&window), m_window(window), m_workbench(workbench) {
    m_models = new SubjectModels(workbench, this);
    m_measures = new MeasureRuns(workbench, *m_models, this);
    m_export = new ExportRun(workbench, this);
    m_detached = new DetachedJobs(workbench, this);
    m_speed = new SpeedJobs(workbench, this);
    addPages();
    addActions();
    connect(m_export, &ExportRun::finished, this, [this] {
        if (m_export->state() != ExportRun::State::Done) return;
        const QString folder = m_export->request().output();
        m_models->forgetFolder(folder);
        m_compare->folderWritten(folder);
        emit m_workbench.message(tr("Exported to %1").arg(m_export->request().output()));
    });
    connect(m_compare, &ComparePage::chatRequested, this, &StudioRooms::showChat);
    connect(m_compare, &ComparePage::measureRequested, this, [this](const Subject& subject) {
        MeasureRequest start = m_measures->last();
        start.subject = subject;
        openMeasure(start);
    });
    for (auto signal :
         {&Workbench::phaseChanged, &Workbench::engineChanged, &Workbench::planSettled})
        connect(&workbench, signal, this, &StudioRooms::updateActions);
    connect(&workbench.jobs(), &JobList::activeChanged, this, &StudioRooms::updateActions);
    updateActions();
}

void StudioRooms::addPages() {
    m_chat = new ChatPage(m_workbench, *m_models);
    m_compare = new ComparePage(m_workbench, *m_models, *m_measures);
    const auto key = [](Qt::Key code) { return QKeySequence(Qt::ALT | code); };
    const QString sampling = QStringLiteral("sampling"), token = QStringLiteral("token");
    m_window.addPanel(sampling, tr("Sampling"), m_chat->samplingPanel(), Qt::RightDockWidgetArea,
                      key(Qt::Key_6));
    m_window.addPanel(token, tr("Token"), m_chat->tokenPanel(), Qt::RightDockWidgetArea,
                      key(Qt::Key_7));
    m_window.addLayout({QStringLiteral("compare"),
                        tr("Compare"),
                        m_compare,
                        {QStringLiteral("plan"), QStringLiteral("pareto"), QStringLiteral("jobs"),
                         QStringLiteral("log")},
                        QKeySequence(Qt::CTRL | Qt::Key_2),
                        QStringLiteral("pareto")});
    m_window.addLayout({QStringLiteral("chat"),
                        tr("Chat"),
                        m_chat,
                        {sampling, token},
                        QKeySequence(Qt::CTRL | Qt::Key_3),
                        {}});
    m_window.setExport([this] { openExport(); });
    // One path for every measurement; the window's entries are two ways into it.
    MainWindow::Measuring measuring;
    measuring.plan = [this] { m_measures->start({}); };
    measuring.again = [this] { m_measures->start(m_measures->last()); };
    measuring.possible = [this] { return m_measures->canMeasure(MeasureRequest{}); };
    measuring.repeatable = [this] {
        return m_measures->hasMeasured() && m_measures->canMeasure(m_measures->last());
    };
    m_window.setMeasuring(std::move(measuring));
    m_window.setSessionParts([this](Session& session) { session.chat = m_chat->state(); },
                             [this](const Session& session) { m_chat->setState(session.chat); });
    connect(m_chat, &ChatPage::stateEdited, this, [this] {
        if (m_workbench.hasModel()) m_workbench.setModified(true);
    });
}

QAction* StudioRooms::addAction(const QString& behind, const QString& id, const QString& text,
                                const char* icon, const QKeySequence& shortcut) {
    auto* made = new QAction(text, &m_window);
    made->setObjectName(id);
    if (*icon) made->setIcon(symbol(icon));
    made->setIconVisibleInMenu(false);
    made->setShortcut(shortcut);
    QAction* before = m_window.action(behind);
    for (QMenu* menu : m_window.menuBar()->findChildren<QMenu*>()) {
        const QList<QAction*> entries = menu->actions();
        const qsizetype place = entries.indexOf(before);
        if (place < 0) continue;
        menu->insertAction(place + 1 < entries.size() ? entries[place + 1] : nullptr, made);
        break;
    }
    return made;
}

void StudioRooms::addActions() {
    m_try = addAction(QStringLiteral("measureAgain"), QStringLiteral("tryInChat"),
                      tr("&Try this plan in chat"), "chat", QKeySequence(Qt::CTRL | Qt::Key_J));
    m_measureWith =
        addAction(QStringLiteral("measure"), QStringLiteral("measureWith"), tr("Measure &with…"),
                  "measure", QKeySequence(Qt::CTRL | Qt::SHIFT | Qt::Key_M));
    m_timeMachine = addAction(QStringLiteral("measureWith"), QStringLiteral("timeMachine"),
                              tr("Measure spee&d of this machine"), "", {});
    connect(m_timeMachine, &QAction::triggered, m_speed, &SpeedJobs::measure);
    m_report =
        addAction(QStringLiteral("export"), QStringLiteral("report"), tr("&Report…"), "", {});
    connect(m_try, &QAction::triggered, this, [this] {
        showChat({Subject::Kind::Original, {}}, {Subject::Kind::Plan, {}});
    });
    connect(m_measureWith, &QAction::triggered, this, [this] { openMeasure(m_measures->last()); });
    connect(m_report, &QAction::triggered, this, &StudioRooms::saveReport);
}

void StudioRooms::updateActions() {
    m_try->setEnabled(m_workbench.hasPlan());
    m_measureWith->setEnabled(m_measures->canMeasure());
    m_timeMachine->setEnabled(m_speed->canMeasure());
    m_report->setEnabled(m_workbench.hasPlan() && !m_workbench.applyingPins());
}

void StudioRooms::showChat(const Subject& left, const Subject& right) {
    if (!m_chat->session().busy()) {
        m_chat->session().setSide(0, left);
        m_chat->session().setSide(1, right);
    }
    m_window.setLayoutId(QStringLiteral("chat"));
    m_chat->focusPrompt();
}

void StudioRooms::testInChat(const QString& folder) {
    m_chat->chatWith(folder);
    m_window.setLayoutId(QStringLiteral("chat"));
    m_chat->focusPrompt();
}

QDialog* StudioRooms::openExport() {
    if (!m_workbench.hasPlan()) return nullptr;
    if (m_workbench.applyingPins()) {
        emit m_workbench.message(tr("Pins are being applied. Export when they are."));
        return nullptr;
    }
    try {
        auto* dialog = new ExportDialog(m_workbench, *m_export, &m_window);
        dialog->setAttribute(Qt::WA_DeleteOnClose);
        connect(dialog, &ExportDialog::testInChat, this, &StudioRooms::testInChat);
        dialog->open();
        return dialog;
    } catch (const Error& error) {
        QMessageBox box(QMessageBox::Warning, tr("Export"), QString::fromStdString(error.what()),
                        QMessageBox::Close, &m_window);
        box.setInformativeText(QString::fromStdString(error.hint()));
        box.exec();
        return nullptr;
    }
}

QDialog* StudioRooms::openMeasure(const MeasureRequest& start) {
    if (!m_workbench.hasModel()) return nullptr;
    auto* dialog =
        new MeasureDialog(m_workbench, *m_models, m_compare->model()->folders(), start, &m_window);
    dialog->setAttribute(Qt::WA_DeleteOnClose);
    connect(dialog, &QDialog::accepted, this,
            [this, dialog] { m_measures->start(dialog->request()); });
    dialog->open();
    return dialog;
}

void StudioRooms::saveReport() {
    bitloom::ui::saveReport(m_workbench, &m_chat->session(), &m_window);
}

} // namespace bitloom::ui
