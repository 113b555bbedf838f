// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors

// Speed expected from kernel times beside the one measured, on random weights in the shape of a
// known model; prints Markdown:
//
//     bench_prediction [--shape 1b] [--blocks 22] [--bits 2.4,3,4.2] [--outliers 0,0.5] [--threads
//     N]
//
// What the plan's --tokens-per-second and the studio's read-out rest on; the ratio should be within
// 0.85 and 1.15. The table and the models are measured one after the other, so a machine whose
// bandwidth swings between them shows it here: the read bandwidth stands beside each row.

#include "core/base/progress.h"
#include "core/engine/runtime/measure_speed.h"
#include "core/engine/runtime/speed_table.h"
#include "core/engine/runtime/synthetic.h"

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <string>
#include <vector>

using namespace bitloom;

namespace {

std::vector<double> numbers(const std::string& text) {
    std::vector<double> out;
    std::istringstream in(text);
    for (std::string part; std::getline(in, part, ',');)
        out.push_back(std::stod(part));
    return out;
}

/// Seconds of a token whose columns have the two whole widths around `bits`.
double expected(const SpeedTable& table, const Catalogue& catalogue, double bits, double percent) {
    const int low = int(std::floor(bits)), high = int(std::ceil(bits));
    OperatingPoint below, above;
    below.bits = low;
    above.bits = high;
    below.outlierFraction = above.outlierFraction = percent / 100;
    below.kind = low <= 4 ? PointKind::Table : PointKind::Grid;
    above.kind = high <= 4 ? PointKind::Table : PointKind::Grid;
    const Menu menu{below, above};
    double seconds = table.otherSeconds;
    for (const LinearInfo& info : catalogue.linears) {
        const auto wider = std::llround((bits - low) * double(info.cols));
        const int64_t columns[] = {info.cols - wider, wider};
        seconds += table.secondsOfLayer(info.rows, info.cols, columns, menu);
    }
    return seconds;
}

} // namespace

int main(int argc, char** argv) {
    std::string shape = "1b", bits = "2.4,3,4.2", outliers = "0,0.5";
    int64_t blocks = 22;
    ComputeOptions compute;
    for (int i = 1; i + 1 < argc; i += 2) {
        const std::string option = argv[i];
        if (option == "--shape") shape = argv[i + 1];
        if (option == "--bits") bits = argv[i + 1];
        if (option == "--outliers") outliers = argv[i + 1];
        if (option == "--blocks") blocks = std::atoll(argv[i + 1]);
        if (option == "--threads") compute.threads = std::atoi(argv[i + 1]);
    }
    const ModelConfig config = runtime::syntheticConfig(shape, blocks);
    const auto folder = std::filesystem::temp_directory_path() / "bitloom-bench-prediction";
    NoProgress progress;
    const auto any = runtime::syntheticModel(config, 3, 0);
    const SpeedTable table = runtime::speedTable(*any, folder, compute, progress, true);
    std::filesystem::remove_all(folder);
    std::printf("%s shapes, %lld blocks, %d threads; outside of matrices %.2f ms a token\n\n",
                shape.c_str(), static_cast<long long>(blocks), table.threads,
                1e3 * table.otherSeconds);
    std::printf("| bits | outliers | expected tokens/s | measured | ratio | read GB/s |\n"
                "| --- | --- | --- | --- | --- | --- |\n");
    for (const double b : numbers(bits))
        for (const double percent : numbers(outliers)) {
            const auto model = runtime::syntheticModel(config, b, percent / 100);
            const runtime::ModelSpeed speed = runtime::measureModel(
                model, compute, runtime::KvType::F16, {}, 0, 48, 16, progress);
            const double rate = 1 / expected(table, model->catalogue(), b, percent);
            std::printf("| %.2g | %.2g %% | %.1f | %.1f | %.2f | %.1f |\n", b, percent, rate,
                        speed.tokensPerSecond(), rate / speed.tokensPerSecond(),
                        runtime::readBandwidth(table.threads, 600'000'000) / 1e9);
            std::fflush(stdout);
        }
}
