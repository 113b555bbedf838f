// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
//
// Writing, unpacking and checking quantized checkpoints.
#include "core/base/units.h"
#include "core/engine/export_hf.h"
#include "core/engine/serve/model_info.h"
#include "core/engine/serve/quantize_request.h"
#include "core/format/checkpoint_reader.h"
#include "core/format/checkpoint_writer.h"
#include "core/io/durable.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <map>
#include <system_error>
#include <unistd.h>

namespace bitloom::serve {

namespace fs = std::filesystem;

namespace {

struct Output {
    fs::path folder;
    fs::path exportTo; ///< that `export` is to fill afterwards; empty: none
    bool resume = false, force = false, verify = false, dryRun = false;
};

/// Refuses a folder that cannot be written before anything long is started.
void checkOutput(const Output& output) {
    std::error_code ignored;
    const std::string name = "'" + output.folder.string() + "'";
    if (!output.folder.has_filename() || output.folder == output.folder.root_path())
        throw Error(name + " is no name for a new folder", "Give the folder a name.");
    if (fs::exists(fs::symlink_status(output.folder, ignored)) && !output.force)
        throw Error(name + " exists already",
                    "Choose another name, or allow the folder to be replaced.");
    fs::path parent = output.folder.parent_path();
    while (!fs::exists(parent, ignored) && parent != parent.root_path())
        parent = parent.parent_path();
    if (!fs::is_directory(parent, ignored))
        throw Error("'" + parent.string() + "' is not a folder, so " + name +
                        " cannot be made in it",
                    "Choose another place.");
    if (::access(parent.c_str(), W_OK | X_OK) != 0)
        throw Error(
            fmt::format("'{}' cannot be written to: {}", parent.string(), std::strerror(errno)),
            "Choose another place, or change the folder's permissions.");
    const fs::path partial = output.folder.string() + ".partial";
    if (fs::exists(partial, ignored) && !output.resume)
        throw Error("an unfinished '" + partial.string() + "' is there from an earlier run",
                    "Go on with it (resume), or remove it to start again.");
}

/// Folders above the output that are not there yet: a client elsewhere cannot make them.
void makeParents(const Output& output) {
    std::error_code failed;
    const fs::path parent = output.folder.parent_path();
    fs::create_directories(parent, failed);
    if (failed)
        throw Error(
            fmt::format("the folder '{}' cannot be made: {}", parent.string(), failed.message()),
            "Choose another place.");
}

int64_t bytesOnDisk(const fs::path& folder) {
    int64_t bytes = 0;
    for (const auto& entry : fs::recursive_directory_iterator(folder))
        if (entry.is_regular_file()) bytes += int64_t(entry.file_size());
    return bytes;
}

Json fileList(const CheckpointLayout& layout) {
    std::map<std::string, int64_t> files;
    for (const auto& shard : layout.shards())
        files[shard.fileName] = int64_t(shard.layout.fileBytes());
    for (const auto& file : layout.files())
        files[file.name] = file.bytes;
    Json list = Json::array();
    for (const auto& [name, bytes] : files)
        list.push_back({{"name", name}, {"bytes", bytes}});
    return list;
}

std::string quoted(const std::string& text) {
    const auto plain = [](char c) {
        return std::isalnum(static_cast<unsigned char>(c)) || std::strchr("_-./+:=,@%", c);
    };
    if (!text.empty() && std::ranges::all_of(text, plain)) return text;
    std::string out = "'";
    for (const char c : text)
        out += c == '\'' ? std::string("'\\''") : std::string(1, c);
    return out + "'";
}

/// The command line that writes the same bytes. PLAN.json stands for the file that the client has
/// to save the plan in.
std::string commandOf(const QuantizeRequest& request, const ResolvedRequest& resolved,
                      const Output& output) {
    const QuantizeOptions& o = resolved.options;
    std::string text = "bitloom quantize " + quoted(request.model);
    const auto add = [&](const std::string& option, const std::string& value) {
        text += " " + option + " " + quoted(value);
    };
    if (o.method != Method::CmpqPlus) {
        add("--method", std::string(methodName(o.method)));
        add("--bits", fmt::format("{:g}", o.bits));
    } else if (!request.budget) {
        add("--plan", "PLAN.json");
    } else {
        switch (request.budget->kind) {
        case Budget::Kind::Bits:
            add("--bits", fmt::format("{}", request.budget->value));
            break;
        case Budget::Kind::Size:
            add("--size", fmt::format("{}", int64_t(request.budget->value)));
            break;
        case Budget::Kind::Perplexity:
            add("--max-ppl", fmt::format("{}%", request.budget->value * 100));
            break;
        case Budget::Kind::Speed:
            add("--tokens-per-second", fmt::format("{}", request.budget->value));
            break;
        }
        for (const Pin& pin : request.pins)
            add("--pin", pin.text());
    }
    const bool grouped = o.method == Method::Rtn || o.method == Method::Gptq;
    const int head = o.head == HeadStorage::Rows8 ? 8 : 16;
    if (head != (o.method == Method::CmpqPlus ? 8 : 16)) add("--head", std::to_string(head));
    if (o.method == Method::CmpqPlus) {
        if (o.descentPasses != 2) add("--passes", std::to_string(o.descentPasses));
        if (o.polishSteps > 0) add("--polish", std::to_string(o.polishSteps));
        if (o.seed != 0) add("--seed", std::to_string(o.seed));
    }
    if (grouped && o.group.groupSize != 128) add("--group-size", std::to_string(o.group.groupSize));
    if (o.group.symmetric) text += " --symmetric";
    if (o.group.actOrder) text += " --act-order";
    if (o.hessians == HessianMode::Parallel) text += " --hessians parallel";
    add("--stats", resolved.statistics->path().string());
    add("--threads", std::to_string(o.compute.threadsOrDefault()));
    if (o.compute.choice != DeviceChoice::Cpu)
        add("--device", o.compute.choice == DeviceChoice::Cuda ? "cuda" : "auto");
    if (o.compute.vramBytes > 0) add("--vram", std::to_string(o.compute.vramBytes));
    if (output.verify) text += " --verify";
    add("-o", output.folder.string());
    return text;
}

std::vector<std::string> verifyFolder(const fs::path& folder, const ComputeOptions& compute,
                                      Progress& progress) {
    return QuantizedCheckpoint::open(folder)->verify(compute.threadsOrDefault(), progress);
}

void requireIntact(const fs::path& folder, const std::vector<std::string>& damaged) {
    if (damaged.empty()) return;
    std::string names;
    for (size_t i = 0; i < damaged.size() && i < 8; ++i)
        names += (i ? ", " : "") + damaged[i];
    if (damaged.size() > 8) names += fmt::format(", and {} more", damaged.size() - 8);
    throw Error("'" + folder.string() + "' is damaged: " + names,
                "The disk may be failing: quantize again to another place.");
}

/// Computes and writes what `layout` says.
Json write(Engine& engine, Job& job, const ResolvedRequest& resolved,
           const CheckpointLayout& layout, const Output& output) {
    const QuantizeOptions& options = resolved.options;
    CheckpointWriter::Options how;
    how.existing =
        output.force ? CheckpointWriter::Existing::Replace : CheckpointWriter::Existing::Refuse;
    how.resume = output.resume;
    how.fingerprint = quantizeFingerprint(*resolved.model, *resolved.statistics, options);
    engine.models.shrink(options.compute.memoryOrDefault() / 4);
    const double end = output.verify ? 0.95 : 1;
    QuantizeReport report;
    int64_t resumed = 0, written = 0;
    // Who follows from another machine reads the journal there.
    engine.files.allowFolder(output.folder.string() + ".partial");
    makeParents(output);
    withCancelHint("cancelled; what was finished is kept",
                   "The same call with resume goes on where this one stopped.", [&] {
                       CheckpointWriter writer(output.folder, *resolved.model, layout, how);
                       ProgressSlice main(job, 0, 0.97 * end), rest(job, 0.97 * end, end);
                       report =
                           quantize(resolved.model, *resolved.statistics, options, writer, main);
                       writer.finish(layout.spec().recipe, rest);
                       resumed = writer.resumedTensors();
                       written = writer.writtenTensors();
                   });
    engine.files.allowFolder(output.folder);
    Json fields = {{"bytes", bytesOnDisk(output.folder)},
                   {"layers_resumed", report.layersResumed},
                   {"layers_computed", report.layersComputed},
                   {"polish_steps_resumed", report.polishStepsResumed},
                   {"polish_steps_computed", report.polishStepsComputed},
                   {"tensors_resumed", resumed},
                   {"tensors_written", written},
                   {"warnings", report.warnings}};
    if (options.method == Method::CmpqPlus) {
        fields["objective_gptq"] = report.objectiveGptq;
        fields["objective_descent"] = report.objectiveDescent;
        if (options.polishSteps > 0) {
            fields["polish_loss_before"] = report.polishLossBefore;
            fields["polish_loss_after"] = report.polishLossAfter;
            fields["polish_by_block"] = report.polishedByBlock;
        }
    }
    if (output.verify) {
        ProgressSlice part(job, end, 1);
        part.report(0, "verifying");
        requireIntact(output.folder, verifyFolder(output.folder, options.compute, part));
        fields["verified"] = true;
    }
    return fields;
}

ExistingExport existingExport(bool force) {
    return force ? ExistingExport::Replace : ExistingExport::Refuse;
}

Json quantizeModel(Engine& engine, Job& job) {
    Params params(job.params(), job.method());
    const QuantizeRequest request = QuantizeRequest::read(params, engine);
    Output output;
    output.folder = pathOf(params.requireText("output"));
    if (!output.folder.has_filename()) output.folder = output.folder.parent_path();
    output.resume = params.flag("resume", false);
    output.force = params.flag("force", false);
    output.verify = params.flag("verify", false);
    output.dryRun = params.flag("dry_run", false);
    if (const std::string folder = params.text("export_to"); !folder.empty())
        output.exportTo = pathOf(folder);
    params.finish();
    if (!output.dryRun) {
        checkOutput(output);
        // Hours later it would be too late.
        if (!output.exportTo.empty())
            checkExportFolder(output.exportTo, existingExport(output.force));
    }

    job.report(0, "planning");
    ResolvedRequest resolved = resolve(request, engine, job);
    job.check();
    if (output.dryRun) {
        engine.start(resolved.options.compute);
    } else {
        engine.startOnDevice(resolved.options.compute, job);
    }
    ProgressSlice laying(job, 0, 0);
    const CheckpointLayout layout(
        *resolved.model,
        checkpointSpec(*resolved.model, *resolved.statistics, resolved.options, laying));
    Json result = {{"output", output.folder.string()},
                   {"method", methodName(resolved.options.method)},
                   {"bits_per_weight", layout.parts().bitsPerWeight()},
                   {"predicted_bytes", layout.totalBytes()},
                   {"statistics", resolved.statistics->path().string()},
                   {"files", fileList(layout)},
                   {"parts", partsToJson(layout.parts())},
                   {"free_bytes", freeBytes(output.folder)},
                   {"command", commandOf(request, resolved, output)}};
    if (resolved.options.method == Method::CmpqPlus) {
        const Prediction& p = resolved.options.plan.predicted;
        result["predicted_delta_nll"] = p.deltaNll;
        result["predicted_nll"] = p.nll > 0 ? Json(p.nll) : Json();
        result["predicted_on"] = describeCalibration(*resolved.statistics);
    }
    if (output.dryRun) {
        result["dry_run"] = true;
    } else {
        merge(result, write(engine, job, resolved, layout, output));
    }
    result["seconds"] = job.seconds();
    merge(result, machineFields(resolved.options.compute));
    return result;
}

Json exportModel(Engine& engine, Job& job) {
    Params params(job.params(), job.method());
    const std::string name = modelOf(params);
    params.choice("to", {"hf"}, "hf");
    const std::string dtype = params.choice("dtype", {"f16", "bf16", "f32"}, "f16");
    Output output;
    output.folder = pathOf(params.requireText("output"));
    if (!output.folder.has_filename()) output.folder = output.folder.parent_path();
    output.force = params.flag("force", false);
    const ComputeOptions compute = engine.computeOf(params);
    params.finish();
    output.resume = true; // an unfinished export is simply replaced
    checkOutput(output);
    checkExportFolder(output.folder, existingExport(output.force));
    const auto source = QuantizedCheckpoint::open(resolveModelFolder(name));
    engine.start(compute);
    makeParents(output);
    const int64_t bytes =
        exportHuggingFace(*source,
                          dtype == "f32"    ? DType::F32
                          : dtype == "bf16" ? DType::BF16
                                            : DType::F16,
                          output.folder, compute, job, existingExport(output.force));
    engine.files.allowFolder(output.folder);
    Json result = {{"output", output.folder.string()},
                   {"to", "hf"},
                   {"dtype", dtype},
                   {"bytes", bytes},
                   {"seconds", job.seconds()}};
    merge(result, machineFields(compute));
    return result;
}

Json verifyModel(Engine& engine, Job& job) {
    Params params(job.params(), job.method());
    const std::string name = modelOf(params);
    const ComputeOptions compute = engine.computeOf(params);
    params.finish();
    const fs::path folder = resolveModelFolder(name);
    job.report(0, "verifying");
    const auto checkpoint = QuantizedCheckpoint::open(folder);
    const auto damaged = checkpoint->verify(compute.threadsOrDefault(), job);
    return {{"intact", damaged.empty()},
            {"damaged", damaged},
            {"bytes", checkpoint->folderBytes()},
            {"seconds", job.seconds()}};
}

std::string outputOf(const Json& params) {
    const auto output = params.find("output");
    return output != params.end() && output->is_string()
               ? pathOf(output->get<std::string>()).string()
               : std::string();
}

} // namespace

void addQuantize(Methods& methods, Engine& engine) {
    methods["quantize"] = {Kind::Compute, [&](Job& job) { return quantizeModel(engine, job); },
                           outputOf};
    methods["export"] = {Kind::Compute, [&](Job& job) { return exportModel(engine, job); },
                         outputOf};
    methods["verify"] = {Kind::Compute, [&](Job& job) { return verifyModel(engine, job); }};
}

} // namespace bitloom::serve
