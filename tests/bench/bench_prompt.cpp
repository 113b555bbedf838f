// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors

// A layer times the tokens of a prompt: from its codes (PanelWeights), against what one would do
// without: dequantize to float32 and multiply with libtorch's GEMM, and against that GEMM alone.
//
//     bench_prompt [--rows N] [--cols K] [--bits B] [--outliers F] [--threads T] [--rounds R]
//                  [--tokens M] [--isa NAME]
//
// Prints Markdown: milliseconds and weights·tokens per second of the best round, for the version of
// every instruction set. One thread's seconds are those it had of a core, several threads' those
// that went by.

#include "core/base/team.h"
#include "core/format/panel_weights.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <random>
#include <string>
#include <thread>
#include <vector>

using namespace bitloom;

namespace {

double now(int threads) {
    timespec t{};
    clock_gettime(threads == 1 ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC, &t);
    return double(t.tv_sec) + 1e-9 * double(t.tv_nsec);
}

template<class Body>
double best(int threads, int rounds, const Body& body) {
    double seconds = 1e9;
    for (int round = 0; round < rounds; ++round) {
        const double begin = now(threads);
        body();
        seconds = std::min(seconds, now(threads) - begin);
    }
    return seconds;
}

ColumnWeights randomLayer(int64_t rows, int64_t cols, int bits, double outliers) {
    OperatingPoint point;
    point.kind = bits <= 4 ? PointKind::Table : PointKind::Grid;
    point.bits = bits;
    point.outlierFraction = outliers;
    const std::vector<uint8_t> points(static_cast<size_t>(cols), uint8_t(0));
    ColumnWeights w = ColumnWeights::make(rows, cols, points, {point});
    std::mt19937_64 random(1);
    for (uint8_t& code : w.codes)
        code = uint8_t(random() % (1u << bits));
    for (int8_t& entry : w.tables)
        entry = int8_t(random() % 127);
    for (uint16_t& scale : w.scale)
        scale = 0x2000; // 2^-7
    // Spread over the rows, in other places in every column.
    for (std::vector<uint32_t>& column : w.outlierRow) {
        const uint64_t step = uint64_t(rows) / std::max<size_t>(column.size(), 1);
        for (size_t i = 0; i < column.size(); ++i)
            column[i] = uint32_t(i * step + random() % step);
    }
    for (std::vector<uint16_t>& column : w.outlierVal)
        std::fill(column.begin(), column.end(), uint16_t(0x3c00)); // 1
    return w;
}

void product(Team& team, const PanelWeights& panels, const at::Tensor& x, int bytes,
             PanelWeights::Input& input, at::Tensor& y) {
    const int64_t tokens = x.size(0);
    panels.begin(x.data_ptr<float>(), tokens, x.size(1), input, bytes);
    constexpr int64_t grain = 64;
    const int64_t items = tokens * panels.blocks();
    team.forEach((items + grain - 1) / grain, [&](int64_t i) {
        panels.prepareBlocks(i * grain, std::min(items, (i + 1) * grain), input);
    });
    float* out = y.data_ptr<float>();
    team.forEach(panels.panels(), [&](int64_t panel) {
        panels.multiply(input, panel, panel + 1, out, panels.rows());
    });
}

double difference(const at::Tensor& a, const at::Tensor& b) {
    return ((a - b).norm() / b.norm()).item<double>();
}

} // namespace

int main(int argc, char** argv) {
    int64_t rows = 4096, cols = 4096;
    int bits = 3, threads = int(std::max(1u, std::thread::hardware_concurrency())), rounds = 30;
    double outliers = 0.005;
    std::vector<int64_t> counts{1, 2, 4, 8, 16, 64, 512};
    std::string isa;
    for (int i = 1; i + 1 < argc; i += 2) {
        const std::string option = argv[i];
        const double value = std::atof(argv[i + 1]);
        if (option == "--rows") rows = int64_t(value);
        if (option == "--cols") cols = int64_t(value);
        if (option == "--bits") bits = int(value);
        if (option == "--outliers") outliers = value;
        if (option == "--threads") threads = int(value);
        if (option == "--tokens") counts = {int64_t(value)};
        if (option == "--isa") isa = argv[i + 1];
        if (option == "--rounds") rounds = int(value);
    }
    at::NoGradGuard noGrad;
    at::set_num_threads(threads);
    Team team(threads);
    const ColumnWeights layer = randomLayer(rows, cols, bits, outliers);
    at::Tensor dense = at::empty({rows, cols}, at::kFloat);
    const auto dequantize = [&] {
        layer.dequantize({dense.data_ptr<float>(), size_t(dense.numel())}, threads);
    };
    dequantize();

    std::printf("%lld × %lld, %d bits, %.2f %% outliers, %d threads\n\n", (long long)rows,
                (long long)cols, bits, 100 * outliers, threads);
    std::printf("| tokens | way | ms | Gweights·tokens/s | error |\n|---|---|---|---|---|\n");
    for (const int64_t tokens : counts) {
        const at::Tensor x = at::randn({tokens, cols});
        at::Tensor reference = at::empty({tokens, rows}), y = at::empty({tokens, rows});
        const auto print = [&](const std::string& way, double seconds, double error) {
            std::printf("| %lld | %s | %.2f | %.0f | %.1e |\n", (long long)tokens, way.c_str(),
                        1e3 * seconds, double(rows * cols * tokens) / seconds / 1e9, error);
            std::fflush(stdout);
        };
        print("float32 GEMM alone",
              best(threads, rounds, [&] { at::mm_out(reference, x, dense.t()); }), 0);
        print("dequantize, float32 GEMM",
              best(threads, rounds / 3 + 1,
                   [&] {
                       dequantize();
                       at::mm_out(reference, x, dense.t());
                   }),
              0);
        for (const kernels::PanelKernels& kernels : kernels::allPanelKernels()) {
            if (isa.empty() ? std::string(kernels.name) == "scalar" : isa != kernels.name) continue;
            const PanelWeights panels(layer, threads, kernels);
            // Short ones often, so that some find both cores free.
            const int times = tokens <= 16 ? 20 * rounds : rounds;
            PanelWeights::Input input;
            for (const int bytes : {2, 1}) {
                const double seconds =
                    best(threads, times, [&] { product(team, panels, x, bytes, input, y); });
                print(std::string(kernels.name) + (bytes == 2 ? "" : ", 1 byte"), seconds,
                      difference(y, reference));
            }
        }
    }
    return 0;
}
