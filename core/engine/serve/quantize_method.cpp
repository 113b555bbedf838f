// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
//
// Writing, unpacking and checking quantized checkpoints.
#include "core/engine/export_hf.h"
#include "core/engine/quantize_fields.h"
#include "core/engine/serve/model_info.h"
#include "core/engine/serve/quantize_request.h"
#include "core/engine/write_checkpoint.h"
#include "core/format/checkpoint_reader.h"
#include "core/io/durable.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cctype>
#include <cstring>

namespace bitloom::serve {

namespace fs = std::filesystem;

namespace {

struct Output : OutputFolder {
    fs::path exportTo; ///< that `export` is to fill afterwards; empty: none
    bool verify = false, dryRun = false;
};

constexpr OutputHints hints = {"Choose another name, or allow the folder to be replaced.",
                               "Choose another place",
                               "Go on with it (resume), or remove it to start again."};

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

/// Computes and writes what `layout` says.
Json write(Engine& engine, Job& job, const ResolvedRequest& resolved,
           const CheckpointLayout& layout, const Output& output) {
    const QuantizeOptions& options = resolved.options;
    engine.models.shrink(options.compute.memoryOrDefault() / 4);
    const double end = output.verify ? 0.95 : 1;
    // Who follows from another machine reads the journal there.
    engine.files.allowFolder(output.folder.string() + ".partial");
    makeParents(output.folder, hints);
    Json fields = withCancelHint("cancelled; what was finished is kept",
                                 "The same call with resume goes on where this one stopped.", [&] {
                                     ProgressSlice part(job, 0, end);
                                     return writtenFields<Json>(
                                         writeCheckpoint(resolved.model, *resolved.statistics,
                                                         options, layout, output, part),
                                         options);
                                 });
    engine.files.allowFolder(output.folder);
    if (output.verify) {
        ProgressSlice part(job, end, 1);
        part.report(0, "verifying");
        requireIntact(output.folder, verifyFolder(output.folder, options.compute, part),
                      "The disk may be failing: quantize again to another place.");
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
    output.folder = outputName(pathOf(params.requireText("output")));
    output.resume = params.flag("resume", false);
    output.force = params.flag("force", false);
    output.verify = params.flag("verify", false);
    output.dryRun = params.flag("dry_run", false);
    if (const std::string folder = params.text("export_to"); !folder.empty())
        output.exportTo = pathOf(folder);
    params.finish();
    if (!output.dryRun) {
        checkOutputFolder(output, hints);
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
    Json result = layoutFields<Json>(layout, resolved.options, *resolved.statistics);
    merge(result, {{"output", output.folder.string()},
                   {"method", methodName(resolved.options.method)},
                   {"files", fileFields<Json>(layout)},
                   {"parts", partsToJson(layout.parts())},
                   {"free_bytes", freeBytes(output.folder)},
                   {"command", commandOf(request, resolved, output)}});
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
    output.folder = outputName(pathOf(params.requireText("output")));
    output.force = params.flag("force", false);
    const ComputeOptions compute = engine.computeOf(params);
    params.finish();
    output.resume = true; // an unfinished export is simply replaced
    checkOutputFolder(output, hints);
    checkExportFolder(output.folder, existingExport(output.force));
    const auto source = QuantizedCheckpoint::open(resolveModelFolder(name));
    engine.start(compute);
    makeParents(output.folder, hints);
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
