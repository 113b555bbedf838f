// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/base/compute_options.h"
#include "core/base/progress.h"
#include "core/engine/generate.h"
#include "core/engine/model_weights.h"

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace bitloom::runtime {

/// Bytes per second that `threads` threads together read from memory: the best of several streaming
/// readers over `bytes` on huge pages. What no product can exceed.
double readBandwidth(int threads, int64_t bytes);

/// One matrix shape at one width, multiplied with M vectors.
struct KernelCase {
    double bits = 0;     ///< 16 = FP16; between two widths, a mix of both
    double outliers = 0; ///< share
    int64_t vectors = 1;
    int64_t bytes = 0; ///< to go through: ≥ 1 GB tells of memory, not of caches
};
struct KernelSpeed {
    int64_t rows = 0, cols = 0;
    KernelCase of;
    int threads = 1;
    double seconds = 0; ///< of one product, median
    int64_t bytes = 0;  ///< read for it
    double bytesPerSecond() const { return double(bytes) / seconds; }
    double weightsPerSecond() const { return double(rows * cols * of.vectors) / seconds; }
};
/// All cases in turns, round after round: what a machine's neighbours do to one of them, they do to
/// all. Holds each case's bytes at once; those with the same weights share them. Throws
/// Error(Cancelled).
std::vector<KernelSpeed> measureKernels(int64_t rows, int64_t cols,
                                        std::span<const KernelCase> cases, int threads,
                                        const Progress& progress);

/// A model from end to end.
struct ModelSpeed {
    int64_t promptTokens = 0, tokens = 0, context = 0;
    double loadSeconds = 0;
    double promptSeconds = 0;          ///< the better of two runs
    std::vector<double> tokenSeconds;  ///< each
    int64_t weightBytes = 0;           ///< read for a token
    int64_t memoryBytes = 0;           ///< held, without mapped files
    std::string deviceName, whyNoGpu;  ///< as TextModel has them
    double tokensPerSecond() const;    ///< generated
    double percentile(double p) const; ///< seconds of a token, 0 ≤ p ≤ 1
};
/// Greedy, behind `context` tokens that do not count. Throws Error(Cancelled), and what TextModel
/// throws.
ModelSpeed measureModel(std::shared_ptr<const ModelWeights> weights, const ComputeOptions& compute,
                        KvType kv, const ModelPlace& place, int64_t promptTokens, int64_t tokens,
                        int64_t context, Progress& progress);

} // namespace bitloom::runtime
