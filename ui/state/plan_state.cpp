// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "ui/state/plan_state.h"

#include "core/format/column_weights.h"
#include "core/format/stored_shapes.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <tuple>

namespace bitloom::ui {

int widthIndex(int bits) {
    const auto found = std::ranges::lower_bound(planWidths, bits);
    return int(std::min<std::ptrdiff_t>(found - planWidths.begin(), planWidths.size() - 1));
}

int64_t WidthShares::totalWeights() const {
    int64_t sum = 0;
    for (const int64_t part : weights)
        sum += part;
    return sum;
}

void WidthShares::add(const WidthShares& other) {
    for (size_t w = 0; w < weights.size(); ++w) {
        columns[w] += other.columns[w];
        weights[w] += other.weights[w];
    }
}

PlanState::PlanState(std::shared_ptr<const ModelData> model) : m_model(std::move(model)) {
    const size_t layers = m_model->entries.size(), points = m_model->menu.size();
    m_counts.assign(layers * points, 0);
    m_bits.assign(layers, 0);
    m_shares.assign(layers, {});
    m_parts.assign(layers, {});
    m_paddingBits.assign(layers, 0);
    m_revisions.assign(layers, 0);
    m_distortion.assign(layers, 0);
    m_distortionRevision.assign(layers, 0);
    m_changed.reserve(layers);
    for (const OperatingPoint& point : m_model->menu)
        m_widthOf.push_back(uint8_t(widthIndex(point.bits)));

    std::map<int64_t, uint32_t> byRows;
    for (const LayerEntry& entry : m_model->entries) {
        const auto [found, isNew] = byRows.emplace(entry.rows, uint32_t(m_costs.size()));
        if (isNew) {
            Costs costs;
            for (const OperatingPoint& point : m_model->menu)
                costs.bits.push_back(columnBits(point, entry.rows));
            costs.classOf = pointClasses(m_model->menu, entry.rows);
            m_costs.push_back(std::move(costs));
        }
        m_costOf.push_back(found->second);
        DType raw = DType::F16;
        if (m_model->checkpoint)
            raw = rawDtypeFor(m_model->checkpoint->require(entry.name + ".weight").info.dtype);
        m_rawDtypes.push_back(raw);
    }
}

std::span<const uint8_t> PlanState::points(int layer) const {
    const LayerEntry& entry = m_model->entries[size_t(layer)];
    return std::span(m_allocation.points).subspan(size_t(entry.firstColumn), size_t(entry.cols));
}

std::span<const int32_t> PlanState::counts(int layer) const {
    const size_t points = m_model->menu.size();
    return std::span(m_counts).subspan(size_t(layer) * points, points);
}

double PlanState::meanBits(int layer) const {
    const LayerEntry& entry = m_model->entries[size_t(layer)];
    return double(m_bits[size_t(layer)]) / double(entry.rows * entry.cols);
}

void PlanState::update(Allocation& next) {
    const bool first = m_allocation.points.size() != next.points.size();
    std::swap(m_allocation, next);
    m_changed.clear();
    for (size_t l = 0; l < m_model->entries.size(); ++l) {
        const LayerEntry& entry = m_model->entries[l];
        const size_t begin = size_t(entry.firstColumn), length = size_t(entry.cols);
        if (!first && std::memcmp(&m_allocation.points[begin], &next.points[begin], length) == 0)
            continue;
        m_changed.push_back(int(l));
    }
    for (const int layer : m_changed)
        recount(layer);
    if (m_changed.empty()) return;
    m_total = {};
    m_sizes = {};
    int64_t padding = 0;
    for (size_t l = 0; l < m_shares.size(); ++l) {
        m_total.add(m_shares[l]);
        const SizeParts& part = m_parts[l];
        m_sizes.codes += part.codes;
        m_sizes.tables += part.tables;
        m_sizes.scales += part.scales;
        m_sizes.classes += part.classes;
        m_sizes.outliers += part.outliers;
        m_sizes.raw += part.raw;
        m_sizes.linearBytes += part.linearBytes;
        padding += m_paddingBits[l];
    }
    m_sizes.linearWeights = m_model->weights;
    splitPadding(m_sizes, padding);
}

void PlanState::recount(int layer) {
    const size_t l = size_t(layer), points = m_model->menu.size();
    const LayerEntry& entry = m_model->entries[l];
    // Four tables side by side: neighbours of the same width would otherwise wait for each other.
    std::array<std::array<int32_t, 64>, 4> tables{};
    const std::span<const uint8_t> own = this->points(layer);
    size_t k = 0;
    for (; k + 4 <= own.size(); k += 4)
        for (size_t t = 0; t < 4; ++t)
            ++tables[t][own[k + t]];
    for (; k < own.size(); ++k)
        ++tables[0][own[k]];

    const Costs& costs = m_costs[m_costOf[l]];
    int32_t* const counts = &m_counts[l * points];
    WidthShares shares;
    std::array<int64_t, 64> classCounts{};
    int64_t bits = 0;
    for (size_t p = 0; p < points; ++p) {
        counts[p] = tables[0][p] + tables[1][p] + tables[2][p] + tables[3][p];
        bits += counts[p] * costs.bits[p];
        classCounts[costs.classOf[p]] += counts[p];
        shares.columns[m_widthOf[p]] += counts[p];
        shares.weights[m_widthOf[p]] += counts[p] * entry.rows;
    }
    m_shares[l] = shares;

    // The tensors that the writer will make of it.
    std::array<ColumnClass, 64> classes;
    std::array<int64_t, 64> columns{};
    size_t used = 0;
    for (size_t p = 0; p < points; ++p) {
        if (classCounts[p] == 0) continue;
        const OperatingPoint& point = m_model->menu[p];
        classes[used] = {.bits = point.bits,
                         .kind = point.kind,
                         .outliers = uint32_t(outlierCount(point, entry.rows))};
        columns[used++] = classCounts[p];
        bits += 8 * classListBytes;
    }
    m_bits[l] = bits;
    m_parts[l] = {};
    m_paddingBits[l] = 0;
    addStored(m_parts[l],
              columnShapes(entry.rows, entry.cols, std::span(classes).first(used),
                           std::span(columns).first(used), m_rawDtypes[l]),
              m_paddingBits[l]);
    ++m_revisions[l];
}

double PlanState::distortion(int layer) const {
    const size_t l = size_t(layer);
    if (m_distortionRevision[l] != m_revisions[l]) {
        const LayerStatistics& layerStatistics = m_model->statistics[l];
        const std::span<const uint8_t> own = points(layer);
        const size_t count = m_model->menu.size();
        double sum = 0;
        for (size_t k = 0; k < own.size(); ++k)
            sum += double(layerStatistics.conditional[k]) *
                   double(layerStatistics.sse[k * count + own[k]]);
        m_distortion[l] = 0.5 * layerStatistics.gamma * sum;
        m_distortionRevision[l] = m_revisions[l];
    }
    return m_distortion[l];
}

} // namespace bitloom::ui
