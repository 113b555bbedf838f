// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/engine/serve/engine.h"

#include "core/base/units.h"
#include "core/engine/result_fields.h"

namespace bitloom::serve {

namespace fs = std::filesystem;

ComputeOptions Engine::computeOf(Params& params) const {
    ComputeOptions options = compute;
    options.threads =
        int(params.integer("threads", options.threads, params.has("threads") ? 1 : 0, 4096));
    options.memoryBytes = params.integer("memory", options.memoryBytes,
                                         params.has("memory") ? 1 : 0, int64_t(1) << 50);
    options.choice = DeviceChoice::Cpu;
    return options;
}

ComputeOptions Engine::deviceComputeOf(Params& params) const {
    ComputeOptions options = computeOf(params);
    params.choice("device", {"cpu", "cuda", "auto"}, "cpu");
    options.choice =
        params.has("device") ? parseDevice(params.text("device", "cpu")) : compute.choice;
    options.vramBytes =
        params.integer("vram", compute.vramBytes, params.has("vram") ? 1 : 0, int64_t(1) << 50);
    return options;
}

void Engine::startOnDevice(ComputeOptions& options, Job& job) {
    start(options);
    // What may be taken of the GPU's memory is asked of what is free.
    if (options.choice != DeviceChoice::Cpu) models.giveBackDevice();
    openDevice(options);
    if (options.device)
        job.setDeviceBytes([compute = options] { return deviceUsedBytes(compute); });
}

void Engine::start(const ComputeOptions& options) {
    const int threads = options.threadsOrDefault();
    if (m_threads == threads) return;
    if (!m_threads) prepareDevices();
    initEngine(options);
    m_threads = threads;
}

Json machineFields(const ComputeOptions& compute) {
    Json fields = bitloom::machineFields<Json>(compute);
    fields["rss"] = residentBytes();
    return fields;
}

void merge(Json& into, const Json& fields) {
    into.update(fields);
}

TextSource textSource(Params& params) {
    TextSource source;
    for (const std::string& file : params.texts("text"))
        source.files.push_back(pathOf(file));
    if (const std::string ids = params.text("ids"); !ids.empty()) source.ids = pathOf(ids);
    if (const Json* inlined = params.object("inline")) {
        Params inner(*inlined, params.where() + ": inline");
        source.inlined = {inner.text("name", "text"), inner.requireText("text")};
        inner.finish();
    }
    source.bundled = params.flag("bundled", false);
    const int given = int(!source.files.empty()) + int(!source.ids.empty()) +
                      int(source.inlined.has_value()) + int(source.bundled);
    if (given > 1)
        params.refuse("more than one text was given", "Choose one of text, ids, inline, bundled.");
    return source;
}

InputNote noteTo(Job& job) {
    return [&job](const std::string& text) {
        job.notify("log", {{"level", "info"}, {"room", "serve"}, {"text", text}});
    };
}

fs::path pathOf(const std::string& path) {
    return fs::absolute(expandHome(path)).lexically_normal();
}

std::string modelOf(Params& params, const char* name) {
    const std::string given = params.requireText(name);
    if (given.starts_with("try:")) return given;
    const fs::path expanded = expandHome(given);
    std::error_code ignored;
    return fs::exists(expanded, ignored) ? fs::absolute(expanded).lexically_normal().string()
                                         : given;
}

} // namespace bitloom::serve
