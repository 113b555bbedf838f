// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/engine/device_check.h"

#include "core/engine/calibrate.h"
#include "core/engine/evaluate.h"
#include "core/engine/quantize.h"
#include "core/recipe/planner.h"
#include "core/stats/statistics.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <span>

namespace bitloom {

namespace {

template<class... Args>
std::string text(const char* format, Args... args) {
    char out[200];
    std::snprintf(out, sizeof out, format, args...);
    return out;
}

double relative(double found, double wanted) {
    return found == wanted ? 0 : std::fabs(found - wanted) / std::max(std::fabs(wanted), 1e-30);
}

/// The largest relative difference of any two values of all layers.
double largest(const Statistics& found, const Statistics& wanted,
               const std::function<std::span<const float>(const LayerStatistics&)>& of) {
    double most = 0;
    for (const LayerStatistics& layer : wanted.layers()) {
        const std::span<const float> a = of(*found.find(layer.name)), b = of(layer);
        for (size_t i = 0; i < b.size(); ++i)
            most = std::max(most, relative(double(a[i]), double(b[i])));
    }
    return most;
}

struct Outcome {
    double deltaNll = 0, objective = 0, polishLoss = 0;
};

/// Quantizes in memory and measures what it costs.
Outcome quantized(const std::shared_ptr<const Checkpoint>& model, const Statistics& statistics,
                  QuantizeOptions options, const EvaluationWindows& windows,
                  const ComputeOptions& compute, Progress& progress) {
    options.compute = compute;
    QuantizeReport report;
    const auto weights = quantizeInMemory(model, statistics, options, report, progress);
    const auto source = weightsOf(model);
    const Evaluation e = evaluate(*weights, source.get(), windows, compute, progress);
    return {e.deltaNll, report.objectiveDescent, report.polishLossAfter};
}

} // namespace

void checkDevice(std::shared_ptr<const Checkpoint> model, const TokenWindows& windows,
                 const std::filesystem::path& scratch, const ComputeOptions& compute,
                 Progress& progress, const std::function<void(const DeviceCheck&)>& seen) {
    ComputeOptions here = compute;
    here.device.reset();
    const auto calibrated = [&](const ComputeOptions& own, const char* folder) {
        CalibrateOptions options;
        options.windows = windows;
        options.cache = scratch / folder;
        options.compute = own;
        ProgressSlice part(progress, 0, 0);
        return Statistics::open(calibrate(model, options, part).statistics);
    };
    const auto limited = [&](const char* name, const char* what, double found, double limit) {
        seen({name, found <= limit, text("%s, relative %.1e, allowed %.1e", what, found, limit)});
    };
    progress.report(0, "calibrating");
    const auto wanted = calibrated(here, "cpu");
    const auto found = calibrated(compute, "device");
    limited("loss of the text", "difference to the processor",
            relative(found->nllFp(), wanted->nllFp()), 1e-5);
    limited("Hessians", "diagonals",
            largest(*found, *wanted, [](const LayerStatistics& l) { return l.actRms; }), 1e-3);
    limited("factors of Hessians", "conditional variances",
            largest(*found, *wanted, [](const LayerStatistics& l) { return l.conditional; }), 1e-2);
    double gamma = 0;
    for (const LayerStatistics& layer : wanted->layers())
        gamma = std::max(gamma, relative(found->find(layer.name)->gamma, layer.gamma));
    limited("Fisher factors", "difference to the processor", gamma, 1e-2);
    const double curves = largest(*found, *wanted, [](const LayerStatistics& l) { return l.sse; });
    seen({"error curves of columns", curves == 0,
          curves == 0 ? "every point of every column, same bits"
                      : text("relative difference %.1e where there must be none", curves)});

    progress.report(0.4, "quantizing");
    QuantizeOptions options;
    options.compute = here;
    const Planner planner(model, wanted, {});
    // Where sums in another order give another code, all later columns follow it: with few bits,
    // two results of the same quality differ by more than a mistake would show.
    options.plan = planner.forBits(std::max(5.0, std::ceil(planner.minBits())), options);
    const EvaluationWindows measured = evaluationWindows(windows, Protocol::Gptq, model->config());
    ProgressSlice silent(progress, 0.4, 0.4);
    for (const int steps : {0, 5}) {
        options.polishSteps = steps;
        const Outcome own = quantized(model, *wanted, options, measured, here, silent);
        const Outcome there = quantized(model, *wanted, options, measured, compute, silent);
        const double difference = std::fabs(there.deltaNll - own.deltaNll);
        seen({steps == 0 ? "GPTQ and coordinate descent" : "polish",
              difference < 1e-3 && relative(there.objective, own.objective) < 0.02,
              text("ΔNLL %.5f, on the processor %.5f; objective %.4g and %.4g", there.deltaNll,
                   own.deltaNll, there.objective, own.objective)});
    }
    const auto fell = deviceFallbacks(compute);
    seen({"all of it on the device", fell.empty(), fell.empty() ? "yes" : fell.front()});
}

} // namespace bitloom
