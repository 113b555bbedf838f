// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors

// Products with column tables on the first GPU: time against the bandwidth of a copy and against
// cuBLASLt's fp16 product, both measured in the same run.
//
//     bench_gpu [--quick] [-o RESULT.json]
//
// Checks the products first (the checks of `bitloom selftest --device cuda`). Exit code 5 where
// there is no GPU, 1 where a check fails. Every time is the median of five, of a CUDA graph that
// goes through copies of the matrix that are larger than the L2 cache together. `copy_fraction` is
// of what a copy reads and writes: what only reads may come to more than 1.

#include "core/base/cuda_matrix.h"
#include "core/base/error.h"
#include "kernels/half.h"
#include "kernels/pack.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <functional>
#include <random>
#include <string>
#include <vector>

using namespace bitloom;
using kernels::GpuColumn;
using kernels::GpuMatrix;
using kernels::GpuOutlier;
using kernels::PanelKind;
using Json = nlohmann::json;
using Random = std::mt19937_64;

namespace {

constexpr size_t rotatedBytes = size_t(260) << 20; ///< of all copies: several times the L2 cache

struct Shape {
    const char* name;
    int64_t rows, cols;
};
constexpr Shape shapes[] = {
    {"qkv", 12288, 4096}, {"o", 4096, 4096}, {"gate-up", 22016, 4096}, {"down", 4096, 11008}};

/// Shares of widths, in 64ths of the columns.
struct Mixture {
    const char* name;
    std::vector<std::pair<PanelKind, int>> share;
};
const std::vector<Mixture> mixtures = {
    {"2", {{PanelKind::Table2, 64}}},
    {"3", {{PanelKind::Table3, 64}}},
    {"4", {{PanelKind::Table4, 64}}},
    {"mixed 2.2", {{PanelKind::Table4, 3}, {PanelKind::Table3, 7}, {PanelKind::Table2, 54}}},
    {"mixed 2.5", {{PanelKind::Table4, 8}, {PanelKind::Table3, 16}, {PanelKind::Table2, 40}}},
    {"mixed 3.0", {{PanelKind::Table4, 16}, {PanelKind::Table3, 32}, {PanelKind::Table2, 16}}},
    {"mixed 3.2 with 8",
     {{PanelKind::Plain8, 4},
      {PanelKind::Table4, 10},
      {PanelKind::Table3, 32},
      {PanelKind::Table2, 18}}},
    {"mixed 3.5", {{PanelKind::Table4, 40}, {PanelKind::Table3, 16}, {PanelKind::Table2, 8}}}};

/// A matrix of random codes, in the checkpoint's form.
struct Made {
    GpuMatrix matrix;
    std::vector<uint32_t> words;
    std::vector<BitloomCudaColumn> columns;
};

Made make(const Shape& shape, const Mixture& mixture, double outlierShare, Random& random) {
    std::vector<GpuColumn> columns;
    for (const auto& [kind, share] : mixture.share)
        for (int64_t k = 0; k < shape.cols * share / 64; ++k) {
            GpuColumn c;
            c.kind = kind;
            c.source = int32_t(columns.size());
            const int used = kernels::panelEntries(kind);
            for (int e = 0; e < used; ++e)
                c.entries[size_t(e)] = uint8_t(e * (kind == PanelKind::Table4 ? 16 : 127 / used));
            c.offset = -64;
            c.scale = 0.001f;
            columns.push_back(c);
        }
    std::vector<GpuOutlier> outliers;
    const auto count = int64_t(outlierShare * double(shape.rows * shape.cols));
    for (int64_t i = 0; i < count; ++i)
        outliers.push_back({uint32_t(random() % uint64_t(shape.rows)),
                            uint32_t(random() % uint64_t(shape.cols)), kernels::floatToHalf(0.1f)});
    Made made;
    const kernels::GpuOrder order = kernels::orderGpuColumns(columns);
    made.matrix = kernels::describeGpuMatrix(shape.rows, shape.cols, columns, order, outliers);
    for (const int32_t place : order.place) {
        BitloomCudaColumn c{};
        c.word = UINT64_MAX;
        if (place >= 0) {
            c.word = made.words.size();
            c.bits = kernels::panelBits(columns[size_t(place)].kind);
            made.words.resize(made.words.size() + size_t(kernels::packedWords(shape.rows, c.bits)));
        }
        made.columns.push_back(c);
    }
    for (uint32_t& word : made.words)
        word = uint32_t(random());
    return made;
}

class Bench {
public:
    explicit Bench(const CudaDevice& device) : m_device(device) {}

    /// Median seconds of one of `each` things that `record` puts into a graph.
    double time(int each, const std::function<void()>& record) const {
        record(); // once outside: what is loaded late is loaded now
        m_device.check(m_device.api().synchronize(m_device.context()));
        std::vector<double> seconds;
        int repeats = 1;
        for (int i = 0; i < 6; ++i) {
            const double all = CudaGraph(m_device, record).seconds(repeats);
            if (i == 0)
                repeats = std::clamp(int(0.004 / std::max(all, 1e-6)), 1, 200);
            else
                seconds.push_back(all / repeats / each);
        }
        std::sort(seconds.begin(), seconds.end());
        return seconds[seconds.size() / 2];
    }

