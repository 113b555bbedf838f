// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/engine/probe_rounding.h"

#include "core/base/threads.h"
#include "core/engine/evaluate.h"
#include "kernels/column_quantizer.h"

#include <algorithm>

namespace bitloom {

namespace {

constexpr OperatingPoint probePoint{PointKind::Table, 4, 0};
constexpr int64_t probeTokens = 16'384, leastWindows = 8;

/// Buffers of one thread.
struct Scratch {
    kernels::ColumnScratch column;
    std::vector<float> weights; ///< [columns of a group, N]
    std::vector<uint8_t> codes; ///< [N]
};

/// Columns [begin, end) of [N, K], rounded in place.
void roundColumns(std::span<float> matrix, int64_t rows, int64_t cols, int64_t begin, int64_t end,
                  Scratch& scratch) {
    const int64_t width = end - begin;
    scratch.weights.resize(size_t(width * rows));
    scratch.codes.resize(size_t(rows));
    // A group of columns together, or every value would fetch a line of the cache for itself.
    for (int64_t n = 0; n < rows; ++n)
        for (int64_t k = 0; k < width; ++k)
            scratch.weights[size_t(k * rows + n)] = matrix[size_t(n * cols + begin + k)];
    for (int64_t k = 0; k < width; ++k) {
        const std::span column(scratch.weights.data() + k * rows, size_t(rows));
        const kernels::ColumnCode code =
            kernels::fitColumn(column, probePoint.kind, probePoint.bits, scratch.column);
        kernels::assignColumn(column, code, scratch.codes);
        for (int64_t n = 0; n < rows; ++n)
            column[size_t(n)] = code.value(scratch.codes[size_t(n)]);
    }
    for (int64_t n = 0; n < rows; ++n)
        for (int64_t k = 0; k < width; ++k)
            matrix[size_t(n * cols + begin + k)] = scratch.weights[size_t(k * rows + n)];
}

class RoundedWeights final : public ModelWeights {
public:
    explicit RoundedWeights(std::shared_ptr<const ModelWeights> base) : m_base(std::move(base)) {}

    const ModelConfig& config() const override { return m_base->config(); }
    const Catalogue& catalogue() const override { return m_base->catalogue(); }
    const std::filesystem::path& folder() const override { return m_base->folder(); }
    void readLinear(std::string_view linear, std::span<float> out, int threads) const override {
        m_base->readLinear(linear, out, threads);
        const LinearInfo* info = catalogue().find(linear);
        if (!info) throw Error("the model has no linear layer '" + std::string(linear) + "'");
        parallelFor(info->cols, 16, threads, [&](int64_t begin, int64_t end) {
            thread_local Scratch scratch;
            roundColumns(out, info->rows, info->cols, begin, end, scratch);
        });
    }
    std::optional<StoredRows> storedRows(std::string_view name) const override {
        const bool rounded = name.ends_with(".weight") &&
                             catalogue().find(name.substr(0, name.size() - 7)) != nullptr;
        return rounded ? std::nullopt : m_base->storedRows(name);
    }
    bool hasTensor(std::string_view name) const override { return m_base->hasTensor(name); }
    void readTensor(std::string_view name, std::span<float> out) const override {
        m_base->readTensor(name, out);
    }
    void readRows(std::string_view name, int64_t rowBegin, std::span<float> out) const override {
        m_base->readRows(name, rowBegin, out);
    }
    std::string fingerprint() const override { return m_base->fingerprint() + "-rounded"; }
    int64_t storedBytes() const override { return m_base->storedBytes(); }

private:
    std::shared_ptr<const ModelWeights> m_base;
};

/// ½ Σ γ_l H_kk SSE_lk: errors of columns that no other column makes up for.
double expectedDistortion(const Statistics& statistics, size_t point) {
    const size_t points = statistics.menu().size();
    double sum = 0;
    for (const LayerStatistics& layer : statistics.layers()) {
        double errors = 0;
        for (size_t k = 0; k < size_t(layer.cols); ++k)
            errors += double(layer.actRms[k]) * double(layer.actRms[k]) *
                      double(layer.sse[k * points + point]);
        sum += layer.gamma * errors;
    }
    return sum / 2;
}

int64_t windowsToProbe(const TokenWindows& windows) {
    return std::min(windows.count, std::max(leastWindows, probeTokens / windows.length));
}

TokenWindows spread(const TokenWindows& all) {
    TokenWindows some = all;
    some.count = windowsToProbe(all);
    some.ids.clear();
    for (int64_t i = 0; i < some.count; ++i) {
        const std::span<const int32_t> row = all.row(i * all.count / some.count);
        some.ids.insert(some.ids.end(), row.begin(), row.end());
    }
    return some;
}

/// An evaluation that says what it is for.
class ProbeProgress final : public Progress {
public:
    explicit ProbeProgress(Progress& whole) : m_whole(whole) {}
    void report(double fraction, std::string_view) override {
        m_whole.report(fraction, "measuring what rounding costs");
    }
    bool cancelled() const override { return m_whole.cancelled(); }

private:
    Progress& m_whole;
};

} // namespace

std::shared_ptr<const ModelWeights> roundedWeights(std::shared_ptr<const ModelWeights> base) {
    return std::make_shared<RoundedWeights>(std::move(base));
}

std::optional<RoundingProbe> probeRounding(std::shared_ptr<const Checkpoint> model,
                                           const Statistics& statistics,
                                           const TokenWindows& windows,
                                           const ComputeOptions& compute, Progress& progress) {
    const Menu& menu = statistics.menu();
    const auto point = std::find(menu.begin(), menu.end(), probePoint);
    if (point == menu.end() || windows.count < 1) return std::nullopt;
    RoundingProbe probe;
    probe.distortion = expectedDistortion(statistics, size_t(point - menu.begin()));
    const auto original = weightsOf(std::move(model));
    const auto rounded = roundedWeights(original);
    ProbeProgress named(progress);
    const Evaluation evaluation = evaluate(
        *rounded, original.get(),
        evaluationWindows(spread(windows), Protocol::Gptq, original->config()), compute, named);
    probe.deltaNll = evaluation.deltaNll;
    probe.standardError = evaluation.deltaStderr;
    probe.klMean = evaluation.klMean;
    probe.tokens = evaluation.tokens;
    return probe;
}

double probeShare(const TokenWindows& windows) {
    // Two forward passes beside one with Hessians and one of about three there and back.
    const double probe = 2 * double(windowsToProbe(windows));
    return probe / (probe + 6 * double(std::max<int64_t>(windows.count, 1)));
}

} // namespace bitloom
