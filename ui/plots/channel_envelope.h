// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

namespace bitloom::ui {

/// What an envelope is made from; all spans are per channel in source order. An empty `order` is
/// the identity, other empty spans mean "none".
struct EnvelopeSource {
    std::span<const float> values;
    std::span<const uint8_t> bits, pins, selected;
    std::span<const int> order; ///< channel at each position
};

/// Largest value of each bit width in every pixel column: what makes a spike among 65,536 channels
/// visible however few pixels there are. Where a channel is wider than a column it fills several,
/// with the last left blank as a gap once they are wide enough.
class PixelEnvelope {
public:
    static constexpr int slotCount = 10; ///< 0: no bits, 1 … 8, 9: raw
    static constexpr float absent = -std::numeric_limits<float>::infinity();
    static int slotOf(uint8_t bits) { return bits <= 8 ? bits : slotCount - 1; }
    static int bitsOf(int slot) { return slot == slotCount - 1 ? 16 : slot; }

    struct Column {
        std::array<float, slotCount> top;
        uint8_t pin = 0; ///< bits of a pinned channel in here; 0: none
        bool selected = false;
    };

    /// Positions [first, last) over `columns` pixel columns; position p covers [p, p + 1).
    void build(const EnvelopeSource& source, double first, double last, int columns);
    const std::vector<Column>& columns() const { return m_columns; }
    double columnsPerChannel() const { return m_scale; }

private:
    void buildNarrow(const EnvelopeSource& source, double first, double last);
    void buildWide(const EnvelopeSource& source, double first, double last);

    std::vector<Column> m_columns;
    double m_scale = 1;
};

} // namespace bitloom::ui
