// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "app/cli/commands.h"
#include "app/cli/quantizing.h"

#include "core/base/units.h"
#include "core/engine/export_hf.h"

#include <CLI/CLI.hpp>
#include <spdlog/fmt/fmt.h>

namespace bitloom::cli {

namespace {

namespace fs = std::filesystem;

/// Windows that the difference to the runtime is measured on: enough to see an error of 1e-4.
constexpr int64_t checkedWindows = 16, checkedLength = 256;

struct Input {
    std::string model, out, to = "hf", dtype = "f16";
    bool force = false;
    TextInput text;
};

/// What was written against what was read: rounding to 16 bit must be the only difference.
Json difference(Context& context, const QuantizedCheckpoint& source, const Input& input) {
    const auto original = weightsOf(QuantizedCheckpoint::open(source.folder()));
    if (!input.text.given() && !hasTokenizer(source.folder())) {
        context.console.note("the model has no tokenizer: give --ids to measure the rounding");
        return Json::object();
    }
    const int64_t length = std::min(checkedLength, source.config().maxPositions);
    EvaluationWindows windows = evaluationInput(context, *original, input.text, "gptq",
                                                input.text.ids.empty() ? length : 0);
    TokenWindows& rows = windows.windows;
    rows.count = std::min(rows.count, checkedWindows);
    rows.ids.resize(size_t(rows.count * rows.length));
    context.startEngine();
    JobProgress progress(context.console, "comparing",
                         {double(rows.count * rows.length), "tokens"});
    const auto written = openAnyModel(input.out);
    const Evaluation evaluation =
        evaluate(*written, original.get(), windows, context.compute(), progress);
    context.console.print(fmt::format("KL to the quantized model {:.2e} over {} tokens; the same "
                                      "likeliest token in {:.2f} %",
                                      evaluation.klMean, formatCount(evaluation.tokens),
                                      100 * evaluation.top1Agreement));
    if (evaluation.klMean > 1e-4)
        context.console.warn("this dtype loses more than it should; --dtype f32 is exact");
    return {{"kl_mean", evaluation.klMean},
            {"kl_p99", evaluation.klP99},
            {"top1_agreement", evaluation.top1Agreement},
            {"tokens", evaluation.tokens}};
}

void runExport(Context& context, const Input& input) {
    const fs::path folder = resolveModelFolder(input.model);
    if (!isBitloomCheckpoint(folder))
        throw Error(
            "'" + folder.string() + "' is not a quantized model of Bitloom",
            fmt::format("Quantize it first: bitloom quantize {} --bits 3 -o OUT", input.model));
    OutputInput output;
    output.folder = input.out;
    output.resume = true; // an unfinished export is simply made again
    output.force = input.force;
    checkOutput(output);
    const auto existing = input.force ? ExistingExport::Replace : ExistingExport::Refuse;
    checkExportFolder(input.out, existing);
    const auto source = openQuantized(folder);
    const DType dtype = input.dtype == "f32"   ? DType::F32
                        : input.dtype == "f16" ? DType::F16
                                               : DType::BF16;
    Json fields = {{"out", input.out}, {"to", input.to}, {"dtype", input.dtype}};
    {
        JobProgress progress(context.console, "exporting");
        const int64_t bytes =
            exportHuggingFace(*source, dtype, input.out, context.compute(), progress, existing);
        fields["bytes"] = bytes;
        fields["seconds"] = progress.seconds();
        context.console.print(
            fmt::format("wrote {}: {} as {}", input.out, formatBytes(bytes), dtypeName(dtype)));
    }
    if (dtype != DType::F32 || input.text.given())
        fields.update(difference(context, *source, input));
    fields.update(machineFields(context));
    context.console.result("export", fields);
}

} // namespace

void addExport(CLI::App& app, Context& context) {
    auto input = std::make_shared<Input>();
    CLI::App* command =
        addCommand(app, context, "export", "Write a quantized model in another program's form",
                   [&context, input] { runExport(context, *input); });
    command->add_option("OUT", input->model, "Folder of a quantized model")->required();
    command->add_option("--to", input->to, "hf: a plain Hugging Face model, weights unpacked")
        ->type_name("FORM")
        ->check(CLI::IsMember({"hf"}))
        ->required();
    command->add_option("--dtype", input->dtype, "f32, f16 or bf16")
        ->type_name("DTYPE")
        ->check(CLI::IsMember({"f32", "f16", "bf16"}))
        ->capture_default_str();
    command->add_option("-o,--output", input->out, "Folder to write; must not exist")
        ->type_name("DIR")
        ->required();
    command->add_flag("--force", input->force,
                      "Replace an earlier export at DIR, once the new one is complete");
    addTextOptions(*command, input->text, "What to measure the rounding on");
}

} // namespace bitloom::cli
