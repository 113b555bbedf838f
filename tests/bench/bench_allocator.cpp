// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors

// The allocator on a model of Llama-2-7B's shapes: 224 layers, 1.14 million columns, 27 points and
// raw. Targets on one core: construction under 4 s, any budget under 8 ms.
#include "core/base/units.h"
#include "core/plan/allocator.h"
#include "core/plan/plan.h"

#include <benchmark/benchmark.h>

#include <chrono>
#include <cmath>
#include <memory>
#include <random>

using namespace bitloom;

namespace {

/// Error curves like those of Gaussian columns: the distortion–rate figures of a Lloyd-Max table or
/// an even grid, less what outliers take, with noise, scaled by column variances spread as in real
/// layers.
struct Model {
    std::vector<std::vector<float>> conditional, sse;
    std::vector<LayerCurves> layers;

    Model(int blocks, int64_t hidden, int64_t inner) {
        std::mt19937_64 random(7);
        for (int b = 0; b < blocks; ++b)
            for (const auto& [name, rows, cols] : {std::tuple{"self_attn.q_proj", hidden, hidden},
                                                   std::tuple{"self_attn.k_proj", hidden, hidden},
                                                   std::tuple{"self_attn.v_proj", hidden, hidden},
                                                   std::tuple{"self_attn.o_proj", hidden, hidden},
                                                   std::tuple{"mlp.gate_proj", inner, hidden},
                                                   std::tuple{"mlp.up_proj", inner, hidden},
                                                   std::tuple{"mlp.down_proj", hidden, inner}})
                add("model.layers." + std::to_string(b) + '.' + name, rows, cols, random);
        for (size_t l = 0; l < layers.size(); ++l) {
            layers[l].conditional = conditional[l];
            layers[l].sse = sse[l];
        }
    }

    void add(const std::string& name, int64_t rows, int64_t cols, std::mt19937_64& random) {
        const Menu& menu = defaultMenu();
        std::normal_distribution<float> normal;
        std::vector<float> shape;
        for (const OperatingPoint& p : menu)
            shape.push_back(float(rows) * pointError(p));
        std::vector<float> c, e;
        e.reserve(size_t(cols) * menu.size());
        for (int64_t k = 0; k < cols; ++k) {
            c.push_back(std::exp(1.5f * normal(random)));
            const float variance = 4e-4f * std::exp(0.5f * normal(random));
            for (float s : shape)
                e.push_back(s * variance * (1 + 0.03f * normal(random)));
        }
        layers.push_back({name, rows, cols, 1e-7 * std::exp(double(normal(random))), {}, {}});
        conditional.push_back(std::move(c));
        sse.push_back(std::move(e));
    }

