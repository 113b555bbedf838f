// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/stats/operating_point.h"
#include "core/stats/statistics.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace bitloom {

/// The error curves of one layer as the allocator sees them:
/// D_k(p) = weight · conditional[k] · sse[k·points + p], with weight = γ_l (ALGORITHMS §2).
struct LayerCurves {
    std::string name;
    int64_t rows = 0, cols = 0;
    double weight = 1;
    std::span<const float> conditional; ///< [K]
    std::span<const float> sse;         ///< [K, points]
};

/// Which points a column may take, as a bit mask over the menu. Made from pins (pins.h).
struct ColumnLimit {
    int64_t layer = 0, column = 0;
    uint64_t allowed = 0; ///< must not be 0
};

/// A choice for every column.
struct Allocation {
    std::vector<uint8_t> points; ///< menu index, all layers one after another, in source order
    int64_t bits = 0;            ///< stored bits of all block linears, class lists included
    double distortion = 0;       ///< ½ Σ γ_l c_k SSE: predicted ΔNLL in nats before any scale
    double lambda = 0;           ///< −Δdistortion/Δbits of the last segment taken; 0 if none
};

/// Global rate–distortion allocation on convex hulls (ALGORITHMS §3).
///
/// Construction costs one pass over all curves and one sort; `allocate` then answers any budget in
/// a few milliseconds for a million columns. Not thread-safe while `setLimits` runs; `allocate` is
/// const and safe from several threads.
class Allocator {
public:
    /// The spans of `layers` must outlive the construction only. `allowed` is the menu mask for
    /// columns without a limit. Throws Error naming layer and column of a curve that is negative or
    /// not finite; a weight or conditional variance of 0 is fine. `segments`, from a former
    /// `sortedSegments()` of the same curves, spares hulls and sort where it fits (its own checksum
    /// decides).
    Allocator(std::vector<LayerCurves> layers, Menu menu, uint64_t allowed,
              std::span<const std::byte> segments = {});
    ~Allocator();
    Allocator(Allocator&&) noexcept;

    /// Replaces all limits: one linear pass over the sorted segments, no new sort of everything.
    /// Needs the curves again for the limited columns. Where a column is named twice the last limit
    /// counts. Throws Error(Usage) for one that leaves nothing, and keeps the limits it had.
    void setLimits(std::span<const ColumnLimit> limits, const std::vector<LayerCurves>& layers);

    int64_t minBits() const; ///< of the cheapest allocation under the limits
    int64_t maxBits() const; ///< of the best one: every hull climbed to its end

    /// The longest prefix of the segment list whose bits (columns and class lists) fit
    /// `budgetBits`. Throws Error(Usage) naming the nearest possible budget if even minBits()
    /// exceeds it.
    Allocation allocate(int64_t budgetBits) const;
    /// The cheapest prefix whose distortion is at most `distortion`. Throws Error(Usage) if none.
    Allocation allocateForDistortion(double distortion) const;
    /// The same point for every column that allows it (others take the nearest width allowed).
    Allocation uniform(const OperatingPoint& point) const;
    /// Bits and distortion of given choices (points as in Allocation).
    Allocation evaluate(std::vector<uint8_t> points, const std::vector<LayerCurves>& layers) const;

    /// (stored bits, distortion) of what `allocate` gives at `count` budgets evenly spaced over the
    /// range, for plots.
    std::vector<std::pair<int64_t, double>> curve(int count) const;

    int64_t columns() const;
    int64_t weights() const; ///< Σ rows·cols
    const Menu& menu() const;
    /// For the statistics file: the hulls and their order, with a checksum over the curves.
    std::vector<std::byte> sortedSegments() const;

private:
    struct State;
    std::unique_ptr<State> m_state;
};

/// Curves of a whole statistics file.
std::vector<LayerCurves> curvesOf(const Statistics& statistics);
/// Menu mask of the points that allocators use by default: all but Raw.
uint64_t defaultAllowed(const Menu& menu);

} // namespace bitloom
