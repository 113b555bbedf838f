// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "app/cli/commands.h"
#include "app/cli/quantizing.h"

#include "core/base/units.h"
#include "core/engine/remember_measured.h"

#include <CLI/CLI.hpp>
#include <spdlog/fmt/fmt.h>

#include <cmath>

namespace bitloom::cli {

namespace {

struct Input {
    std::string model, against, protocol = "gptq";
    TextInput text;
    int64_t context = 0;
    std::vector<std::string> tasks;
};

void report(Console& console, const Evaluation& e, const EvaluationWindows& windows) {
    std::vector<std::vector<std::string>> facts;
    facts.push_back({"perplexity", fmt::format("{:.4f} ± {:.4f}", e.perplexity(),
                                               e.perplexity() * e.standardError)});
    facts.push_back({"NLL", fmt::format("{:.4f} ± {:.4f} nats per token", e.nll, e.standardError)});
    if (e.compared) {
        facts.push_back({"reference", fmt::format("perplexity {:.4f}, NLL {:.4f}",
                                                  std::exp(e.referenceNll), e.referenceNll)});
        facts.push_back(
            {"ΔNLL", fmt::format("{:+.4f} ± {:.4f}, paired by window", e.deltaNll, e.deltaStderr)});
        facts.push_back(
            {"KL divergence", fmt::format("mean {:.5f} ± {:.5f}, median {:.5f}, 99 % {:.4f}",
                                          e.klMean, e.klStderr, e.klMedian, e.klP99)});
        facts.push_back({"same top token", fmt::format("{:.2f} %", 100 * e.top1Agreement)});
    }
    facts.push_back(
        {"protocol", fmt::format("{}: {} tokens in {} windows", e.protocol, formatCount(e.tokens),
                                 formatCount(int64_t(e.windowNll.size())))});
    facts.push_back({"text", windows.windows.source});
    facts.push_back({"time", fmt::format("{} ({} tokens/s)", formatDuration(e.seconds),
                                         formatCount(std::llround(double(e.tokens) /
                                                                  std::max(1e-9, e.seconds))))});
    console.print(table(facts, "ll", false));
}

void runEval(Context& context, const Input& input) {
    if (!input.tasks.empty())
        throw Error(ErrorCode::Usage, "--tasks is not part of this version of Bitloom",
                    "Perplexity and KL divergence work: leave --tasks out.");
    protocolNamed(input.protocol); // a slip is found before anything is opened
    const auto model = openAnyModel(input.model);
    const auto reference = input.against.empty() ? nullptr : openAnyModel(input.against);
    if (reference && reference->config().vocab != model->config().vocab)
        throw Error(fmt::format("the models have different vocabularies: {} and {} tokens",
                                model->config().vocab, reference->config().vocab),
                    "Compare a quantized model with the original that it was made from.");
    const EvaluationWindows windows =
        evaluationInput(context, *model, input.text, input.protocol, input.context);
    context.startEngine();
    Evaluation evaluation;
    {
        JobProgress progress(context.console, "evaluating",
                             {double(windows.windows.count * windows.windows.length), "tokens"});
        evaluation = evaluate(*model, reference.get(), windows, context.compute(), progress);
    }
    report(context.console, evaluation, windows);
    Json fields = {{"model", model->folder().string()},
                   {"against", reference ? Json(reference->folder().string()) : Json()},
                   {"text", windows.windows.source}};
    if (isBitloomCheckpoint(model->folder())) {
        const auto quantized = QuantizedCheckpoint::open(model->folder());
        fields["bits_per_weight"] = quantized->parts().bitsPerWeight();
        if (reference) rememberMeasured(context.cache(), *quantized, *reference, evaluation);
    }
    fields["bytes"] = model->storedBytes();
    fields.update(evaluationFields(evaluation));
    fields.update(machineFields(context));
    context.console.result("eval", fields);
}

} // namespace

void addEval(CLI::App& app, Context& context) {
    auto input = std::make_shared<Input>();
    CLI::App* command =
        addCommand(app, context, "eval", "Measure perplexity, and KL divergence from another model",
                   [&context, input] { runEval(context, *input); });
    command->add_option("MODEL", input->model, "Folder of a model or of a quantized model")
        ->required();
    command
        ->add_option("--against", input->against, "Compare with this model, usually the original")
        ->type_name("MODEL");
    addTextOptions(*command, input->text, "What to measure on");
    command
        ->add_option("--protocol", input->protocol,
                     "gptq, ctx4096 or llamacpp: what perplexity means")
        ->type_name("NAME")
        ->capture_default_str();
    command
        ->add_option("--context", input->context,
                     "Tokens a window (default: 2048, 4096, 512 by protocol)")
        ->type_name("N")
        ->check(CLI::Range(int64_t(2), int64_t(1) << 31));
    // Known, so that asking for it gets an answer; not offered.
    command->add_option("--tasks", input->tasks)->group("");
}

} // namespace bitloom::cli
