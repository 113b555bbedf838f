// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
//
// mdoc, so that both mandoc and groff set it. A line of text holds one sentence at most; a leading
// dot or apostrophe, and names of macros as arguments, are guarded with \&.
#include "app/cli/manual.h"

#include "app/cli/help.h"

#include <CLI/CLI.hpp>
#include <spdlog/fmt/fmt.h>

#include <array>
#include <cctype>
#include <cstdlib>
#include <vector>

namespace bitloom::cli {

namespace {

constexpr const char* commonGroup = "Common options";

constexpr const char* description = R"(.Sh DESCRIPTION
.Nm
makes large language models smaller.
It opens a Hugging Face checkpoint, measures how much every input channel of every linear layer
matters, and gives each of them its own number of bits, so that any average, such as 2.2 or 3.37 bits
per weight, can be asked for and met.
Then it quantizes, exports, measures what was lost, and lets both models answer side by side.
.Pp
.Nm
.Ar MODEL
without a command says what the model is and what to do with it.
A
.Ar MODEL
is a folder in Hugging Face layout, a file in one, a checkpoint that
.Nm
wrote, or
.Ar org/name
of a model in the local Hugging Face cache.
Nothing is ever downloaded, and model folders are only read.
.Pp
Work that was interrupted goes on with the same command
.Pq Cm quantize : No with Fl \-resume .
)";

constexpr const char* rest = R"(.Sh ENVIRONMENT
.Bl -tag -width Ds
.It Ev BITLOOM_RESOURCES
The folder of the sample model and the bundled texts, in place of
.Pa ../share/bitloom
beside the program.
.It Ev XDG_CACHE_HOME
Statistics and scratch files are kept in
.Pa bitloom
below this folder, in place of
.Pa ~/.cache ;
.Fl \-cache
names another folder.
.It Ev HF_HUB_CACHE , HF_HOME
Where
.Ar org/name
is looked for, as other programs do.
.It Ev OMP_WAIT_POLICY
How the threads of libtorch wait for each other;
.Nm
has them sleep after a moment where it is not set.
.El
.Sh FILES
.Bl -tag -width Ds
.It Pa ~/.cache/bitloom
Statistics by model and text, reused for every budget, and what other programs know of running jobs.
.It Pa OUT.partial
A checkpoint that is not complete yet.
It never looks like a model, and
.Fl \-resume
goes on with it.
.El
.Sh EXIT STATUS
.Bl -tag -width Ds
.It 0
The work is done.
.It 1
Something in the input is wrong, or something could not be done.
.It 2
A command or option is wrong, or a budget or pin cannot be met; the message names the nearest possible one.
.It 3
The work was cancelled; what was finished is kept.
.It 4
There is not enough disk space or memory.
.El
.Sh EXAMPLES
Measure a model once, see what 3 bits per weight would cost, and write them:
.Bd -literal -offset indent
bitloom calibrate MODEL
bitloom plan      MODEL --bits 3
bitloom quantize  MODEL --bits 3 -o OUT
.Ed
.Pp
Compare the result with the original, on a text and in conversation:
.Bd -literal -offset indent
bitloom eval OUT --against MODEL
bitloom chat OUT --against MODEL --prompt "Once upon a time"
.Ed
.Pp
Stay below a size, with the last layers at 8 bits:
.Bd -literal -offset indent
bitloom quantize MODEL --size 2.6GiB --pin 'model.layers.31\e..*=8' -o OUT
.Ed
.Pp
Everything once, on the bundled small model:
.Dl bitloom demo
.Sh SEE ALSO
.Xr bitloom-studio 1
)";

/// `text` so that roff prints it as it is: quoted commands bold, hyphens of options as minus signs.
std::string escaped(std::string_view text) {
    std::string out;
    bool code = false;
    char before = ' ';
    for (const char c : text) {
        if (c == '\\') {
            out += "\\e";
        } else if (c == '`') {
            out += code ? "\\fR" : "\\fB";
            code = !code;
        } else if (c == '-' && !std::isalnum(static_cast<unsigned char>(before))) {
            out += "\\-";
        } else {
            out += c;
        }
        before = c;
    }
    return out;
}

