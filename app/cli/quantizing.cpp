// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "app/cli/quantizing.h"

#include "core/base/units.h"
#include "core/engine/quantize_fields.h"
#include "core/engine/result_fields.h"
#include "core/format/checkpoint_reader.h"
#include "core/io/durable.h"
#include "core/recipe/group_sizes.h"

#include <CLI/CLI.hpp>
#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <chrono>
#include <cmath>

namespace bitloom::cli {

namespace {

namespace fs = std::filesystem;

constexpr OutputHints hints = {"Choose another name with -o, or give --force to replace it.",
                               "Choose another place with -o",
                               "Give --resume to go on with it, or remove it to start again."};

bool grouped(Method method) {
    return method == Method::Rtn || method == Method::Gptq;
}

} // namespace

void addHeadOption(CLI::App& command, MethodInput& input) {
    command
        .add_option("--head", input.head,
                    "Bits of embedding and head: 8 or 16 (default: 8 for cmpq+, else 16)")
        ->type_name("BITS")
        ->check(CLI::IsMember({8, 16}));
}

void addMethodOptions(CLI::App& command, MethodInput& input) {
    const std::string group = "Method";
    std::string methods;
    for (const std::string& name : methodNames())
        methods += (methods.empty() ? "" : ", ") + name;
    command.add_option("--method", input.method, "One of " + methods)
        ->capture_default_str()
        ->type_name("NAME")
        ->group(group);
    addHeadOption(command, input);
    command.get_option("--head")->group(group);
    command.add_option("--passes", input.passes, "cmpq+: passes of coordinate descent")
        ->capture_default_str()
        ->type_name("N")
        ->check(CLI::Range(0, 100))
        ->group(group);
    command
        .add_option(
            "--polish", input.polish,
            "cmpq+: steps of training the tables against the original model (150 is a good number)")
        ->type_name("N")
        ->check(CLI::Range(0, 1000000))
        ->group(group);
    command.add_option("--seed", input.seed, "cmpq+: order of the polish sequences")
        ->type_name("N")
        ->group(group);
    command
        .add_option("--hessians", input.hessians,
                    "sequential: of the model as quantized so far; parallel: of the original")
        ->capture_default_str()
        ->type_name("MODE")
        ->check(CLI::IsMember({"sequential", "parallel"}))
        ->group(group);
    command.add_option("--group-size", input.groupSize, "rtn, gptq: weights that share a scale")
        ->capture_default_str()
        ->type_name("N")
        ->check(CLI::Range(minGroupSize, maxGroupSize))
        ->group(group);
    command.add_flag("--symmetric", input.symmetric, "rtn, gptq: no zero points")->group(group);
    command
        .add_flag("--act-order", input.actOrder, "gptq: columns with the largest activations first")
        ->group(group);
}

QuantizeOptions quantizeOptions(const Context& context, const MethodInput& input) {
    QuantizeOptions options;
    options.method = parseMethod(input.method);
    const auto refuse = [&](bool given, const char* option, const char* works) {
        if (given)
            throw Error(ErrorCode::Usage,
                        fmt::format("{} does not apply to the method {}", option, input.method),
                        fmt::format("Leave it out, or choose --method {}.", works));
    };
    refuse(input.polish > 0 && options.method != Method::CmpqPlus, "--polish", "cmpq+");
    refuse(input.symmetric && !grouped(options.method), "--symmetric", "rtn or gptq");
    refuse(input.actOrder && options.method != Method::Gptq, "--act-order", "gptq");
    options.descentPasses = input.passes;
    options.polishSteps = input.polish;
    options.seed = input.seed;
    options.hessians =
        input.hessians == "parallel" ? HessianMode::Parallel : HessianMode::Sequential;
    options.group.groupSize = input.groupSize;
    options.group.symmetric = input.symmetric;
    options.group.actOrder = input.actOrder;
    const int head = input.head ? input.head : options.method == Method::CmpqPlus ? 8 : 16;
    options.head = head == 8 ? HeadStorage::Rows8 : HeadStorage::Keep;
    options.compute = context.compute();
    return options;
}

void setBits(QuantizeOptions& options, double bits) {
    const std::string name(methodName(options.method));
    if (grouped(options.method)) {
        if (bits != std::floor(bits) || bits < 2 || bits > 8)
            throw Error(
                ErrorCode::Usage,
                fmt::format("the method {} cannot store {:g} bits a weight", name, bits),
                fmt::format("It takes whole numbers from 2 to 8; the nearest is --bits {:g}. "
                            "cmpq+ takes any budget.",
                            std::clamp(std::round(bits), 2.0, 8.0)));
    } else if (!(bits >= 1 && bits <= 5)) {
        throw Error(ErrorCode::Usage,
                    fmt::format("the method {} cannot store {:g} bits a weight", name, bits),
                    fmt::format("It takes 1 to 5; the nearest is --bits {:g}.",
                                std::clamp(bits, 1.0, 5.0)));
    }
    options.bits = bits;
    if (grouped(options.method)) options.group.bits = int(bits);
}

void checkOutput(const OutputInput& output) {
    checkOutputFolder(output, hints);
}

namespace {

Json dryRun(Context& context, const CheckpointLayout& layout, const OutputInput& output) {
    Console& console = context.console;
    std::vector<std::vector<std::string>> rows{{"file", "bytes"}};
    for (const auto& [name, bytes] : filesOf(layout))
        rows.push_back({name, formatCount(bytes)});
    rows.push_back({"together", formatCount(layout.totalBytes())});
    console.print(table(rows, "lr"));
    const auto available = int64_t(freeBytes(output.folder));
    console.print();
    console.print(fmt::format("{:.4f} bits per weight, {}; {} are free there. Nothing was written.",
                              layout.parts().bitsPerWeight(), formatBytes(layout.totalBytes()),
                              formatBytes(available)));
    return {{"dry_run", true}, {"files", fileFields<Json>(layout)}, {"free_bytes", available}};
}

Json runQuantizer(Context& context, std::shared_ptr<const Checkpoint> model,
                  const Statistics& statistics, const QuantizeOptions& options,
                  const CheckpointLayout& layout, const OutputInput& output) {
    context.startEngine();
    makeParents(output.folder, hints);
    JobProgress progress(context.console, "quantizing",
                         {double(layout.parts().linearWeights), "weights"});
    WrittenCheckpoint written;
    try {
        written = bitloom::writeCheckpoint(model, statistics, options, layout, output, progress);
    } catch (const Error& error) {
        if (error.code() == ErrorCode::Cancelled)
            throw Error(ErrorCode::Cancelled, "cancelled; what was finished is kept",
                        "The same command with --resume goes on where this one stopped.");
        throw;
    }
    for (const std::string& warning : written.warnings)
        context.console.warn(warning);
    Json fields = writtenFields<Json>(written, options);
    fields["seconds"] = progress.seconds();
    return fields;
}

} // namespace

Json writeCheckpoint(Context& context, std::shared_ptr<const Checkpoint> model,
                     const Statistics& statistics, const QuantizeOptions& given,
                     const OutputInput& output) {
    QuantizeOptions options = given;
    const bool planned = options.method == Method::CmpqPlus;
    if (planned) options.plan.predicted = predictionOf(options.plan, statistics, options);
    const CheckpointLayout layout = [&] {
        if (options.method == Method::Cmpq) context.startEngine();
        JobProgress progress(context.console, "laying out");
        return CheckpointLayout(*model, checkpointSpec(*model, statistics, options, progress));
    }();

    Json fields = {{"method", methodName(options.method)}, {"out", output.folder.string()}};
    fields.update(layoutFields<Json>(layout, options, statistics));
    if (output.dryRun) {
        fields.update(dryRun(context, layout, output));
        return fields;
    }
    fields.update(runQuantizer(context, model, statistics, options, layout, output));
    if (output.verify) {
        verifyCheckpoint(context, output.folder);
        fields["verified"] = true;
    }
    return fields;
}

void verifyCheckpoint(Context& context, const fs::path& folder) {
    const auto checkpoint = QuantizedCheckpoint::open(folder);
    JobProgress progress(context.console, "verifying",
                         {double(checkpoint->folderBytes()), "bytes"});
    const auto damaged = checkpoint->verify(context.compute().threadsOrDefault(), progress);
    requireIntact(folder, damaged,
                  "Quantize it again with --force, or copy it again from where it is whole.");
}

Protocol protocolNamed(const std::string& name) {
    if (name == "word")
        throw Error(ErrorCode::Usage, "the protocol word is not part of this version of Bitloom",
                    "Use --protocol gptq, ctx4096 or llamacpp.");
    return parseProtocol(name);
}

EvaluationWindows evaluationInput(Context& context, const ModelWeights& model,
                                  const TextInput& input, const std::string& protocolText,
                                  int64_t wantedContext) {
    return bitloom::evaluationInput(model, textSource(input), protocolNamed(protocolText),
                                    wantedContext, sampleModelFolder() / "valid.txt",
                                    noteTo(context));
}

Json evaluationFields(const Evaluation& evaluation) {
    return bitloom::evaluationFields<Json>(evaluation, 0.0);
}

} // namespace bitloom::cli
