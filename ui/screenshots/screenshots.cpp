// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "ui/screenshots/screenshots.h"

#include "ui/screenshots/camera.h"
#include "ui/screenshots/stage.h"
#include "ui/state/settings.h"

#include <QDir>
#include <QFileInfo>
#include <QTemporaryDir>

namespace bitloom::ui {

bool takeScreenshots(Settings& settings, LogBuffer& log, const QString& sampleFolder,
                     const QString& folder, bool engine) {
    Camera camera(settings, folder);
    const QTemporaryDir scratch;
    if (!QDir().mkpath(folder) || !scratch.isValid()) {
        camera.complain(QStringLiteral("the folder '%1' could not be made").arg(folder));
        return false;
    }
    if (!QFileInfo::exists(sampleFolder)) {
        camera.complain(QStringLiteral("the sample model is not installed"));
        return false;
    }
    const Stage stage{settings, log, camera, sampleFolder, scratch.path(), engine};
    shootWelcome(stage);
    shootExplore(stage);
    if (engine) shootEngine(stage);
    shootLooks(stage);
    return camera.complete();
}

} // namespace bitloom::ui
