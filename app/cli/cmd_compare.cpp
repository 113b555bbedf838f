// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "app/cli/commands.h"
#include "app/cli/quantizing.h"

#include "core/base/units.h"

#include <CLI/CLI.hpp>
#include <spdlog/fmt/fmt.h>

#include <cmath>

namespace bitloom::cli {

namespace {

struct Input {
    std::string model, protocol = "gptq";
    std::vector<std::string> methods = {"rtn", "gptq", "cmpq", "cmpq+"};
    std::vector<double> bits = {3, 4};
    TextInput text;
    CalibrationInput calibration;
    MethodInput options;
    int64_t context = 0;
};

struct Row {
    std::string method;
    double asked = 0, trueBits = 0;
    int64_t bytes = 0;
    Evaluation evaluation;
    double seconds = 0; ///< quantizing
};

std::vector<std::string> cells(const Row& row) {
    const Evaluation& e = row.evaluation;
    const bool original = !e.compared;
    return {row.method,
            fmt::format("{:.3f}", row.trueBits),
            formatBytes(row.bytes),
            fmt::format("{:.4f}", e.perplexity()),
            original ? "" : fmt::format("{:+.4f} ± {:.4f}", e.deltaNll, e.deltaStderr),
            original ? "" : fmt::format("{:.4f}", e.klMean),
            original ? "" : fmt::format("{:.1f} %", 100 * e.top1Agreement),
            original ? "" : fmt::format("{:.1f}", row.seconds)};
}

Json rowFields(const Row& row) {
    Json fields = {{"method", row.method},
                   {"bits", row.asked > 0 ? Json(row.asked) : Json()},
                   {"bits_per_weight", row.trueBits},
                   {"bytes", row.bytes}};
    fields.update(evaluationFields(row.evaluation));
    fields["evaluation_seconds"] = fields["seconds"];
    fields["seconds"] = row.seconds;
    return fields;
}

/// Bits of the original's block layers, as stored.
double originalBits(const Checkpoint& model) {
    double bits = 0, weights = 0;
    for (const LinearInfo& linear : model.catalogue().linears) {
        const auto& tensor = model.require(linear.name + ".weight");
        bits += 8.0 * double(tensor.info.bytes());
        weights += double(tensor.info.elements());
    }
    return bits / weights;
}

void runCompare(Context& context, const Input& input) {
    Console& console = context.console;
    protocolNamed(input.protocol); // a slip is found before anything is opened
    struct Candidate {
        std::string method;
        double bits;
        QuantizeOptions options;
    };
    std::vector<Candidate> candidates;
    for (const std::string& method : input.methods) {
        MethodInput named = input.options;
        named.method = method;
        named.head = 16; // compared is what the methods do to the block layers
        if (parseMethod(method) != Method::CmpqPlus) named.polish = 0;
        if (parseMethod(method) != Method::Gptq) named.actOrder = false;
        const bool groups =
            parseMethod(method) == Method::Rtn || parseMethod(method) == Method::Gptq;
        if (!groups) named.symmetric = false;
        int used = 0;
        for (const double bits : input.bits) {
            Candidate candidate{method, bits, quantizeOptions(context, named)};
            if (candidate.options.method != Method::CmpqPlus) {
                // A fractional budget in the list is for the methods that can follow it.
                if (groups && bits != std::floor(bits)) continue;
                setBits(candidate.options, bits);
            }
            candidates.push_back(std::move(candidate));
            ++used;
        }
        if (used == 0)
            throw Error(
                ErrorCode::Usage,
                fmt::format("the method {} takes whole numbers of bits, and --bits names none",
                            method),
                "Add one, such as --bits 3, or leave the method out.");
        if (used < int(input.bits.size()))
            console.note(fmt::format("{} is compared at whole numbers of bits only", method));
    }

    const auto model = openModel(input.model);
    const auto original = weightsOf(model);
    const EvaluationWindows windows =
        evaluationInput(context, *original, input.text, input.protocol, input.context);
    const auto statistics = obtainStatistics(context, model, input.calibration);
    const Planner planner(model, statistics, {});
    for (Candidate& candidate : candidates)
        if (candidate.options.method == Method::CmpqPlus)
            candidate.options.plan = planner.forBits(candidate.bits, candidate.options);
    context.startEngine();

    const Work tokens{double(windows.windows.count * windows.windows.length), "tokens"};
    std::vector<Row> rows;
    {
        JobProgress progress(console, "FP16", tokens);
        Row row{"FP16", 0, originalBits(*model), model->weightBytes(), {}, 0};
        row.evaluation = evaluate(*original, nullptr, windows, context.compute(), progress);
        rows.push_back(std::move(row));
    }
    console.event({{"event", "row"}, {"row", rowFields(rows[0])}});
    const auto printTable = [&] {
        std::vector<std::vector<std::string>> lines{
            {"method", "true bits", "size", "perplexity", "ΔNLL", "KL", "same top", "seconds"}};
        for (const Row& row : rows)
            lines.push_back(cells(row));
        console.print(table(lines, "lrrrrrrr"));
    };
    try {
        for (Candidate& candidate : candidates) {
            const std::string name = fmt::format("{} at {:g}", candidate.method, candidate.bits);
            JobProgress progress(
                console, fmt::format("{} ({} of {})", name, rows.size(), candidates.size()));
            ProgressSlice quantizing(progress, 0, 0.6), measuring(progress, 0.6, 1);
            NoProgress silent;
            Row row{candidate.method, candidate.bits, 0, 0, {}, 0};
            const SizeParts parts =
                predictSize(*model, checkpointSpec(*model, *statistics, candidate.options, silent));
            row.trueBits = parts.bitsPerWeight();
            row.bytes = parts.totalBytes;
            QuantizeReport report;
            const auto quantized =
                quantizeInMemory(model, *statistics, candidate.options, report, quantizing);
            row.seconds = report.seconds > 0 ? report.seconds : progress.seconds();
            for (const std::string& warning : report.warnings)
                console.warn(name + ": " + warning);
            row.evaluation =
                evaluate(*quantized, original.get(), windows, context.compute(), measuring);
            console.event({{"event", "row"}, {"row", rowFields(row)}});
            rows.push_back(std::move(row));
        }
    } catch (const Error&) {
        printTable(); // what is measured is not lost with what is not
        throw;
    }
    printTable();

    Json list = Json::array();
    for (const Row& row : rows)
        list.push_back(rowFields(row));
    console.print(
        fmt::format("\n{} on {}: {} tokens. Calibrated on {}. Embedding and head in 16 bit.",
                    rows[0].evaluation.protocol, windows.windows.source,
                    formatCount(rows[0].evaluation.tokens), describe(*statistics)));
    Json fields = {{"rows", list},
                   {"protocol", rows[0].evaluation.protocol},
                   {"tokens", rows[0].evaluation.tokens},
                   {"text", windows.windows.source},
                   {"statistics", statistics->path().string()}};
    fields.update(machineFields(context));
    console.result("compare", fields);
}

} // namespace

void addCompare(CLI::App& app, Context& context) {
    auto input = std::make_shared<Input>();
    CLI::App* command =
        addCommand(app, context, "compare", "Methods and budgets beside each other in one table",
                   [&context, input] { runCompare(context, *input); });
    command->add_option("MODEL", input->model, "Folder of a model, or org/name in the local cache")
        ->required();
    command->add_option("--methods", input->methods, "Which: rtn, gptq, cmpq, cmpq+")
        ->type_name("LIST")
        ->delimiter(',')
        ->capture_default_str();
    command->add_option("--bits", input->bits, "Budgets in bits per weight")
        ->type_name("LIST")
        ->delimiter(',')
        ->capture_default_str();
    addTextOptions(*command, input->text, "What to measure on");
    command->add_option("--protocol", input->protocol, "gptq, ctx4096 or llamacpp")
        ->type_name("NAME")
        ->capture_default_str();
    command->add_option("--context", input->context, "Tokens a window (default: by protocol)")
        ->type_name("N")
        ->check(CLI::Range(int64_t(2), int64_t(1) << 31));
    command->add_option("--passes", input->options.passes, "cmpq+: passes of coordinate descent")
        ->type_name("N")
        ->check(CLI::Range(0, 100))
        ->capture_default_str();
    command->add_option("--polish", input->options.polish, "cmpq+: steps of polish")
        ->type_name("N")
        ->check(CLI::Range(0, 1000000));
    command->add_option("--hessians", input->options.hessians, "sequential or parallel")
        ->type_name("MODE")
        ->check(CLI::IsMember({"sequential", "parallel"}))
        ->capture_default_str();
    command
        ->add_option("--group-size", input->options.groupSize,
                     "rtn, gptq: weights that share a scale")
        ->type_name("N")
        ->check(CLI::Range(int64_t(1), int64_t(1) << 20))
        ->capture_default_str();
    command->add_flag("--symmetric", input->options.symmetric, "rtn, gptq: no zero points");
    command->add_flag("--act-order", input->options.actOrder, "gptq: largest activations first");

    const std::string group = "Calibration";
    command
        ->add_option("--stats", input->calibration.stats,
                     "Statistics file of an earlier calibration")
        ->type_name("FILE")
        ->group(group);
    auto* text = command
                     ->add_option("--calibrate-text", input->calibration.text.texts,
                                  "Text to calibrate on; --text is what is measured on")
                     ->type_name("FILE")
                     ->group(group);
    command->add_option("--calibrate-ids", input->calibration.text.ids, "The same as token ids")
        ->type_name("FILE")
        ->excludes(text)
        ->group(group);
    command
        ->add_option("--sequences", input->calibration.sequences,
                     "Windows of the text to use (default: 128)")
        ->type_name("N")
        ->check(CLI::Range(int64_t(1), int64_t(1) << 31))
        ->group(group);
    command
        ->add_option("--length", input->calibration.length,
                     "Tokens a window (default: 2048, or half of what a smaller model can hold)")
        ->type_name("N")
        ->check(CLI::Range(int64_t(2), int64_t(1) << 31))
        ->group(group);
}

} // namespace bitloom::cli
