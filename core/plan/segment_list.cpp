// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors

// A 7B model has a million columns and about ten million hull steps. What a slider needs is, for
// any budget, the longest prefix of the sorted steps that fits, and the points that this prefix
// gives.
//
// Bits of a prefix are not a plain prefix sum: a class list entry (6 bytes) is paid once for every
// class in use in a layer, and steps bring classes into use and out of it. One walk over the list
// with a count per (layer, class) gives the exact bits of every prefix. They may fall now and then,
// so the search goes over suffix minima: "the longest prefix that fits" is then well defined, and a
// larger budget always gives a longer prefix, never a worse column.
//
// Storing bits and distortion of every prefix would double the memory of the list. Instead every
// 1024th state is kept (a block), the rare class list events are kept by themselves, and the states
// inside one block are worked out again when they are asked for: microseconds. Points of a state
// come from the nearest of 16 checkpoints before it by replaying steps: one byte written for each.
//
// Distortion is summed from the end of the list: near it the total is many orders smaller than at
// the start, and a sum from the start would drown in rounding.
#include "core/plan/segment_list.h"

#include <algorithm>
#include <limits>

namespace bitloom {

namespace {

constexpr int64_t classBits = 8 * classListBytes;

} // namespace

size_t ColumnMap::layerOf(uint32_t column) const {
    return size_t(std::upper_bound(firstColumn.begin(), firstColumn.end(), int64_t(column)) -
                  firstColumn.begin()) -
           1;
}

int64_t ColumnMap::storedBits(std::span<const uint8_t> points) const {
    int64_t bits = 0;
    for (size_t l = 0; l < layers(); ++l) {
        const MenuCosts& menu = costs(l);
        uint64_t classes = 0;
        for (int64_t k = firstColumn[l]; k < firstColumn[l + 1]; ++k) {
            bits += menu.bits[points[size_t(k)]];
            classes |= uint64_t(1) << menu.classOf[points[size_t(k)]];
        }
        bits += classBits * std::popcount(classes);
    }
    return bits;
}

struct SegmentList::Details {
    std::vector<Segment> segments;  ///< steps of the block
    std::vector<uint8_t> from;      ///< the point that each step leaves
    std::vector<int64_t> bits;      ///< of every state, the one after the last step included
    std::vector<double> distortion; ///< of every state
    size_t states = 0;              ///< states that belong to the block itself
};

template<bool limited>
bool SegmentList::next(Cursor& cursor, Segment& segment) const {
    if constexpr (limited) {
        while (cursor.base < m_base.size() && isMasked(m_base[cursor.base].column()))
            ++cursor.base;
        if (cursor.extra < m_extra.size() &&
            (cursor.base == m_base.size() ||
             m_extra[cursor.extra].order() < m_base[cursor.base].order())) {
            segment = m_extra[cursor.extra++];
            return true;
        }
    }
    if (cursor.base == m_base.size()) return false;
    segment = m_base[cursor.base++];
    return true;
}

template<bool limited>
void SegmentList::walk(std::span<const uint8_t> start) {
    const ColumnMap& map = *m_map;
    const size_t menuSize = map.menuSize;
    // Layer and present point of every column in one word: one cache miss a step instead of two.
    std::vector<uint32_t> now(start.size());
    std::vector<uint32_t> uses(map.layers() * menuSize, 0);
    for (size_t l = 0; l < map.layers(); ++l)
        for (int64_t k = map.firstColumn[l]; k < map.firstColumn[l + 1]; ++k) {
            now[size_t(k)] = uint32_t(l) << Segment::pointBits | start[size_t(k)];
            ++uses[l * menuSize + map.costs(l).classOf[start[size_t(k)]]];
        }

    // Costs and classes of a shape side by side, to be read in one go.
    struct PointCost {
        int64_t bits;
        uint32_t classOf;
    };
    std::vector<PointCost> pointCosts;
    for (const MenuCosts& shape : map.shapes)
        for (size_t p = 0; p < menuSize; ++p)
            pointCosts.push_back({shape.bits[p], shape.classOf[p]});

    Cursor cursor;
    int64_t bits = map.storedBits(start), least = 0;
    double gained = 0;
    float slope = 0;
    const auto openBlock = [&] {
        if (!m_blocks.empty()) {
            m_blocks.back().leastBits = least;
            m_blocks.back().distortion = gained; // of the block's steps, for now
        }
        m_blocks.push_back({cursor, slope, bits, 0, 0});
        least = bits;
        gained = 0;
        if ((m_blocks.size() - 1) % m_stride != 0) return;
        std::vector<uint8_t>& points = m_checkpoints.emplace_back(now.size());
        for (size_t k = 0; k < now.size(); ++k)
            points[k] = uint8_t(now[k] & ((1u << Segment::pointBits) - 1));
    };

    m_steps = 0;
    openBlock();
    Segment segment;
    while (next<limited>(cursor, segment)) {
        if (cursor.base + 32 < m_base.size())
            __builtin_prefetch(&now[m_base[cursor.base + 32].column()]);
        uint32_t& word = now[segment.column()];
        const uint32_t layer = word >> Segment::pointBits;
        const uint32_t from = word & ((1u << Segment::pointBits) - 1), to = segment.point();
        word = layer << Segment::pointBits | to;
        const PointCost* const costs = &pointCosts[map.shapeOf[layer] * menuSize];
        const int64_t cost = costs[to].bits - costs[from].bits;
        slope = segment.slope();
        gained += double(slope) * double(cost);
        bits += cost;
        ++m_steps;
        uint32_t* const layerUses = &uses[layer * menuSize];
        const int64_t gone = --layerUses[costs[from].classOf] == 0;
        const int64_t come = layerUses[costs[to].classOf]++ == 0;
        if (gone != come) {
            bits += (come - gone) * classBits;
            m_events.push_back({m_steps, (come - gone) * classBits});
        }
        if (m_steps % blockLength == 0)
            openBlock();
        else
            least = std::min(least, bits);
    }
    m_blocks.back().leastBits = least;
    m_blocks.back().distortion = gained;
    m_endBits = bits;

    double distortion = m_endDistortion;
    least = std::numeric_limits<int64_t>::max();
    for (auto block = m_blocks.rbegin(); block != m_blocks.rend(); ++block) {
        block->distortion = distortion += block->distortion * m_unit;
        block->leastBits = least = std::min(least, block->leastBits);
    }
}

void SegmentList::build(const ColumnMap& map, std::vector<Segment> base,
                        std::span<const uint8_t> start, double unit, double endDistortion) {
    m_map = &map;
    m_base = std::move(base);
    m_unit = unit;
    rebuild({}, {}, start, endDistortion);
}

void SegmentList::rebuild(std::vector<Segment> extra, std::vector<uint64_t> masked,
                          std::span<const uint8_t> start, double endDistortion) {
    m_extra = std::move(extra);
    m_masked = std::move(masked);
    m_endDistortion = endDistortion;
    m_blocks.clear();
    m_events.clear();
    m_checkpoints.clear();
    const size_t blocks = (m_base.size() + m_extra.size()) / size_t(blockLength) + 1;
    m_stride = (blocks + size_t(checkpointCount) - 1) / size_t(checkpointCount);
    m_blocks.reserve(blocks);
    if (m_masked.empty())
        walk<false>(start);
    else
        walk<true>(start);
}

// The two lists hold different columns, so each can be replayed by itself.
void SegmentList::replay(Cursor from, Cursor to, std::vector<uint8_t>& points) const {
    if (m_masked.empty()) {
        for (uint32_t i = from.base; i < to.base; ++i)
            points[m_base[i].column()] = uint8_t(m_base[i].point());
        return;
    }
    for (uint32_t i = from.base; i < to.base; ++i) {
        const uint32_t column = m_base[i].column();
        uint8_t& point = points[column];
        point = isMasked(column) ? point : uint8_t(m_base[i].point()); // chosen, not branched on
    }
    for (uint32_t i = from.extra; i < to.extra; ++i)
        points[m_extra[i].column()] = uint8_t(m_extra[i].point());
}

std::vector<uint8_t> SegmentList::pointsAt(size_t block) const {
    const size_t checkpoint = block / m_stride;
    std::vector<uint8_t> points = m_checkpoints[checkpoint];
    replay(m_blocks[checkpoint * m_stride].cursor, m_blocks[block].cursor, points);
    return points;
}

// `points` are those of the block's first state, and again on return.
SegmentList::Details SegmentList::details(size_t block, std::vector<uint8_t>& points) const {
    const int64_t first = int64_t(block) * blockLength;
    const size_t steps = size_t(std::min(m_steps - first, blockLength));
    Details d;
    d.segments.resize(steps);
    d.from.resize(steps);
    d.bits.resize(steps + 1);
    d.distortion.resize(steps + 1);
    d.states = block + 1 < m_blocks.size() ? steps : steps + 1;

    std::vector<double> gains(steps);
    Cursor cursor = m_blocks[block].cursor;
    d.bits[0] = m_blocks[block].bits;
    auto event =
        std::upper_bound(m_events.begin(), m_events.end(), first,
                         [](int64_t index, const ClassEvent& e) { return index < e.index; });
    for (size_t i = 0; i < steps; ++i) {
        Segment& s = d.segments[i];
        if (m_masked.empty())
            next<false>(cursor, s);
        else
            next<true>(cursor, s);
        d.from[i] = std::exchange(points[s.column()], uint8_t(s.point()));
        const MenuCosts& costs = m_map->costs(m_map->layerOf(s.column()));
        const int64_t cost = costs.bits[s.point()] - costs.bits[d.from[i]];
        gains[i] = double(s.slope()) * double(cost) * m_unit;
        d.bits[i + 1] = d.bits[i] + cost;
        if (event != m_events.end() && event->index == first + int64_t(i) + 1)
            d.bits[i + 1] += event++->bits;
    }
    d.distortion[steps] =
        block + 1 < m_blocks.size() ? m_blocks[block + 1].distortion : m_endDistortion;
    for (size_t i = steps; i-- > 0;) {
        points[d.segments[i].column()] = d.from[i];
        // The block's own figure was summed in another order; it bounds what is inside.
        d.distortion[i] = std::min(d.distortion[i + 1] + gains[i], m_blocks[block].distortion);
    }
    d.distortion[0] = m_blocks[block].distortion;
    return d;
}

size_t SegmentList::lastBlockWithin(int64_t bits) const {
    const auto after = std::upper_bound(m_blocks.begin(), m_blocks.end(), bits,
                                        [](int64_t b, const Block& x) { return b < x.leastBits; });
    return size_t(after - m_blocks.begin()) - 1;
}

SegmentList::State SegmentList::lastWithin(int64_t bits) const {
    const size_t block = lastBlockWithin(bits);
    State state;
    state.points = pointsAt(block);
    const Details d = details(block, state.points);
    size_t i = d.states - 1;
    while (i > 0 && d.bits[i] > bits)
        --i;
    for (size_t j = 0; j < i; ++j)
        state.points[d.segments[j].column()] = uint8_t(d.segments[j].point());
    state.index = int64_t(block) * blockLength + int64_t(i);
    state.bits = d.bits[i];
    state.distortion = d.distortion[i];
    state.slope = double(i > 0 ? d.segments[i - 1].slope() : m_blocks[block].slope) * m_unit;
    return state;
}

int64_t SegmentList::fewestBitsFor(double distortion) const {
    // The first state that is good enough lies in the last block that starts above the target, or
    // is the first state of the block after it.
    const auto good = std::partition_point(m_blocks.begin(), m_blocks.end(), [&](const Block& b) {
        return b.distortion > distortion;
    });
    int64_t least = good == m_blocks.end() ? std::numeric_limits<int64_t>::max() : good->leastBits;
    if (good == m_blocks.begin()) return least;
    const size_t block = size_t(good - m_blocks.begin()) - 1;
    std::vector<uint8_t> points = pointsAt(block);
    const Details d = details(block, points);
    for (size_t i = d.states; i-- > 0 && d.distortion[i] <= distortion;)
        least = std::min(least, d.bits[i]);
    return least;
}

std::vector<std::pair<int64_t, double>>
SegmentList::sample(std::span<const int64_t> budgets) const {
    std::vector<std::pair<int64_t, double>> samples;
    std::vector<uint8_t> points = m_checkpoints.front();
    size_t at = 0; // block that `points` belong to
    Details d;
    bool fresh = false;
    for (int64_t budget : budgets) {
        const size_t block = lastBlockWithin(budget);
        if (block != at) {
            replay(m_blocks[at].cursor, m_blocks[block].cursor, points);
            at = block;
            fresh = false;
        }
        if (!fresh) d = details(block, points);
        fresh = true;
        size_t i = d.states - 1;
        while (i > 0 && d.bits[i] > budget)
            --i;
        samples.emplace_back(d.bits[i], d.distortion[i]);
    }
    return samples;
}

} // namespace bitloom