    double copyBandwidth() const {
        const size_t bytes = size_t(1) << 30;
        CudaMemory from(m_device, bytes), to(m_device, bytes);
        const double seconds = time(1, [&] {
            m_device.check(m_device.api().copy(m_device.context(), to.data(), from.data(), bytes));
        });
        return 2 * double(bytes) / seconds;
    }

    double halfSeconds(const Shape& shape, int tokens) const {
        const size_t bytes = size_t(shape.rows * shape.cols) * 2;
        const size_t copies = std::max<size_t>(2, rotatedBytes / bytes + 1);
        const std::vector<uint16_t> ones(bytes / 2, kernels::floatToHalf(0.01f));
        std::vector<CudaMemory> weights;
        for (size_t i = 0; i < copies; ++i) {
            weights.emplace_back(m_device, bytes);
            weights.back().upload(ones.data(), bytes);
        }
        CudaMemory x(m_device, size_t(tokens * shape.cols) * 2),
            y(m_device, size_t(tokens * shape.rows) * 4);
        x.upload(ones.data(), size_t(tokens * shape.cols) * 2);
        return time(int(copies), [&] {
            for (const CudaMemory& w : weights)
                m_device.check(m_device.api().multiplyHalf(m_device.context(), w.as<uint16_t>(),
                                                           shape.rows, shape.cols, x.as<uint16_t>(),
                                                           tokens, y.as<float>()));
        });
    }

