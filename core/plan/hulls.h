// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/stats/operating_point.h"

#include <bit>
#include <cstdint>
#include <span>
#include <vector>

namespace bitloom {

/// One step up the hull of one column, in eight bytes: the slope −ΔD/Δcost as a key that sorts
/// steepest first, the column (numbered through all layers) and the menu index that it leads to.
/// Compared as integers, steps sort by slope, then column; steps of one column keep their order by
/// stable sorting alone.
struct Segment {
    static constexpr int pointBits = 6, columnBits = 26;
    static constexpr int64_t maxColumns = int64_t(1) << columnBits;

    uint64_t packed = 0;

    static Segment make(float slope, uint32_t column, uint32_t point) {
        return {uint64_t(~std::bit_cast<uint32_t>(slope)) << 32 | uint64_t(column) << pointBits |
                point};
    }
    uint32_t key() const { return uint32_t(packed >> 32); }
    float slope() const { return std::bit_cast<float>(~key()); }
    uint32_t column() const { return uint32_t(packed) >> pointBits; }
    uint32_t point() const { return uint32_t(packed) & ((1u << pointBits) - 1); }
    /// Key and column together: what two steps of different columns are ordered by.
    uint64_t order() const { return packed >> pointBits; }
};

/// What all layers with the same number of rows share: costs and classes of the menu's points.
struct MenuCosts {
    int64_t rows = 0;
    std::vector<int64_t> bits;    ///< per point, without the class list
    std::vector<uint8_t> classOf; ///< per point, first point of its class
    MenuCosts(const Menu& menu, int64_t rows);
};

/// The points of a mask by (cost, index), ready for building hulls.
struct HullOrder {
    std::vector<uint8_t> points;
    std::vector<double> costs;
    HullOrder(const MenuCosts& costs, uint64_t allowed);
};

/// Lower convex hull of (cost, error) of one column. `errors` is indexed by menu point; all must be
/// finite. Writes the menu indices of the vertices, cheapest first, and returns their number (≥ 1
/// where `order` is not empty). The first vertex is the best of the cheapest points, the last the
/// cheapest of the best; of equals the lower index wins. Vertices on a straight line stay: they
/// make budgets finer.
int lowerHull(std::span<const float> errors, const HullOrder& order,
              std::span<uint8_t, 64> vertices);

/// Appends the steps of a hull. Distortion is factor·error; slopes are in units of `unit` and never
/// rise within a column, whatever rounding does.
void appendSegments(std::span<const float> errors, std::span<const uint8_t> vertices,
                    const MenuCosts& costs, double factor, double unit, uint32_t column,
                    std::vector<Segment>& segments);

/// Stable sort by key (radix, three passes). `segments` must be in (column, step) order before.
void sortSegments(std::vector<Segment>& segments);

} // namespace bitloom
