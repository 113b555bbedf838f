// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "app/cli/quantizing.h"

#include "core/base/units.h"
#include "core/engine/result_fields.h"
#include "core/format/checkpoint_reader.h"
#include "core/format/checkpoint_writer.h"
#include "core/io/durable.h"

#include <CLI/CLI.hpp>
#include <spdlog/fmt/fmt.h>

#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstring>

namespace bitloom::cli {

namespace {

namespace fs = std::filesystem;

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
        ->check(CLI::Range(int64_t(1), int64_t(1) << 20))
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
    std::error_code ignored;
    const fs::path out = fs::absolute(output.folder).lexically_normal();
    const bool exists = fs::exists(fs::symlink_status(out, ignored));
    if (exists && !output.force)
        throw Error("'" + out.string() + "' exists already",
                    "Choose another name with -o, or give --force to replace it.");
    fs::path parent = out.has_filename() ? out.parent_path() : out.parent_path().parent_path();
    while (!parent.empty() && !fs::exists(parent, ignored) && parent != parent.root_path())
        parent = parent.parent_path();
    if (!fs::is_directory(parent, ignored))
        throw Error("'" + parent.string() + "' is not a folder, so '" + out.string() +
                        "' cannot be made in it",
                    "Choose another place with -o.");
    if (::access(parent.c_str(), W_OK | X_OK) != 0)
        throw Error(
            fmt::format("'{}' cannot be written to: {}", parent.string(), std::strerror(errno)),
            "Choose another place with -o, or change the folder's permissions.");
    const fs::path partial = (out.has_filename() ? out : out.parent_path()).string() + ".partial";
    if (fs::exists(partial, ignored) && !output.resume)
        throw Error("an unfinished '" + partial.string() + "' is there from an earlier run",
                    "Give --resume to go on with it, or remove it to start again.");
}

namespace {

Json dryRun(Context& context, const CheckpointLayout& layout, const OutputInput& output) {
    Console& console = context.console;
    std::vector<std::pair<std::string, int64_t>> files;
    for (const auto& shard : layout.shards())
        files.emplace_back(shard.fileName, int64_t(shard.layout.fileBytes()));
    for (const auto& file : layout.files())
        files.emplace_back(file.name, file.bytes);
    std::sort(files.begin(), files.end());

    Json list = Json::array();
    std::vector<std::vector<std::string>> rows{{"file", "bytes"}};
    for (const auto& [name, bytes] : files) {
        list.push_back({{"name", name}, {"bytes", bytes}});
        rows.push_back({name, formatCount(bytes)});
    }
    rows.push_back({"together", formatCount(layout.totalBytes())});
    console.print(table(rows, "lr"));
    const auto available = int64_t(freeBytes(output.folder));
    console.print();
    console.print(fmt::format("{:.4f} bits per weight, {}; {} are free there. Nothing was written.",
                              layout.parts().bitsPerWeight(), formatBytes(layout.totalBytes()),
                              formatBytes(available)));
    return {{"dry_run", true}, {"files", list}, {"free_bytes", available}};
}

int64_t bytesOnDisk(const fs::path& folder) {
    int64_t bytes = 0;
    for (const auto& entry : fs::recursive_directory_iterator(folder))
        if (entry.is_regular_file()) bytes += int64_t(entry.file_size());
    return bytes;
}

Json runQuantizer(Context& context, std::shared_ptr<const Checkpoint> model,
                  const Statistics& statistics, const QuantizeOptions& options,
                  const CheckpointLayout& layout, const OutputInput& output) {
    CheckpointWriter::Options how;
    how.existing =
        output.force ? CheckpointWriter::Existing::Replace : CheckpointWriter::Existing::Refuse;
    how.resume = output.resume;
    how.fingerprint = quantizeFingerprint(*model, statistics, options);
    context.startEngine();
    CheckpointWriter writer(output.folder, *model, layout, how);
    QuantizeReport report;
    JobProgress progress(context.console, "quantizing",
                         {double(layout.parts().linearWeights), "weights"});
    try {
        ProgressSlice main(progress, 0, 0.97), rest(progress, 0.97, 1);
        report = quantize(model, statistics, options, writer, main);
        writer.finish(layout.spec().recipe, rest);
    } catch (const Error& error) {
        if (error.code() == ErrorCode::Cancelled)
            throw Error(ErrorCode::Cancelled, "cancelled; what was finished is kept",
                        "The same command with --resume goes on where this one stopped.");
        throw;
    }
    for (const std::string& warning : report.warnings)
        context.console.warn(warning);
    if (report.polishedByBlock)
        context.console.note(
            std::string("polished block by block: both models together do not fit into ") +
            (options.compute.device ? "--vram" : "--memory") +
            "; trained end to end, the result is better");

    const int64_t bytes = bytesOnDisk(output.folder);
    if (bytes != layout.totalBytes())
        context.console.warn(fmt::format("{} bytes were written where {} were predicted", bytes,
                                         layout.totalBytes()));
    Json fields = {{"bytes", bytes},
                   {"layers_resumed", report.layersResumed},
                   {"layers_computed", report.layersComputed},
                   {"polish_steps_resumed", report.polishStepsResumed},
                   {"polish_steps_computed", report.polishStepsComputed}};
    if (options.method == Method::CmpqPlus) {
        fields["objective_gptq"] = report.objectiveGptq;
        fields["objective_descent"] = report.objectiveDescent;
        if (options.polishSteps > 0) {
            fields["polish_loss_before"] = report.polishLossBefore;
            fields["polish_loss_after"] = report.polishLossAfter;
            fields["polish_by_block"] = report.polishedByBlock;
        }
    }
    fields["tensors_resumed"] = writer.resumedTensors();
    fields["tensors_written"] = writer.writtenTensors();
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

    Json fields = {{"method", methodName(options.method)},
                   {"out", output.folder.string()},
                   {"bits_per_weight", layout.parts().bitsPerWeight()},
                   {"predicted_bytes", layout.totalBytes()}};
    if (planned) {
        const Prediction& predicted = options.plan.predicted;
        fields["predicted_delta_nll"] = predicted.deltaNll;
        fields["predicted_nll"] = predicted.nll > 0 ? Json(predicted.nll) : Json();
        fields["predicted_on"] = describe(statistics);
    }
    fields["statistics"] = statistics.path().string();
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
    if (damaged.empty()) return;
    std::string names;
    for (size_t i = 0; i < damaged.size() && i < 8; ++i)
        names += (i ? ", " : "") + damaged[i];
    if (damaged.size() > 8) names += fmt::format(", and {} more", damaged.size() - 8);
    throw Error("'" + folder.string() + "' is damaged: " + names,
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
