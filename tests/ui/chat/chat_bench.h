// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "ui/chat/subject.h"
#include "ui/engine_client/engine_client.h"
#include "ui/state/settings.h"
#include "ui/state/workbench.h"

#include <QDir>
#include <QFileInfo>
#include <QPixmap>
#include <QTemporaryDir>
#include <QWidget>
#include <QtTest>

#include <memory>

namespace bitloom::ui {

/// The workbench on the bundled sample, with an engine that follows a script (fake_engine.py) or
/// the program's own.
struct ChatBench {
    QTemporaryDir folder;
    Settings settings{folder.filePath(QStringLiteral("settings.ini"))};
    Workbench workbench{settings};
    std::unique_ptr<EngineClient> engine;

    static QString sample() {
        return QStringLiteral(BITLOOM_SOURCE_DIR "/resources/models/bitloom-tales-4m");
    }
    void open() {
        settings.setCacheFolder(folder.filePath(QStringLiteral("cache")));
        workbench.openModel(sample());
        QTRY_COMPARE_WITH_TIMEOUT(workbench.phase(), Workbench::Phase::Ready, 60'000);
    }
    void startEngine(const QStringList& script) {
        EngineCommand command{
            QStringLiteral(BITLOOM_TEST_PYTHON),
            QStringList{QStringLiteral(BITLOOM_SOURCE_DIR "/tests/ui/fake_engine.py")} + script,
            false};
        use(command);
    }
    /// False where the program is not built.
    bool startRealEngine() {
        const QString program = QStringLiteral(BITLOOM_BINARY_DIR "/bin/bitloom");
        const QString chosen = qEnvironmentVariable("BITLOOM_TEST_PROGRAM", program);
        if (!QFileInfo::exists(chosen)) return false;
        use({chosen,
             {QStringLiteral("serve"), QStringLiteral("--threads"), QStringLiteral("2"),
              QStringLiteral("--cache"), folder.filePath(QStringLiteral("cache"))},
             false});
        return true;
    }

    /// A picture in light and dark for the eye, where BITLOOM_ARTIFACTS names a folder.
    void shoot(QWidget& widget, const QString& name) {
        const QString artifacts = qEnvironmentVariable("BITLOOM_ARTIFACTS");
        if (artifacts.isEmpty()) return;
        QDir().mkpath(artifacts);
        for (const auto theme : {Settings::Theme::Light, Settings::Theme::Dark}) {
            settings.setTheme(theme);
            QTest::qWait(150);
            const QPixmap picture = widget.grab();
            picture.save(QStringLiteral("%1/%2-%3-%4x.png")
                             .arg(artifacts, name,
                                  theme == Settings::Theme::Dark ? QStringLiteral("dark")
                                                                 : QStringLiteral("light"))
                             .arg(qRound(picture.devicePixelRatio())));
        }
        settings.setTheme(Settings::Theme::Light);
    }

private:
    void use(const EngineCommand& command) {
        if (engine) {
            engine->stop();
            workbench.setEngine(nullptr);
        }
        engine = std::make_unique<EngineClient>(command);
        engine->setCancelTimeout(30'000); // as long as a busy machine takes
        engine->setHandshakeTimeout(60'000);
        workbench.setEngine(engine.get());
        engine->start();
        QTRY_COMPARE_WITH_TIMEOUT(engine->state(), EngineClient::State::Ready, 60'000);
    }
};

} // namespace bitloom::ui
