// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
//
// One table, from CLI11's options, and a writer for each shell.
#include "app/cli/manual.h"

#include "app/cli/help.h"
#include "core/base/error.h"

#include <CLI/CLI.hpp>
#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <vector>

namespace bitloom::cli {

namespace {

struct Choice {
    std::vector<std::string> names; ///< "-o", "--output"
    std::string text, value;        ///< value: "FILE"; empty for a flag
    std::vector<std::string> among; ///< the only values there are; else files are offered
};

struct Command {
    std::string name, text;
    std::vector<Choice> options;
};

/// The only values of an option: those of a set, which CLI11 tells as "NAME:{a,b}" only, or those
/// that its explanation names, where the engine checks them.
std::vector<std::string> valuesOf(const CLI::Option& option) {
    std::string list;
    const std::string type = option.get_type_name(), text = option.get_description();
    constexpr std::string_view named = "One of ";
    if (const size_t open = type.find('{'); open != std::string::npos)
        list = type.substr(open + 1, type.find('}', open) - open - 1);
    else if (text.starts_with(named))
        list = text.substr(named.size());
    std::vector<std::string> values;
    for (size_t at = 0; at < list.size();) {
        const size_t end = std::min(list.find(',', at), list.size());
        values.push_back(list.substr(at, end - at));
        at = list.find_first_not_of(", ", end);
    }
    return values;
}

std::vector<Choice> optionsOf(const CLI::App& app) {
    std::vector<Choice> found;
    for (const CLI::Option* option : app.get_options([](const CLI::Option*) { return true; })) {
        if (option->get_positional() || option->get_group().empty()) continue;
        Choice choice;
        for (const std::string& name : option->get_snames())
            choice.names.push_back("-" + name);
        for (const std::string& name : option->get_lnames())
            choice.names.push_back("--" + name);
        choice.text = option->get_description();
        choice.value = valueName(*option);
        choice.among = valuesOf(*option);
        found.push_back(std::move(choice));
    }
    return found;
}

std::vector<Command> commandsOf(const CLI::App& app) {
    std::vector<Command> found;
    for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; }))
        found.push_back({command->get_name(), command->get_description(), optionsOf(*command)});
    return found;
}

std::string joined(const std::vector<std::string>& words, const char* between = " ") {
    std::string text;
    for (const std::string& word : words)
        text += (text.empty() ? "" : between) + word;
    return text;
}

std::string namesOf(const std::vector<Choice>& options) {
    std::string text;
    for (const Choice& option : options)
        text += (text.empty() ? "" : " ") + joined(option.names);
    return text;
}

/// Within '…' of a shell, where nothing but ' has a meaning.
std::string singleQuoted(std::string_view text) {
    std::string out = "'";
    for (const char c : text)
        out += c == '\'' ? std::string("'\\''") : std::string(1, c);
    return out + "'";
}

std::string bashScript(const CLI::App& app) {
    std::vector<std::string> names;
    std::string options, values;
    for (const Command& command : commandsOf(app)) {
        names.push_back(command.name);
        options += fmt::format("    {}) words='{}' ;;\n", command.name, namesOf(command.options));
        for (const Choice& option : command.options)
            if (!option.among.empty())
                for (const std::string& name : option.names)
                    values += fmt::format("    {}:{}) words='{}' ;;\n", command.name, name,
                                          joined(option.among));
    }
    return fmt::format(R"(# bash completion of bitloom; written by the program itself
_bitloom() {{
    local word=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD - 1]}}
    local command=${{COMP_WORDS[1]}} words=
    COMPREPLY=()
    if ((COMP_CWORD == 1)); then
        mapfile -t COMPREPLY < <(compgen -W '{} {}' -- "$word")
        return
    fi
    case $command:$before in
{}    esac
    if [[ -z $words && $word == -* ]]; then
        case $command in
{}        esac
    fi
    # Nothing of our own: names of files.
    [[ -z $words ]] || mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}}
complete -o default -F _bitloom bitloom
)",
                       joined(names), namesOf(optionsOf(app)), values, options);
}

/// "text" as zsh's _arguments takes it between brackets.
std::string bracketed(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (c == '[' || c == ']' || c == ':' || c == '\\') out += '\\';
        out += c;
    }
    return out;
}

std::string zshScript(const CLI::App& app) {
    std::string list, cases;
    for (const Command& command : commandsOf(app)) {
        list += "        " + singleQuoted(command.name + ":" + command.text) + "\n";
        cases += fmt::format("    {})\n        _arguments", command.name);
        for (const Choice& option : command.options) {
            std::string action;
            if (!option.value.empty())
                action = ":" + option.value + ":" +
                         (option.among.empty() ? "_files" : "(" + joined(option.among) + ")");
            for (const std::string& name : option.names)
                cases += " \\\n            " +
                         singleQuoted("*" + name + "[" + bracketed(option.text) + "]" + action);
        }
        cases += " \\\n            '*:file:_files'\n        ;;\n";
    }
    return fmt::format(R"(#compdef bitloom
# zsh completion of bitloom; written by the program itself
_bitloom() {{
    local -a commands=(
{}    )
    if ((CURRENT == 2)); then
        _describe command commands
        _files
        return
    fi
    local command=${{words[2]}}
    shift words
    ((CURRENT--))
    case $command in
{}    esac
}}
_bitloom "$@"
)",
                       list, cases);
}

std::string fishScript(const CLI::App& app) {
    std::string text = "# fish completion of bitloom; written by the program itself\n";
    const auto add = [&](const std::string& condition, const Choice& option) {
        text += "complete -c bitloom -n " + singleQuoted(condition);
        for (const std::string& name : option.names)
            text += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
        if (!option.among.empty())
            text += " -x -a " + singleQuoted(joined(option.among));
        else if (!option.value.empty())
            text += " -r";
        text += " -d " + singleQuoted(option.text) + "\n";
    };
    for (const Choice& option : optionsOf(app))
        add("__fish_use_subcommand", option);
    for (const Command& command : commandsOf(app)) {
        text += fmt::format("complete -c bitloom -n __fish_use_subcommand -a {} -d {}\n",
                            command.name, singleQuoted(command.text));
        for (const Choice& option : command.options)
            add("__fish_seen_subcommand_from " + command.name, option);
    }
    return text;
}

} // namespace

std::string completionScript(const CLI::App& app, std::string_view shell) {
    if (shell == "bash") return bashScript(app);
    if (shell == "zsh") return zshScript(app);
    if (shell == "fish") return fishScript(app);
    throw Error(ErrorCode::Usage, fmt::format("there is no completion for '{}'", shell),
                "Shells that are known: bash, zsh, fish.");
}

} // namespace bitloom::cli
