// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/plan/hulls.h"

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace bitloom {

/// Where columns belong: layer after layer, and what their points cost.
struct ColumnMap {
    std::vector<int64_t> firstColumn; ///< [layers + 1]
    std::vector<uint32_t> shapeOf;    ///< [layers] index into shapes
    std::vector<MenuCosts> shapes;    ///< one for every number of rows that occurs
    size_t menuSize = 0;

    int64_t columns() const { return firstColumn.back(); }
    size_t layers() const { return shapeOf.size(); }
    const MenuCosts& costs(size_t layer) const { return shapes[shapeOf[layer]]; }
    size_t layerOf(uint32_t column) const;
    /// Stored bits of choices for all columns: columns and class lists.
    int64_t storedBits(std::span<const uint8_t> points) const;
};

/// The sorted steps of all columns, read as a list of states: state i is what the first i steps
/// make of the starting points. Knows bits (class lists included) and distortion of every state
/// through an index of blocks, and the points of every state by replaying from a checkpoint.
///
/// Two sorted lists are read as one: `base` without the columns that are masked, and `extra`, the
/// steps of those. So limits cost one pass and no new sort, and the big list is stored once.
/// Const functions are safe from several threads.
class SegmentList {
public:
    struct State {
        std::vector<uint8_t> points; ///< only from functions that say so
        int64_t index = 0;           ///< number of steps taken
        int64_t bits = 0;
        double distortion = 0;
        double slope = 0; ///< of the last step taken; 0 before the first
    };

    /// Walks the list once. `map` must outlive this; `masked` has one bit for each column and may
    /// be empty. `unit` is the unit of slopes, `endDistortion` the distortion after the last step.
    void build(const ColumnMap& map, std::vector<Segment> base, std::span<const uint8_t> start,
               double unit, double endDistortion);
    void rebuild(std::vector<Segment> extra, std::vector<uint64_t> masked,
                 std::span<const uint8_t> start, double endDistortion);

    std::span<const Segment> base() const { return m_base; }
    int64_t minBits() const { return m_blocks.front().leastBits; }
    int64_t maxBits() const { return m_endBits; }
    double endDistortion() const { return m_endDistortion; }

    /// The last state of at most `bits`, which must not be below minBits(). With points.
    State lastWithin(int64_t bits) const;
    /// Fewest bits of any state whose distortion is at most `distortion` (≥ endDistortion()).
    int64_t fewestBitsFor(double distortion) const;
    /// (bits, distortion) of lastWithin for rising budgets, in one pass.
    std::vector<std::pair<int64_t, double>> sample(std::span<const int64_t> budgets) const;

private:
    static constexpr int64_t blockLength = 1024;
    static constexpr int64_t checkpointCount = 16;

    struct Cursor {
        uint32_t base = 0, extra = 0;
    };
    struct Block { // states [k·blockLength, (k+1)·blockLength)
        Cursor cursor;
        float slope = 0;       ///< of the step before the block
        int64_t bits = 0;      ///< of the first state
        int64_t leastBits = 0; ///< of the first state and all after it, to the end of the list
        double distortion = 0; ///< of the first state
    };
    /// A class list entry that comes or goes with the step into state `index`.
    struct ClassEvent {
        int64_t index = 0;
        int64_t bits = 0;
    };
    struct Details; // every state of one block

    template<bool limited>
    bool next(Cursor& cursor, Segment& segment) const;
    template<bool limited>
    void walk(std::span<const uint8_t> start);
    void replay(Cursor from, Cursor to, std::vector<uint8_t>& points) const;
    bool isMasked(uint32_t column) const { return m_masked[column >> 6] >> (column & 63) & 1; }

    std::vector<uint8_t> pointsAt(size_t block) const;
    Details details(size_t block, std::vector<uint8_t>& points) const;
    size_t lastBlockWithin(int64_t bits) const;

    const ColumnMap* m_map = nullptr;
    double m_unit = 1;
    std::vector<Segment> m_base, m_extra;
    std::vector<uint64_t> m_masked;

    std::vector<Block> m_blocks;
    std::vector<ClassEvent> m_events;
    std::vector<std::vector<uint8_t>> m_checkpoints; ///< points every m_stride blocks
    size_t m_stride = 1;
    int64_t m_steps = 0, m_endBits = 0;
    double m_endDistortion = 0;
};

} // namespace bitloom
