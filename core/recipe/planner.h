// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/plan/allocator.h"
#include "core/plan/speed.h"
#include "core/recipe/checkpoint_spec.h"

#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace bitloom {

/// What the predictor, re-fitted by what was measured so far, says about a plan's
/// distortion for the stage that `options` reach.
Prediction predictionOf(const Plan& plan, const Statistics& statistics,
                        const QuantizeOptions& options);

/// Plans for one model and its statistics. Quick after construction: a budget in bits takes about a
/// millisecond a million columns. Const members may be called from several threads, none of them
/// while setPins runs.
class Planner {
public:
    /// Throws Error for pins that fit nothing (see limitsOf).
    Planner(std::shared_ptr<const Checkpoint> model, std::shared_ptr<const Statistics> statistics,
            std::vector<Pin> pins);

    const Checkpoint& model() const { return *m_model; }
    const Statistics& statistics() const { return *m_statistics; }
    const Allocator& allocator() const { return m_allocator; }
    const std::vector<LayerCurves>& curves() const { return m_curves; }
    const std::vector<Pin>& pins() const { return m_pins; }
    /// Replaces all pins: one pass over the segments. Throws Error(Usage) and keeps the old ones.
    void setPins(std::vector<Pin> pins);

    /// What budgets by speed are held against; without it they are refused.
    void setSpeedTable(SpeedTable table) { m_speed = std::move(table); }
    const std::optional<SpeedTable>& speedTable() const { return m_speed; }

    double minBits() const; ///< bits per weight, under the pins
    double maxBits() const;

    /// The plan for a budget. `options` (head, passes, polish) tell what the folder will hold
    /// besides and which stage to predict for. Throws Error(Usage) for an impossible budget, naming
    /// the nearest possible one.
    Plan plan(const Budget& budget, const QuantizeOptions& options) const;
    Plan forBits(double bits, const QuantizeOptions& options) const;

    /// The choice of columns alone. Throws like plan().
    Allocation allocate(const Budget& budget, const QuantizeOptions& options) const;
    /// A plan of a given choice.
    Plan finish(const Allocation& allocation, const Budget& budget,
                const QuantizeOptions& options) const;
    /// The bytes of the folder that a plan will become, by part: equal to what is written.
    SizeParts size(const Plan& plan, const QuantizeOptions& options) const;

private:
    Allocation withinBits(double bits) const;
    Allocation withinSize(int64_t bytes, const QuantizeOptions& options) const;
    Allocation withinPerplexity(double relative, const QuantizeOptions& options) const;
    Allocation withinSpeed(double tokensPerSecond) const;
    int64_t folderBytes(const Allocation& allocation, const QuantizeOptions& options) const;

    std::shared_ptr<const Checkpoint> m_model;
    std::shared_ptr<const Statistics> m_statistics;
    std::vector<Pin> m_pins;
    std::vector<LayerCurves> m_curves;
    Allocator m_allocator;
    std::optional<SpeedTable> m_speed;
};

} // namespace bitloom
