// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "app/cli/commands.h"
#include "app/cli/planning.h"

#include "core/base/units.h"
#include "core/model/checkpoint.h"
#include "core/model/llama2c.h"
#include "core/text/tokenizer.h"

#include <CLI/CLI.hpp>
#include <spdlog/fmt/fmt.h>

namespace bitloom::cli {

namespace {

namespace fs = std::filesystem;

struct Input {
    std::string file, tokenizer, out;
};

void runConvert(Context& context, const Input& input) {
    std::error_code ignored;
    if (fs::exists(fs::symlink_status(input.out, ignored)))
        throw Error("'" + input.out + "' exists already",
                    "Choose another name with -o, or remove it first.");
    {
        JobProgress progress(context.console, "converting");
        convertLlama2c(input.file, input.tokenizer, input.out, progress);
    }
    const auto model = openModel(input.out);
    context.console.print(
        fmt::format("wrote {}: {} with {} parameters, {}", input.out, model->config().architecture,
                    formatCount(model->parameters()), formatBytes(model->weightBytes())));
    context.console.note(fmt::format("next: bitloom {}", input.out));
    Json fields = {{"out", input.out},
                   {"architecture", model->config().architecture},
                   {"parameters", model->parameters()},
                   {"bytes", model->weightBytes()},
                   {"has_tokenizer", hasTokenizer(model->folder())}};
    fields.update(machineFields(context));
    context.console.result("convert", fields);
}

} // namespace

void addConvert(CLI::App& app, Context& context) {
    auto input = std::make_shared<Input>();
    CLI::App* command =
        addCommand(app, context, "convert", "llama2.c checkpoint to a Hugging Face folder",
                   [&context, input] { runConvert(context, *input); });
    command->add_option("FILE", input->file, "Checkpoint of llama2.c (.bin)")->required();
    command
        ->add_option("--tokenizer", input->tokenizer,
                     "Its tokenizer (default: tok<vocabulary>.bin or tokenizer.bin beside it)")
        ->type_name("FILE");
    command->add_option("-o,--output", input->out, "Folder to write; must not exist")
        ->type_name("DIR")
        ->required();
}

} // namespace bitloom::cli
