// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "ui/screenshots/stage.h"

#include "ui/chat/chat_page.h"
#include "ui/chat/studio_rooms.h"
#include "ui/engine_client/engine_client.h"
#include "ui/screenshots/camera.h"
#include "ui/state/jobs.h"
#include "ui/state/settings.h"

#include <QAction>
#include <QDialog>
#include <QDir>
#include <QDockWidget>
#include <QFile>
#include <QFileInfo>
#include <QJsonDocument>
#include <QJsonObject>
#include <QMenuBar>

namespace bitloom::ui {

StageWindow::StageWindow(const Stage& stage, QSize size)
    : m_stage(stage), m_workbench(stage.settings),
      m_window(m_workbench, stage.log, {stage.sampleFolder}),
      m_rooms(new StudioRooms(m_window, m_workbench)) {
    // As nobody has left it: the layouts of the scene before are none of this one's.
    stage.settings.clearWindowStates();
    m_window.resize(size);
    m_window.show();
    letRun(30);
}

StageWindow::~StageWindow() {
    m_workbench.jobs().cancelAll();
    m_workbench.setEngine(nullptr);
}

ChatPage& StageWindow::chat() {
    return *m_rooms->chat();
}

bool StageWindow::startEngine() {
    if (!m_stage.engine) return false;
    m_window.startEngine();
    const bool ready = waitFor(
        [&] {
            const EngineClient* engine = m_workbench.engine();
            return engine && (engine->state() == EngineClient::State::Ready ||
                              engine->state() == EngineClient::State::Dead);
        },
        20'000);
    if (ready && m_workbench.engine()->state() == EngineClient::State::Ready) return true;
    m_stage.camera.complain(QStringLiteral("the engine does not start: %1")
                                .arg(m_workbench.engine()->reason().message));
    return false;
}

bool StageWindow::open(const QString& folder) {
    m_window.openModel(folder);
    waitFor(
        [&] {
            using P = Workbench::Phase;
            const P phase = m_workbench.phase();
            return phase == P::Failed || phase == P::Headers || phase == P::Partial ||
                   (phase == P::Ready && !m_workbench.curve().empty());
        },
        30'000);
    letRun(400); // exact sizes, presets, pin costs
    return m_workbench.hasModel();
}

bool StageWindow::finishJobs(int limit) {
    if (waitFor([&] { return m_workbench.jobs().activeCount() == 0; }, limit)) return true;
    m_stage.camera.complain(QStringLiteral("'%1' takes too long for a picture")
                                .arg(m_workbench.jobs().active()->title));
    m_workbench.jobs().cancelAll();
    waitFor([&] { return m_workbench.jobs().activeCount() == 0; }, 3000);
    return false;
}

void StageWindow::layout(const char* id) {
    m_window.setLayoutId(QString::fromLatin1(id));
    letRun(150);
}

void StageWindow::raise(const char* dock) {
    QDockWidget* panel = m_window.dock(QString::fromLatin1(dock));
    panel->show();
    panel->raise();
}

void StageWindow::trigger(const char* id) {
    const QString name = QString::fromLatin1(id);
    QAction* action = m_window.action(name);
    if (!action) action = m_window.findChild<QAction*>(name);
    if (action && action->isEnabled()) action->trigger();
}

QDialog* StageWindow::dialogOf(const char* action) {
    trigger(action);
    letRun(300); // sizes and free space are worked out
    for (QDialog* dialog : m_window.findChildren<QDialog*>())
        if (dialog->isVisible()) return dialog;
    m_stage.camera.complain(
        QStringLiteral("'%1' opens no dialog").arg(QString::fromLatin1(action)));
    return nullptr;
}

QString bareModel(const Stage& stage) {
    const QDir from(stage.sampleFolder);
    const QString to = stage.scratch % QStringLiteral("/bitloom-tales-4m");
    QDir().mkpath(to);
    for (const QFileInfo& file : from.entryInfoList(QDir::Files))
        QFile::copy(file.filePath(), to % QLatin1Char('/') % file.fileName());
    // The engine brings the sample's statistics into every cache: with a shorter context it is
    // another model, of which it has none.
    QFile config(to % QStringLiteral("/config.json"));
    if (!config.open(QIODevice::ReadOnly)) return to;
    QJsonObject json = QJsonDocument::fromJson(config.readAll()).object();
    config.close();
    json[QLatin1String("max_position_embeddings")] = 448;
    if (config.open(QIODevice::WriteOnly)) config.write(QJsonDocument(json).toJson());
    return to;
}

} // namespace bitloom::ui
