// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors

// What the engine has to do with: analysis, measurements, answers, exports, and its end.
#include "ui/screenshots/stage.h"

#include "ui/chat/chat_page.h"
#include "ui/chat/studio_rooms.h"
#include "ui/compare/compare_page.h"
#include "ui/compare/measure.h"
#include "ui/engine_client/engine_client.h"
#include "ui/export/export_run.h"
#include "ui/export/report_source.h"
#include "ui/plots/channel_plot.h"
#include "ui/screenshots/camera.h"
#include "ui/state/jobs.h"
#include "ui/state/settings.h"
#include "ui/window/engine_jobs.h"
#include "ui/window/explore_page.h"

#include <QDialog>
#include <QDir>
#include <QDockWidget>
#include <QImage>
#include <QJsonArray>
#include <QJsonObject>
#include <QPainter>
#include <QPushButton>

#include <algorithm>

namespace bitloom::ui {

namespace {

// A calibration as short as shows what there is to see: everything after it takes as long as it.
constexpr int calibrationWindows = 64, calibrationLength = 256, measuredWindows = 80;
constexpr int jobLimit = 180'000; // of a machine that has other things to do

/// By the metric that is shown first.
int largestChannel(const ChannelPlot& plot) {
    int best = 0;
    for (int row = 1; row < plot.tableRows(); ++row)
        if (plot.tableCell(row, 1).toDouble() > plot.tableCell(best, 1).toDouble()) best = row;
    return plot.tableCell(best, 0).toInt();
}

/// A model that nobody has analyzed, on its way to one that somebody has. False if it did not get
/// there.
bool shootAnalysis(StageWindow& studio, const Stage& stage) {
    Camera& camera = stage.camera;
    Workbench& workbench = studio.workbench();
    if (!studio.open(bareModel(stage))) {
        camera.complain(workbench.error().what);
        return false;
    }
    camera.shoot(studio.window(), "explore-headers");
    studio.window().engineJobs()->analyze(
        {{QStringLiteral("sequences"), calibrationWindows},
         {QStringLiteral("length"), calibrationLength},
         {QStringLiteral("text"),
          QJsonArray{QString(workbench.model()->folder % QStringLiteral("/calibration.txt"))}}});
    studio.raise("jobs");
    const auto ready = [&] {
        const auto& entries = workbench.model()->entries;
        return std::ranges::any_of(entries, &LayerEntry::ready);
    };
    waitFor([&] { return workbench.jobs().activeCount() == 0 || ready(); }, jobLimit);
    if (workbench.phase() == Workbench::Phase::Partial)
        camera.shoot(studio.window(), "explore-analyzing", true);
    if (!studio.finishJobs(jobLimit)) return false;
    return waitFor(
        [&] { return workbench.phase() == Workbench::Phase::Ready && !workbench.curve().empty(); },
        10'000);
}

/// Perplexities of three presets, one after the other; the last one is seen running.
void shootMeasuring(StageWindow& studio, Camera& camera) {
    Workbench& workbench = studio.workbench();
    MeasureRuns* runs = studio.rooms().measures();
    MeasureRequest request;
    request.windows = measuredWindows;
    // The smallest, the uniform one, and the one that is open: by place, names are translated.
    const auto& presets = workbench.presets();
    const auto uniform = std::ranges::find_if(
        presets, [](const Preset& preset) { return preset.decision.uniformBits.has_value(); });
    const QString even = uniform == presets.end() ? presets.front().name : uniform->name;
    const QString open = workbench.currentPreset();
    for (const QString& preset : {presets.front().name, even, open}) {
        request.subject = {Subject::Kind::Preset, preset};
        runs->start(request);
        if (preset == open) {
            waitFor(
                [&] {
                    return !workbench.jobs().active() || workbench.jobs().active()->fraction > 0.4;
                },
                jobLimit);
            studio.raise("jobs");
            camera.shoot(*studio.window().dock(QStringLiteral("jobs")), "panel-jobs", true);
            studio.raise("pareto");
            camera.shoot(studio.window(), "explore-measuring", true);
        }
        if (!studio.finishJobs(jobLimit)) return;
    }
    letRun(400);
    ChannelPlot* plot = studio.window().explorePage()->channels();
    plot->setCursor(largestChannel(*plot));
    camera.shoot(studio.window(), "explore-measured");
    plot->setCursor(-1);
    studio.layout("compare");
    studio.rooms().compare()->compare({Subject::Kind::Preset, even}, {Subject::Kind::Preset, open});
    camera.shoot(studio.window(), "compare");
}

/// The same prompt to both: while they answer, and when the left text has been scored.
void shootChat(StageWindow& studio, Camera& camera) {
    studio.layout("chat");
    ChatPage& chat = studio.chat();
    ChatSession& session = chat.session();
    ChatOptions options = session.options();
    options.maxTokens = 96;
    session.setOptions(options);
    const auto ask = [&] {
        chat.setPrompt(QStringLiteral("Lily and her dog went to the park. They"));
        chat.send();
    };
    ask();
    waitFor([&] { return !session.busy() || session.stream(1).size() > 24; }, jobLimit);
    letRun(60, true);
    if (session.busy()) camera.shoot(studio.window(), "chat-answering", true);
    if (!studio.finishJobs(jobLimit)) return;
    letRun(100);
    chat.setCurrentToken(std::max(0, session.firstDifference()), true);
    chat.setPrompt(QStringLiteral("Then the dog saw a"));
    camera.shoot(studio.window(), "chat");
    // The plan has moved on since it answered.
    studio.workbench().requestBudget({Budget::Kind::Bits, 2.6});
    letRun(300);
    camera.shoot(studio.window(), "chat-stale");
    studio.workbench().undoStack()->undo();
    letRun(200);
}

void shootExport(StageWindow& studio, const Stage& stage) {
    Camera& camera = stage.camera;
    stage.settings.setValue(QStringLiteral("export/folder"),
                            QString(stage.scratch % QStringLiteral("/models")));
    studio.layout("explore");
    QDialog* dialog = studio.dialogOf("export");
    if (!dialog) return;
    ExportRun* run = studio.rooms().exportRun();
    auto* main = dialog->findChild<QPushButton*>(QStringLiteral("exportMain"));
    main->click();
    waitFor([&] { return run->state() != ExportRun::State::Running || run->fraction() > 0.45; },
            jobLimit);
    letRun(40, true);
    camera.shoot(*dialog, "dialog-exporting", true);
    waitFor([&] { return run->state() != ExportRun::State::Running; }, jobLimit);
    if (run->state() != ExportRun::State::Done)
        camera.complain(QStringLiteral("the export failed: %1").arg(run->error().message));
    letRun(150);
    camera.shoot(*dialog, "dialog-exported");
    camera.shootOver(studio.window(), *dialog, "export");
    dialog->reject();
    letRun(50);
    studio.layout("compare");
    camera.shoot(studio.window(), "compare-export");
}

/// The page that "Report…" writes, on A4.
void shootReport(StageWindow& studio, Camera& camera) {
    const QSizeF page(794, 1123);
    const double ratio = studio.window().devicePixelRatioF();
    QImage image((page * ratio).toSize(), QImage::Format_RGB32);
    image.setDevicePixelRatio(ratio);
    image.fill(Qt::white);
    QPainter painter(&image);
    paintPlanReport(painter, page, reportOf(studio.workbench(), &studio.chat().session()));
    painter.end();
    camera.save(image, QStringLiteral("report"));
}

/// The engine has ended, and what was asked of it.
void shootFailure(StageWindow& studio, Camera& camera) {
    EngineClient* engine = studio.workbench().engine();
    EngineCommand nothing;
    nothing.program = QStringLiteral("/usr/lib/bitloom/no-such-engine");
    engine->setCommand(nothing);
    engine->restart();
    waitFor([&] { return engine->state() == EngineClient::State::Dead; }, 5000);
    studio.layout("explore");
    studio.trigger("measure");
    studio.raise("jobs");
    letRun(200);
    camera.shoot(studio.window(), "explore-failed");
    studio.layout("chat");
    camera.shoot(studio.window(), "chat-failed");
}

/// Fonts and windows of all sizes, where there is something to see in every view.
void shootSizes(StageWindow& studio, const Stage& stage) {
    Camera& camera = stage.camera;
    const auto all = [&](const char* name) {
        for (const char* view : {"explore", "compare", "chat"}) {
            studio.layout(view);
            camera.shootLight(studio.window(), QByteArray(view) + '-' + name);
        }
    };
    const auto resized = [&](QSize size) {
        letRun(200); // the window's least size follows the letters
        studio.window().resize(size);
        studio.window().resetLayout();
        letRun(200);
    };
    for (const auto& [percent, name] : {std::pair{80, "80"}, std::pair{200, "200"}}) {
        stage.settings.setFontPercent(percent);
        resized({1440, 900});
        all(name);
    }
    stage.settings.setFontPercent(100);
    for (const auto& [size, name] :
         {std::pair{QSize(1024, 640), "1024x640"}, std::pair{QSize(2560, 1440), "2560x1440"}}) {
        resized(size);
        all(name);
    }
    studio.window().resize(1440, 900);
}

void shootResults(StageWindow& studio, const Stage& stage) {
    shootMeasuring(studio, stage.camera);
    shootChat(studio, stage.camera);
    shootExport(studio, stage);
    shootReport(studio, stage.camera);
    shootSizes(studio, stage);
    shootFailure(studio, stage.camera);
}

} // namespace

void shootEngine(const Stage& stage) {
    // A cache of its own: there the sample is a model that nobody has analyzed.
    stage.settings.setCacheFolder(stage.scratch % QStringLiteral("/cache"));
    {
        StageWindow studio(stage);
        if (studio.startEngine() && shootAnalysis(studio, stage)) shootResults(studio, stage);
    }
    stage.settings.setCacheFolder({});
}

} // namespace bitloom::ui
