// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors

// Pins of the workbench, and what is known about single channels.
#include "ui/state/workbench_p.h"

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/plan/hulls.h"
#include "ui/commands/decision_commands.h"

#include <algorithm>
#include <map>

namespace bitloom::ui {

namespace {

/// A pattern that matches exactly this layer name.
std::string exactPattern(const std::string& name) {
    std::string pattern = "^";
    for (const char c : name) {
        if (std::string_view(".[]()*+?|^$\\{}").find(c) != std::string_view::npos) pattern += '\\';
        pattern += c;
    }
    return pattern + '$';
}

} // namespace

bool Workbench::applyingPins() const {
    return d->pins.running();
}

void Workbench::applyPins() {
    d->settling.cancel();
    d->settleTimer.stop();
    struct Applied {
        PlanFrame frame;
        std::string error;
    };
    const auto work = [context = d->context, pins = m_decision.activePins(), options = m_options,
                       predictor = d->predictor, speed = d->speed] {
        Applied applied;
        try {
            context->setPins(pins);
            applied.frame = context->frame(options, predictor, speed.get());
        } catch (const std::exception& error) {
            applied.error = error.what();
        }
        return applied;
    };
    const auto take = [this](Applied& applied) {
        if (applied.error.empty()) {
            d->frame = applied.frame;
        } else {
            logger("ui")->error("pins could not be applied: {}", applied.error);
            emit message(QString::fromStdString(applied.error));
        }
        frameReady();
    };
    if (d->context->small()) {
        Applied applied = work();
        take(applied);
    } else {
        d->pins.start([work](const JobSlot::Cancelled&) { return work(); }, take);
        emit rangeChanged();
    }
}

void Workbench::frameReady() {
    // A budget that the pins made impossible moves to the nearest possible one by itself: allocate
    // clamps it, and the decision keeps what the user asked for.
    emit rangeChanged();
    allocate();
    startCurve();
}

void Workbench::requestPins(std::vector<PinEntry> pins, const QString& what) {
    if (!m_model || !m_model->complete())
        throw Error(ErrorCode::Usage, tr("Pins need an analyzed model.").toStdString());
    std::vector<Pin> active;
    for (const PinEntry& entry : pins)
        if (entry.enabled) active.push_back(entry.pin);
    limitsOf(active, m_model->curves, m_model->menu); // throws with a reason
    Decision next = m_decision;
    next.pins = std::move(pins);
    if (next == m_decision) return;
    m_undo.push(new DecisionCommand(*this, m_decision, next, what));
}

void Workbench::addPin(const Pin& pin) {
    std::vector<PinEntry> pins = m_decision.pins;
    // The same channels again: the new choice takes the old one's place.
    std::erase_if(pins, [&](const PinEntry& entry) {
        return entry.pin.pattern == pin.pattern && entry.pin.channels == pin.channels;
    });
    pins.push_back({pin, true});
    requestPins(std::move(pins), tr("Pin %1").arg(QString::fromStdString(pin.text())));
}

Pin Workbench::pinOn(const LayerEntry& layer, const ChannelRanges& channels,
                     const QString& choice) {
    Pin pin;
    pin.pattern = exactPattern(layer.name);
    pin.choice = choice.toStdString();
    if (channelCount(channels) < layer.cols)
        for (const ChannelRange& range : channels)
            pin.channels.emplace_back(range.first, range.last);
    return pin;
}

bool Workbench::unpin(int layer, const ChannelRanges& channels) {
    if (layer < 0 || !m_model) return false;
    const LayerEntry& entry = m_model->entries[size_t(layer)];
    const std::string exact = exactPattern(entry.name);
    ChannelRanges gone = normalized(channels);
    if (gone.empty()) gone = {{0, int(entry.cols) - 1}};
    std::vector<PinEntry> pins;
    bool changed = false;
    for (const PinEntry& old : m_decision.pins) {
        if (old.pin.pattern != exact) {
            pins.push_back(old);
            continue;
        }
        auto ranges = old.pin.channels;
        if (ranges.empty()) ranges.emplace_back(0, entry.cols - 1);
        std::vector<std::pair<int64_t, int64_t>> kept;
        for (auto [first, last] : ranges) {
            for (const ChannelRange& hole : gone) {
                if (hole.last < first || hole.first > last) continue;
                if (hole.first > first) kept.emplace_back(first, hole.first - 1);
                first = int64_t(hole.last) + 1;
            }
            if (first <= last) kept.emplace_back(first, last);
        }
        if (kept == ranges) {
            pins.push_back(old);
            continue;
        }
        changed = true;
        if (kept.empty()) continue;
        PinEntry rest = old;
        rest.pin.channels = std::move(kept);
        pins.push_back(std::move(rest));
    }
    if (changed) requestPins(std::move(pins), tr("Unpin %1").arg(entry.path));
    return changed;
}

bool Workbench::isPinned(int layer, int64_t channel) const {
    for (const ChannelPin& pin : pinsOf(layer))
        for (const ChannelRange& range : pin.ranges)
            if (channel >= range.first && channel <= range.last) return true;
    return false;
}

std::vector<ChannelPin> Workbench::pinsOf(int layer) const {
    if (layer < 0 || !m_model || !m_model->complete()) return {};
    const std::vector<Pin> pins = m_decision.activePins();
    if (pins.empty()) return {};
    const LayerEntry& entry = m_model->entries[size_t(layer)];
    // Through the same function as the allocator, on this layer alone; pins elsewhere say that they
    // match nothing, and are left out one by one.
    const std::vector<LayerCurves> own{m_model->curves[size_t(layer)]};
    std::vector<uint64_t> allowed(size_t(entry.cols), 0);
    for (const Pin& pin : pins) {
        try {
            for (const ColumnLimit& limit : limitsOf(std::span(&pin, 1), own, m_model->menu))
                allowed[size_t(limit.column)] = limit.allowed;
        } catch (const Error&) {
        }
    }
    const auto widthOf = [&](uint64_t mask) {
        return m_model->menu[size_t(std::countr_zero(mask))].bits;
    };
    std::map<int, ChannelPin> byWidth;
    for (int64_t k = 0; k < entry.cols;) {
        const uint64_t mask = allowed[size_t(k)];
        int64_t end = k + 1;
        while (end < entry.cols && allowed[size_t(end)] == mask)
            ++end;
        if (mask != 0) {
            ChannelPin& pin = byWidth[widthOf(mask)];
            pin.bits = widthOf(mask);
            pin.ranges.push_back({int(k), int(end) - 1});
        }
        k = end;
    }
    std::vector<ChannelPin> result;
    for (auto& [width, pin] : byWidth)
        result.push_back(std::move(pin));
    return result;
}

std::vector<uint8_t> Workbench::freeBits(int layer) const {
    std::vector<uint8_t> bits;
    if (layer < 0 || !hasPlan()) return bits;
    const uint64_t open = defaultAllowed(m_model->menu);
    const LayerEntry& entry = m_model->entries[size_t(layer)];
    const std::span<const uint8_t> points = m_plan.points(layer);
    for (const uint8_t point : points)
        bits.push_back(uint8_t(m_model->menu[point].bits));
    for (const ChannelPin& pin : pinsOf(layer))
        for (const ChannelRange& range : pin.ranges)
            for (int k = range.first; k <= range.last && k < entry.cols; ++k)
                bits[size_t(k)] = uint8_t(
                    m_model->menu[size_t(pointAtLambda(*m_model, layer, k, open, m_figures.lambda))]
                        .bits);
    return bits;
}

Workbench::ChannelStory Workbench::story(int layer, int64_t channel) const {
    ChannelStory story;
    story.layer = layer;
    story.channel = channel;
    if (!hasPlan()) return story;
    const LayerCurves& curves = m_model->curves[size_t(layer)];
    const Menu& menu = m_model->menu;
    const auto errors = curves.sse.subspan(size_t(channel) * menu.size(), menu.size());
    const double factor = 0.5 * curves.weight * double(curves.conditional[size_t(channel)]);
    const uint8_t chosen = m_plan.points(layer)[size_t(channel)];
    story.chosen = menu[chosen];
    story.lambda = m_figures.lambda;
    story.error = factor * double(errors[chosen]);
    story.pinned = isPinned(layer, channel);

    const MenuCosts costs(menu, curves.rows);
    const HullOrder order(costs, defaultAllowed(menu));
    uint8_t vertices[64];
    const int count = lowerHull(errors, order, vertices);
    story.free = menu[size_t(
        pointAtLambda(*m_model, layer, channel, defaultAllowed(menu), m_figures.lambda))];
    bool reached = story.free == menu[vertices[0]];
    for (int i = 1; i < count; ++i) {
        ChannelStory::Step step;
        step.from = menu[vertices[i - 1]];
        step.to = menu[vertices[i]];
        const double gain =
            factor * (double(errors[vertices[i - 1]]) - double(errors[vertices[i]]));
        step.slope = gain / double(costs.bits[vertices[i]] - costs.bits[vertices[i - 1]]);
        step.taken = !reached;
        reached = reached || step.to == story.free;
        story.steps.push_back(step);
    }
    return story;
}

} // namespace bitloom::ui
