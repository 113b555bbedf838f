// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors

// What needs no engine: welcome, the views of a model that is analyzed, panels and dialogs.
#include "ui/screenshots/stage.h"

#include "core/base/error.h"
#include "ui/plots/channel_plot.h"
#include "ui/plots/heat_map.h"
#include "ui/screenshots/camera.h"
#include "ui/state/settings.h"
#include "ui/window/budget_bar.h"
#include "ui/window/budget_slider.h"
#include "ui/window/explore_page.h"
#include "ui/window/welcome_page.h"

#include <QApplication>
#include <QDialog>
#include <QDir>
#include <QDockWidget>
#include <QFile>
#include <QTabWidget>

namespace bitloom::ui {

namespace {

/// A folder whose checkpoint was cut off while it was copied.
QString damagedModel(const Stage& stage) {
    const QString folder = stage.scratch % QStringLiteral("/half-a-download");
    QDir().mkpath(folder);
    QFile::copy(stage.sampleFolder % QStringLiteral("/config.json"),
                folder % QStringLiteral("/config.json"));
    QFile whole(stage.sampleFolder % QStringLiteral("/model.safetensors"));
    QFile part(folder % QStringLiteral("/model.safetensors"));
    if (whole.open(QIODevice::ReadOnly) && part.open(QIODevice::WriteOnly))
        part.write(whole.read(1 << 20));
    return folder;
}

/// In the middle of a drag, with a selection, a cursor and pins.
void shootDragging(StageWindow& studio, Camera& camera) {
    Workbench& workbench = studio.workbench();
    ChannelPlot* plot = studio.window().explorePage()->channels();
    const LayerEntry& entry = workbench.model()->entries[size_t(workbench.selectedLayer())];
    const int channels = int(entry.cols);
    workbench.selectChannels({{channels / 6, channels / 3}});
    plot->setCursor(channels * 31 / 48);
    try {
        workbench.addPin(
            Workbench::pinOn(entry, {{channels * 3 / 4, channels * 5 / 6}}, QStringLiteral("5")));
        workbench.addPin(Pin::parse("v_proj$=6"));
    } catch (const Error& error) {
        camera.complain(QString::fromStdString(error.what()));
    }
    letRun(500);
    const double before = workbench.figures().bitsPerWeight;
    workbench.beginDrag();
    for (int i = 1; i <= 10; ++i)
        workbench.requestBudget({Budget::Kind::Bits, before + 0.03 * i}, true);
    camera.shoot(studio.window(), "explore-dragging");
    workbench.endDrag();
    letRun(300);
    for (const char* id : {"layers", "plan", "pareto"})
        camera.shoot(*studio.window().dock(QString::fromLatin1(id)), QByteArray("panel-") + id);
    plot->setTableShown(true);
    camera.shoot(studio.window(), "explore-table");
    plot->setTableShown(false);
}

void shootUnits(StageWindow& studio, Camera& camera) {
    Workbench& workbench = studio.workbench();
    for (const auto& [kind, name] : {std::pair{Budget::Kind::Size, "bar-size"},
                                     std::pair{Budget::Kind::Perplexity, "bar-perplexity"}}) {
        workbench.requestBudget({kind, workbench.valueOf(kind)});
        letRun(250);
        camera.shootLight(*studio.window().budgetBar(), name);
    }
}

void shootDialogs(StageWindow& studio, const Stage& stage) {
    Camera& camera = stage.camera;
    for (const char* id : {"preferences", "pin", "analyze", "model", "why", "guide"}) {
        QDialog* dialog = studio.window().makeDialog(QString::fromLatin1(id));
        if (!dialog) continue;
        dialog->show();
        camera.shoot(*dialog, QByteArray("dialog-") + id);
        if (auto* tabs = dialog->findChild<QTabWidget*>())
            for (int i = 1; i < tabs->count(); ++i) {
                tabs->setCurrentIndex(i);
                camera.shootLight(*dialog,
                                  QByteArray("dialog-") + id + '-' + QByteArray::number(i));
            }
        dialog->close();
    }
    const auto shootOpened = [&](const char* action, const char* name) {
        QDialog* dialog = studio.dialogOf(action);
        if (!dialog) return;
        camera.shoot(*dialog, name);
        dialog->reject();
        letRun(20);
    };
    shootOpened("export", "dialog-export");
    if (stage.engine) shootOpened("measureWith", "dialog-measure");
}

/// Where the keyboard is: the ring must be seen on every kind of control.
void shootFocus(StageWindow& studio, Camera& camera) {
    MainWindow& window = studio.window();
    QApplication::setActiveWindow(&window);
    window.findChild<QWidget*>(QStringLiteral("budgetSlider"))->setFocus(Qt::TabFocusReason);
    camera.shootLight(*window.budgetBar(), "focus-slider");
    window.explorePage()->heatMap()->canvas()->setFocus(Qt::TabFocusReason);
    camera.shootLight(*window.explorePage(), "focus-plot");
    window.findChild<QWidget*>(QStringLiteral("layersTree"))->setFocus(Qt::TabFocusReason);
    camera.shootLight(*window.dock(QStringLiteral("layers")), "focus-tree");
}

} // namespace

void shootWelcome(const Stage& stage) {
    StageWindow studio(stage);
    if (stage.engine) studio.startEngine();
    letRun(1200); // the sample on the page
    stage.camera.shoot(studio.window(), "welcome");
    stage.settings.addRecentModel(QDir::homePath() % QStringLiteral("/models/moved-away"));
    stage.settings.addRecentModel(stage.sampleFolder);
    letRun(50);
    stage.camera.shoot(studio.window(), "welcome-recent");
    studio.open(damagedModel(stage));
    stage.camera.shoot(studio.window(), "welcome-error");
    for (const QString& folder : stage.settings.recentModels())
        stage.settings.removeRecentModel(folder);
}

void shootExplore(const Stage& stage) {
    StageWindow studio(stage);
    if (stage.engine) studio.startEngine();
    if (!studio.open(stage.sampleFolder)) {
        stage.camera.complain(studio.workbench().error().what);
        return;
    }
    Camera& camera = stage.camera;
    studio.raise("pareto");
    camera.shoot(studio.window(), "explore");
    shootFocus(studio, camera);
    studio.raise("jobs");
    camera.shoot(*studio.window().dock(QStringLiteral("jobs")), "panel-jobs-empty");
    studio.raise("log");
    camera.shoot(*studio.window().dock(QStringLiteral("log")), "panel-log");
    studio.raise("pareto");
    shootDragging(studio, camera);
    shootDialogs(studio, stage);
    shootUnits(studio, camera);
    studio.layout("compare");
    camera.shoot(studio.window(), "compare-predicted");
    studio.layout("chat");
    camera.shoot(studio.window(), "chat-empty");
}

} // namespace bitloom::ui
