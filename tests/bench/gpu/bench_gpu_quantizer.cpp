// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors

// What quantizing one layer takes on the first GPU, step by step, or on the processor for
// comparison.
//
//     bench_gpu_quantizer [--device cuda|cpu] [--quick] [-o RESULT.json]
//
// Exit code 5 where a GPU is asked for and none can be used. Every time is the median of three (of
// the solver: one), with everything done when the clock stops.

#include "core/base/error.h"
#include "core/engine/compute.h"
#include "core/engine/detail/column_solver.h"
#include "core/engine/detail/hessian.h"
#include "core/stats/operating_point.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

using namespace bitloom;
using namespace bitloom::detail;
using Json = nlohmann::json;

namespace {

struct Shape {
    int64_t rows, cols;
};

/// Seconds of `work`, which leaves a tensor that is waited for.
double secondsOf(int runs, const std::function<at::Tensor()>& work) {
    std::vector<double> times;
    for (int i = 0; i < runs; ++i) {
        const auto start = std::chrono::steady_clock::now();
        const at::Tensor last = work();
        (void)last.flatten()[0].item<double>(); // waits for the device
        times.push_back(
            std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    }
    std::sort(times.begin(), times.end());
    return times[times.size() / 2];
}

class Bench {
public:
    explicit Bench(const ComputeOptions& compute) : m_device(compute.device.get()) {}

    void run(const Shape& shape, Json& rows) {
        const Place place = m_device ? Place(*m_device) : Place();
        constexpr int64_t tokens = 4096;
        const at::Tensor x = place.in(at::randn({tokens, shape.cols}));
        const auto row = [&](const char* what, double seconds) {
            std::printf("%-40s %6lld x %-6lld %9.4f s\n", what, (long long)shape.rows,
                        (long long)shape.cols, seconds);
            rows.push_back({{"what", what},
                            {"rows", shape.rows},
                            {"cols", shape.cols},
                            {"device", m_device ? m_device->name() : "cpu"},
                            {"seconds", seconds}});
        };
        HessianAccumulator accumulator(shape.cols, place);
        row("Hessian, 4096 tokens", secondsOf(3, [&] {
                accumulator.add(x);
                return accumulator.absmax();
            }));
        const at::Tensor hessian = accumulator.takeHessian();
        FactoredHessian factored;
        row("factors of the Hessian", secondsOf(3, [&] {
                factored = factorHessian(place, hessian.clone(), 0.01, ColumnOrder::Descending,
                                         /*wantMatrices=*/true, "bench", /*keep=*/true);
                return factored.feedback;
            }));
        const at::Tensor weight = at::randn({shape.rows, shape.cols}) * 0.02;
        if (m_device) curves(weight, place, row);
        const Menu& menu = defaultMenu();
        std::vector<uint8_t> points(static_cast<size_t>(shape.cols));
        for (size_t k = 0; k < points.size(); ++k)
            points[k] = uint8_t(k % 3 * 3); // tables of 2, 3 and 4 bits
        ColumnWeights layer = ColumnWeights::make(shape.rows, shape.cols, points, menu);
        ColumnSolver solver(weight, factored, layer);
        row("GPTQ over columns", secondsOf(1, [&] {
                solver.gptq(NoProgress());
                return weight;
            }));
        row("a pass of coordinate descent", secondsOf(1, [&] {
                solver.descend(NoProgress());
                return weight;
            }));
    }

private:
    template<class Row>
    void curves(const at::Tensor& weight, const Place& place, const Row& row) {
        std::vector<kernels::CurvePoint> points;
        for (const OperatingPoint& point : defaultMenu())
            points.push_back({point.kind, point.bits, int(outlierCount(point, weight.size(0)))});
        const at::Tensor byColumn = place.in(weight).t().contiguous();
        std::vector<float> sse(points.size() * size_t(weight.size(1)));
        std::vector<float> rms(static_cast<size_t>(weight.size(1)));
        bool there = false;
        const double seconds = secondsOf(3, [&] {
            there = m_device->errorCurves(byColumn, points, true, sse, rms);
            return byColumn;
        });
        if (there) row("error curves, every point", seconds);
    }

    Device* m_device; ///< or null
};

} // namespace

int main(int argc, char** argv) {
    std::string out, device = "cuda";
    bool quick = false;
    for (int i = 1; i < argc; ++i) {
        if (std::strcmp(argv[i], "--quick") == 0) quick = true;
        if (std::strcmp(argv[i], "-o") == 0 && i + 1 < argc) out = argv[++i];
        if (std::strcmp(argv[i], "--device") == 0 && i + 1 < argc) device = argv[++i];
    }
    try {
        at::NoGradGuard noGrad;
        ComputeOptions compute;
        compute.choice = parseDevice(device);
        initEngine(compute);
        openDevice(compute);
        std::printf("%s\n", deviceText(compute).c_str());
        Json rows = Json::array();
        Bench bench(compute);
        const std::vector<Shape> shapes =
            quick ? std::vector<Shape>{{512, 512}}
                  : std::vector<Shape>{{4096, 4096}, {11008, 4096}, {4096, 11008}};
        for (const Shape& shape : shapes)
            bench.run(shape, rows);
        const Json result = {{"device", deviceText(compute)},
                             {"rows", rows},
                             {"fallbacks", deviceFallbacks(compute)}};
        if (!out.empty()) std::ofstream(out) << result.dump(1) << '\n';
    } catch (const Error& error) {
        std::fprintf(stderr, "bench_gpu_quantizer: %s\n%s\n", error.what(), error.hint().c_str());
        return int(error.code());
    }
    return 0;
}
