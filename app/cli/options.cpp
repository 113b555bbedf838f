// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "app/cli/options.h"

#include "core/base/log.h"
#include "core/base/units.h"
#include "core/engine/result_fields.h"
#include "core/io/durable.h"

#include <CLI/CLI.hpp>
#include <spdlog/fmt/fmt.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/spdlog.h>

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <string_view>

namespace bitloom::cli {

namespace {

namespace fs = std::filesystem;

/// Log messages of core and engine, shown like the program's own.
class ConsoleSink final : public spdlog::sinks::base_sink<std::mutex> {
public:
    explicit ConsoleSink(Console& console) : m_console(console) {}

protected:
    void sink_it_(const spdlog::details::log_msg& message) override {
        const std::string text(message.payload.data(), message.payload.size());
        message.level >= spdlog::level::warn ? m_console.warn(text) : m_console.note(text);
    }
    void flush_() override {}

private:
    Console& m_console;
};

void startLog(Context& context) {
    auto console = std::make_shared<ConsoleSink>(context.console);
    console->set_level(spdlog::level::warn);
    std::vector<spdlog::sink_ptr> sinks{console};
    if (!context.common.logFile.empty()) {
        try {
            sinks.push_back(
                std::make_shared<spdlog::sinks::basic_file_sink_mt>(context.common.logFile));
            sinks.back()->set_level(spdlog::level::debug);
        } catch (const spdlog::spdlog_ex& problem) {
            throw Error(fmt::format("cannot write the log: {}", problem.what()),
                        "Name a file in a folder that exists and is writable with --log.");
        }
    }
    auto main = std::make_shared<spdlog::logger>("bitloom", sinks.begin(), sinks.end());
    main->set_level(spdlog::level::debug);
    main->flush_on(spdlog::level::info);
    spdlog::set_default_logger(std::move(main));
}

} // namespace

void Context::start() {
    console.setMode(common.json, common.quiet);
    startLog(*this);
    const ComputeOptions wanted = compute(); // a wrong --memory is found before any work
    logger("cli")->info("bitloom {} {}", BITLOOM_VERSION, command);
    // These open the device themselves.
    constexpr std::string_view own[] = {"selftest", "serve", "chat", "bench"};
    if (wanted.choice == DeviceChoice::Cpu || std::ranges::find(own, command) != std::end(own))
        return;
    constexpr std::string_view able[] = {"calibrate", "plan", "quantize",
                                         "compare",   "eval", "demo"};
    if (std::ranges::find(able, command) != std::end(able)) {
        startEngine();
        m_device = wanted;
        openDevice(m_device);
        console.note("computing on " + deviceText(m_device));
    } else if (wanted.choice == DeviceChoice::Cuda) {
        throw Error("`bitloom " + command + "` computes on the processor only",
                    "Leave --device out. A GPU calibrates, quantizes, evaluates and generates: "
                    "bitloom calibrate, plan, quantize, compare, eval, demo, chat and bench.");
    } else {
        m_device.deviceReason = "`bitloom " + command + "` needs none";
    }
}

ComputeOptions Context::compute() const {
    ComputeOptions options;
    options.threads = common.threads;
    if (!common.memory.empty()) {
        options.memoryBytes = parseSize(common.memory);
        if (options.memoryBytes <= 0)
            throw Error(ErrorCode::Usage, "--memory is 0",
                        "Give the memory that the job may use: --memory 8GiB.");
    }
    options.choice = parseDevice(common.device);
    if (!common.vram.empty()) {
        options.vramBytes = parseSize(common.vram);
        if (options.vramBytes <= 0)
            throw Error(ErrorCode::Usage, "--vram is 0",
                        "Give the memory of the GPU that the job may use: --vram 16GiB.");
    }
    options.device = m_device.device;
    options.deviceReason = m_device.deviceReason;
    return options;
}

fs::path Context::cache() const {
    return common.cache.empty() ? defaultCacheFolder() : fs::absolute(common.cache);
}

void Context::startEngine() {
    if (std::exchange(m_engineStarted, true)) return;
    initEngine(compute());
}

CLI::App* addCommand(CLI::App& app, Context& context, const std::string& name,
                     const std::string& description, std::function<void()> run) {
    CLI::App* command = app.add_subcommand(name, description);
    CommonOptions& common = context.common;
    const std::string group = "Common options";
    command
        ->add_option(
            "--memory", common.memory,
            "Memory to stay below, such as 8GiB (default: three quarters of the machine's)")
        ->type_name("SIZE")
        ->group(group);
    command
        ->add_option("--threads", common.threads, "Processor threads to use (default: all cores)")
        ->type_name("N")
        ->check(CLI::Range(1, 4096))
        ->group(group);
    command
        ->add_option("--device", common.device,
                     "Where to compute: cpu, cuda, or auto (a GPU that can be used, else the "
                     "processor)")
        ->type_name("DEVICE")
        ->check(CLI::IsMember({"cpu", "cuda", "auto"}))
        ->group(group);
    command
        ->add_option("--vram", common.vram,
                     "Memory of the GPU to stay below, such as 16GiB (default: nine tenths of what "
                     "is free)")
        ->type_name("SIZE")
        ->group(group);
    command
        ->add_option("--cache", common.cache,
                     "Folder for statistics and scratch files (default: ~/.cache/bitloom)")
        ->type_name("DIR")
        ->group(group);
    command->add_option("--log", common.logFile, "Also write a detailed log to this file")
        ->type_name("FILE")
        ->group(group);
    command->add_flag("--json", common.json, "One JSON object a line: progress, then the result")
        ->group(group);
    command->add_flag("-q,--quiet", common.quiet, "Only the result and warnings")->group(group);
    command->callback([&context, name, run = std::move(run)] {
        context.command = name;
        context.run = run;
    });
    return command;
}

void addTextOptions(CLI::App& command, TextInput& input, const std::string& purpose) {
    auto* text = command
                     .add_option("--text", input.texts,
                                 purpose + ": text or .jsonl files, joined by blank lines")
                     ->type_name("FILE");
    command
        .add_option("--ids", input.ids,
                    "The same as token ids: safetensors with I32 input_ids, [B,T] or [T]")
        ->type_name("FILE")
        ->excludes(text);
}

void addCalibrationOptions(CLI::App& command, CalibrationInput& input, bool withStats) {
    const std::string group = "Calibration";
    if (withStats)
        command.add_option("--stats", input.stats, "Statistics file of an earlier calibration")
            ->type_name("FILE")
            ->group(group);
    auto* text =
        command
            .add_option("--text", input.text.texts,
                        "Text to calibrate on: text or .jsonl files, joined by blank lines")
            ->type_name("FILE")
            ->group(group);
    command
        .add_option("--ids", input.text.ids,
                    "The same as token ids: safetensors with I32 input_ids, [B,T] or [T]")
        ->type_name("FILE")
        ->excludes(text)
        ->group(group);
    command.add_option("--sequences", input.sequences, "Windows of the text to use (default: 128)")
        ->type_name("N")
        ->check(CLI::Range(int64_t(1), int64_t(1) << 31))
        ->group(group);
    command
        .add_option("--length", input.length,
                    "Tokens a window (default: 2048, or half of what a smaller model can hold)")
        ->type_name("N")
        ->check(CLI::Range(int64_t(2), int64_t(1) << 31))
        ->group(group);
}

void addBudgetOptions(CLI::App& command, BudgetInput& input) {
    const std::string group = "Budget (one of the first four)";
    command.add_option("--bits", input.bits, "Bits per weight, everything stored counted: 3.0")
        ->type_name("BITS")
        ->group(group);
    command.add_option("--size", input.size, "Bytes of the whole folder: 2.6GiB")
        ->type_name("SIZE")
        ->group(group);
    command.add_option("--max-ppl", input.maxPpl, "Largest predicted increase of perplexity: +2%")
        ->type_name("+P%")
        ->group(group);
    command
        .add_option("--tokens-per-second", input.tokensPerSecond,
                    "Slowest generation allowed on this machine's CPU: 12; its kernels are timed "
                    "once")
        ->type_name("RATE")
        ->group(group);
    command
        .add_option("--pin", input.pins,
                    "Decide layers by hand: REGEX=BITS or REGEX[0-15,40]=BITS, BITS 2…8, 16 or a "
                    "point as 4t+0.25%; may be repeated, later ones win")
        ->type_name("PIN")
        ->group(group)
        ->take_all()
        ->expected(1)
        ->allow_extra_args(false);
}

void requireFile(const std::string& path, const std::string& option) {
    std::error_code error;
    const std::string hint = "Check the name given with " + option + ".";
    if (!fs::exists(path, error)) throw Error("there is no file '" + path + "'", hint);
    if (fs::is_directory(path, error)) throw Error("'" + path + "' is a folder, not a file", hint);
    if (::access(path.c_str(), R_OK) != 0)
        throw Error("'" + path + "' cannot be read: " + std::strerror(errno), hint);
}

double parseRelative(const std::string& given) {
    std::string text = given;
    const bool percent = !text.empty() && text.back() == '%';
    if (percent) text.pop_back();
    char* end = nullptr;
    const double value = std::strtod(text.c_str(), &end) / (percent ? 100 : 1);
    if (text.empty() || *end != '\0' || !std::isfinite(value) || value <= 0)
        throw Error(ErrorCode::Usage, "'" + given + "' is not an increase of perplexity",
                    "Write it as +2% or 0.02; it must be above 0.");
    return value;
}

fs::path resourcesFolder() {
    const char* named = std::getenv("BITLOOM_RESOURCES");
    std::error_code ignored;
    fs::path place;
    if (named && *named) {
        place = named;
    } else if (const fs::path program = fs::read_symlink("/proc/self/exe", ignored);
               !program.empty()) {
        place = program.parent_path().parent_path() / "share/bitloom";
    }
    if (fs::is_directory(place / "models", ignored)) return place;
    throw Error("the files that belong to Bitloom were not found (looked in " + place.string() +
                    ")",
                "Install Bitloom completely, or set BITLOOM_RESOURCES to its folder "
                "share/bitloom.");
}

fs::path sampleModelFolder() {
    return resourcesFolder() / "models" / "bitloom-tales-4m";
}

Json machineFields(const Context& context) {
    return bitloom::machineFields<Json>(context.compute());
}

} // namespace bitloom::cli
