// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "ui/screenshots/screenshots.h"
#include "ui/window/studio.h"

#include <QApplication>
#include <QCommandLineParser>
#include <QDir>
#include <QFileInfo>
#include <QTemporaryDir>
#include <QTimer>

using namespace bitloom;
using namespace bitloom::ui;

namespace {

/// Folder of the files shipped with the program, found as the command line finds it; empty where
/// there is none: the sample is not offered then.
QString resourcesFolder() {
    QString folder = qEnvironmentVariable("BITLOOM_RESOURCES");
    if (folder.isEmpty())
        folder = QCoreApplication::applicationDirPath() + QStringLiteral("/../share/bitloom");
    return QFileInfo::exists(folder + QStringLiteral("/models")) ? QDir::cleanPath(folder)
                                                                 : QString();
}

Studio::Options optionsFor(bool engine) {
    Studio::Options options;
    const QString resources = resourcesFolder();
    if (!resources.isEmpty())
        options.sampleFolder = resources + QStringLiteral("/models/bitloom-tales-4m");
    options.engine = engine;
#ifndef NDEBUG
    options.watchdog = true;
#endif
    return options;
}

} // namespace

int main(int argc, char** argv) {
    // Before the application: what only prints, and --screenshots, need no display; the latter must
    // not touch the user's files.
    QTemporaryDir scratch;
    bool pictures = false, prints = false;
    for (int i = 1; i < argc; ++i) {
        const QByteArray word(argv[i]);
        pictures = pictures || word.startsWith("--screenshots");
        prints = prints || word == "--version" || word == "-v" || word == "-h" ||
                 word.startsWith("--help");
    }
    if ((pictures || prints) && !qEnvironmentVariableIsSet("QT_QPA_PLATFORM"))
        qputenv("QT_QPA_PLATFORM", "offscreen");
    if (pictures) {
        qputenv("XDG_CONFIG_HOME", scratch.filePath(QStringLiteral("config")).toUtf8());
        qputenv("XDG_STATE_HOME", scratch.filePath(QStringLiteral("state")).toUtf8());
        qputenv("XDG_CACHE_HOME", scratch.filePath(QStringLiteral("cache")).toUtf8());
    }
    QApplication application(argc, argv);
    Studio::nameApplication();

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

    Studio studio(optionsFor(!parser.isSet(noEngine)));
    if (parser.isSet(screenshots)) {
        QApplication::setQuitOnLastWindowClosed(false); // every scene has a window of its own
        // Within the event loop: only there do widgets hear of another font.
        QTimer::singleShot(0, &application, [&] {
            const Studio::Options options = optionsFor(!parser.isSet(noEngine));
            const bool complete =
                takeScreenshots(studio.settings(), studio.log(), options.sampleFolder,
                                parser.value(screenshots), options.engine);
            QApplication::exit(complete ? 0 : 1);
        });
        return QApplication::exec();
    }
    studio.start(parser.positionalArguments().value(0), parser.isSet(sample));
    return QApplication::exec();
}
