// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/engine/runtime/measure_speed.h"

#include "core/base/huge_buffer.h"
#include "core/base/team.h"
#include "core/engine/runtime/linear.h"
#include "core/engine/runtime/synthetic.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstring>
#include <map>
#include <numeric>
#include <tuple>

namespace bitloom::runtime {

namespace {

using Clock = std::chrono::steady_clock;

double secondsSince(Clock::time_point begin) {
    return std::chrono::duration<double>(Clock::now() - begin).count();
}

double median(std::vector<double> values) {
    std::ranges::sort(values);
    return values[values.size() / 2];
}

template<int Streams>
uint64_t readSpan(const uint8_t* from, size_t bytes) {
    typedef uint64_t Line __attribute__((vector_size(64), aligned(64)));
    Line sum[4] = {};
    const size_t part = bytes / Streams / 256 * 256;
    for (size_t i = 0; i < part; i += 256)
        for (size_t s = 0; s < Streams; ++s)
            for (size_t j = 0; j < 4; ++j)
                sum[j] ^= *reinterpret_cast<const Line*>(from + s * part + i + j * 64);
    const Line all = sum[0] ^ sum[1] ^ sum[2] ^ sum[3];
    return all[0] ^ all[1] ^ all[2] ^ all[3] ^ all[4] ^ all[5] ^ all[6] ^ all[7];
}

std::atomic<uint64_t> sink; // so that nothing is left out

/// FP16 rows of noise, or panels.
Linear linearOf(int64_t rows, int64_t cols, double bits, double outliers, Team& team) {
    LinearInfo info;
    info.rows = rows;
    info.cols = cols;
    class One final : public ModelWeights {
    public:
        One(const LinearInfo& info, double bits, double outliers)
            : m_info(info), m_bits(bits), m_outliers(outliers) {}
        const ModelConfig& config() const override { return m_config; }
        const Catalogue& catalogue() const override { return m_catalogue; }
        const std::filesystem::path& folder() const override { return m_folder; }
        void readLinear(std::string_view, std::span<float>, int) const override {}
        std::optional<ColumnWeights> columns(std::string_view) const override {
            if (m_bits >= 16) return std::nullopt;
            return syntheticColumns(m_info.rows, m_info.cols, m_bits, m_outliers);
        }
        std::optional<StoredRows> storedRows(std::string_view) const override {
            if (m_bits < 16) return std::nullopt;
            const size_t bytes = size_t(m_info.rows * m_info.cols) * sizeof(uint16_t);
            auto buffer = std::make_shared<HugeBuffer>(bytes);
            std::memset(buffer->data(), 0x25, bytes);
            return StoredRows{
                {buffer->data(), kernels::RowType::F16, m_info.rows, m_info.cols, m_info.cols},
                {},
                buffer};
        }
        bool hasTensor(std::string_view) const override { return false; }
        void readTensor(std::string_view, std::span<float>) const override {}
        void readRows(std::string_view, int64_t, std::span<float>) const override {}
        std::string fingerprint() const override { return {}; }
        int64_t storedBytes() const override { return 0; }

    private:
        LinearInfo m_info;
        double m_bits, m_outliers;
        ModelConfig m_config;
        Catalogue m_catalogue;
        std::filesystem::path m_folder;
    } weights(info, bits, outliers);
    return Linear::layer(weights, info, team);
}

} // namespace

double readBandwidth(int threads, int64_t bytes) {
    Team team(threads);
    HugeBuffer memory(static_cast<size_t>(bytes));
    const int64_t share = bytes / threads / 4096 * 4096;
    team.forEach(threads,
                 [&](int64_t t) { std::memset(memory.data() + t * share, 1, size_t(share)); });
    double best = 0;
    const auto measure = [&](uint64_t (*reader)(const uint8_t*, size_t)) {
        std::vector<double> seconds;
        for (int round = 0; round < 5; ++round) {
            const auto begin = Clock::now();
            // Pieces of the size that products have, so that threads end together.
            constexpr int64_t piece = 1 << 20;
            const int64_t pieces = share * threads / piece;
            team.forEach(pieces, [&](int64_t i) {
                sink = reader(memory.data() + i * piece, size_t(piece));
            });
            seconds.push_back(secondsSince(begin));
            best = std::max(best, double(pieces * piece) / seconds.back());
        }
    };
    measure(readSpan<1>);
    measure(readSpan<2>);
    measure(readSpan<4>);
    return best;
}

std::vector<KernelSpeed> measureKernels(int64_t rows, int64_t cols,
                                        std::span<const KernelCase> cases, int threads,
                                        const Progress& progress) {
    constexpr int rounds = 7;
    Team team(threads);
    // So many copies of a matrix that they fill the bytes.
    std::map<std::tuple<double, double, int64_t>, std::vector<Linear>> weights;
    std::vector<const std::vector<Linear>*> copiesOf;
    std::vector<KernelSpeed> out;
    int64_t most = 1;
    for (const KernelCase& c : cases) {
        std::vector<Linear>& copies = weights[{c.bits, c.outliers, c.bytes}];
        if (copies.empty()) copies.push_back(linearOf(rows, cols, c.bits, c.outliers, team));
        while (int64_t(copies.size()) * copies[0].bytes() < c.bytes) {
            progress.check();
            copies.push_back(copies[0].copy());
        }
        copiesOf.push_back(&copies);
        out.push_back({rows, cols, c, threads, 0, copies[0].bytes()});
        most = std::max(most, c.vectors);
    }
    std::vector<float> x(size_t(most * cols)), y(size_t(most * rows));
    for (size_t i = 0; i < x.size(); ++i)
        x[i] = float(int(i * 37 % 255) - 127) / 100.f;
    std::vector<std::vector<double>> seconds(cases.size());
    for (int round = 0; round < rounds; ++round)
        for (size_t i = 0; i < cases.size(); ++i) {
            progress.check();
            Linear::Input input;
            const auto begin = Clock::now();
            for (const Linear& copy : *copiesOf[i]) {
                copy.begin({x.data(), cases[i].vectors, cols}, input);
                const Product product{&copy, &input, y.data(), rows};
                multiplyAll(team, {&product, 1});
            }
            seconds[i].push_back(secondsSince(begin) / double(copiesOf[i]->size()));
        }
    for (size_t i = 0; i < cases.size(); ++i)
        out[i].seconds = median(seconds[i]);
    return out;
}

double ModelSpeed::tokensPerSecond() const {
    const double all = std::accumulate(tokenSeconds.begin(), tokenSeconds.end(), 0.0);
    return all > 0 ? double(tokenSeconds.size()) / all : 0;
}

double ModelSpeed::percentile(double p) const {
    if (tokenSeconds.empty()) return 0;
    std::vector<double> sorted = tokenSeconds;
    std::ranges::sort(sorted);
    return sorted[size_t(std::llround(p * double(sorted.size() - 1)))];
}

ModelSpeed measureModel(std::shared_ptr<const ModelWeights> weights, const ComputeOptions& compute,
                        KvType kv, const ModelPlace& place, int64_t promptTokens, int64_t tokens,
                        int64_t context, Progress& progress) {
    ModelSpeed out;
    const auto begin = Clock::now();
    TextModel model(weights, compute, Arithmetic::Fast, kv, place);
    ProgressSlice loading(progress, 0, 0.4);
    model.load(loading);
    out.loadSeconds = secondsSince(begin);
    const int64_t vocab = weights->config().vocab, room = model.maxPositions();
    const auto idsOf = [&](int64_t count) {
        std::vector<int32_t> ids(static_cast<size_t>(count));
        for (int64_t i = 0; i < count; ++i)
            ids[size_t(i)] = int32_t((i * 7919 + 13) % vocab);
        return ids;
    };
    out.promptTokens = std::min(promptTokens, room);
    for (int run = 0; run < 2 && out.promptTokens > 0; ++run) {
        progress.report(0.4 + 0.2 * run, "running the prompt");
        model.reset();
        const auto start = Clock::now();
        model.advance(idsOf(out.promptTokens), &progress);
        const double seconds = secondsSince(start);
        out.promptSeconds = run ? std::min(out.promptSeconds, seconds) : seconds;
    }
    model.reset();
    out.context = std::min(std::max<int64_t>(context, 1), room - 1);
    const auto likeliest = [](const std::vector<float>& logits) {
        return int32_t(std::max_element(logits.begin(), logits.end()) - logits.begin());
    };
    int32_t id = likeliest(model.advance(idsOf(out.context), &progress));
    out.tokens = std::min(tokens, room - out.context);
    const SamplingOptions greedy;
    Sampler sampler(greedy);
    const bool chooses = out.tokens > 0 && model.chooses(greedy);
    if (chooses) model.startChoosing(greedy, sampler, id, out.tokens);
    for (int64_t i = 0; i < out.tokens; ++i) {
        progress.check();
        progress.report(0.8 + 0.2 * double(i) / double(out.tokens), "generating");
        const auto start = Clock::now();
        if (chooses) {
            model.chooseNext();
            out.tokenSeconds.push_back(secondsSince(start));
            continue;
        }
        const std::vector<float> logits = model.advance({&id, 1});
        out.tokenSeconds.push_back(secondsSince(start));
        id = likeliest(logits);
    }
    out.deviceName = model.deviceName();
    out.whyNoGpu = model.whyNoGpu();
    out.weightBytes = model.weightBytes();
    out.memoryBytes = model.memoryBytes();
    return out;
}

} // namespace bitloom::runtime
