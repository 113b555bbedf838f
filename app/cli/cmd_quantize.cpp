// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "app/cli/commands.h"
#include "app/cli/planning.h"
#include "app/cli/quantizing.h"

#include "core/base/units.h"
#include "core/text/tokenizer.h"

#include <CLI/CLI.hpp>
#include <spdlog/fmt/fmt.h>

#include <cmath>

namespace bitloom::cli {

namespace {

struct Input {
    std::string model, out, plan;
    CalibrationInput calibration;
    BudgetInput budget;
    MethodInput method;
    OutputInput output;
};

/// Budget and method must fit before anything is opened.
void check(const Input& input, QuantizeOptions& options) {
    if (options.method != Method::CmpqPlus) {
        if (!input.plan.empty() || !input.budget.size.empty() || !input.budget.maxPpl.empty() ||
            !input.budget.pins.empty() || input.budget.tokensPerSecond)
            throw Error(
                ErrorCode::Usage,
                fmt::format("the method {} takes --bits only: it has no plan, size budget or pins",
                            input.method.method),
                "Give --bits, or choose --method cmpq+.");
        if (!input.budget.bits)
            throw Error(ErrorCode::Usage, "no budget was given",
                        fmt::format("Say how many bits the method {} may use: --bits 3.",
                                    input.method.method));
        setBits(options, *input.budget.bits);
        return;
    }
    if (input.plan.empty()) {
        parseBudget(input.budget);
        return;
    }
    if (input.budget.given() > 0)
        throw Error(ErrorCode::Usage, "both a plan and a budget were given",
                    "Choose --plan, or one of --bits, --size and --max-ppl.");
    if (!input.budget.pins.empty())
        throw Error(ErrorCode::Usage, "--pin cannot change a finished plan",
                    "Give it to `bitloom plan`, or give a budget in place of --plan.");
}

void report(Context& context, const Input& input, const Json& fields) {
    std::vector<std::vector<std::string>> facts;
    facts.push_back({"written", input.out});
    facts.push_back({"method", fields["method"]});
    facts.push_back(
        {"bits per weight", fmt::format("{:.4f}", fields["bits_per_weight"].get<double>())});
    const auto bytes = fields["bytes"].get<int64_t>();
    facts.push_back(
        {"size", fmt::format("{} ({} bytes{})", formatBytes(bytes), formatCount(bytes),
                             bytes == fields["predicted_bytes"] ? ", as predicted" : "")});
    if (fields.contains("predicted_delta_nll")) {
        const double delta = fields["predicted_delta_nll"];
        facts.push_back({"predicted ΔNLL", fmt::format("{:.4f} (perplexity +{:.2f} %)", delta,
                                                       100 * std::expm1(delta))});
    }
    if (fields.contains("polish_loss_before"))
        facts.push_back(
            {"polish", fmt::format("{} {:.4f} → {:.4f}",
                                   fields["polish_by_block"] ? "blocks' relative error" : "KL",
                                   fields["polish_loss_before"].get<double>(),
                                   fields["polish_loss_after"].get<double>())});
    if (fields["layers_resumed"].get<int64_t>() > 0)
        facts.push_back({"layers", fmt::format("{} computed, {} found finished",
                                               fields["layers_computed"].get<int64_t>(),
                                               fields["layers_resumed"].get<int64_t>())});
    if (fields.contains("verified"))
        facts.push_back({"verified", "every file and tensor reads back as it was written"});
    facts.push_back({"time", formatDuration(fields["seconds"])});
    context.console.print(table(facts, "ll", false));
    std::string next = fmt::format("next: bitloom eval {} --against {}", input.out, input.model);
    if (hasTokenizer(input.out)) next += fmt::format("   or   bitloom chat {}", input.out);
    context.console.note(next);
}

void runQuantize(Context& context, Input& input) {
    QuantizeOptions options = quantizeOptions(context, input.method);
    check(input, options);
    input.output.folder = input.out;
    if (!input.output.dryRun) checkOutput(input.output);

    const auto model = openModel(input.model);
    Plan plan;
    if (!input.plan.empty()) {
        requireFile(input.plan, "--plan");
        plan = Plan::load(input.plan);
        if (plan.model != model->fingerprint())
            throw Error(
                fmt::format("the plan '{}' was made for another model than '{}'", input.plan,
                            input.model),
                fmt::format("Make one for this model: bitloom plan {} --bits 3 -o plan.json",
                            input.model));
    }
    const auto statistics = obtainStatistics(context, model, input.calibration, plan.statistics);
    if (options.method == Method::CmpqPlus) {
        if (input.plan.empty()) {
            Planner planner(model, statistics, parsePins(input.budget));
            plan = planFor(context, model, planner, input.budget, options);
        }
        options.plan = std::move(plan);
    }
    Json fields = writeCheckpoint(context, model, *statistics, options, input.output);
    if (!input.output.dryRun) report(context, input, fields);
    fields.update(machineFields(context));
    context.console.result("quantize", fields);
}

} // namespace

void addQuantize(CLI::App& app, Context& context) {
    auto input = std::make_shared<Input>();
    CLI::App* command = addCommand(app, context, "quantize", "Write a quantized model",
                                   [&context, input] { runQuantize(context, *input); });
    command->add_option("MODEL", input->model, "Folder of a model, or org/name in the local cache")
        ->required();
    command->add_option("-o,--output", input->out, "Folder to write; must not exist")
        ->type_name("OUT")
        ->required();
    command->add_option("--plan", input->plan, "Plan made by `bitloom plan`")->type_name("FILE");
    command->add_flag("--dry-run", input->output.dryRun,
                      "Say how large every file will be, write nothing");
    command->add_flag("--resume", input->output.resume, "Go on with an OUT that was interrupted");
    command->add_flag("--force", input->output.force,
                      "Replace OUT if it exists, once the new one is complete");
    command->add_flag("--verify", input->output.verify, "Read everything back and check it");
    addBudgetOptions(*command, input->budget);
    addMethodOptions(*command, input->method);
    addCalibrationOptions(*command, input->calibration);
}

} // namespace bitloom::cli
