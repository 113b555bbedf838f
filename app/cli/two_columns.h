// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace bitloom::cli {

class Console;

/// Two growing texts beside each other on a terminal. Only the lines that may still change are
/// drawn again, so the texts may be longer than the screen as long as they grow together.
class TwoColumns {
public:
    /// With `live` the columns are drawn as they grow, else on finish().
    TwoColumns(Console& console, int width, const std::string& leftTitle,
               const std::string& rightTitle, bool live);
    void add(int side, std::string_view text); ///< 0 left, 1 right
    void finish(int side);                     ///< nothing more comes on this side

private:
    struct Side {
        std::vector<std::string> lines{""};
        bool done = false;
    };
    void put(Side& side, std::string_view character);
    void draw();

    Console& m_console;
    int64_t m_column;
    bool m_live;
    std::array<Side, 2> m_sides;
    size_t m_final = 0; ///< lines that are on the screen for good
    size_t m_drawn = 0; ///< lines below them that are to be drawn over
};

} // namespace bitloom::cli
