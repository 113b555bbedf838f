// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "app/cli/commands.h"
#include "app/cli/planning.h"

#include "core/base/units.h"
#include "core/engine/evaluate.h"
#include "core/io/durable.h"
#include "core/io/system_error.h"

#include <CLI/CLI.hpp>
#include <spdlog/fmt/fmt.h>

namespace bitloom::cli {

namespace {

namespace fs = std::filesystem;

struct Input {
    std::string model, ids, out, rope = "auto";
};

/// A safetensors file with one tensor that grows row by row; it gets its name only when complete.
class LogitsFile {
public:
    LogitsFile(const fs::path& path, int64_t rows, int64_t length, int64_t vocab)
        : m_path(path), m_temporary(path.string() + ".tmp"),
          m_layout({{"logits", DType::F32, {rows, length, vocab}}}, {}),
          m_file(std::make_unique<OutputFile>(m_temporary, m_layout.fileBytes())) {
        m_file->write(0, std::as_bytes(std::span(m_layout.header())));
    }
    ~LogitsFile() {
        std::error_code ignored;
        if (m_file) fs::remove(m_temporary, ignored);
    }
    LogitsFile(const LogitsFile&) = delete;
    LogitsFile& operator=(const LogitsFile&) = delete;

    void put(int64_t row, std::span<const float> values) {
        m_file->write(m_layout.fileOffset(m_layout.tensors()[0]) +
                          uint64_t(row) * values.size_bytes(),
                      std::as_bytes(values));
    }
    void finish() {
        m_file->flush();
        std::error_code error;
        fs::rename(m_temporary, m_path, error);
        if (error) throwSystemError("write", m_path, error.value());
        m_file.reset();
    }
    uint64_t bytes() const { return m_layout.fileBytes(); }

private:
    fs::path m_path, m_temporary;
    SafetensorsLayout m_layout;
    std::unique_ptr<OutputFile> m_file;
};

void runLogits(Context& context, const Input& input) {
    const auto weights = openAnyModel(input.model);
    const ModelConfig& config = weights->config();
    requireFile(input.ids, "--ids");
    const TokenWindows rows = windowsFromIds(input.ids, config.vocab, 0);
    if (rows.length > config.maxPositions)
        throw Error(fmt::format("the rows of '{}' have {} tokens; the model can hold {}", input.ids,
                                rows.length, config.maxPositions),
                    "Cut them into shorter rows.");
    context.startEngine();
    LogitsFile file(input.out, rows.count, rows.length, config.vocab);
    JobProgress progress(context.console, "computing logits",
                         {double(rows.count * rows.length), "tokens"});
    // Reference logits usually come from a model that was cast as a whole; a Bitloom checkpoint is
    // compared with its own exports, which are computed exactly.
    const bool stored =
        input.rope == "stored" || (input.rope == "auto" && !isBitloomCheckpoint(weights->folder()));
    computeLogits(
        *weights, rows, stored ? RopePrecision::Stored : RopePrecision::Exact, context.compute(),
        [&](int64_t row, std::span<const float> logits) { file.put(row, logits); }, progress);
    file.finish();
    context.console.print(fmt::format("wrote {}: logits [{}, {}, {}], {}", input.out, rows.count,
                                      rows.length, config.vocab,
                                      formatBytes(int64_t(file.bytes()))));
    Json fields = {{"out", input.out},
                   {"shape", {rows.count, rows.length, config.vocab}},
                   {"tokens", rows.count * rows.length},
                   {"bytes", file.bytes()},
                   {"seconds", progress.seconds()}};
    fields.update(machineFields(context));
    context.console.result("logits", fields);
}

} // namespace

void addLogits(CLI::App& app, Context& context) {
    auto input = std::make_shared<Input>();
    CLI::App* command = addCommand(app, context, "logits",
                                   "Logits of given token ids, for checking against other programs",
                                   [&context, input] { runLogits(context, *input); });
    command->add_option("MODEL", input->model, "Folder of a model or of a quantized model")
        ->required();
    command
        ->add_option("--ids", input->ids,
                     "safetensors with I32 input_ids, [B,T]: each row its own window")
        ->type_name("FILE")
        ->required();
    command->add_option("-o,--output", input->out, "safetensors to write: F32 logits [B,T,V]")
        ->type_name("FILE")
        ->required();
    command
        ->add_option(
            "--rope", input->rope,
            "Rotary frequencies: 'exact' in float32, as everything else here computes; "
            "'stored' rounded to the model's dtype, as a transformers model has them after "
            "model.to(dtype); 'auto': stored for a Hugging Face model, exact for a "
            "quantized one")
        ->type_name("HOW")
        ->check(CLI::IsMember({"auto", "exact", "stored"}))
        ->capture_default_str();
}

} // namespace bitloom::cli
