// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "app/cli/help.h"

#include "app/cli/console.h"

#include <algorithm>

namespace bitloom::cli {

namespace {

constexpr size_t pageWidth = 100, firstColumn = 30;
constexpr const char* commonGroup = "Common options";

std::string entry(const std::string& left, const std::string& text) {
    std::string line = "  " + left;
    if (textWidth(line) + 2 > int64_t(firstColumn))
        line += "\n" + std::string(firstColumn, ' ');
    else
        line.append(firstColumn - size_t(textWidth(line)), ' ');
    return line + wrapped(text, pageWidth, firstColumn) + "\n";
}

std::string optionEntry(const CLI::Option& option) {
    std::string left;
    if (option.get_positional()) {
        left = option.get_name(true);
    } else {
        for (const std::string& name : option.get_snames())
            left += (left.empty() ? "-" : ", -") + name;
        for (const std::string& name : option.get_lnames())
            left += (left.empty() ? "--" : ", --") + name;
        if (const std::string value = valueName(option); !value.empty()) left += " " + value;
    }
    return entry(left, optionText(option));
}

std::string usageLine(const CLI::App& app, const std::string& name) {
    std::string line = "Usage: " + name;
    for (const CLI::Option* option : app.get_options([](const CLI::Option*) { return true; }))
        if (option->get_positional()) line += " " + option->get_name(true);
    for (const CLI::Option* option : app.get_options([](const CLI::Option*) { return true; }))
        if (!option->get_positional() && option->get_required())
            line += " --" + option->get_lnames().front() + " " + valueName(*option);
    return line +
           (app.get_subcommands([](const CLI::App*) { return true; }).empty()
                ? " [OPTIONS]"
                : " COMMAND [OPTIONS]") +
           "\n";
}

} // namespace

std::string valueName(const CLI::Option& option) {
    if (option.get_type_size() == 0) return {}; // a flag
    std::string name = option.get_type_name();
    return name.substr(0, name.find(':'));
}

std::string optionText(const CLI::Option& option) {
    std::string text = option.get_description();
    std::string standard = option.get_default_str();
    if (!standard.empty() && standard.front() == '[' && standard.back() == ']')
        standard = standard.substr(1, standard.size() - 2); // a list, as the user would write it
    if (!standard.empty()) text += " (default: " + standard + ")";
    return text;
}

std::string wrapped(std::string_view text, size_t width, size_t indent) {
    std::string out;
    size_t column = indent;
    while (!text.empty()) {
        const size_t space = text.find(' ');
        const std::string_view word = text.substr(0, space);
        text = space == std::string_view::npos ? std::string_view() : text.substr(space + 1);
        const auto length = size_t(textWidth(word));
        if (column > indent && column + 1 + length > width) {
            out += "\n" + std::string(indent, ' ');
            column = indent;
        } else if (column > indent) {
            out += " ";
            ++column;
        }
        out += word;
        column += length;
    }
    return out;
}

std::string HelpFormatter::make_help(const CLI::App* app, std::string name,
                                     CLI::AppFormatMode) const {
    std::string program = name;
    if (const CLI::App* parent = app->get_parent())
        program = parent->get_name() + " " + app->get_name();
    std::string text = wrapped(app->get_description() + ".", pageWidth, 0) + "\n\n";
    text += usageLine(*app, program);

    std::string positionals;
    for (const CLI::Option* option : app->get_options([](const CLI::Option*) { return true; }))
        if (option->get_positional()) positionals += optionEntry(*option);
    if (!positionals.empty()) text += "\n" + positionals;

    const auto commands = app->get_subcommands([](const CLI::App*) { return true; });
    if (!commands.empty()) {
        text += "\nCommands:\n";
        for (const CLI::App* command : commands)
            text += entry(command->get_name(), command->get_description());
    }

    std::vector<std::string> groups = app->get_groups();
    std::stable_partition(groups.begin(), groups.end(),
                          [](const std::string& group) { return group != commonGroup; });
    for (const std::string& group : groups) {
        if (group.empty()) continue; // known, but not offered
        std::string options;
        for (const CLI::Option* option : app->get_options([](const CLI::Option*) { return true; }))
            if (!option->get_positional() && option->get_group() == group)
                options += optionEntry(*option);
        if (!options.empty()) text += "\n" + group + ":\n" + options;
    }
    if (!app->get_footer().empty()) text += "\n" + wrapped(app->get_footer(), pageWidth, 0) + "\n";
    return text;
}

} // namespace bitloom::cli
