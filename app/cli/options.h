// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "app/cli/console.h"
#include "core/engine/compute.h"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace CLI {
class App;
class Option;
} // namespace CLI

namespace bitloom::cli {

/// Options that every command takes.
struct CommonOptions {
    std::string memory, vram, device = "cpu", cache, logFile;
    int threads = 0;
    bool json = false, quiet = false;
};

/// What a command runs in; one object, made in main.
struct Context {
    CommonOptions common;
    Console console;
    std::string command;       ///< "quantize"
    std::function<void()> run; ///< set by the command that was chosen

    /// Puts the common options into effect: console, log, device. Throws Error (NoDevice where a
    /// GPU was asked for and there is none that can be used).
    void start();
    ComputeOptions compute() const;
    std::filesystem::path cache() const;
    /// Prepares libtorch; before the first engine call that computes.
    void startEngine();

private:
    bool m_engineStarted = false;
    ComputeOptions m_device; ///< its device, once opened
};

/// Adds a command with the common options; `run` is called after everything is parsed.
CLI::App* addCommand(CLI::App& app, Context& context, const std::string& name,
                     const std::string& description, std::function<void()> run);

/// --text F… | --ids F
struct TextInput {
    std::vector<std::string> texts;
    std::string ids;
    bool given() const { return !texts.empty() || !ids.empty(); }
};
void addTextOptions(CLI::App& command, TextInput& input, const std::string& purpose);

/// Where statistics come from. 0 = not given.
struct CalibrationInput {
    std::string stats;
    TextInput text;
    int64_t sequences = 0, length = 0;
};
void addCalibrationOptions(CLI::App& command, CalibrationInput& input, bool withStats = true);

/// --bits | --size | --max-ppl | --tokens-per-second, --pin
struct BudgetInput {
    std::optional<double> bits, tokensPerSecond;
    std::string size, maxPpl;
    std::vector<std::string> pins;
    int given() const {
        return int(bits.has_value()) + int(!size.empty()) + int(!maxPpl.empty()) +
               int(tokensPerSecond.has_value());
    }
};
void addBudgetOptions(CLI::App& command, BudgetInput& input);

/// Throws Error unless the file that `option` names is there and can be read.
void requireFile(const std::string& path, const std::string& option);
/// Runs `job`; an Error that says nothing about what to do gets `hint`.
template<typename Job>
auto withHint(const std::string& hint, const Job& job) {
    try {
        return job();
    } catch (const Error& error) {
        if (!error.hint().empty() || error.code() != ErrorCode::Failed) throw;
        throw Error(error.code(), error.what(), hint);
    }
}

/// "+2%", "2%" or "0.02" as 0.02. Throws Error(Usage).
double parseRelative(const std::string& text);

/// Folder of the files shipped with the program: BITLOOM_RESOURCES, else ../share/bitloom beside
/// the program. Throws Error naming where it looked.
std::filesystem::path resourcesFolder();
std::filesystem::path sampleModelFolder();

/// peak_rss, device, threads: in every result.
Json machineFields(const Context& context);

} // namespace bitloom::cli
