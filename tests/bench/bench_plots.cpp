// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors

// What the studio's plots cost on one core, software raster, 1200 × 500 px:
//
//     QT_QPA_PLATFORM=offscreen bench_plots
//
// Targets: replot of 65,536 channels at most 20 ms, a tick of the slider (bits only) at most 3 ms,
// a heat map of 224 × 1024 filled anew at most 5 ms.
#include "tests/ui/plots/plot_samples.h"
#include "ui/plots/channel_plot.h"
#include "ui/plots/heat_map.h"
#include "ui/plots/pareto_plot.h"
#include "ui/plots/qcp.h"

#include <QApplication>
#include <benchmark/benchmark.h>

using namespace bitloom::ui;

namespace {

void prepare(ChannelPlot& plot, const samples::Layer& layer) {
    plot.setData(layer.data);
    plot.setPlan(layer.bits);
    plot.resize(1200, 560);
    plot.show();
    QApplication::processEvents();
}

/// Everything: axes, labels, channels.
void channelReplot(benchmark::State& state) {
    ChannelPlot plot;
    prepare(plot, samples::syntheticLayer(int(state.range(0))));
    for (auto _ : state)
        plot.plot()->replot(QCustomPlot::rpImmediateRefresh);
}

/// Bits change, and predicted error with them where it is the metric.
void channelTick(benchmark::State& state) {
    ChannelPlot plot;
    const samples::Layer layer = samples::syntheticLayer(int(state.range(0)));
    prepare(plot, layer);
    if (state.range(1)) plot.setMetric(ChannelMetric::PredictedError);
    plot.setLive(true);
    std::vector<uint8_t> other(layer.bits.rbegin(), layer.bits.rend());
    bool odd = false;
    for (auto _ : state) {
        odd = !odd;
        plot.setPlan(odd ? other : layer.bits, layer.data.values[3]);
        plot.plot()->repaint();
    }
}

void channelTickPinned(benchmark::State& state) {
    ChannelPlot plot;
    const samples::Layer layer = samples::syntheticLayer(int(state.range(0)));
    prepare(plot, layer);
    plot.setPins({{{{0, int(state.range(0)) - 1}}, 4}});
    plot.setLive(true);
    for (auto _ : state) {
        plot.setPlan(layer.bits);
        plot.plot()->repaint();
    }
}

void channelCursor(benchmark::State& state) {
    ChannelPlot plot;
    prepare(plot, samples::syntheticLayer(65'536));
    int channel = 0;
    for (auto _ : state) {
        channel = (channel + 977) % 65'536;
        plot.setCursor(channel);
        plot.plot()->repaint();
    }
}

void heatMapRefill(benchmark::State& state) {
    HeatMap map;
    const int kinds = int(state.range(0)), rows = int(state.range(1)),
              columns = int(state.range(2));
    const HeatMapData data = samples::syntheticHeatMap(kinds, rows, columns, rows);
    map.setData(data);
    map.resize(1200, 560);
    map.show();
    QApplication::processEvents();
    map.setLive(true);
    for (auto _ : state) {
        map.setValues(data.values);
        map.canvas()->repaint();
    }
}

void paretoReplot(benchmark::State& state) {
    ParetoPlot plot;
    plot.setData(samples::realPareto());
    plot.resize(1200, 500);
    plot.show();
    QApplication::processEvents();
    for (auto _ : state)
        plot.plot()->replot(QCustomPlot::rpImmediateRefresh);
}

BENCHMARK(channelReplot)->Arg(4096)->Arg(14'336)->Arg(65'536)->Unit(benchmark::kMillisecond);
BENCHMARK(channelTick)
    ->Args({4096, 0})
    ->Args({65'536, 0})
    ->Args({65'536, 1})
    ->Unit(benchmark::kMillisecond);
BENCHMARK(channelTickPinned)->Arg(65'536)->Unit(benchmark::kMillisecond);
BENCHMARK(channelCursor)->Unit(benchmark::kMillisecond);
BENCHMARK(heatMapRefill)->Args({7, 32, 24})->Args({1, 224, 1024})->Unit(benchmark::kMillisecond);
BENCHMARK(paretoReplot)->Unit(benchmark::kMillisecond);

} // namespace

int main(int argc, char** argv) {
    QApplication application(argc, argv);
    QApplication::setStyle(QStringLiteral("Fusion"));
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
    benchmark::RunSpecifiedBenchmarks();
    return 0;
}