    /// One row of results for each number of tokens.
    void products(const Shape& shape, const Mixture& mixture, double outliers,
                  const std::vector<int>& tokens, double copyRate, Json& rows) {
        const Made made = make(shape, mixture, outliers, m_random);
        std::vector<CudaMatrix> copies;
        size_t all = 0;
        while (copies.size() < 2 || all < rotatedBytes) {
            copies.emplace_back(m_device, made.matrix, made.words, made.columns);
            all += size_t(copies.back().bytes());
        }
        const int most = *std::max_element(tokens.begin(), tokens.end());
        std::vector<float> x(size_t(most * shape.cols));
        std::normal_distribution<float> normal;
        for (float& value : x)
            value = normal(m_random);
        CudaMemory deviceX(m_device, x.size() * 4), y(m_device, size_t(most * shape.rows) * 4);
        deviceX.upload(x.data(), x.size() * 4);
        for (const int m : tokens) {
            const auto each = [&](auto&& run) {
                for (CudaMatrix& copy : copies)
                    m_device.check(run(copy.get()));
            };
            const double rounding = time(int(copies.size()), [&] {
                each([&](BitloomCudaMatrix* matrix) {
                    BitloomCudaInput input{};
                    input.cols = input.stride = shape.cols;
                    input.x = deviceX.as<float>();
                    return m_device.api().prepare(matrix, &input, m);
                });
            });
            const double whole = time(int(copies.size()), [&] {
                each([&](BitloomCudaMatrix* matrix) {
                    return m_device.api().multiply(matrix, deviceX.as<float>(), shape.cols, m,
                                                   y.as<float>(), shape.rows);
                });
            });
            // Matrices share the memory of activations: there is no product without rounding.
            const double product = std::max(whole - rounding, 1e-9);
            const double bytes = double(copies[0].bytes());
            rows.push_back({{"kernel", "columns"},
                            {"shape", shape.name},
                            {"n", shape.rows},
                            {"k", shape.cols},
                            {"m", m},
                            {"bits", mixture.name},
                            {"outliers", outliers},
                            {"bytes", bytes},
                            {"seconds", product},
                            {"seconds_with_rounding", whole},
                            {"gb_per_s", bytes / product * 1e-9},
                            {"copy_fraction", bytes / product / copyRate}});
            std::printf("%-8s %6lld x %-6lld %-17s %5.2f %% outliers, %2d tokens: %8.2f µs, "
                        "%6.0f GB/s, %4.2f of a copy\n",
                        shape.name, static_cast<long long>(shape.rows),
                        static_cast<long long>(shape.cols), mixture.name, outliers * 100, m,
                        product * 1e6, bytes / product * 1e-9, bytes / product / copyRate);
            std::fflush(stdout);
        }
    }

private:
    const CudaDevice& m_device;
    Random m_random{1};
};

/// Seconds of a row, or 0.
double secondsOf(const Json& rows, const std::string& kernel, const std::string& shape,
                 const std::string& bits, int m, double outliers) {
    for (const Json& row : rows)
        if (row["kernel"] == kernel && row["shape"] == shape && row["m"] == m &&
            row.value("bits", "") == bits && row.value("outliers", 0.0) == outliers)
            return row["seconds"];
    return 0;
}

/// What the rows are measured for, as ratios of times: above 1 is faster than fp16, or slower than
/// one token, one width of the same bytes, no outliers.
Json summaryOf(const Json& rows) {
    Json out;
    const auto ratio = [&](const std::string& name, double above, double below) {
        if (above <= 0 || below <= 0) return;
        out[name] = above / below;
        std::printf("%-52s %.2f\n", name.c_str(), above / below);
    };
    const std::string columns = "columns";
    for (const Shape& shape : shapes) {
        const double half = secondsOf(rows, "cublasLt fp16", shape.name, "", 1, 0);
        for (const Mixture& mixture : mixtures) {
            const double one = secondsOf(rows, columns, shape.name, mixture.name, 1, 0);
            const std::string which = std::string(shape.name) + ", " + mixture.name + " bits: ";
            ratio(which + "times faster than fp16, 1 token", half, one);
            ratio(which + "16 tokens over 1",
                  secondsOf(rows, columns, shape.name, mixture.name, 16, 0), one);
        }
        ratio(std::string(shape.name) + ": 3 bits mixed over 3 bits",
              secondsOf(rows, columns, shape.name, "mixed 3.0", 1, 0),
              secondsOf(rows, columns, shape.name, "3", 1, 0));
    }
    for (const char* bits : {"2", "3", "4"})
        ratio(std::string("gate-up, ") + bits + " bits: 0.5 % outliers over none",
              secondsOf(rows, columns, "gate-up", bits, 1, 0.005),
              secondsOf(rows, columns, "gate-up", bits, 1, 0));
    return out;
}

Json runAll(const CudaDevice& device, bool quick) {
    const BitloomCudaDevice& p = device.properties();
    Json out = {{"device", p.name},
                {"compute_capability", {p.major, p.minor}},
                {"multiprocessors", p.multiprocessors},
                {"driver", p.driver},
                {"runtime", p.runtime},
                {"clock_khz", p.clockKHz},
                {"memory_clock_khz", p.memoryClockKHz},
                {"l2_bytes", p.l2Bytes},
                {"library", device.api().build()}};
    std::printf("%s, %s\n", p.name, device.api().build());
    int failed = 0;
    for (const CudaCheck& check : checkCudaProducts(device)) {
        std::printf("%s %s: %s\n", check.ok ? "ok    " : "FAILED", check.name.c_str(),
                    check.detail.c_str());
        out["checks"].push_back({{"name", check.name}, {"ok", check.ok}, {"detail", check.detail}});
        failed += !check.ok;
    }
    out["failed"] = failed;
    Bench bench(device);
    const double copyRate = bench.copyBandwidth();
    std::printf("copy: %.0f GB/s read and written\n", copyRate * 1e-9);
    Json rows = Json::array();
    const std::vector<int> all{1, 2, 4, 8, 16};
    for (const Shape& shape : shapes) {
        if (quick && std::strcmp(shape.name, "gate-up") != 0) continue;
        for (const int m : all) {
            try {
                const double seconds = bench.halfSeconds(shape, m);
                const double bytes = 2 * double(shape.rows * shape.cols);
                rows.push_back({{"kernel", "cublasLt fp16"},
                                {"shape", shape.name},
                                {"n", shape.rows},
                                {"k", shape.cols},
                                {"m", m},
                                {"bytes", bytes},
                                {"seconds", seconds},
                                {"gb_per_s", bytes / seconds * 1e-9},
                                {"copy_fraction", bytes / seconds / copyRate}});
                std::printf("%-8s cuBLASLt fp16, %2d tokens: %8.2f µs, %6.0f GB/s\n", shape.name, m,
                            seconds * 1e6, bytes / seconds * 1e-9);
            } catch (const Error& error) {
                std::printf("%-8s cuBLASLt fp16: %s\n", shape.name, error.what());
                out["no_cublas"] = error.what();
                break;
            }
        }
        for (const Mixture& mixture : mixtures)
            bench.products(shape, mixture, 0, all, copyRate, rows);
    }
    for (const size_t width : {0u, 1u, 2u})
        for (const double outliers : {0.0005, 0.005})
            bench.products(shapes[2], mixtures[width], outliers, {1, 16}, copyRate, rows);
    out["copy_gb_per_s"] = copyRate * 1e-9;
    out["summary"] = summaryOf(rows);
    out["rows"] = rows;
    return out;
}

} // namespace

int main(int argc, char** argv) {
    std::string output;
    bool quick = false;
    for (int i = 1; i < argc; ++i) {
        const std::string word = argv[i];
        if (word == "--quick")
            quick = true;
        else if (word == "-o" && i + 1 < argc)
            output = argv[++i];
        else {
            std::fprintf(stderr, "usage: bench_gpu [--quick] [-o RESULT.json]\n");
            return int(ErrorCode::Usage);
        }
    }
    try {
        std::string why;
        const auto library = CudaLibrary::open(why);
        if (!library) {
            std::fprintf(stderr, "no GPU: %s; nothing was measured\n", why.c_str());
            return int(ErrorCode::NoDevice);
        }
        const CudaDevice device(library);
        const Json result = runAll(device, quick);
        if (!output.empty()) std::ofstream(output) << result.dump(1) << "\n";
        return result["failed"] == 0 ? 0 : int(ErrorCode::Failed);
    } catch (const Error& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return int(error.code());
    }
}
