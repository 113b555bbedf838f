// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors

// Another language, and the other direction of reading.
#include "ui/screenshots/stage.h"

#include "ui/screenshots/camera.h"
#include "ui/theme/ts_translator.h"

#include <QApplication>
#include <QDialog>
#include <QLocale>

namespace bitloom::ui {

namespace {

void shootGerman(const Stage& stage) {
    TsTranslator german;
    if (!german.loadResource(QStringLiteral("de"))) {
        stage.camera.complain(QStringLiteral("the German translation is not there"));
        return;
    }
    const QLocale former;
    QLocale::setDefault(QLocale(QLocale::German, QLocale::Germany));
    QCoreApplication::installTranslator(&german);
    {
        StageWindow studio(stage);
        letRun(1000);
        stage.camera.shootLight(studio.window(), "welcome-german");
        if (stage.engine) studio.startEngine();
        studio.open(stage.sampleFolder);
        for (const char* view : {"explore", "compare", "chat"}) {
            studio.layout(view);
            stage.camera.shootLight(studio.window(), QByteArray(view) + "-german");
        }
        studio.layout("explore");
        if (QDialog* dialog = studio.window().makeDialog(QStringLiteral("preferences"))) {
            dialog->show();
            stage.camera.shootLight(*dialog, "dialog-preferences-german");
            dialog->close();
        }
        if (QDialog* dialog = studio.dialogOf("export")) {
            stage.camera.shootLight(*dialog, "dialog-export-german");
            dialog->reject();
        }
    }
    QCoreApplication::removeTranslator(&german);
    QLocale::setDefault(former);
}

void shootMirrored(const Stage& stage) {
    const Qt::LayoutDirection former = QApplication::layoutDirection();
    QApplication::setLayoutDirection(Qt::RightToLeft);
    {
        StageWindow studio(stage);
        studio.open(stage.sampleFolder);
        for (const char* view : {"explore", "compare", "chat"}) {
            studio.layout(view);
            stage.camera.shootLight(studio.window(), QByteArray(view) + "-mirrored");
        }
    }
    QApplication::setLayoutDirection(former);
}

} // namespace

void shootLooks(const Stage& stage) {
    shootGerman(stage);
    shootMirrored(stage);
}

} // namespace bitloom::ui
