// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors

// The column quantizer on Gaussian columns, one core, in ns per weight ("ns/w"). Targets: the curve
// of 27 points at most 250 at N = 256 and 80 at N = 4096; a table with its sort at most 25 at N =
// 4096.
#include "kernels/column_quantizer.h"
#include "kernels/pack.h"

#include <benchmark/benchmark.h>

#include <cmath>
#include <random>
#include <vector>

using namespace bitloom::kernels;

namespace {

constexpr size_t kColumns = 16;

std::vector<std::vector<float>> makeColumns(size_t n) {
    std::mt19937 random(1);
    std::normal_distribution<float> normal(0.f, 0.02f);
    std::vector<std::vector<float>> columns(kColumns, std::vector<float>(n));
    for (auto& column : columns)
        for (float& w : column)
            w = normal(random);
    return columns;
}

void report(benchmark::State& state) {
    state.counters["ns/w"] =
        benchmark::Counter(double(state.range(0)) * 1e-9 * double(state.iterations()),
                           benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

void curve(benchmark::State& state) {
    const size_t n = size_t(state.range(0));
    const auto columns = makeColumns(n);
    std::vector<CurvePoint> points;
    for (const double share : {0., 0.0025, 0.01}) {
        const int outliers = int(std::lround(share * double(n)));
        for (const int bits : {2, 3, 4})
            points.push_back({PointKind::Table, bits, outliers});
        for (const int bits : {2, 3, 4, 5, 6, 8})
            points.push_back({PointKind::Grid, bits, outliers});
    }
    points.push_back({PointKind::Raw, 16, 0});
    std::vector<float> sse(points.size());
    ColumnScratch scratch;
    size_t i = 0;
    for (auto _ : state) {
        columnErrorCurve(columns[i++ % kColumns], points, true, scratch, sse);
        benchmark::DoNotOptimize(sse.data());
    }
    report(state);
}

void fit(benchmark::State& state) {
    const auto columns = makeColumns(size_t(state.range(0)));
    const PointKind kind = state.range(1) ? PointKind::Grid : PointKind::Table;
    ColumnScratch scratch;
    size_t i = 0;
    for (auto _ : state)
        benchmark::DoNotOptimize(
            fitColumn(columns[i++ % kColumns], kind, int(state.range(2)), scratch));
    report(state);
}

void assign(benchmark::State& state) {
    const auto columns = makeColumns(size_t(state.range(0)));
    const PointKind kind = state.range(1) ? PointKind::Grid : PointKind::Table;
    ColumnScratch scratch;
    const ColumnCode code = fitColumn(columns[0], kind, int(state.range(2)), scratch);
    std::vector<uint8_t> codes(columns[0].size());
    size_t i = 0;
    for (auto _ : state) {
        assignColumn(columns[i++ % kColumns], code, codes);
        benchmark::DoNotOptimize(codes.data());
    }
    report(state);
}

void refit(benchmark::State& state) {
    const auto columns = makeColumns(size_t(state.range(0)));
    const PointKind kind = state.range(1) ? PointKind::Grid : PointKind::Table;
    ColumnScratch scratch;
    const ColumnCode code = fitColumn(columns[0], kind, int(state.range(2)), scratch);
    std::vector<uint8_t> codes(columns[0].size());
    assignColumn(columns[1], code, codes);
    for (auto _ : state)
        benchmark::DoNotOptimize(refitColumn(columns[1], codes, code));
    report(state);
}

void pack(benchmark::State& state) {
    const int bits = int(state.range(1));
    std::vector<uint8_t> codes(size_t(state.range(0)), uint8_t((1 << bits) - 1));
    std::vector<uint32_t> words(size_t(packedWords(state.range(0), bits)));
    for (auto _ : state) {
        packCodes(codes, bits, words);
        benchmark::DoNotOptimize(words.data());
        unpackCodes(words, bits, codes);
        benchmark::DoNotOptimize(codes.data());
    }
    report(state);
}

} // namespace

BENCHMARK(curve)->ArgName("N")->Arg(256)->Arg(768)->Arg(4096)->Arg(11008);
BENCHMARK(fit)
    ->ArgNames({"N", "grid", "bits"})
    ->ArgsProduct({{256, 4096}, {0}, {2, 3, 4}})
    ->ArgsProduct({{256, 4096}, {1}, {2, 4, 8}});
BENCHMARK(assign)
    ->ArgNames({"N", "grid", "bits"})
    ->Args({4096, 0, 2})
    ->Args({4096, 0, 4})
    ->Args({4096, 1, 8});
BENCHMARK(refit)
    ->ArgNames({"N", "grid", "bits"})
    ->Args({4096, 0, 2})
    ->Args({4096, 0, 4})
    ->Args({4096, 1, 8});
BENCHMARK(pack)->ArgNames({"N", "bits"})->ArgsProduct({{4096}, {2, 3, 4, 8}});

BENCHMARK_MAIN();