/// Text lines: a new one after every sentence.
std::string paragraph(std::string_view text) {
    std::string out = escaped(text), lines;
    for (size_t at = 0; at < out.size();) {
        size_t end = out.find(". ", at);
        end = end == std::string::npos ? out.size() : end + 1;
        std::string line = out.substr(at, end - at);
        if (line[0] == '.' || line[0] == '\'') line.insert(0, "\\&");
        lines += line + "\n";
        at = end + (end < out.size() ? 1 : 0);
    }
    return lines;
}

/// An argument that is never taken for a macro; spaces and quotes do not part it.
std::string argument(const std::string& text) {
    std::string out = "\\&" + escaped(text);
    for (size_t at = 0; (at = out.find(' ', at)) != std::string::npos; ++at)
        out.replace(at, 1, "\\ ");
    return out;
}

std::string head(const CLI::Option& option) {
    if (option.get_positional()) return ".It Ar " + argument(option.get_name(true)) + "\n";
    std::string names;
    for (const std::string& name : option.get_snames())
        names += (names.empty() ? "Fl " : " , Fl ") + escaped(name);
    for (const std::string& name : option.get_lnames())
        names += (names.empty() ? "Fl " : " , Fl ") + ("\\-" + name);
    if (const std::string value = valueName(option); !value.empty())
        names += " Ar " + argument(value);
    return ".It " + names + "\n";
}

std::string entries(const std::vector<const CLI::Option*>& options) {
    if (options.empty()) return {};
    std::string text = ".Bl -tag -width Ds\n";
    for (const CLI::Option* option : options)
        text += head(*option) + paragraph(optionText(*option) + ".");
    return text + ".El\n";
}

/// The offered options of a group; positionals for an empty name.
std::vector<const CLI::Option*> optionsOf(const CLI::App& app, const std::string& group) {
    std::vector<const CLI::Option*> found;
    for (const CLI::Option* option : app.get_options([](const CLI::Option*) { return true; })) {
        const bool positional = option->get_positional();
        const bool help = option == app.get_help_ptr() && app.get_parent();
        if (group.empty() ? positional : !positional && !help && option->get_group() == group)
            found.push_back(option);
    }
    return found;
}

std::string commandSection(const CLI::App& command) {
    std::string text =
        ".Ss bitloom " + command.get_name() + "\n" + paragraph(command.get_description() + ".");
    text += entries(optionsOf(command, ""));
    for (const std::string& group : command.get_groups()) {
        if (group.empty() || group == commonGroup) continue;
        const auto options = optionsOf(command, group);
        if (options.empty()) continue;
        if (group != "Options") text += ".Pp\n" + paragraph(group + ":");
        text += entries(options);
    }
    return text;
}

/// "2026-11-23" as mdoc wants it.
std::string longDate(std::string_view iso) {
    static constexpr std::array months{"January",   "February", "March",    "April",
                                       "May",       "June",     "July",     "August",
                                       "September", "October",  "November", "December"};
    const int month = std::atoi(std::string(iso.substr(5, 2)).c_str());
    return fmt::format("{} {}, {}", months.at(size_t(month - 1)),
                       std::atoi(std::string(iso.substr(8, 2)).c_str()), iso.substr(0, 4));
}

} // namespace

std::string manualPage(const CLI::App& app) {
    const auto all = [](const CLI::App*) { return true; };
    const auto commands = app.get_subcommands(all);
    std::string text = "."
                       R"(\" Written by the program from the tables that --help shows.
)";
    text += fmt::format(".Dd {}\n.Dt BITLOOM 1\n.Os Bitloom {}\n", longDate(BITLOOM_DATE),
                        BITLOOM_VERSION);
    text += ".Sh NAME\n.Nm bitloom\n.Nd quantize large language models to any number of bits per "
            "weight\n";
    text += ".Sh SYNOPSIS\n.Nm\n.Ar COMMAND\n.Op Ar OPTIONS\n.Nm\n.Ar MODEL\n.Nm\n"
            ".Fl \\-help | \\-version\n";
    text += description;
    text += ".Pp\nThe options of the program itself:\n" + entries(optionsOf(app, "Options"));
    text += ".Sh COMMANDS\nEvery command also takes the options of\n.Sx COMMON OPTIONS .\n";
    for (const CLI::App* command : commands)
        text += commandSection(*command);
    text += ".Sh COMMON OPTIONS\n" + entries(optionsOf(*commands.front(), commonGroup));
    return text + rest;
}

} // namespace bitloom::cli
