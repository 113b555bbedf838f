// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "app/cli/planning.h"

#include "core/base/log.h"
#include "core/base/units.h"
#include "core/engine/quantize_fields.h"
#include "core/engine/runtime/speed_table.h"
#include "core/format/layout.h"
#include "core/plan/measured.h"
#include "core/text/tokenizer.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cmath>

namespace bitloom::cli {

namespace {

namespace fs = std::filesystem;

const char* const damagedHint =
    "The folder may be incomplete or damaged: get the model again from where it came from.";
} // namespace

std::shared_ptr<const Checkpoint> openModel(const std::string& name) {
    return withHint(damagedHint, [&] { return Checkpoint::open(name); });
}

std::shared_ptr<const QuantizedCheckpoint> openQuantized(const fs::path& folder) {
    return withHint(damagedHint, [&] { return QuantizedCheckpoint::open(folder); });
}

std::shared_ptr<const ModelWeights> openAnyModel(const std::string& name) {
    return withHint(damagedHint, [&] { return openWeights(name); });
}

TextSource textSource(const TextInput& input) {
    for (const std::string& text : input.texts)
        requireFile(text, "--text");
    if (!input.ids.empty()) requireFile(input.ids, "--ids");
    TextSource source;
    source.files.assign(input.texts.begin(), input.texts.end());
    source.ids = input.ids;
    return source;
}

InputNote noteTo(Context& context) {
    return [&context](const std::string& text) { context.console.note(text); };
}

TokenWindows calibrationWindows(Context& context, const Checkpoint& model,
                                const CalibrationInput& input) {
    return bitloom::calibrationWindows(model, textSource(input.text), input.sequences, input.length,
                                       sampleModelFolder() / "calibration.txt", noteTo(context));
}

CalibrationReport runCalibration(Context& context, std::shared_ptr<const Checkpoint> model,
                                 const CalibrationInput& input, bool force) {
    CalibrationReport report;
    try { // tokenizing can be broken off as well
        CalibrateOptions options;
        options.windows = calibrationWindows(context, *model, input);
        options.cache = context.cache();
        options.compute = context.compute();
        options.force = force;
        context.startEngine();
        JobProgress progress(context.console, "calibrating",
                             {double(options.windows.count * options.windows.length), "tokens"});
        report = calibrate(model, options, progress);
    } catch (const Error& error) {
        if (error.code() != ErrorCode::Cancelled) throw;
        throw Error(ErrorCode::Cancelled, "cancelled; finished layers are kept",
                    "The same command goes on where this one stopped.");
    }
    for (const std::string& warning : report.warnings)
        context.console.warn(warning);
    return report;
}

std::shared_ptr<const Statistics> obtainStatistics(Context& context,
                                                   std::shared_ptr<const Checkpoint> model,
                                                   const CalibrationInput& input,
                                                   const std::string& wanted) {
    Console& console = context.console;
    if (!input.stats.empty()) {
        requireFile(input.stats, "--stats");
        auto statistics = Statistics::open(input.stats);
        requireStatisticsOf(*statistics, *model);
        return statistics;
    }
    if (!input.text.given()) {
        const auto newest = cachedStatistics(context.cache(), *model, wanted,
                                             [&](const std::string& text) { console.warn(text); });
        if (newest) {
            // Asked for explicitly, other windows than the cached ones must not be ignored.
            const auto& recipe = newest->recipe();
            const bool fits = (input.sequences == 0 || recipe.sequences == input.sequences) &&
                              (input.length == 0 || recipe.length == input.length);
            if (fits) {
                console.note(fmt::format("using cached statistics of {}", describe(*newest)));
                return newest;
            }
        }
    }
    const CalibrationReport report = runCalibration(context, model, input, false);
    auto statistics = Statistics::open(report.statistics);
    console.note(fmt::format("{} statistics of {}", report.cached ? "using cached" : "calibrated:",
                             describe(*statistics)));
    return statistics;
}

std::vector<Pin> parsePins(const BudgetInput& input) {
    std::vector<Pin> pins;
    for (const std::string& text : input.pins)
        pins.push_back(Pin::parse(text));
    return pins;
}

Budget parseBudget(const BudgetInput& input) {
    if (input.given() > 1)
        throw Error(ErrorCode::Usage, "more than one budget was given",
                    "Choose one of --bits, --size, --max-ppl and --tokens-per-second.");
    if (input.given() == 0)
        throw Error(ErrorCode::Usage, "no budget was given",
                    "Say how large the result may be: --bits 3.0, --size 2.6GiB or --max-ppl +2%; "
                    "or how slow: --tokens-per-second 12.");
    if (input.tokensPerSecond) {
        if (!(*input.tokensPerSecond > 0) || !std::isfinite(*input.tokensPerSecond))
            throw Error(
                ErrorCode::Usage,
                fmt::format("--tokens-per-second {:g} is not a rate", *input.tokensPerSecond),
                "Give tokens per second, such as 12.");
        return {Budget::Kind::Speed, *input.tokensPerSecond};
    }
    if (!input.maxPpl.empty()) return {Budget::Kind::Perplexity, parseRelative(input.maxPpl)};
    if (!input.size.empty()) return {Budget::Kind::Size, double(parseSize(input.size))};
    if (!(*input.bits > 0) || !std::isfinite(*input.bits))
        throw Error(ErrorCode::Usage, fmt::format("--bits {:g} is not a budget", *input.bits),
                    "Give bits per weight, such as 3.0.");
    return {Budget::Kind::Bits, *input.bits};
}

Plan planFor(Context& context, const std::shared_ptr<const Checkpoint>& model, Planner& planner,
             const BudgetInput& input, const QuantizeOptions& options) {
    const Budget budget = parseBudget(input);
    if (budget.kind != Budget::Kind::Speed) return planner.plan(budget, options);
    context.startEngine();
    {
        JobProgress progress(context.console, "timing kernels");
        planner.setSpeedTable(
            runtime::speedTable(*weightsOf(model), context.cache(), context.compute(), progress));
    }
    Plan plan = planner.plan(budget, options);
    context.console.note(fmt::format("{:.3f} bits per weight are the most that reach {:g} tokens/s "
                                     "on this machine (predicted {:.4g})",
                                     plan.bitsPerWeight(), budget.value,
                                     planner.speedTable()->tokensPerSecond(plan)));
    return plan;
}

std::string describe(const Statistics& statistics) {
    return describeCalibration(statistics);
}

namespace {

std::string partLine(const SizeParts& parts) {
    const std::pair<const char*, int64_t> named[] = {
        {"codes", parts.codes},    {"padding", parts.padding}, {"tables", parts.tables},
        {"scales", parts.scales},  {"classes", parts.classes}, {"outliers", parts.outliers},
        {"raw columns", parts.raw}};
    std::string text;
    for (const auto& [name, bytes] : named)
        if (bytes > 0)
            text += fmt::format("{}{} {:.3f}", text.empty() ? "" : ", ", name,
                                8.0 * double(bytes) / double(parts.linearWeights));
    return text;
}

} // namespace

std::string planReport(const Plan& plan, const SizeParts& parts, const Statistics& statistics) {
    const auto widths = widthsOf(plan);
    int64_t columns = 0, largest = 1;
    for (const auto& [bits, share] : widths) {
        columns += share.columns;
        largest = std::max(largest, share.columns);
    }
    std::vector<std::vector<std::string>> rows{{"bits", "columns", "share", ""}};
    for (const auto& [bits, share] : widths)
        rows.push_back({std::to_string(bits), formatCount(share.columns),
                        fmt::format("{:.1f} %", 100.0 * double(share.columns) / double(columns)),
                        bar(double(share.columns) / double(largest), 32)});
    std::string text = table(rows, "rrrl") + "\n\n";

    const Prediction& p = plan.predicted;
    std::vector<std::vector<std::string>> facts;
    facts.push_back(
        {"bits per weight", fmt::format("{:.4f} ({})", parts.bitsPerWeight(), partLine(parts))});
    facts.push_back({"block layers", formatBytes(parts.linearBytes)});
    facts.push_back({"embedding and head", formatBytes(parts.embeddingAndHead)});
    facts.push_back({"everything else", formatBytes(parts.otherTensors + parts.headersAndFiles)});
    facts.push_back({"whole folder", fmt::format("{} ({} bytes)", formatBytes(parts.totalBytes),
                                                 formatCount(parts.totalBytes))});
    facts.push_back(
        {"predicted ΔNLL", fmt::format("{:.4f} ({:.4f} to {:.4f})", p.deltaNll, p.low, p.high)});
    if (p.nll > 0) {
        const double fp = p.nll - p.deltaNll;
        facts.push_back({"predicted perplexity",
                         fmt::format("{:.3f} ({:.3f} to {:.3f}), +{:.2f} % over FP16's {:.3f}",
                                     std::exp(p.nll), std::exp(fp + p.low), std::exp(fp + p.high),
                                     100 * std::expm1(p.deltaNll), std::exp(fp))});
        facts.push_back({"on", describe(statistics)});
    }
    return text + table(facts, "ll", false);
}

} // namespace bitloom::cli
