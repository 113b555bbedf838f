// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/engine/calibrate.h"
#include "core/engine/result_fields.h"
#include "core/engine/serve/engine.h"
#include "core/stats/statistics.h"

namespace bitloom::serve {

namespace {

Json calibrateModel(Engine& engine, Job& job) {
    Params params(job.params(), job.method());
    const std::string name = modelOf(params);
    const TextSource source = textSource(params);
    const int64_t sequences = params.integer("sequences", 0, 1, int64_t(1) << 31);
    const int64_t length = params.integer("length", 0, 2, int64_t(1) << 31);
    CalibrateOptions options;
    options.force = params.flag("force", false);
    options.compute = engine.deviceComputeOf(params);
    params.finish();

    job.report(0, "reading the model and the text");
    const auto model = Checkpoint::open(name);
    job.check();
    options.windows = calibrationWindows(*model, source, sequences, length,
                                         engine.bundledCalibrationText(), noteTo(job));
    options.cache = engine.cache;
    const size_t total = model->catalogue().linears.size();
    int64_t norms = 0, gammas = 0;
    const auto tell = [&](const char* part, int64_t& done) {
        return [&job, &done, part, total](const std::filesystem::path& path,
                                          const std::string& layer) {
            job.notify("partial", {{"layer", layer},
                                   {"part", part},
                                   {"path", path.string()},
                                   {"done", ++done},
                                   {"total", total}});
        };
    };
    options.onLayer = tell("norms", norms);
    options.onGamma = tell("gamma", gammas);
    // Layers that an earlier run finished are there from the beginning.
    const auto partial = statisticsFolder(engine.cache, calibrationRecipe(*model, options)) /
                         "stats.safetensors.partial";
    std::error_code ignored;
    if (!options.force && std::filesystem::is_regular_file(partial, ignored)) {
        try {
            const auto found = Statistics::open(partial, /*allowPartial=*/true);
            for (const LayerStatistics& layer : found->layers()) {
                if (layer.normsDone) options.onLayer(partial, layer.name);
                if (layer.gammaDone) options.onGamma(partial, layer.name);
            }
        } catch (const Error&) {
            norms = gammas = 0; // the calibration itself says what is wrong
        }
    }
    job.check();
    engine.startOnDevice(options.compute, job);
    engine.models.shrink(options.compute.memoryOrDefault() / 4);
    const CalibrationReport report = withCancelHint("cancelled; finished layers are kept",
                                                    "The same call goes on where this one stopped.",
                                                    [&] { return calibrate(model, options, job); });
    const auto statistics = Statistics::open(report.statistics);
    Json result = {{"statistics", report.statistics.string()}};
    merge(result, calibrationFields<Json>(report, *statistics));
    merge(result, machineFields(options.compute));
    return result;
}

} // namespace

void addCalibrate(Methods& methods, Engine& engine) {
    methods["calibrate"] = {Kind::Compute, [&](Job& job) { return calibrateModel(engine, job); },
                            [](const Json&) { return std::string(); }};
}

} // namespace bitloom::serve
