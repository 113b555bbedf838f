// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "app/cli/commands.h"
#include "app/cli/planning.h"

#include "core/base/units.h"
#include "core/engine/result_fields.h"

#include <CLI/CLI.hpp>
#include <spdlog/fmt/fmt.h>

#include <cmath>

namespace bitloom::cli {

namespace {

namespace fs = std::filesystem;

struct Input {
    std::string model, out;
    CalibrationInput calibration;
    bool force = false;
};

/// The statistics and, beside them, their sorted segments, under the name that the user wants.
void copyStatistics(const fs::path& from, const fs::path& to) {
    std::error_code error;
    if (!to.parent_path().empty()) fs::create_directories(to.parent_path(), error);
    const fs::path temporary = to.string() + ".tmp";
    fs::copy_file(from, temporary, fs::copy_options::overwrite_existing, error);
    if (!error) fs::rename(temporary, to, error);
    if (error) {
        std::error_code ignored;
        fs::remove(temporary, ignored);
        throw Error(error == std::errc::no_space_on_device ? ErrorCode::NoSpace : ErrorCode::Failed,
                    fmt::format("cannot write '{}': {}", to.string(), error.message()),
                    fmt::format("The statistics are kept in '{}'.", from.string()));
    }
}

/// The layers whose inputs use the smallest share of their dimensions: where more text would help.
std::string coverage(const Statistics& statistics) {
    double least = 1, sum = 0;
    for (const LayerStatistics& layer : statistics.layers()) {
        const double share = layer.effectiveRank / double(layer.cols);
        least = std::min(least, share);
        sum += share;
    }
    return fmt::format("effective rank of the inputs {:.0f} % on average, {:.0f} % at least",
                       100 * sum / double(statistics.layers().size()), 100 * least);
}

/// What the probe found, and what it does to predictions.
std::string rounding(const RoundingProbe& probe) {
    return fmt::format("at 4 bits, without compensation: {:+.4f} ± {:.4f} nats per token; "
                       "predictions are scaled by {:.2f}",
                       probe.deltaNll, probe.standardError, modelScale(probe));
}

void runCalibrate(Context& context, const Input& input) {
    const auto model = openModel(input.model);
    const CalibrationReport report = runCalibration(context, model, input.calibration, input.force);
    const auto statistics = Statistics::open(report.statistics);
    fs::path path = report.statistics;
    if (!input.out.empty()) {
        path = input.out;
        copyStatistics(report.statistics, path);
    }
    Console& console = context.console;
    std::vector<std::vector<std::string>> facts;
    facts.push_back({"text", describe(*statistics)});
    facts.push_back({"perplexity", fmt::format("{:.4f} (NLL {:.4f} ± {:.4f} per token)",
                                               std::exp(statistics->nllFp()), statistics->nllFp(),
                                               statistics->nllFpStderr())});
    facts.push_back({"coverage", coverage(*statistics)});
    if (report.probe) facts.push_back({"rounding", rounding(*report.probe)});
    facts.push_back({"layers", fmt::format("{} measured, {} found finished", report.layersComputed,
                                           report.layersResumed)});
    facts.push_back(
        {"time", report.cached ? "none: they were in the cache" : formatDuration(report.seconds)});
    facts.push_back({"statistics", path.string()});
    console.print(table(facts, "ll", false));

    Json fields = {{"statistics", path.string()}};
    fields.update(calibrationFields<Json>(report, *statistics));
    fields.update(machineFields(context));
    console.result("calibrate", fields);
}

} // namespace

void addCalibrate(CLI::App& app, Context& context) {
    auto input = std::make_shared<Input>();
    CLI::App* command =
        addCommand(app, context, "calibrate", "Measure what every input channel is worth",
                   [&context, input] { runCalibrate(context, *input); });
    command->add_option("MODEL", input->model, "Folder of a model, or org/name in the local cache")
        ->required();
    command->add_option("-o,--output", input->out, "Also write the statistics to this file")
        ->type_name("STATS");
    command->add_flag("--force", input->force, "Measure again even if the cache has the answer");
    addCalibrationOptions(*command, input->calibration, false);
}

} // namespace bitloom::cli
