// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors

// One tick of the budget slider on a model of Llama-2-7B's shapes (224 layers, 1.14 million
// channels): from the mouse's move to the last painted pixel, with every view of Explore open.
// Target: 20 ms median, 50 ms at most. Prints one line of JSON; exit code 1 beyond the target.
//
//   build/…/bench/bench_slider [POSITIONS] [WIDTH HEIGHT]
#include "tests/support/gui_fixture.h"

#include "ui/window/budget_slider.h"

#include <QElapsedTimer>

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
    return median <= 20 && most <= 50 && painted == int(ticks.size()) ? 0 : 1;
}