    static float pointError(const OperatingPoint& p) {
        constexpr float table[] = {0, 0.3634f, 0.1175f, 0.03454f, 0.009497f, 0.0025f};
        constexpr float grid[] = {0,        0,         0.1188f, 0.03744f, 0.01154f,
                                  0.00349f, 0.001041f, 3e-4f,   8.7e-5f};
        if (p.kind == PointKind::Raw) return 1e-8f;
        const float all = p.kind == PointKind::Table ? table[p.bits] : grid[p.bits];
        return all * (p.outlierFraction == 0 ? 1 : p.outlierFraction < 0.005 ? 0.93f : 0.82f);
    }
};

const Model& model() {
    static const Model model(32, 4096, 11008);
    return model;
}

Allocator& allocator() {
    static Allocator allocator(model().layers, defaultMenu(), defaultAllowed(defaultMenu()));
    return allocator;
}

void construct(benchmark::State& state) {
    model();
    const int64_t before = residentBytes();
    int64_t columns = 0, held = 0;
    for (auto _ : state) {
        const Allocator a(model().layers, defaultMenu(), defaultAllowed(defaultMenu()));
        columns = a.columns();
        held = residentBytes() - before;
    }
    state.counters["columns"] = double(columns);
    state.counters["held_MB"] = double(held) / 1e6;
}
BENCHMARK(construct)->Unit(benchmark::kMillisecond);

void constructFromSegments(benchmark::State& state) {
    const std::vector<std::byte> segments = allocator().sortedSegments();
    for (auto _ : state)
        benchmark::DoNotOptimize(
            Allocator(model().layers, defaultMenu(), defaultAllowed(defaultMenu()), segments));
    state.counters["segments_MB"] = double(segments.size()) / 1e6;
}
BENCHMARK(constructFromSegments)->Unit(benchmark::kMillisecond);

void constructSmall(benchmark::State& state) {
    const Model small(8, 288, 768);
    for (auto _ : state)
        benchmark::DoNotOptimize(
            Allocator(small.layers, defaultMenu(), defaultAllowed(defaultMenu())));
}
BENCHMARK(constructSmall)->Unit(benchmark::kMillisecond);

// Random budgets: what a slider asks for, without the help of the last answer.
void allocate(benchmark::State& state) {
    const Allocator& a = allocator();
    std::mt19937_64 random(1);
    std::uniform_int_distribution<int64_t> budget(a.minBits(), a.maxBits());
    for (auto _ : state)
        benchmark::DoNotOptimize(a.allocate(budget(random)));
}
BENCHMARK(allocate)->Unit(benchmark::kMillisecond);

// The slowest place: just before a checkpoint of the segment list.
void allocateWorst(benchmark::State& state) {
    const Allocator& a = allocator();
    std::mt19937_64 random(1);
    int64_t worst = a.minBits();
    double slowest = 0;
    for (int i = 0; i <= 500; ++i) {
        const int64_t budget = a.minBits() + (a.maxBits() - a.minBits()) / 500 * i;
        const auto start = std::chrono::steady_clock::now();
        benchmark::DoNotOptimize(a.allocate(budget));
        const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
        if (took.count() > slowest) {
            slowest = took.count();
            worst = budget;
        }
    }
    for (auto _ : state)
        benchmark::DoNotOptimize(a.allocate(worst));
    state.counters["slowest_of_500_ms"] = slowest * 1e3;
}
BENCHMARK(allocateWorst)->Unit(benchmark::kMillisecond);

void allocateForDistortion(benchmark::State& state) {
    const Allocator& a = allocator();
    const double target = a.allocate((a.minBits() + a.maxBits()) / 2).distortion;
    for (auto _ : state)
        benchmark::DoNotOptimize(a.allocateForDistortion(target));
}
BENCHMARK(allocateForDistortion)->Unit(benchmark::kMillisecond);

void curve(benchmark::State& state) {
    const Allocator& a = allocator();
    for (auto _ : state)
        benchmark::DoNotOptimize(a.curve(200));
}
BENCHMARK(curve)->Unit(benchmark::kMillisecond);

void pins(benchmark::State& state, const char* pin) {
    Allocator& a = allocator();
    const std::vector<Pin> list{Pin::parse(pin)};
    for (auto _ : state)
        a.setLimits(limitsOf(list, model().layers, a.menu()), model().layers);
    a.setLimits({}, model().layers);
}
BENCHMARK_CAPTURE(pins, oneLayer, "layers\\.3\\.mlp\\.down=4")->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(pins, everyDown, "down_proj=4")->Unit(benchmark::kMillisecond);

void allocatePinned(benchmark::State& state) {
    Allocator& a = allocator();
    a.setLimits(limitsOf(std::vector{Pin::parse("down_proj=4")}, model().layers, a.menu()),
                model().layers);
    std::mt19937_64 random(1);
    std::uniform_int_distribution<int64_t> budget(a.minBits(), a.maxBits());
    for (auto _ : state)
        benchmark::DoNotOptimize(a.allocate(budget(random)));
    a.setLimits({}, model().layers);
}
BENCHMARK(allocatePinned)->Unit(benchmark::kMillisecond);

void uniform(benchmark::State& state) {
    const Allocator& a = allocator();
    for (auto _ : state)
        benchmark::DoNotOptimize(a.uniform({PointKind::Table, 3, 0}));
}
BENCHMARK(uniform)->Unit(benchmark::kMillisecond);

} // namespace

BENCHMARK_MAIN();
