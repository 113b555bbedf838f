// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors

// What the user waits for on a model of Llama-2-7B's shapes (224 layers, 1.14 million channels):
// from the hand's move to the last painted pixel, with every view of Explore open.
//
//   a tick of the budget slider   20 ms median, 50 ms at most
//   a click on a layer            30 ms median
//   undo and redo                 30 ms median
//   replot of 65,536 channels     20 ms median
//   scrolling 100,000 log lines   16 ms median
//
// Prints one line of JSON each; exit code 1 beyond a target.
//
//   build/…/bench/bench_slider [POSITIONS] [WIDTH HEIGHT]
#include "tests/support/gui_fixture.h"

#include "tests/ui/plots/plot_samples.h"
#include "ui/docks/log_panel.h"
#include "ui/plots/channel_plot.h"
#include "ui/plots/heat_map.h"
#include "ui/plots/qcp.h"
#include "ui/window/budget_slider.h"
#include "ui/window/explore_page.h"

#include <QDateTime>
#include <QElapsedTimer>
#include <QScrollBar>
#include <QTableView>
#include <QUndoStack>

#include <algorithm>
#include <cstdio>
#include <vector>

using namespace bitloom;
using namespace bitloom::ui;

namespace {

/// Sees every paint event of the application, and when the last one ended.
class PaintSpy : public QObject {
public:
    int paints = 0;

protected:
    bool eventFilter(QObject* object, QEvent* event) override {
        if (event->type() == QEvent::Paint) ++paints;
        return QObject::eventFilter(object, event);
    }
};

double at(std::vector<double> values, double share) {
    std::ranges::sort(values);
    return values[size_t(share * double(values.size() - 1))];
}

/// Milliseconds of `act` and of everything painted because of it.
template<class Act>
double timed(Act act) {
    QElapsedTimer clock;
    clock.start();
    act();
    QCoreApplication::processEvents(QEventLoop::ExcludeUserInputEvents);
    return double(clock.nsecsElapsed()) / 1e6;
}

bool judge(const char* what, const std::vector<double>& times, double limit) {
    const double median = at(times, 0.5);
    std::printf("{\"what\":\"%s\",\"times\":%zu,\"median_ms\":%.2f,\"max_ms\":%.2f,"
                "\"limit_ms\":%.0f}\n",
                what, times.size(), median, at(times, 1), limit);
    return median <= limit;
}

bool layerClicks(GuiFixture& f) {
    HeatMap* map = f.window->explorePage()->heatMap();
    std::vector<double> times;
    for (int i = 0; i < 60; ++i) {
        const int before = f.workbench.selectedLayer();
        times.push_back(timed([&] { emit map->layerClicked(i % 7, (5 * i + 3) % 32); }));
        if (f.workbench.selectedLayer() == before) return false; // nothing was clicked
        QTest::qWait(1);
    }
    return judge("layer click", times, 30);
}

bool undoAndRedo(GuiFixture& f) {
    for (int i = 0; i < 20; ++i) {
        f.workbench.requestBudget({Budget::Kind::Bits, 2.6 + 0.1 * i});
        QCoreApplication::processEvents();
    }
    QUndoStack* undo = f.workbench.undoStack();
    std::vector<double> times;
    for (const bool back : {true, false})
        for (int i = 0; i < 20; ++i) {
            const double before = f.workbench.figures().bitsPerWeight;
            times.push_back(timed([&] { back ? undo->undo() : undo->redo(); }));
            if (f.workbench.figures().bitsPerWeight == before) return false; // nothing was undone
            QTest::qWait(1);
        }
    return judge("undo", times, 30);
}

bool replots() {
    ChannelPlot plot;
    const samples::Layer layer = samples::syntheticLayer(65'536);
    plot.setData(layer.data);
    plot.setPlan(layer.bits);
    plot.resize(1200, 560);
    plot.show();
    QCoreApplication::processEvents();
    std::vector<double> times;
    for (int i = 0; i < 60; ++i)
        times.push_back(timed([&] { plot.plot()->replot(QCustomPlot::rpImmediateRefresh); }));
    return judge("replot of 65536 channels", times, 20);
}

bool scrolls() {
    LogBuffer buffer;
    LogPanel panel(buffer);
    panel.resize(1000, 400);
    panel.show();
    for (size_t i = 0; i < LogBuffer::capacity; ++i)
        buffer.add({QDateTime::currentDateTime(), LogLine::Level::Info, QStringLiteral("engine"),
                    QStringLiteral("line %1 of what an engine says in a long night").arg(i)});
    QTest::qWait(300);
    auto* view = panel.findChild<QTableView*>(QStringLiteral("logView"));
    QScrollBar* bar = view->verticalScrollBar();
    if (bar->maximum() < 10'000) return false; // they are not there
    std::vector<double> times;
    for (int i = 0; i < 100; ++i)
        times.push_back(timed([&] { bar->setValue(i * 937 % bar->maximum()); }));
    return judge("scrolling 100000 log lines", times, 16);
}

} // namespace

int main(int argc, char** argv) {
    if (!qEnvironmentVariableIsSet("QT_QPA_PLATFORM")) qputenv("QT_QPA_PLATFORM", "offscreen");
    QApplication application(argc, argv);
    const int positions = argc > 1 ? std::max(2, std::atoi(argv[1])) : 200;
    std::fprintf(stderr, "making a model of 1.14 million channels …\n");
    GuiFixture f(SyntheticModel::make(32, 4096, 11008));
    if (argc > 3) f.window->resize(std::atoi(argv[2]), std::atoi(argv[3]));
    f.settle();
    QTest::qWait(1500); // heat map, curve and presets arrive
    auto* slider = f.find<BudgetSlider>("budgetSlider");
    const auto [low, high] = f.workbench.range(Budget::Kind::Bits);
    const int from = slider->positionOf(low + 0.05 * (high - low)),
              to = slider->positionOf(low + 0.7 * (high - low));

    PaintSpy spy;
    application.installEventFilter(&spy);
    std::vector<double> ticks, computed;
    int painted = 0;
    QTest::mousePress(slider, Qt::LeftButton, {}, QPoint(from, 12));
    QCoreApplication::processEvents();
    for (int i = 0; i < positions; ++i) {
        // There and back, as a hand does.
        const double share = 0.5 - 0.5 * std::cos(6.283185 * i / positions);
        const QPoint place(from + int(share * (to - from)), 12);
        QMouseEvent move(QEvent::MouseMove, place, slider->mapToGlobal(place), Qt::NoButton,
                         Qt::LeftButton, Qt::NoModifier);
        const double before = f.workbench.figures().bitsPerWeight;
        spy.paints = 0;
        QElapsedTimer clock;
        clock.start();
        QApplication::sendEvent(slider, &move);
        const double done = double(clock.nsecsElapsed()) / 1e6;
        QCoreApplication::processEvents(QEventLoop::ExcludeUserInputEvents);
        const double all = double(clock.nsecsElapsed()) / 1e6;
        if (f.workbench.figures().bitsPerWeight == before) continue; // the same position again
        ticks.push_back(all);
        computed.push_back(done);
        painted += spy.paints > 0;
    }
    QTest::mouseRelease(slider, Qt::LeftButton, {}, QPoint(to, 12));
    const double median = at(ticks, 0.5), most = at(ticks, 1);
    std::printf("{\"ticks\":%zu,\"painted\":%d,\"median_ms\":%.2f,\"p95_ms\":%.2f,\"max_ms\":%.2f,"
                "\"computed_median_ms\":%.2f,\"channels\":%lld}\n",
                ticks.size(), painted, median, at(ticks, 0.95), most, at(computed, 0.5),
                static_cast<long long>(f.workbench.model()->columns));
    bool well = median <= 20 && most <= 50 && painted == int(ticks.size());
    application.removeEventFilter(&spy);
    well = layerClicks(f) && well;
    well = undoAndRedo(f) && well;
    well = replots() && well;
    well = scrolls() && well;
    return well ? 0 : 1;
}
