// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "app/cli/commands.h"
#include "app/cli/planning.h"
#include "app/cli/quantizing.h"
#include "core/engine/quantize_fields.h"

#include <CLI/CLI.hpp>
#include <spdlog/fmt/fmt.h>

namespace bitloom::cli {

namespace {

namespace fs = std::filesystem;

struct Input {
    std::string model, out = "plan.json";
    CalibrationInput calibration;
    BudgetInput budget;
    MethodInput method;
};

void runPlan(Context& context, const Input& input) {
    const Budget budget = parseBudget(input.budget);
    const std::vector<Pin> pins = parsePins(input.budget);
    const QuantizeOptions options = quantizeOptions(context, input.method);
    std::error_code ignored;
    if (fs::is_directory(input.out, ignored))
        throw Error("'" + input.out + "' is a folder", "Name a file with -o, such as plan.json.");

    const auto model = openModel(input.model);
    const auto statistics = obtainStatistics(context, model, input.calibration);
    Planner planner(model, statistics, pins);
    const Plan plan = planFor(context, model, planner, input.budget, options);
    plan.save(input.out);

    const SizeParts parts = planner.size(plan, options);
    Console& console = context.console;
    console.print(planReport(plan, parts, *statistics));
    if (budget.kind == Budget::Kind::Size && double(parts.totalBytes) < 0.99 * budget.value)
        console.note("the best plan that exists needs no more than this");
    console.note(fmt::format("budgets from {:.3f} to {:.3f} bits per weight are possible{}",
                             planner.minBits(), planner.maxBits(),
                             pins.empty() ? "" : " under these pins"));
    console.note(fmt::format("wrote {}; next: bitloom quantize {} --plan {} -o OUT", input.out,
                             input.model, input.out));

    Json fields = {{"plan", input.out}};
    fields.update(planFields<Json>(plan, parts, *statistics));
    fields.update(
        {{"min_bits_per_weight", planner.minBits()}, {"max_bits_per_weight", planner.maxBits()}});
    fields.update(machineFields(context));
    console.result("plan", fields);
}

} // namespace

void addPlan(CLI::App& app, Context& context) {
    auto input = std::make_shared<Input>();
    CLI::App* command = addCommand(
        app, context, "plan", "Share a budget of bits out and say what size and loss to expect",
        [&context, input] { runPlan(context, *input); });
    command->add_option("MODEL", input->model, "Folder of a model, or org/name in the local cache")
        ->required();
    command->add_option("-o,--output", input->out, "Where to write the plan")
        ->type_name("FILE")
        ->capture_default_str();
    addHeadOption(*command, input->method);
    addBudgetOptions(*command, input->budget);
    addCalibrationOptions(*command, input->calibration);
}

} // namespace bitloom::cli
