// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/plan/hulls.h"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

namespace bitloom {

MenuCosts::MenuCosts(const Menu& menu, int64_t rows)
    : rows(rows), classOf(pointClasses(menu, rows)) {
    for (const OperatingPoint& point : menu)
        bits.push_back(columnBits(point, rows));
}

HullOrder::HullOrder(const MenuCosts& menu, uint64_t allowed) {
    for (size_t p = 0; p < menu.bits.size(); ++p)
        if (allowed >> p & 1) points.push_back(uint8_t(p));
    std::stable_sort(points.begin(), points.end(),
                     [&](uint8_t a, uint8_t b) { return menu.bits[a] < menu.bits[b]; });
    for (uint8_t p : points)
        costs.push_back(double(menu.bits[p]));
}

int lowerHull(std::span<const float> errors, const HullOrder& order,
              std::span<uint8_t, 64> vertices) {
    double cost[64], error[64];
    int n = 0;
    for (size_t i = 0; i < order.points.size(); ++i) {
        const uint8_t point = order.points[i];
        const double e = errors[point], c = order.costs[i];
        if (n > 0) {
            if (e >= error[n - 1]) continue; // dearer and no better
            if (c == cost[n - 1]) --n;
        }
        // Drop vertices above the line from the one before them to the new point.
        while (n >= 2 && (error[n - 2] - error[n - 1]) * (c - cost[n - 1]) <
                             (error[n - 1] - e) * (cost[n - 1] - cost[n - 2]))
            --n;
        vertices[size_t(n)] = point;
        cost[n] = c;
        error[n] = e;
        ++n;
    }
    return n;
}

void appendSegments(std::span<const float> errors, std::span<const uint8_t> vertices,
                    const MenuCosts& costs, double factor, double unit, uint32_t column,
                    std::vector<Segment>& segments) {
    if (factor == 0) return; // nothing to gain: the column stays at its cheapest point
    const double scale = factor / unit;
    float limit = std::numeric_limits<float>::max();
    for (size_t i = 1; i < vertices.size(); ++i) {
        const uint8_t from = vertices[i - 1], to = vertices[i];
        const double gain = (double(errors[from]) - double(errors[to])) * scale;
        limit = std::min(limit, float(gain / double(costs.bits[to] - costs.bits[from])));
        segments.push_back(Segment::make(limit, column, to));
    }
}

void sortSegments(std::vector<Segment>& segments) {
    constexpr int digitBits[] = {11, 11, 10};
    std::array<std::vector<uint32_t>, 3> counts;
    for (int d = 0; d < 3; ++d)
        counts[size_t(d)].assign(size_t(1) << digitBits[d], 0);
    for (const Segment& s : segments) {
        const uint32_t key = s.key();
        ++counts[0][key & 2047];
        ++counts[1][key >> 11 & 2047];
        ++counts[2][key >> 22];
    }
    std::vector<Segment> other(segments.size());
    for (int d = 0, shift = 0; d < 3; shift += digitBits[d++]) {
        std::vector<uint32_t>& count = counts[size_t(d)];
        // One digit for all: the pass would only copy.
        if (std::find(count.begin(), count.end(), segments.size()) != count.end()) continue;
        uint32_t sum = 0;
        for (uint32_t& c : count)
            sum += std::exchange(c, sum);
        const uint32_t mask = uint32_t(count.size() - 1);
        for (const Segment& s : segments)
            other[count[s.key() >> shift & mask]++] = s;
        segments.swap(other);
    }
}

} // namespace bitloom
