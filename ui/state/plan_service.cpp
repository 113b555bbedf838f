// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "ui/state/plan_service.h"

#include "core/base/error.h"
#include "core/base/hash.h"
#include "core/plan/hulls.h"
#include "ui/state/plan_state.h"

#include <algorithm>
#include <cmath>

namespace bitloom::ui {

namespace {

/// The point of a width for a uniform plan: a grid without outliers where the menu has one.
OperatingPoint uniformPoint(int bits) {
    return {bits == 16 ? PointKind::Raw : PointKind::Grid, bits, 0};
}

} // namespace

PlanContext::PlanContext(std::shared_ptr<const ModelData> model)
    : m_model(std::move(model)),
      m_allocator(m_model->curves, m_model->menu, defaultAllowed(m_model->menu),
                  m_model->source ? m_model->source->sortedSegments()
                                  : std::span<const std::byte>()) {}

std::optional<std::shared_lock<std::shared_mutex>> PlanContext::tryRead() const {
    std::shared_lock lock(m_mutex, std::try_to_lock);
    if (!lock) return std::nullopt;
    return lock;
}

void PlanContext::setPins(const std::vector<Pin>& pins) {
    const std::vector<ColumnLimit> limits = limitsOf(pins, m_model->curves, m_model->menu);
    const std::unique_lock lock(m_mutex);
    m_allocator.setLimits(limits, m_model->curves);
    m_pins = pins;
}

PlanFrame PlanContext::frame(const QuantizeOptions& options, const Predictor& predictor,
                             const SpeedTable* speed) const {
    const std::shared_lock lock(m_mutex);
    PlanFrame frame;
    frame.minBits = m_allocator.minBits();
    frame.maxBits = m_allocator.maxBits();
    const Allocation least = m_allocator.allocate(frame.minBits),
                     most = m_allocator.allocate(frame.maxBits);
    frame.minDistortion = most.distortion;
    frame.maxDistortion = least.distortion;
    Decision decision;
    for (const Pin& pin : m_pins)
        decision.pins.push_back({pin, true});
    frame.minBytes = exactSize(*m_model, least, decision, options, predictor).totalBytes;
    frame.fixed = exactSize(*m_model, most, decision, options, predictor);
    frame.maxBytes = frame.fixed.totalBytes;
    if (speed) frame.speed = speedCurve(*speed, frame);
    return frame;
}

/// At 33 budgets, closer together where they are small; between them it is nearly a line.
std::vector<std::pair<int64_t, double>> PlanContext::speedCurve(const SpeedTable& table,
                                                                const PlanFrame& frame) const {
    constexpr int count = 32;
    std::vector<std::pair<int64_t, double>> curve;
    const double ratio = double(frame.maxBits) / double(std::max<int64_t>(frame.minBits, 1));
    for (int i = 0; i <= count; ++i) {
        const auto bits = int64_t(double(frame.minBits) * std::pow(ratio, double(i) / count));
        const Allocation a = m_allocator.allocate(std::clamp(bits, frame.minBits, frame.maxBits));
        const double seconds = secondsPerToken(table, *m_model, a);
        if (curve.empty() || (a.bits > curve.back().first && seconds > curve.back().second))
            curve.emplace_back(a.bits, seconds);
    }
    return curve;
}

double secondsPerToken(const SpeedTable& table, const ModelData& model,
                       const Allocation& allocation) {
    double seconds = table.otherSeconds;
    std::vector<int64_t> columns(model.menu.size());
    for (const LayerEntry& entry : model.entries) {
        std::ranges::fill(columns, 0);
        for (int64_t k = 0; k < entry.cols; ++k)
            ++columns[allocation.points[size_t(entry.firstColumn + k)]];
        seconds += table.secondsOfLayer(entry.rows, entry.cols, columns, model.menu);
    }
    return seconds;
}

double bitsAtSpeed(const PlanFrame& frame, double secondsPerToken) {
    const auto& curve = frame.speed;
    if (curve.empty()) return double(frame.minBits);
    const auto above =
        std::ranges::upper_bound(curve, secondsPerToken, {}, &std::pair<int64_t, double>::second);
    if (above == curve.begin()) return double(frame.minBits);
    if (above == curve.end()) return double(frame.maxBits);
    const auto below = above - 1;
    const double share = (secondsPerToken - below->second) / (above->second - below->second);
    return double(below->first) + share * double(above->first - below->first);
}

Allocation PlanContext::allocate(const Decision& decision, const PlanFrame& frame, int64_t overhead,
                                 const Predictor& predictor) const {
    const std::shared_lock lock(m_mutex);
    if (decision.uniformBits) {
        Allocation uniform = m_allocator.uniform(uniformPoint(*decision.uniformBits));
        return uniform;
    }
    const double weights = double(m_model->weights), value = decision.budget.value;
    const auto clamped = [&](double bits) {
        return std::clamp(int64_t(std::floor(std::clamp(bits, 0.0, 1e18))), frame.minBits,
                          frame.maxBits);
    };
    switch (decision.budget.kind) {
    case Budget::Kind::Bits:
        return m_allocator.allocate(clamped(value * weights));
    case Budget::Kind::Size:
        return m_allocator.allocate(clamped((value - double(overhead)) * 8));
    case Budget::Kind::Speed:
        return m_allocator.allocate(clamped(bitsAtSpeed(frame, 1 / std::max(value, 1e-9))));
    case Budget::Kind::Perplexity:
        break;
    }
    // The scale of predictions may depend on the budget (measured points nearby), so the distortion
    // that is allowed and the bits it takes are found in turn; a bracket around the answer ends it.
    const double wanted = std::log1p(std::max(value, 0.0));
    const auto predicted = [&](const Allocation& a) {
        return predictor.deltaNll(a.distortion, double(a.bits) / weights);
    };
    Allocation best = m_allocator.allocate(frame.maxBits);
    if (predicted(best) > wanted) return best;
    double bits = double(frame.maxBits) / weights;
    for (int round = 0; round < 4; ++round) {
        const double distortion =
            std::max(predictor.distortionFor(wanted, bits), frame.minDistortion);
        Allocation tried = m_allocator.allocateForDistortion(distortion);
        if (predicted(tried) > wanted * (1 + 1e-9)) break;
        if (tried.bits >= best.bits) break;
        bits = double(tried.bits) / weights;
        best = std::move(tried);
    }
    return best;
}

Allocation PlanContext::withinBytes(int64_t bytes, int64_t guessBits, const PlanFrame& frame,
                                    const Decision& decision, const QuantizeOptions& options,
                                    const Predictor& predictor) const {
    const std::shared_lock lock(m_mutex);
    const auto size = [&](const Allocation& a) {
        return exactSize(*m_model, a, decision, options, predictor).totalBytes;
    };
    // All but the columns' bits hardly depends on the plan: two or three steps by what is spare or
    // missing end within a few bytes, and always at or below the budget.
    int64_t low = frame.minBits, guess = std::clamp(guessBits, frame.minBits, frame.maxBits);
    Allocation best = m_allocator.allocate(frame.minBits);
    for (int round = 0; round < 6; ++round) {
        Allocation tried = m_allocator.allocate(guess);
        const int64_t taken = size(tried);
        if (taken <= bytes && tried.bits >= best.bits) {
            low = tried.bits;
            best = std::move(tried);
            const int64_t spare = (bytes - taken) * 8;
            if (spare < 64 || guess >= frame.maxBits) break;
            guess = std::min(guess + spare, frame.maxBits);
        } else {
            guess = std::max(low, guess - std::max<int64_t>((taken - bytes) * 8, 8));
            if (guess <= low) break;
        }
    }
    return best;
}

std::vector<std::pair<int64_t, double>> PlanContext::curve(int count) const {
    const std::shared_lock lock(m_mutex);
    return m_allocator.curve(count);
}

Plan makeExportable(const ModelData& model, const Allocation& allocation, const Decision& decision,
                    const Predictor& predictor) {
    Plan plan =
        makePlan(allocation, model.curves, model.menu, decision.budget, decision.activePins());
    plan.model = model.fingerprint;
    plan.statistics = model.statisticsFingerprint;
    plan.predicted =
        predictor.predict(plan.distortion, plan.bitsPerWeight(), model.nllFp,
                          model.source ? model.source->recipe().source : std::string());
    return plan;
}

SizeParts exactSize(const ModelData& model, const Allocation& allocation, const Decision& decision,
                    const QuantizeOptions& options, const Predictor& predictor) {
    if (!model.checkpoint || !model.source) {
        PlanState state(std::shared_ptr<const ModelData>(std::shared_ptr<void>(), &model));
        Allocation copy = allocation;
        state.update(copy);
        SizeParts parts = state.sizes();
        parts.totalBytes = parts.linearBytes;
        return parts;
    }
    QuantizeOptions full = options;
    full.plan = makeExportable(model, allocation, decision, predictor);
    return predictSize(*model.checkpoint, plannedSpec(*model.checkpoint, *model.source, full));
}

int pointAtLambda(const ModelData& model, int64_t layer, int64_t column, uint64_t allowed,
                  double lambda) {
    const LayerCurves& curves = model.curves[size_t(layer)];
    const size_t points = model.menu.size();
    const MenuCosts costs(model.menu, curves.rows);
    const HullOrder order(costs, allowed);
    uint8_t vertices[64];
    const auto errors = curves.sse.subspan(size_t(column) * points, points);
    const int count = lowerHull(errors, order, vertices);
    const double factor = 0.5 * curves.weight * double(curves.conditional[size_t(column)]);
    int chosen = vertices[0];
    for (int i = 1; i < count; ++i) {
        const double gain =
            factor * (double(errors[vertices[i - 1]]) - double(errors[vertices[i]]));
        const double cost = double(costs.bits[vertices[i]] - costs.bits[vertices[i - 1]]);
        if (gain < lambda * cost) break;
        chosen = vertices[i];
    }
    return chosen;
}

PinEffect effectOf(const Pin& pin, const ModelData& model, double lambda,
                   const JobSlot::Cancelled& cancelled) {
    PinEffect effect;
    std::vector<ColumnLimit> limits;
    try {
        limits = limitsOf(std::span(&pin, 1), model.curves, model.menu);
    } catch (const Error& error) {
        effect.error = error.what();
        return effect;
    }
    effect.channels = int64_t(limits.size());
    const uint64_t open = defaultAllowed(model.menu);
    const size_t points = model.menu.size();
    int64_t layer = -1;
    std::optional<MenuCosts> costs;
    std::optional<HullOrder> freeOrder, ownOrder;
    uint8_t vertices[64];
    for (const ColumnLimit& limit : limits) {
        if (cancelled) return effect;
        const LayerCurves& curves = model.curves[size_t(limit.layer)];
        if (limit.layer != layer) {
            layer = limit.layer;
            costs.emplace(model.menu, curves.rows);
            freeOrder.emplace(*costs, open);
            ownOrder.emplace(*costs, limit.allowed);
        }
        const auto errors = curves.sse.subspan(size_t(limit.column) * points, points);
        const double factor =
            0.5 * curves.weight * double(curves.conditional[size_t(limit.column)]);
        const auto take = [&](const HullOrder& order) {
            const int count = lowerHull(errors, order, vertices);
            int chosen = vertices[0];
            for (int i = 1; i < count; ++i) {
                const double gain =
                    factor * (double(errors[vertices[i - 1]]) - double(errors[vertices[i]]));
                const double more = double(costs->bits[vertices[i]] - costs->bits[vertices[i - 1]]);
                if (gain < lambda * more) break;
                chosen = vertices[i];
            }
            return chosen;
        };
        const int own = take(*ownOrder), free = take(*freeOrder);
        effect.bits += costs->bits[size_t(own)] - costs->bits[size_t(free)];
        effect.distortion += factor * (double(errors[size_t(own)]) - double(errors[size_t(free)]));
    }
    return effect;
}

OtherPlan OtherPlans::work(const std::shared_ptr<const ModelData>& model, const Decision& decision,
                           const QuantizeOptions& options, const Predictor& predictor) {
    OtherPlan plan;
    try {
        if (!m_context || m_context->model() != model) {
            m_context = std::make_unique<PlanContext>(model);
            m_frame = m_context->frame(options, predictor);
        }
        const std::vector<Pin> pins = decision.activePins();
        if (pins != m_context->pins()) {
            m_context->setPins(pins);
            m_frame = m_context->frame(options, predictor);
        }
        const int64_t overhead = m_frame.fixed.totalBytes - m_frame.fixed.linearBytes;
        plan.allocation = m_context->allocate(decision, m_frame, overhead, predictor);
        if (decision.budget.kind == Budget::Kind::Size && !decision.uniformBits)
            plan.allocation =
                m_context->withinBytes(int64_t(decision.budget.value), plan.allocation.bits,
                                       m_frame, decision, options, predictor);
        plan.size = exactSize(*model, plan.allocation, decision, options, predictor);
        plan.hash = hashOf(plan.allocation);
        PlanState state(model);
        Allocation copy = plan.allocation;
        state.update(copy);
        for (size_t l = 0; l < model->entries.size(); ++l)
            plan.layerBits.push_back(float(state.meanBits(int(l))));
    } catch (const Error& error) {
        plan.error = error.what();
    }
    return plan;
}

std::string hashOf(const Allocation& allocation) {
    Hasher hasher;
    hasher.update(std::as_bytes(std::span(allocation.points)));
    return hasher.digest();
}

} // namespace bitloom::ui
