// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/plan/predictor.h"
#include "core/plan/speed.h"
#include "core/recipe/planner.h"
#include "ui/state/background.h"
#include "ui/state/decision.h"
#include "ui/state/model_data.h"

#include <memory>
#include <optional>
#include <shared_mutex>
#include <string>
#include <utility>
#include <vector>

namespace bitloom::ui {

/// What a model, its statistics and a set of pins allow.
struct PlanFrame {
    int64_t minBits = 0, maxBits = 0;
    double minDistortion = 0, maxDistortion = 0; ///< at maxBits, at minBits
    int64_t minBytes = 0, maxBytes = 0;          ///< of the folder, exact
    SizeParts fixed;                             ///< parts that hardly depend on the plan
    /// Seconds per token over stored bits, both ascending; empty where the kernels of the engine's
    /// machine are not timed.
    std::vector<std::pair<int64_t, double>> speed;
};

/// An allocator with what it was made from. `allocate` and the like are called under a shared lock;
/// changing the pins takes it alone. Shared between the UI thread and background jobs.
class PlanContext {
public:
    explicit PlanContext(std::shared_ptr<const ModelData> model);

    const std::shared_ptr<const ModelData>& model() const { return m_model; }
    const std::vector<Pin>& pins() const { return m_pins; } ///< as last set
    /// Below this, everything is done at once on the UI thread.
    bool small() const { return m_model->columns <= 100'000; }

    /// Throws Error(Usage) and keeps the former pins.
    void setPins(const std::vector<Pin>& pins);
    PlanFrame frame(const QuantizeOptions& options, const Predictor& predictor,
                    const SpeedTable* speed = nullptr) const;

    /// The allocation that a decision without pins' change leads to; `overhead` is the bytes of the
    /// folder besides the block linears (for size budgets). Budgets beyond the range are met as
    /// nearly as possible.
    Allocation allocate(const Decision& decision, const PlanFrame& frame, int64_t overhead,
                        const Predictor& predictor) const;
    /// The largest plan whose folder takes at most `bytes`, to the byte; near `guessBits`.
    Allocation withinBytes(int64_t bytes, int64_t guessBits, const PlanFrame& frame,
                           const Decision& decision, const QuantizeOptions& options,
                           const Predictor& predictor) const;
    std::vector<std::pair<int64_t, double>> curve(int count) const;
    const Allocator& allocator() const { return m_allocator; }
    /// nullopt while another thread changes the pins.
    std::optional<std::shared_lock<std::shared_mutex>> tryRead() const;

private:
    std::vector<std::pair<int64_t, double>> speedCurve(const SpeedTable& table,
                                                       const PlanFrame& frame) const;

    std::shared_ptr<const ModelData> m_model;
    Allocator m_allocator;
    std::vector<Pin> m_pins;
    mutable std::shared_mutex m_mutex;
};

/// Time of one generated token under an allocation. Throws Error for a table of another model.
double secondsPerToken(const SpeedTable& table, const ModelData& model,
                       const Allocation& allocation);
/// Stored bits of the plans that take so long for a token, by the frame's curve.
double bitsAtSpeed(const PlanFrame& frame, double secondsPerToken);

/// The plan as files and the engine have it.
Plan makeExportable(const ModelData& model, const Allocation& allocation, const Decision& decision,
                    const Predictor& predictor);
/// Bytes of the folder to the byte; without a checkpoint (tests) the linear parts alone.
SizeParts exactSize(const ModelData& model, const Allocation& allocation, const Decision& decision,
                    const QuantizeOptions& options, const Predictor& predictor);

/// What the channels of a pin would take at this λ if they were free, and the difference that
/// makes.
struct PinEffect {
    int64_t channels = 0, bits = 0;
    double distortion = 0;
    std::string error;
};
PinEffect effectOf(const Pin& pin, const ModelData& model, double lambda,
                   const JobSlot::Cancelled& cancelled);
/// The hull point that a column takes at λ where nothing is pinned, over the points in `allowed`.
int pointAtLambda(const ModelData& model, int64_t layer, int64_t column, uint64_t allowed,
                  double lambda);

/// An allocation of a decision that is not the present one, for presets and comparisons.
struct OtherPlan {
    Allocation allocation;
    SizeParts size;
    std::vector<float> layerBits;
    std::string hash, error;
};
/// Has an allocator of its own, made on first use. For one background thread at a time.
class OtherPlans {
public:
    OtherPlan work(const std::shared_ptr<const ModelData>& model, const Decision& decision,
                   const QuantizeOptions& options, const Predictor& predictor);

private:
    std::unique_ptr<PlanContext> m_context;
    PlanFrame m_frame;
};

std::string hashOf(const Allocation& allocation);

} // namespace bitloom::ui
