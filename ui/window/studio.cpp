// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "ui/window/studio.h"

#include "core/base/log.h"
#include "ui/chat/studio_rooms.h"
#include "ui/state/session.h"
#include "ui/theme/ts_translator.h"
#include "ui/window/main_window.h"
#include "ui/window/watchdog.h"

#include <spdlog/sinks/rotating_file_sink.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <QApplication>
#include <QCoreApplication>
#include <QDir>
#include <QFileInfo>
#include <QGuiApplication>
#include <QLocale>
#include <QMessageBox>
#include <QPushButton>
#include <QScreen>
#include <QSettings>

namespace bitloom::ui {

namespace {

/// Everything goes to the log panel and a rotating file; warnings also to the terminal.
void startLog(LogBuffer& buffer) {
    std::vector<spdlog::sink_ptr> sinks{buffer.sink()};
    auto terminal = std::make_shared<spdlog::sinks::stderr_color_sink_mt>();
    terminal->set_level(spdlog::level::warn);
    sinks.push_back(terminal);
    try {
        const QString folder = Settings::stateFolder();
        QDir().mkpath(folder);
        sinks.push_back(std::make_shared<spdlog::sinks::rotating_file_sink_mt>(
            folder.toStdString() + "/bitloom-studio.log", 2 << 20, 3));
    } catch (const spdlog::spdlog_ex&) { // a log that cannot be kept is no reason not to start
    }
    auto root = std::make_shared<spdlog::logger>("studio", sinks.begin(), sinks.end());
    root->set_level(spdlog::level::debug);
    root->flush_on(spdlog::level::info);
    spdlog::set_default_logger(root);
}

void qtMessage(QtMsgType type, const QMessageLogContext&, const QString& text) {
    // Said for every window by the platform that needs no display.
    if (text.contains(QLatin1String("propagateSizeHints"))) return;
    const auto log = logger("qt");
    switch (type) {
    case QtDebugMsg:
        log->debug("{}", text.toStdString());
        break;
    case QtInfoMsg:
        log->info("{}", text.toStdString());
        break;
    default:
        log->warn("{}", text.toStdString());
    }
}

void translate(const Settings& settings) {
    QString language = settings.language();
    if (language.isEmpty()) language = QLocale::system().name().section(QLatin1Char('_'), 0, 0);
    if (!settings.language().isEmpty()) QLocale::setDefault(QLocale(language));
    // English needs one too, for its plurals; the language asked for is looked at first.
    for (const QString& wanted : {QStringLiteral("en"), language}) {
        auto* translator = new TsTranslator(QCoreApplication::instance());
        if (translator->loadResource(wanted)) QCoreApplication::installTranslator(translator);
    }
    const QLocale locale;
    QApplication::setLayoutDirection(locale.textDirection());
}

} // namespace

void Studio::nameApplication() {
    QCoreApplication::setOrganizationName(QStringLiteral("bitloom"));
    QCoreApplication::setApplicationName(QStringLiteral("bitloom-studio"));
    QCoreApplication::setApplicationVersion(QStringLiteral(BITLOOM_VERSION));
    QGuiApplication::setDesktopFileName(QStringLiteral("bitloom-studio"));
    // A view that keeps a choice of its own with QSettings() writes to the file of Settings.
    QSettings::setDefaultFormat(QSettings::IniFormat);
}

Studio::Studio(const Options& options) : m_options(options) {
    startLog(m_log);
    qInstallMessageHandler(qtMessage);
    translate(m_settings);
    m_theme = std::make_unique<ThemeControl>(m_settings);
    m_workbench = std::make_unique<Workbench>(m_settings);
    if (options.watchdog) m_watchdog = std::make_unique<Watchdog>();
    m_window =
        std::make_unique<MainWindow>(*m_workbench, m_log, MainWindow::Places{options.sampleFolder});
    m_rooms = new StudioRooms(*m_window, *m_workbench);
}

Studio::~Studio() {
    m_workbench->setEngine(nullptr); // the window's
    m_window.reset();                // says goodbye to the autosave
    m_autosave.reset();
    m_watchdog.reset();
    m_workbench.reset();
    m_theme.reset();
    qInstallMessageHandler(nullptr);
    spdlog::shutdown();
}

void Studio::startEngine() {
    m_window->startEngine();
}

void Studio::start(const QString& path, bool sample) {
    m_autosave = std::make_unique<Autosave>(*m_workbench, m_settings);
    m_window->setAutosave(m_autosave.get());
    showFitting();
    if (m_options.engine) startEngine();
    if (path.endsWith(QLatin1String(".bitloom-session"))) {
        m_window->openSession(path);
    } else if (!path.isEmpty()) {
        m_window->openModel(path);
    } else if (sample || m_settings.isFirstStart()) {
        m_window->openSample();
    } else if (!offerRestore()) {
        const QString last = m_autosave->lastSession();
        if (!last.isEmpty()) m_window->restoreSession(last, false);
    }
}

/// Its own size where the screen has room for it and the frame around it, else all of the screen.
void Studio::showFitting() {
    const QScreen* screen = m_window->screen();
    const QSize room = screen ? screen->availableSize() - QSize(8, 40) : m_window->size();
    const bool fits = QRect({}, room).contains(QRect({}, m_window->size()));
    if (m_settings.windowGeometry().isEmpty() && !fits)
        m_window->showMaximized();
    else
        m_window->show();
}

/// Runs that ended without a word left their sessions behind: each is offered, newest first, until
/// one is taken.
bool Studio::offerRestore() {
    for (const QString& path : m_autosave->leftBehind()) {
        QMessageBox box(
            QMessageBox::Question, QStringLiteral("Bitloom"),
            QCoreApplication::translate("main", "The last session did not end properly."),
            QMessageBox::NoButton, m_window.get());
        box.setObjectName(QStringLiteral("restoreOffer"));
        box.setInformativeText(
            QCoreApplication::translate("main", "It was saved by itself on %1.")
                .arg(QLocale().toString(QFileInfo(path).lastModified(), QLocale::ShortFormat)));
        QPushButton* restore =
            box.addButton(QCoreApplication::translate("main", "Restore"), QMessageBox::AcceptRole);
        QPushButton* discard = box.addButton(QCoreApplication::translate("main", "Discard"),
                                             QMessageBox::DestructiveRole);
        box.setDefaultButton(restore);
        box.exec();
        if (box.clickedButton() == discard) {
            m_autosave->discard(path);
            continue;
        }
        if (box.clickedButton() != restore) return false; // closed: offered again next time
        if (!m_window->restoreSession(path, true)) return false;
        // What was restored is saved under this run's name before the old file goes.
        m_autosave->takeOver(path);
        return true;
    }
    return false;
}

} // namespace bitloom::ui
