// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
//
// What calibration costs beside the passes that it cannot avoid: one forward and one backward pass
// (with all weight gradients) over the same tokens, in the same run, on the same threads.
//
//     bench_calibrate [MODEL TEXT LENGTH]     default: the sample model and its calibration.txt
//
// Prints one JSON object. Limit: ratio ≤ 3.
#include "core/engine/calibrate.h"
#include "core/engine/detail/scoring.h"
#include "core/engine/detail/transformer.h"
#include "core/text/tokenizer.h"

#include <nlohmann/json.hpp>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/variable.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <iostream>

using namespace bitloom;
using namespace bitloom::detail;

namespace {

double seconds(std::chrono::steady_clock::time_point from) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - from).count();
}

/// Forward and backward over all windows, 4096 tokens at a time; gives (forward, backward) seconds.
std::pair<double, double> barePasses(const ModelWeights& weights, const TokenWindows& windows) {
    const Transformer transformer(weights.config(), weights.catalogue());
    std::vector<BlockWeights> blocks;
    std::vector<at::Tensor> leaves;
    for (int64_t i = 0; i < weights.config().layers; ++i) {
        blocks.push_back(loadBlock(weights, i, 1));
        for (at::Tensor& w : blocks.back().weight)
            leaves.push_back(w.requires_grad_(true));
    }
    const HeadWeights head = loadHead(weights);
    const int64_t batch = std::max<int64_t>(1, 4096 / windows.length);
    double forward = 0, backward = 0;
    for (int64_t first = 0; first < windows.count; first += batch) {
        const int64_t n = std::min(batch, windows.count - first);
        auto start = std::chrono::steady_clock::now();
        const std::span ids(windows.ids.data() + first * windows.length,
                            size_t(n * windows.length));
        at::Tensor hidden = transformer.embed(weights, ids, n);
        for (size_t b = 0; b < blocks.size(); ++b)
            hidden = transformer.block(blocks[b], hidden, int64_t(b));
        const at::Tensor normed = transformer.norm(hidden, head.finalNorm);
        const at::Tensor rows =
            normed.detach().narrow(1, 0, windows.length - 1).reshape({-1, normed.size(2)});
        at::Tensor labels = at::empty({n, windows.length - 1}, at::kLong);
        for (int64_t w = 0; w < n; ++w)
            for (int64_t t = 1; t < windows.length; ++t)
                labels.data_ptr<int64_t>()[w * (windows.length - 1) + t - 1] =
                    windows.row(first + w)[size_t(t)];
        at::Tensor gradient = at::empty_like(rows);
        scoreRows(rows, head.head, labels.view({-1}), 2048, gradient);
        forward += seconds(start);
        start = std::chrono::steady_clock::now();
        at::Tensor full = at::zeros_like(normed);
        full.narrow(1, 0, windows.length - 1)
            .copy_(gradient.view({n, windows.length - 1, normed.size(2)}));
        torch::autograd::grad({normed}, leaves, {full});
        backward += seconds(start);
    }
    return {forward, backward};
}

} // namespace

int main(int argc, char** argv) {
    const std::filesystem::path sample =
        std::filesystem::path(BITLOOM_SOURCE_DIR) / "resources/models/bitloom-tales-4m";
    const std::string model = argc > 1 ? argv[1] : sample.string();
    const std::string text = argc > 2 ? argv[2] : (sample / "calibration.txt").string();
    const int64_t length = argc > 3 ? std::stoll(argv[3]) : 256;

    CalibrateOptions options;
    initEngine(options.compute);
    const auto checkpoint = Checkpoint::open(model);
    const auto tokenizer = loadTokenizer(checkpoint->folder());
    options.windows = windowsFromText(*tokenizer, readTexts({text}), text, length);
    options.cache = std::filesystem::temp_directory_path() / "bitloom-bench-calibrate";
    options.force = true;

    const auto [forward, backward] = barePasses(*weightsOf(checkpoint), options.windows);
    NoProgress quiet;
    const CalibrationReport report = calibrate(checkpoint, options, quiet);
    std::filesystem::remove_all(options.cache);
    std::cout << nlohmann::json{{"tokens", report.tokens},
                                {"forward_seconds", forward},
                                {"backward_seconds", backward},
                                {"calibrate_seconds", report.seconds},
                                {"ratio", report.seconds / (forward + backward)},
                                {"limit", 3.0},
                                {"threads", options.compute.threadsOrDefault()}}
                     .dump()
              << std::endl;
}
