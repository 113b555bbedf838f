// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/format/layout.h"
#include "ui/state/model_data.h"

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace bitloom::ui {

/// The widths that a plan may use, narrowest first; 16 means stored as it is.
inline constexpr std::array<int, 7> planWidths{2, 3, 4, 5, 6, 8, 16};
int widthIndex(int bits); ///< index into planWidths of a menu point's width

/// Share of the weights per width: counts of columns and weights, by index into planWidths.
struct WidthShares {
    std::array<int64_t, planWidths.size()> columns{}, weights{};
    int64_t totalWeights() const;
    void add(const WidthShares& other);
};

/// What an allocation means for every layer, kept up to date as allocations follow each other:
/// layers whose columns did not change are not counted again. UI thread only.
class PlanState {
public:
    PlanState() = default;
    explicit PlanState(std::shared_ptr<const ModelData> model);

    /// Takes the next allocation; its vector and the former one change places, so that nothing is
    /// freed here. Afterwards `changedLayers` are those whose columns differ from before.
    void update(Allocation& next);
    bool valid() const { return !m_allocation.points.empty(); }

    const Allocation& allocation() const { return m_allocation; }
    std::span<const uint8_t> points(int layer) const; ///< [cols], indices into the menu
    const std::vector<int>& changedLayers() const { return m_changed; }

    double meanBits(int layer) const; ///< stored bits per weight, class list included
    int64_t bits(int layer) const { return m_bits[size_t(layer)]; }
    const WidthShares& shares(int layer) const { return m_shares[size_t(layer)]; }
    const WidthShares& total() const { return m_total; }
    /// Exact sizes of the block linears; the other parts are 0.
    const SizeParts& sizes() const { return m_sizes; }
    /// Columns of a layer per menu point.
    std::span<const int32_t> counts(int layer) const;
    /// ½ γ Σ c_k SSE_k of one layer; computed when asked for, and kept until its columns change.
    double distortion(int layer) const;
    /// Goes up whenever the layer's columns change.
    uint32_t revision(int layer) const { return m_revisions[size_t(layer)]; }

private:
    void recount(int layer);

    std::shared_ptr<const ModelData> m_model;
    Allocation m_allocation;
    std::vector<int32_t> m_counts; ///< [layers, menu]
    std::vector<int64_t> m_bits;
    std::vector<WidthShares> m_shares;
    WidthShares m_total;
    std::vector<SizeParts> m_parts; ///< of one layer, padding not yet split off
    std::vector<int64_t> m_paddingBits;
    SizeParts m_sizes;
    std::vector<DType> m_rawDtypes;
    std::vector<uint32_t> m_revisions;
    std::vector<int> m_changed;
    mutable std::vector<double> m_distortion;
    mutable std::vector<uint32_t> m_distortionRevision;
    struct Costs {
        std::vector<int64_t> bits;    ///< per point
        std::vector<uint8_t> classOf; ///< per point
    };
    std::vector<Costs> m_costs; ///< by distinct number of rows
    std::vector<uint32_t> m_costOf;
    std::vector<uint8_t> m_widthOf; ///< per point, index into planWidths
};

} // namespace bitloom::ui
