// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/base/log.h"
#include "ui/chat/studio_rooms.h"
#include "ui/state/log_buffer.h"
#include "ui/state/session.h"
#include "ui/state/settings.h"
#include "ui/state/workbench.h"
#include "ui/theme/theme.h"
#include "ui/theme/ts_translator.h"
#include "ui/window/main_window.h"
#include "ui/window/screenshots.h"
#include "ui/window/watchdog.h"

#include <spdlog/sinks/rotating_file_sink.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <QApplication>
#include <QCommandLineParser>
#include <QDir>
#include <QFileInfo>
#include <QMessageBox>
#include <QPushButton>
#include <QTemporaryDir>

using namespace bitloom;
using namespace bitloom::ui;

namespace {

/// resources/ beside the installed program, or in the source tree of one that was built here.
QString resourcesFolder() {
    const QStringList candidates{QCoreApplication::applicationDirPath() +
                                     QStringLiteral("/../share/bitloom"),
                                 QStringLiteral(BITLOOM_BUILD_TREE_RESOURCES)};
    for (const QString& folder : candidates)
        if (QFileInfo::exists(folder + QStringLiteral("/models"))) return QDir::cleanPath(folder);
    return {};
}

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

void translate(QApplication& application, const Settings& settings) {
    QString language = settings.language();
    if (language.isEmpty()) language = QLocale::system().name().section(QLatin1Char('_'), 0, 0);
    if (!settings.language().isEmpty()) QLocale::setDefault(QLocale(language));
    // English needs one too, for its plurals; the language asked for is looked at first.
    for (const QString& wanted : {QStringLiteral("en"), language}) {
        auto* translator = new TsTranslator(&application);
        if (translator->loadResource(wanted)) QCoreApplication::installTranslator(translator);
    }
    const QLocale locale;
    QApplication::setLayoutDirection(locale.textDirection());
}

/// A run that ended without a word left its session behind: offered once.
bool offerRestore(MainWindow& window, Autosave& autosave) {
    const QStringList left = autosave.leftBehind();
    if (left.isEmpty()) return false;
    QMessageBox box(QMessageBox::Question, QStringLiteral("Bitloom"),
                    QCoreApplication::translate("main", "The last session did not end properly."),
                    QMessageBox::NoButton, &window);
    const QFileInfo file(left.first());
    box.setInformativeText(QCoreApplication::translate("main", "It was saved by itself on %1.")
                               .arg(QLocale().toString(file.lastModified(), QLocale::ShortFormat)));
    QPushButton* restore =
        box.addButton(QCoreApplication::translate("main", "Restore"), QMessageBox::AcceptRole);
    box.addButton(QCoreApplication::translate("main", "Discard"), QMessageBox::DestructiveRole);
    box.exec();
    const bool restored = box.clickedButton() == restore;
    if (restored) window.openSession(left.first());
    for (const QString& path : left)
        autosave.discard(path);
    return restored;
}

} // namespace

int main(int argc, char** argv) {
    // Before the application: --screenshots needs no display, and must not touch the user's files.
    QTemporaryDir scratch;
    bool pictures = false;
    for (int i = 1; i < argc; ++i)
        pictures = pictures || QByteArray(argv[i]).startsWith("--screenshots");
    if (pictures) {
        if (!qEnvironmentVariableIsSet("QT_QPA_PLATFORM")) qputenv("QT_QPA_PLATFORM", "offscreen");
        qputenv("XDG_CONFIG_HOME", scratch.filePath(QStringLiteral("config")).toUtf8());
        qputenv("XDG_STATE_HOME", scratch.filePath(QStringLiteral("state")).toUtf8());
        qputenv("XDG_CACHE_HOME", scratch.filePath(QStringLiteral("cache")).toUtf8());
    }
    QApplication application(argc, argv);
    QCoreApplication::setApplicationName(QStringLiteral("bitloom-studio"));
    QCoreApplication::setApplicationVersion(QStringLiteral(BITLOOM_VERSION));
    QGuiApplication::setDesktopFileName(QStringLiteral("bitloom-studio"));

    QCommandLineParser parser;
    parser.setApplicationDescription(
        QStringLiteral("Quantizes large language models to any number of bits per weight."));
    parser.addHelpOption();
    parser.addVersionOption();
    parser.addPositionalArgument(
        QStringLiteral("MODEL"),
        QStringLiteral("model folder, a file in one, org/name of the local "
                       "Hugging Face cache, or a .bitloom-session file"),
        QStringLiteral("[MODEL]"));
    const QCommandLineOption screenshots(
        QStringLiteral("screenshots"),
        QStringLiteral("write pictures of every view and dialog to FOLDER and end"),
        QStringLiteral("FOLDER"));
    const QCommandLineOption sample(QStringLiteral("sample"),
                                    QStringLiteral("open the bundled sample model"));
    const QCommandLineOption noEngine(
        QStringLiteral("no-engine"),
        QStringLiteral("start without 'bitloom serve': plans only, nothing is computed"));
    parser.addOptions({screenshots, sample, noEngine});
    parser.process(application);

    LogBuffer log;
    startLog(log);
    qInstallMessageHandler(qtMessage);
    Settings settings;
    translate(application, settings);
    ThemeControl theme(settings);
    const QString resources = resourcesFolder();
    const QString sampleFolder =
        resources.isEmpty() ? QString()
                            : QString(resources + QStringLiteral("/models/bitloom-tales-4m"));
    int result = 0;
    {
        Workbench workbench(settings);
#ifndef NDEBUG
        Watchdog watchdog;
#endif
        MainWindow window(workbench, log, {sampleFolder});
        new StudioRooms(window, workbench); // goes with the window
        if (parser.isSet(screenshots)) {
            if (!parser.isSet(noEngine)) window.startEngine();
            result =
                takeScreenshots(window, workbench, settings, parser.value(screenshots)) > 0 ? 0 : 1;
        } else {
            Autosave autosave(workbench, settings);
            window.setAutosave(&autosave);
            window.show();
            if (!parser.isSet(noEngine)) window.startEngine();
            const QStringList arguments = parser.positionalArguments();
            if (!arguments.isEmpty()) {
                const QString path = arguments.first();
                if (path.endsWith(QLatin1String(".bitloom-session")))
                    window.openSession(path);
                else
                    window.openModel(path);
            } else if (parser.isSet(sample) || settings.isFirstStart()) {
                window.openSample();
            } else {
                offerRestore(window, autosave);
            }
            result = QApplication::exec();
        }
        workbench.setEngine(nullptr);
    }
    qInstallMessageHandler(nullptr);
    spdlog::shutdown();
    return result;
}
