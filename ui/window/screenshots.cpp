// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "ui/window/screenshots.h"

#include "core/base/log.h"
#include "ui/docks/layers_panel.h"
#include "ui/docks/pareto_panel.h"
#include "ui/plots/channel_plot.h"
#include "ui/state/settings.h"
#include "ui/state/workbench.h"
#include "ui/window/budget_bar.h"
#include "ui/window/budget_slider.h"
#include "ui/window/explore_page.h"
#include "ui/window/main_window.h"

#include <QAction>
#include <QApplication>
#include <QDialog>
#include <QDir>
#include <QDockWidget>
#include <QElapsedTimer>
#include <QEventLoop>
#include <QTimer>

#include <cstdio>

namespace bitloom::ui {

namespace {

void pause(int ms) {
    QEventLoop loop;
    QTimer::singleShot(ms, &loop, &QEventLoop::quit);
    loop.exec();
}

/// Until `ready` holds; false after `limit` ms.
template<class Ready>
bool waitFor(Ready ready, int limit) {
    QElapsedTimer clock;
    clock.start();
    while (!ready() && clock.elapsed() < limit)
        pause(20);
    return ready();
}

class Camera {
public:
    explicit Camera(QString folder) : m_folder(std::move(folder)) {}
    void shoot(QWidget& widget, const QString& name, bool dark) {
        pause(80);
        const QPixmap picture = widget.grab();
        const QString path =
            QStringLiteral("%1/%2-%3-%4x.png")
                .arg(m_folder, name, dark ? QStringLiteral("dark") : QStringLiteral("light"))
                .arg(qRound(picture.devicePixelRatio()));
        if (picture.save(path)) {
            ++m_count;
            std::printf("%s\n", path.toLocal8Bit().constData());
        } else {
            std::fprintf(stderr, "error: '%s' could not be written\n",
                         path.toLocal8Bit().constData());
        }
    }
    int count() const { return m_count; }

private:
    QString m_folder;
    int m_count = 0;
};

void shootModel(MainWindow& window, Workbench& workbench, Camera& camera, bool dark) {
    workbench.endDrag();
    pause(250);
    window.dock(QStringLiteral("pareto"))->raise();
    camera.shoot(window, QStringLiteral("explore"), dark);

    // As it looks in the middle of a drag, with a selection and pins.
    const double before = workbench.figures().bitsPerWeight;
    ChannelPlot* plot = window.explorePage()->channels();
    const int channels = int(workbench.model()->entries[size_t(workbench.selectedLayer())].cols);
    workbench.selectChannels({{channels / 6, channels / 3}});
    plot->setCursor(channels / 2);
    try {
        const LayerEntry& entry = workbench.model()->entries[size_t(workbench.selectedLayer())];
        workbench.addPin(
            Workbench::pinOn(entry, {{channels * 2 / 3, channels * 3 / 4}}, QStringLiteral("5")));
        workbench.addPin(Pin::parse("v_proj$=6"));
    } catch (const std::exception& error) {
        logger("ui")->warn("screenshots: {}", error.what());
    }
    pause(400);
    workbench.beginDrag();
    for (int i = 1; i <= 10; ++i)
        workbench.requestBudget({Budget::Kind::Bits, before + 0.03 * i}, true);
    camera.shoot(window, QStringLiteral("explore-dragging"), dark);
    workbench.endDrag();
    pause(300);
    for (const char* id : {"jobs", "log"}) {
        window.dock(QString::fromLatin1(id))->raise();
        camera.shoot(*window.dock(QString::fromLatin1(id)),
                     QStringLiteral("panel-") % QString::fromLatin1(id), dark);
    }
    window.dock(QStringLiteral("pareto"))->raise();
    for (const char* id : {"layers", "plan", "pareto"})
        camera.shoot(*window.dock(QString::fromLatin1(id)),
                     QStringLiteral("panel-") % QString::fromLatin1(id), dark);
    plot->setTableShown(true);
    camera.shoot(window, QStringLiteral("explore-table"), dark);
    plot->setTableShown(false);
    for (const char* id : {"preferences", "pin", "analyze", "model", "why", "guide"}) {
        QDialog* dialog = window.makeDialog(QString::fromLatin1(id));
        if (!dialog) continue;
        dialog->show();
        camera.shoot(*dialog, QStringLiteral("dialog-") % QString::fromLatin1(id), dark);
        dialog->close();
    }
    // Export has a dialog of its own, which its action opens.
    if (QAction* exporting = window.action(QStringLiteral("export"));
        exporting && exporting->isVisible() && exporting->isEnabled()) {
        exporting->trigger();
        pause(600); // sizes and free space are worked out
        for (QDialog* dialog : window.findChildren<QDialog*>())
            if (dialog->isVisible()) {
                camera.shoot(*dialog, QStringLiteral("dialog-export"), dark);
                dialog->close();
            }
    }
    const QString layout = window.layoutId();
    for (const QString& id : window.layoutIds()) {
        if (id == layout) continue;
        window.setLayoutId(id);
        pause(400);
        camera.shoot(window, id, dark);
    }
    window.setLayoutId(layout);
    while (workbench.undoStack()->canUndo())
        workbench.undoStack()->undo();
    workbench.selectChannels({});
    plot->setCursor(-1);
    pause(300);
}

} // namespace

int takeScreenshots(MainWindow& window, Workbench& workbench, Settings& settings,
                    const QString& folder) {
    if (!QDir().mkpath(folder)) {
        std::fprintf(stderr, "error: the folder '%s' could not be made\n",
                     folder.toLocal8Bit().constData());
        return 0;
    }
    Camera camera(folder);
    window.resize(1440, 900);
    window.show();
    const Settings::Theme former = settings.theme();
    pause(50);
    workbench.closeModel();
    pause(1500); // the sample on the welcome page
    for (const bool dark : {false, true}) {
        settings.setTheme(dark ? Settings::Theme::Dark : Settings::Theme::Light);
        camera.shoot(window, QStringLiteral("welcome"), dark);
    }
    window.openSample();
    const bool ready = waitFor(
        [&] {
            return workbench.phase() == Workbench::Phase::Failed ||
                   (workbench.phase() == Workbench::Phase::Ready && !workbench.curve().empty());
        },
        30'000);
    if (!ready || workbench.phase() == Workbench::Phase::Failed) {
        std::fprintf(stderr, "error: the sample did not open: %s\n",
                     workbench.error().what.toLocal8Bit().constData());
        settings.setTheme(former);
        return 0;
    }
    pause(500);
    for (const bool dark : {false, true}) {
        settings.setTheme(dark ? Settings::Theme::Dark : Settings::Theme::Light);
        shootModel(window, workbench, camera, dark);
    }
    settings.setTheme(former);
    return camera.count();
}

} // namespace bitloom::ui
