// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "app/cli/two_columns.h"

#include "app/cli/console.h"

#include <algorithm>

namespace bitloom::cli {

namespace {

std::string padded(const std::string& text, int64_t width) {
    return text + std::string(size_t(std::max<int64_t>(0, width - textWidth(text))), ' ');
}

} // namespace

TwoColumns::TwoColumns(Console& console, int width, const std::string& leftTitle,
                       const std::string& rightTitle, bool live)
    : m_console(console), m_column(std::max(20, (width - 3) / 2)), m_live(live) {
    std::string rule;
    for (int64_t i = 0; i < m_column; ++i)
        rule += "─";
    m_console.print(padded(leftTitle, m_column) + " │ " + rightTitle);
    m_console.print(rule + "─┼─" + rule);
}

void TwoColumns::put(Side& side, std::string_view character) {
    if (character == "\r" || uint8_t(character[0]) == 0x1B) return; // no control of our terminal
    if (character == "\n") {
        side.lines.emplace_back();
        return;
    }
    const std::string_view shown = character == "\t" ? " " : character;
    std::string& line = side.lines.back();
    if (textWidth(line) < m_column) {
        line += shown;
        return;
    }
    if (shown == " ") {
        side.lines.emplace_back();
        return;
    }
    // The word that does not fit moves down as a whole, unless it fills the line.
    const size_t space = line.rfind(' ');
    std::string word;
    if (space != std::string::npos) {
        word = line.substr(space + 1);
        line.erase(space);
    }
    side.lines.push_back(word + std::string(shown));
}

void TwoColumns::add(int which, std::string_view text) {
    for (size_t at = 0; at < text.size();) {
        size_t end = at + 1;
        while (end < text.size() && (uint8_t(text[end]) & 0xC0) == 0x80)
            ++end;
        put(m_sides[size_t(which)], text.substr(at, end - at));
        at = end;
    }
    if (m_live) draw();
}

void TwoColumns::finish(int which) {
    m_sides[size_t(which)].done = true;
    if (m_live || (m_sides[0].done && m_sides[1].done)) draw();
}

void TwoColumns::draw() {
    const auto& [left, right] = m_sides;
    const size_t rows = std::max(left.lines.size(), right.lines.size());
    std::string text;
    if (m_drawn > 0) text += "\033[" + std::to_string(m_drawn) + "A\r\033[J";
    for (size_t row = m_final; row < rows; ++row) {
        const auto cell = [row](const Side& side) {
            return row < side.lines.size() ? side.lines[row] : std::string();
        };
        std::string line = padded(cell(left), m_column) + " │ " + cell(right);
        line.erase(line.find_last_not_of(' ') + 1);
        text += line + "\n";
    }
    // A line is final once neither side can still change it.
    size_t settled = rows;
    for (const Side& side : m_sides)
        if (!side.done) settled = std::min(settled, side.lines.size() - 1);
    m_drawn = rows - std::max(settled, m_final);
    m_final = std::max(settled, m_final);
    m_console.write(text);
}

} // namespace bitloom::cli
