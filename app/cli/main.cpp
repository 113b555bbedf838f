// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "app/cli/commands.h"
#include "app/cli/help.h"
#include "app/cli/manual.h"
#include "app/cli/options.h"

#include "core/base/log.h"
#include "core/base/progress.h"
#include "core/text/interrupt.h"

#include <CLI/CLI.hpp>
#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <iostream>
#include <new>

namespace bitloom::cli {

namespace {

/// Edits that turn one word into the other, for "did you mean".
size_t distance(std::string_view a, std::string_view b) {
    std::vector<size_t> row(b.size() + 1);
    for (size_t j = 0; j <= b.size(); ++j)
        row[j] = j;
    for (size_t i = 1; i <= a.size(); ++i) {
        size_t diagonal = std::exchange(row[0], i);
        for (size_t j = 1; j <= b.size(); ++j) {
            const size_t substituted = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            row[j] = std::min({row[j] + 1, row[j - 1] + 1, substituted});
        }
    }
    return row[b.size()];
}

std::vector<std::string> commandNames(CLI::App& app) {
    std::vector<std::string> names;
    for (const CLI::App* command : app.get_subcommands([](CLI::App*) { return true; }))
        names.push_back(command->get_name());
    return names;
}

/// Neither a command nor a model: a slip of the pen, most likely.
Error unknownCommand(CLI::App& app, const std::string& word) {
    std::string best;
    for (const std::string& name : commandNames(app))
        if (best.empty() || distance(word, name) < distance(word, best)) best = name;
    const bool close = distance(word, best) <= std::max<size_t>(1, word.size() / 3);
    return Error(ErrorCode::Usage,
                 fmt::format("'{}' is neither a command nor the folder of a model", word),
                 close ? fmt::format("Did you mean `bitloom {}`?", best)
                       : "`bitloom --help` lists the commands.");
}

/// The user's wish to stop, for work that has no progress of its own.
class Interrupted final : public Progress {
public:
    void report(double, std::string_view) override {}
    bool cancelled() const override { return interrupted(); }
};

int fail(Console& console, const Error& error) {
    console.error(error);
    return int(error.code());
}

/// Messages of libraries may carry a stack trace: its first line says what happened.
std::string firstLine(const char* text) {
    const std::string_view view(text);
    return std::string(view.substr(0, view.find('\n')));
}

template<typename Job>
int guarded(Console& console, const Job& job) {
    static const char* memoryHint =
        "Close other programs, or let the job use less with --memory; finished work is kept.";
    try {
        job();
        return 0;
    } catch (const Error& error) {
        return fail(console, error);
    } catch (const std::bad_alloc&) {
        return fail(console, Error(ErrorCode::NoSpace, "out of memory", memoryHint));
    } catch (const std::exception& error) {
        const std::string what = firstLine(error.what());
        if (what.find("can't allocate memory") != std::string::npos)
            return fail(console, Error(ErrorCode::NoSpace, "out of memory: " + what, memoryHint));
        logger("cli")->error("{}", error.what());
        return fail(console, Error("unexpected: " + what, "Please report this, with the log that "
                                                          "--log FILE writes."));
    }
}

int usage(Console& console, CLI::App& app, const CLI::ParseError& error) {
    const auto chosen = app.get_subcommands();
    const std::string command = chosen.empty() ? "bitloom" : "bitloom " + chosen[0]->get_name();
    std::string text = error.what();
    text.erase(text.find_last_not_of(" \n.") + 1);
    return fail(console, Error(ErrorCode::Usage, command + ": " + text,
                               fmt::format("`{} --help` explains its options.", command)));
}

int run(int argc, char** argv) {
    Context context;
    // Wanted before the options are parsed: mistakes in them are reported the same way.
    const std::vector<std::string> words(argv + 1, argv + argc);
    const auto has = [&](const char* word) {
        return std::find(words.begin(), words.end(), word) != words.end();
    };
    context.console.setMode(has("--json"), has("-q") || has("--quiet"));
    installSignalHandlers();

    CLI::App app{
        "Bitloom quantizes language models: every input channel of every layer gets the bits "
        "that it is worth",
        "bitloom"};
    app.set_version_flag("--version", std::string("bitloom ") + BITLOOM_VERSION);
    app.set_help_flag("-h,--help", "Show this help");
    app.formatter(std::make_shared<HelpFormatter>()); // commands inherit it
    app.footer(
        "`bitloom COMMAND --help` explains a command; `bitloom MODEL` says what to do with a "
        "model; `bitloom demo` shows everything on a small one.");
    for (const auto add :
         {addInfo, addCalibrate, addPlan, addQuantize, addExport, addEval, addChat, addCompare,
          addTokenize, addLogits, addConvert, addDevices, addSelftest, addBench, addDemo, addServe})
        add(app, context);

    if (words.empty()) {
        std::cout << app.help();
        return 0;
    }
    // For the build, which installs what they print.
    if (words[0] == "--manual" && words.size() == 1) {
        std::cout << manualPage(app);
        return 0;
    }
    if (words[0] == "--completion" && words.size() == 2)
        return guarded(context.console, [&] { std::cout << completionScript(app, words[1]); });
    const auto names = commandNames(app);
    if (!words[0].starts_with('-') &&
        std::find(names.begin(), names.end(), words[0]) == names.end())
        return guarded(context.console, [&] {
            std::error_code ignored;
            const bool looksLikeModel = words[0].find('/') != std::string::npos ||
                                        std::filesystem::exists(words[0], ignored);
            if (!looksLikeModel) throw unknownCommand(app, words[0]);
            for (size_t i = 1; i < words.size(); ++i)
                if (words[i] != "--json" && words[i] != "-q" && words[i] != "--quiet")
                    throw Error(ErrorCode::Usage,
                                fmt::format("what to do with '{}' is missing: '{}' is no command",
                                            words[0], words[0]),
                                fmt::format("Put the command first: bitloom info {}", words[0]));
            context.common.json = has("--json");
            context.common.quiet = has("-q") || has("--quiet");
            context.command = "explain";
            context.start();
            explainModel(context, words[0]);
        });

    try {
        app.parse(argc, argv);
    } catch (const CLI::Success& help) { // --help, --version
        return app.exit(help, std::cout, std::cerr);
    } catch (const CLI::ParseError& error) {
        return usage(context.console, app, error);
    }
    return guarded(context.console, [&] {
        if (!context.run)
            throw Error(ErrorCode::Usage, "no command was given",
                        "`bitloom --help` lists the commands.");
        context.start();
        const Interrupted interrupt;
        const TokenizingScope scope(interrupt); // Ctrl-C, also within a long text
        context.run();
    });
}

} // namespace

} // namespace bitloom::cli

int main(int argc, char** argv) {
    return bitloom::cli::run(argc, argv);
}
