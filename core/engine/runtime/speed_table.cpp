// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/engine/runtime/speed_table.h"

#include "core/base/error.h"
#include "core/base/hash.h"
#include "core/base/units.h"
#include "core/engine/runtime/measure_speed.h"
#include "core/engine/runtime/synthetic.h"
#include "core/io/durable.h"
#include "kernels/column_panels.h"
#include "kernels/dense_rows.h"

#include <algorithm>
#include <iterator>
#include <map>

namespace bitloom::runtime {

namespace {

/// More than caches hold, and no more than it takes to know.
constexpr int64_t mostBytes = 256 << 20;
/// Of the model that is run to learn what is spent outside of its matrices: most models' blocks,
/// all of them, else as many as tell of memory.
constexpr int64_t leastBlocksRun = 4, mostBytesRun = 512 << 20;
constexpr double outlierShare = 0.01;
/// Raised when kernels change their speed: times in the cache are then measured anew.
constexpr int kernelsRevision = 2;

using Shapes = std::map<std::pair<int64_t, int64_t>, int64_t>; ///< → how many in the model

Shapes shapesOf(const Catalogue& catalogue) {
    Shapes shapes;
    for (const LinearInfo& info : catalogue.linears)
        ++shapes[{info.rows, info.cols}];
    return shapes;
}

std::string machineText(int threads) {
    return processorName() + ", " + kernels::panelKernels().name + ", " +
           kernels::denseRowKernels().name + ", " + std::to_string(threads) + " threads";
}

/// The time of a token less that of its matrices.
double otherSeconds(const ModelWeights& model, const SpeedTable& table,
                    const ComputeOptions& compute, Progress& progress) {
    ModelConfig config = model.config();
    const int64_t layers = config.layers;
    int64_t weights = 0;
    for (const LinearInfo& info : model.catalogue().linears)
        weights += info.rows * info.cols;
    const int64_t blockBytes = std::max<int64_t>(weights / layers * 3 / 8, 1);
    const int64_t run = std::min(layers, std::max(leastBlocksRun, mostBytesRun / blockBytes));
    const auto timeOf = [&](int64_t blocks) {
        config.layers = blocks;
        if (!config.slidingWindow.empty()) config.slidingWindow.resize(size_t(blocks));
        const auto weights = syntheticModel(config, 3, 0);
        const ModelSpeed speed =
            measureModel(weights, compute, KvType::F16, {}, 0, 40, 16, progress);
        double matrices = 0;
        for (const LinearInfo& info : weights->catalogue().linears)
            for (const SpeedTable::Matrix& m : table.matrices)
                if (m.rows == info.rows && m.cols == info.cols) matrices += m.seconds[1];
        return std::max(speed.percentile(0.5) - matrices, 0.0);
    };
    const double more = timeOf(run);
    if (run == layers) return more;
    // What does not grow with the blocks (head, sampling) is seen in two runs.
    const double less = timeOf(std::max<int64_t>(run / 2, 1));
    const double perBlock =
        std::max((more - less) / double(run - std::max<int64_t>(run / 2, 1)), 0.0);
    return more + perBlock * double(layers - run);
}

SpeedTable measure(const ModelWeights& model, const ComputeOptions& compute, Progress& progress) {
    SpeedTable table;
    table.threads = compute.threadsOrDefault();
    table.machine = machineText(table.threads);
    const Shapes shapes = shapesOf(model.catalogue());
    int64_t weights = 0;
    for (const auto& [shape, count] : shapes)
        weights += count * shape.first * shape.second;
    // As many bytes as the whole model has at this width: a small one lives in caches.
    const auto bytesAt = [&](double bits) {
        return std::min(int64_t(double(weights) * bits / 8), mostBytes);
    };
    std::vector<KernelCase> cases;
    for (const int width : SpeedTable::widths)
        cases.push_back({double(width), 0, 1, bytesAt(width)});
    cases.push_back({3, outlierShare, 1, bytesAt(3)});
    size_t done = 0;
    for (const auto& [shape, count] : shapes) {
        const auto [rows, cols] = shape;
        progress.report(0.8 * double(done++) / double(shapes.size()), "measuring kernels");
        const std::vector<KernelSpeed> speeds =
            measureKernels(rows, cols, cases, table.threads, progress);
        SpeedTable::Matrix m{rows, cols, {}, 0};
        for (size_t i = 0; i < std::size(SpeedTable::widths); ++i)
            m.seconds.push_back(speeds[i].seconds);
        const double outliers = double(cols) * std::max(1.0, double(rows) * outlierShare);
        m.secondsPerOutlier = std::max(speeds.back().seconds - m.seconds[1], 0.0) / outliers;
        table.matrices.push_back(std::move(m));
    }
    ProgressSlice rest(progress, 0.8, 1);
    table.otherSeconds = otherSeconds(model, table, compute, rest);
    return table;
}

std::filesystem::path fileOf(const ModelWeights& model, const std::filesystem::path& cache,
                             int threads) {
    std::string key = machineText(threads) + ", " + std::to_string(kernelsRevision);
    const ModelConfig& c = model.config();
    for (const int64_t part : {c.hidden, c.intermediate, c.layers, c.heads, c.kvHeads, c.vocab})
        key += " " + std::to_string(part);
    return cache / "speed" / (hashText(key) + ".json");
}

} // namespace

std::optional<SpeedTable> cachedSpeedTable(const ModelWeights& model,
                                           const std::filesystem::path& cache,
                                           const ComputeOptions& compute) {
    const std::filesystem::path file = fileOf(model, cache, compute.threadsOrDefault());
    std::error_code ignored;
    if (!std::filesystem::is_regular_file(file, ignored)) return std::nullopt;
    try {
        return SpeedTable::fromJson(nlohmann::json::parse(readTextFile(file)));
    } catch (const Error&) { // of another version, or damaged
    } catch (const nlohmann::json::exception&) {
    }
    return std::nullopt;
}

SpeedTable speedTable(const ModelWeights& model, const std::filesystem::path& cache,
                      const ComputeOptions& compute, Progress& progress, bool anew) {
    if (!anew)
        if (std::optional<SpeedTable> known = cachedSpeedTable(model, cache, compute))
            return *known;
    SpeedTable table = measure(model, compute, progress);
    try {
        const std::filesystem::path file = fileOf(model, cache, compute.threadsOrDefault());
        std::filesystem::create_directories(file.parent_path());
        writeFileAtomically(file, table.toJson().dump(1) + "\n");
    } catch (const std::exception&) { // a cache that cannot be written costs time, nothing else
    }
    return table;
}

} // namespace bitloom::runtime
