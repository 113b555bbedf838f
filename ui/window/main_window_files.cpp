// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors

// Models, sessions and plan files; closing.
#include "ui/window/main_window.h"

#include "core/base/error.h"
#include "core/base/log.h"
#include "ui/dialogs/place_dialog.h"
#include "ui/engine_client/engine_client.h"
#include "ui/models/texts.h"
#include "ui/state/jobs.h"
#include "ui/state/session.h"
#include "ui/state/settings.h"
#include "ui/window/status_line.h"

#include <QApplication>
#include <QClipboard>
#include <QCloseEvent>
#include <QDragEnterEvent>
#include <QFileDialog>
#include <QFileInfo>
#include <QMessageBox>
#include <QMimeData>
#include <QPushButton>

namespace bitloom::ui {

namespace {

const char* const sessionSuffix = ".bitloom-session";

QString sessionFilter() {
    return MainWindow::tr("Bitloom sessions (*.bitloom-session)");
}

QString quoted(QString text) {
    return QLatin1Char('\'') % text.replace(QLatin1Char('\''), QLatin1String("'\\''")) %
           QLatin1Char('\'');
}

} // namespace

void MainWindow::showError(const QString& what, const QString& hint) {
    logger("ui")->error("{} {}", what.toStdString(), hint.toStdString());
    QMessageBox box(QMessageBox::Warning, QStringLiteral("Bitloom"), what, QMessageBox::Close,
                    this);
    box.setInformativeText(hint);
    box.exec();
}

QString MainWindow::sampleFolder() const {
    return m_workbench.engineIsRemote()
               ? m_workbench.engine()->hello()[QLatin1String("sample")].toString()
               : m_places.sampleFolder;
}

void MainWindow::tellProblem(const QString& what, const QString& details) {
    logger("ui")->error("{}: {}", what.toStdString(), details.toStdString());
    auto* box = new QMessageBox(QMessageBox::Warning, QStringLiteral("Bitloom"), what,
                                QMessageBox::Close, this);
    box->setObjectName(QStringLiteral("problemBox"));
    box->setInformativeText(details);
    box->setAttribute(Qt::WA_DeleteOnClose);
    box->open();
}

void MainWindow::chooseModel() {
    Settings& settings = m_workbench.settings();
    const QString key = settings.placeKey(QStringLiteral("models/last_folder"));
    choosePlace(this, m_workbench, PlaceDialog::What::Model, tr("Open a model folder"),
                settings.value(key).toString(), [this, key](const QString& folder) {
                    m_workbench.settings().setValue(key, QFileInfo(folder).absolutePath());
                    openModel(folder);
                });
}

void MainWindow::rememberBefore() {
    if (m_workbench.phase() == Workbench::Phase::Opening) return; // of the one before that
    m_before = {m_sessionFile, m_workbench.options()};
}

/// The model that was open still is: saving goes where it went.
void MainWindow::openingCameToNothing() {
    m_opening.reset();
    if (!m_workbench.hasModel()) {
        m_sessionFile.clear();
        return;
    }
    m_sessionFile = m_before.sessionFile;
    const QuantizeOptions& options = m_before.options;
    m_workbench.setOptions(options.head, options.descentPasses, options.polishSteps);
}

void MainWindow::stopOpening() {
    openingCameToNothing();
    m_workbench.cancelOpening();
}

void MainWindow::openModel(const QString& path) {
    rememberBefore();
    m_sessionFile.clear();
    m_opening.reset();
    m_workbench.openModel(path);
}

void MainWindow::openSample() {
    if (!sampleFolder().isEmpty()) openModel(sampleFolder());
}

void MainWindow::chooseSession() {
    const QString path =
        QFileDialog::getOpenFileName(this, tr("Open a session"), {}, sessionFilter());
    if (!path.isEmpty()) openSession(path);
}

void MainWindow::openSession(const QString& path) {
    Session session;
    if (!loadSession(path, session)) return;
    session.file = path;
    session.work.modified = false;
    openSession(session, true);
}

bool MainWindow::restoreSession(const QString& path, bool ask) {
    Session session;
    return loadSession(path, session) && openSession(session, ask);
}

bool MainWindow::loadSession(const QString& path, Session& session) {
    try {
        session = Session::load(path);
        return true;
    } catch (const std::exception& error) {
        // The damaged file stays; a copy of it is not touched by a later save to the same name.
        const QString backup = path % QStringLiteral(".damaged");
        const bool kept = QFile::exists(backup) || QFile::copy(path, backup);
        showError(tr("The session could not be opened: %1").arg(QString::fromUtf8(error.what())),
                  kept ? tr("A copy of the file is kept as '%1'.").arg(backup) : QString());
        return false;
    }
}

bool MainWindow::openSession(const Session& session, bool ask) {
    if (!takeEngineOf(session, ask)) return false;
    rememberBefore();
    m_opening = std::make_unique<Session>(session);
    m_openingAsks = ask;
    m_workbench.setOptions(session.head, session.descentPasses, session.polishSteps);
    m_sessionFile = session.file;
    // Whether it is still there on another machine, only its engine can tell.
    if (session.machine.isEmpty() && !QFileInfo::exists(session.modelFolder)) {
        if (!locateModel(ask)) return false;
    } else {
        m_workbench.restoreNext(session.work);
        m_workbench.openModel(session.modelFolder);
    }
    if (layoutOf(session.layout)) {
        // The docks as the session had them, not as another one left them.
        rememberLayout();
        if (!session.windowState.isEmpty())
            m_workbench.settings().setWindowState(session.layout, session.windowState);
        m_layout = session.layout;
        m_docksShown = false;
        updatePage();
    }
    return true;
}

/// Only the engine that has the session's model can open it; false where the user thinks better.
bool MainWindow::takeEngineOf(const Session& session, bool ask) {
    Settings& settings = m_workbench.settings();
    if (!m_workbench.engine() || session.machine == settings.engineCommand()) return true;
    if (!ask) {
        m_status->say(tr("The model of this session is on another machine."));
        return false;
    }
    if (m_workbench.jobs().activeCount() > 0) {
        m_status->say(tr("A job is running. Open the session when it is done."));
        return false;
    }
    QMessageBox box(QMessageBox::Question, tr("Open a session"),
                    session.machine.isEmpty()
                        ? tr("The model of this session is on this machine, but the engine runs on "
                             "another one.")
                        : tr("The model of this session is on another machine."),
                    QMessageBox::Cancel, this);
    box.setInformativeText(session.machine.isEmpty()
                               ? tr("The engine here will be used from now on.")
                               : tr("The engine will be started with: %1").arg(session.machine));
    QPushButton* start = box.addButton(tr("Start that engine"), QMessageBox::AcceptRole);
    start->setObjectName(QStringLiteral("sessionEngine"));
    box.exec();
    if (box.clickedButton() != start) return false;
    settings.setEngineCommand(session.machine);
    return true;
}

/// The model of m_opening is not where it was. False where nothing will be opened.
bool MainWindow::locateModel(bool ask) {
    const QString says =
        tr("The model of this session is no longer at '%1'.").arg(m_opening->modelFolder);
    QPushButton* locate = nullptr;
    QMessageBox box(QMessageBox::Question, tr("Locate the model"), says, QMessageBox::Cancel, this);
    if (ask) {
        locate = box.addButton(tr("Locate…"), QMessageBox::AcceptRole);
        box.exec();
    } else {
        m_status->say(says);
    }
    if (!locate || box.clickedButton() != locate) {
        openingCameToNothing();
        return false;
    }
    choosePlace(
        this, m_workbench, PlaceDialog::What::Model, tr("Locate the model"), {},
        [this](const QString& folder) {
            if (!m_opening) return; // another model was opened meanwhile
            m_workbench.restoreNext(m_opening->work);
            m_workbench.openModel(folder);
        },
        [this] {
            if (m_opening) openingCameToNothing();
        });
    return m_workbench.phase() == Workbench::Phase::Opening || m_workbench.engineIsRemote();
}

/// The model of m_opening is there, or could not be opened.
void MainWindow::sessionOpened() {
    if (!m_workbench.error().what.isEmpty()) {
        const EngineClient* engine = m_workbench.engine();
        if (m_workbench.engineIsRemote() && engine->state() == EngineClient::State::Ready)
            QMetaObject::invokeMethod(
                this,
                [this] {
                    if (m_opening) locateModel(m_openingAsks);
                },
                Qt::QueuedConnection);
        else
            openingCameToNothing();
        return;
    }
    const std::unique_ptr<Session> session = std::move(m_opening);
    if (!m_workbench.hasModel()) return;
    if (m_takeParts) m_takeParts(*session);
    m_workbench.setModified(session->work.modified);
}

void MainWindow::completeSession(Session& session) const {
    session.layout = m_layout;
    if (m_docksShown) session.windowState = saveState(stateVersion);
    session.file = m_sessionFile;
    if (m_keepParts) m_keepParts(session);
}

bool MainWindow::saveSession(const QString& path) {
    try {
        Session session = Session::of(m_workbench);
        completeSession(session);
        session.file = path;
        session.work.modified = false;
        session.save(path);
    } catch (const Error& error) {
        showError(QString::fromStdString(error.what()), QString::fromStdString(error.hint()));
        return false;
    }
    m_sessionFile = path;
    m_workbench.setModified(false);
    m_status->say(tr("Session saved to %1").arg(path));
    return true;
}

void MainWindow::saveSessionAs() {
    const QString name = m_workbench.model()->title % QLatin1String(sessionSuffix);
    QString path =
        QFileDialog::getSaveFileName(this, tr("Save the session"), name, sessionFilter());
    if (path.isEmpty()) return;
    if (!path.endsWith(QLatin1String(sessionSuffix))) path += QLatin1String(sessionSuffix);
    saveSession(path);
}

void MainWindow::savePlanFile(const QString& preset) {
    if (!preset.isEmpty() && preset != m_workbench.currentPreset()) m_workbench.applyPreset(preset);
    if (m_workbench.applyingPins()) {
        m_status->say(tr("Pins are being applied. Save the plan when they are."));
        return;
    }
    const QString name = m_workbench.model()->title % QLatin1Char('-') %
                         fixedText(m_workbench.figures().bitsPerWeight, 2) %
                         QStringLiteral(".plan.json");
    const QString path =
        QFileDialog::getSaveFileName(this, tr("Save the plan"), name, tr("Plans (*.json)"));
    if (path.isEmpty()) return;
    try {
        m_workbench.exportablePlan().save(path.toStdString());
        m_status->say(tr("Plan saved to %1; 'bitloom quantize --plan' takes it").arg(path));
    } catch (const Error& error) {
        showError(QString::fromStdString(error.what()), QString::fromStdString(error.hint()));
    }
}

void MainWindow::copyCommand() {
    const Decision& decision = m_workbench.decision();
    const ModelData& model = *m_workbench.model();
    QString line = QStringLiteral("bitloom plan ") % quoted(model.folder);
    switch (decision.budget.kind) {
    case Budget::Kind::Bits:
        line += QStringLiteral(" --bits ") % QString::number(decision.budget.value, 'g', 12);
        break;
    case Budget::Kind::Size:
        line += QStringLiteral(" --size ") % QString::number(qint64(decision.budget.value));
        break;
    case Budget::Kind::Perplexity:
        line += QStringLiteral(" --max-ppl +") %
                QString::number(decision.budget.value * 100, 'g', 12) % QLatin1Char('%');
        break;
    case Budget::Kind::Speed:
        line += QStringLiteral(" --tokens-per-second ") %
                QString::number(decision.budget.value, 'g', 12);
        break;
    }
    for (const Pin& pin : decision.activePins())
        line += QStringLiteral(" --pin ") % quoted(QString::fromStdString(pin.text()));
    if (model.source) line += QStringLiteral(" --stats ") % quoted(model.statisticsFile);
    if (decision.uniformBits) {
        // The command line has no uniform budget: the plan itself says it all.
        m_status->say(tr("A uniform plan has no command. Save it as a plan file instead."));
        return;
    }
    QApplication::clipboard()->setText(line);
    m_status->say(tr("Copied: %1").arg(line));
}

void MainWindow::dragEnterEvent(QDragEnterEvent* event) {
    for (const QUrl& url : event->mimeData()->urls())
        if (url.isLocalFile()) {
            event->acceptProposedAction();
            return;
        }
}

void MainWindow::dropEvent(QDropEvent* event) {
    for (const QUrl& url : event->mimeData()->urls()) {
        if (!url.isLocalFile()) continue;
        event->acceptProposedAction();
        const QString path = url.toLocalFile();
        if (path.endsWith(QLatin1String(sessionSuffix)))
            openSession(path);
        else
            openModel(path);
        return;
    }
}

bool MainWindow::confirmClose() {
    JobList& jobs = m_workbench.jobs();
    // The job that would be missed most: one that can go on without this window, else the first.
    // Answers in the chat are nothing to keep.
    const auto keeps = [](const Job& job) {
        return job.kind == QLatin1String("analyze") || job.kind == QLatin1String("export");
    };
    const Job* job = nullptr;
    int others = -1;
    for (const Job& each : jobs.jobs()) {
        if (!each.active() || each.kind == QLatin1String("chat")) continue;
        ++others;
        if (!job || (keeps(each) && !keeps(*job))) job = &each;
    }
    if (!job) return true;
    const bool detachable = keeps(*job);
    QMessageBox box(QMessageBox::Question, tr("A job is running"),
                    tr("%1 is not finished.").arg(job->title), QMessageBox::NoButton, this);
    box.setInformativeText(detachable
                               ? tr("It can go on without this window and is found again at the "
                                    "next start. Cancelled, it keeps what is finished.")
                               : tr("Cancelled, it has to be started again."));
    if (others > 0)
        box.setInformativeText(box.informativeText() % QLatin1Char(' ') %
                               (others == 1 ? tr("Another job that waits is cancelled.")
                                            : tr("%1 other jobs are cancelled.").arg(others)));
    QPushButton* keep =
        detachable ? box.addButton(tr("Keep running"), QMessageBox::AcceptRole) : nullptr;
    QPushButton* cancel = box.addButton(tr("Cancel the job"), QMessageBox::DestructiveRole);
    QPushButton* stay = box.addButton(tr("Stay"), QMessageBox::RejectRole);
    box.setDefaultButton(stay);
    box.setEscapeButton(stay);
    box.exec();
    if (box.clickedButton() != cancel && (!keep || box.clickedButton() != keep)) return false;
    if (keep && box.clickedButton() == keep && m_workbench.engine()) {
        m_workbench.engine()->detach(jobs.engineCall(job->id), [this](const EngineResult& result) {
            if (!result.ok()) {
                showError(result.error.message, result.error.hint);
                return;
            }
            setProperty("detached", true); // it is on its own now
            close();
        });
        return false;
    }
    jobs.cancelAll();
    return true;
}

void MainWindow::closeEvent(QCloseEvent* event) {
    if (!property("detached").toBool() && !confirmClose()) {
        event->ignore();
        return;
    }
    rememberLayout();
    m_workbench.settings().setWindowGeometry(saveGeometry());
    if (m_autosave) m_autosave->endProperly();
    event->accept();
}

} // namespace bitloom::ui
