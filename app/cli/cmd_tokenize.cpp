// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "app/cli/commands.h"
#include "app/cli/options.h"

#include "core/io/durable.h"
#include "core/io/safetensors.h"
#include "core/model/checkpoint.h"
#include "core/text/dataset.h"
#include "core/text/tokenizer.h"

#include <CLI/CLI.hpp>
#include <spdlog/fmt/fmt.h>

#include <cstdio>

namespace bitloom::cli {

namespace {

namespace fs = std::filesystem;

struct Input {
    std::string model, out, form = "any";
    std::vector<std::string> texts;
    bool special = false, bos = false;
};

std::string readStdin() {
    std::string text;
    char piece[1 << 16];
    while (const size_t got = std::fread(piece, 1, sizeof piece, stdin))
        text.append(piece, got);
    if (text.empty())
        throw Error("there is no text on standard input",
                    "Name a file with --text, or pipe a text in.");
    return text;
}

void runTokenize(Context& context, const Input& input) {
    for (const std::string& text : input.texts)
        requireFile(text, "--text");
    // A folder with nothing but tokenizer files will do.
    std::error_code ignored;
    const fs::path folder = fs::is_directory(input.model, ignored) && hasTokenizer(input.model)
                                ? fs::path(input.model)
                                : resolveModelFolder(input.model);
    const TokenizerForm form = input.form == "json"            ? TokenizerForm::Json
                               : input.form == "sentencepiece" ? TokenizerForm::SentencePiece
                                                               : TokenizerForm::Any;
    const auto tokenizer = loadTokenizer(folder, form);
    const std::string text =
        input.texts.empty() ? readStdin() : readTexts({input.texts.begin(), input.texts.end()});
    std::vector<int32_t> ids = tokenizer->encode(text, input.special);
    if (input.bos) {
        if (!tokenizer->bosId()) throw Error("this tokenizer has no BOS token", "Leave --bos out.");
        ids.insert(ids.begin(), *tokenizer->bosId());
    }
    Console& console = context.console;
    Json fields = {{"tokenizer", tokenizer->description()},
                   {"tokens", ids.size()},
                   {"text_bytes", text.size()},
                   {"vocab", tokenizer->vocabSize()}};
    if (!input.out.empty()) {
        TensorBytes tensor{{"input_ids", DType::I32, {int64_t(ids.size())}},
                           std::as_bytes(std::span(ids))};
        writeSafetensors(input.out, {tensor});
        fields["out"] = input.out;
        console.note(fmt::format("wrote {} ids to {} ({})", ids.size(), input.out,
                                 tokenizer->description()));
    } else {
        std::string line;
        for (const int32_t id : ids)
            line += (line.empty() ? "" : " ") + std::to_string(id);
        console.print(line);
        console.note(fmt::format("{} ids, {}", ids.size(), tokenizer->description()));
        fields["ids"] = ids;
    }
    console.result("tokenize", fields);
}

} // namespace

void addTokenize(CLI::App& app, Context& context) {
    auto input = std::make_shared<Input>();
    CLI::App* command = addCommand(app, context, "tokenize", "Text to token ids",
                                   [&context, input] { runTokenize(context, *input); });
    command->add_option("MODEL", input->model, "Folder of a model, or with tokenizer files alone")
        ->required();
    command
        ->add_option("--text", input->texts,
                     "Text or .jsonl files, joined by blank lines (default: standard input)")
        ->type_name("FILE");
    command->add_flag("--special", input->special,
                      "Read the names of special tokens in the text as these tokens");
    command->add_flag("--bos", input->bos, "Put the begin-of-text token first");
    command
        ->add_option("--form", input->form,
                     "Which file to use where a folder has both: any, json or sentencepiece")
        ->type_name("FORM")
        ->check(CLI::IsMember({"any", "json", "sentencepiece"}))
        ->capture_default_str();
    command->add_option("-o,--output", input->out, "Write I32 input_ids to this safetensors file")
        ->type_name("FILE");
}

} // namespace bitloom::cli
