// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors

// The way from a decision to its plan, and selection. Opening is in workbench_open.cpp, pins and
// presets are in workbench_pins.cpp and workbench_plans.cpp.
//
// One tick of the slider: requestBudget → DecisionCommand → applyDecision → allocate → planChanged.
// All of it is synchronous and allocates nothing but what the allocator returns. What costs more
// (exact headers, pin costs, hashes) waits until the handle rests: settle().
#include "ui/state/workbench_p.h"

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/plan/measured.h"
#include "ui/commands/decision_commands.h"
#include "ui/engine_client/engine_client.h"

#include <algorithm>
#include <cmath>

namespace bitloom::ui {

namespace {

constexpr int settleMs = 90;

QString fromStd(const std::string& text) {
    return QString::fromStdString(text);
}

} // namespace

ChannelRanges normalized(ChannelRanges ranges) {
    std::ranges::sort(ranges, {}, &ChannelRange::first);
    ChannelRanges result;
    for (const ChannelRange& range : ranges) {
        if (range.last < range.first) continue;
        if (!result.empty() && range.first <= result.back().last + 1)
            result.back().last = std::max(result.back().last, range.last);
        else
            result.push_back(range);
    }
    return result;
}

int64_t channelCount(const ChannelRanges& ranges) {
    int64_t sum = 0;
    for (const ChannelRange& range : ranges)
        sum += range.last - range.first + 1;
    return sum;
}

Workbench::Workbench(Settings& settings, QObject* parent)
    : QObject(parent), m_settings(settings), m_presets(builtInPresets()), m_jobs(new JobList(this)),
      d(std::make_unique<Private>()) {
    d->settleTimer.setSingleShot(true);
    connect(&d->settleTimer, &QTimer::timeout, this, &Workbench::settle);
    connect(&m_undo, &QUndoStack::indexChanged, this, [this] { setModified(true); });
}

Workbench::~Workbench() {
    // No job may outlive what it works on.
    d->remote.reset();
    d->opening.cancel();
    d->statistics.cancel();
    d->pins.cancel();
    d->settling.cancel();
    d->curve.cancel();
    d->summaries.cancel();
    d->quick.waitForDone();
    d->slow.waitForDone();
    m_undo.disconnect(this);
}

void Workbench::setPhase(Phase phase, Problem error) {
    m_error = std::move(error);
    m_phase = phase;
    emit phaseChanged();
}

void Workbench::restoreNext(Restored restored) {
    d->restored = std::move(restored);
}

// --- from a decision to a plan -------------------------------------------------------------------

std::pair<double, double> Workbench::range(Budget::Kind kind) const {
    if (!d->context) return {0, 0};
    const double weights = double(m_model->weights);
    switch (kind) {
    case Budget::Kind::Bits:
        return {double(d->frame.minBits) / weights, double(d->frame.maxBits) / weights};
    case Budget::Kind::Size:
        return {double(d->frame.minBytes), double(d->frame.maxBytes)};
    case Budget::Kind::Speed:
        if (d->frame.speed.empty()) return {0, 0};
        return {1 / d->frame.speed.back().second, 1 / d->frame.speed.front().second};
    case Budget::Kind::Perplexity:
        break;
    }
    const auto increase = [&](double distortion, int64_t bits) {
        return std::expm1(d->predictor.deltaNll(distortion, double(bits) / weights));
    };
    return {increase(d->frame.minDistortion, d->frame.maxBits),
            increase(d->frame.maxDistortion, d->frame.minBits)};
}

double Workbench::valueOf(Budget::Kind kind) const {
    switch (kind) {
    case Budget::Kind::Bits:
        return m_figures.bitsPerWeight;
    case Budget::Kind::Size:
        return double(m_figures.size.totalBytes);
    case Budget::Kind::Speed:
        return m_figures.tokensPerSecond;
    case Budget::Kind::Perplexity:
        break;
    }
    return std::expm1(m_figures.prediction.deltaNll);
}

double Workbench::clampedValue(const Budget& budget) const {
    const auto [low, high] = range(budget.kind);
    return std::isfinite(budget.value) ? std::clamp(budget.value, low, high) : low;
}

double Workbench::requestBudget(const Budget& budget, bool dragging) {
    if (!d->context) return budget.value;
    Decision next = m_decision;
    const double value = clampedValue(budget);
    next.budget = {budget.kind, value};
    // A rate is one of this machine: what is decided is the bits that reach it.
    if (budget.kind == Budget::Kind::Speed)
        next.budget = {Budget::Kind::Bits,
                       bitsAtSpeed(d->frame, 1 / std::max(value, 1e-9)) / double(m_model->weights)};
    next.uniformBits.reset();
    if (next == m_decision) return value;
    // Steps by key or wheel belong together while they follow each other quickly.
    const bool follows = d->lastBudget.isValid() && d->lastBudget.elapsed() < 700;
    if (!dragging && !follows) ++d->budgetSerial;
    d->lastBudget.start();
    m_undo.push(new DecisionCommand(*this, m_decision, next, tr("Budget"), d->budgetSerial));
    return value;
}

void Workbench::beginDrag() {
    if (m_dragging || !d->context) return;
    ++d->budgetSerial;
    m_dragging = true;
    m_grabbed = m_figures;
    emit dragChanged();
}

void Workbench::endDrag() {
    if (!m_dragging) return;
    m_dragging = false;
    ++d->budgetSerial;
    d->lastBudget.invalidate();
    emit dragChanged();
    d->settleTimer.start(0);
}

void Workbench::applyDecision(const Decision& decision) {
    const bool pins = decision.pins != m_decision.pins;
    const bool active = pins && decision.activePins() != m_decision.activePins();
    m_decision = decision;
    if (!m_dragging) m_grabbed.reset(); // what a drag changed is no longer the last change
    emit decisionChanged();
    if (pins) {
        m_pinCosts.assign(m_decision.pins.size(), {});
        emit pinsChanged();
    }
    if (!d->context) return;
    if (active)
        applyPins();
    else
        allocate();
}

void Workbench::allocate() {
    if (!d->context || d->pins.running()) return; // frameReady() will
    Allocation next = d->context->allocate(m_decision, d->frame, d->overhead(), d->predictor);
    m_plan.update(next);
    d->planHash.clear();
    d->settling.cancel();
    updateFigures();
    emit planChanged();
    d->settleTimer.start(settleMs);
}

void Workbench::updateFigures() {
    const Allocation& allocation = m_plan.allocation();
    m_figures.bitsPerWeight = double(allocation.bits) / double(m_model->weights);
    m_figures.lambda = allocation.lambda;
    m_figures.distortion = allocation.distortion;
    m_figures.prediction = predict(allocation.distortion, m_figures.bitsPerWeight);
    m_figures.size = m_plan.sizes();
    const SizeParts& fixed = d->frame.fixed;
    m_figures.size.embeddingAndHead = fixed.embeddingAndHead;
    m_figures.size.otherTensors = fixed.otherTensors;
    m_figures.size.headersAndFiles = fixed.headersAndFiles;
    m_figures.size.totalBytes = m_figures.size.linearBytes + fixed.embeddingAndHead +
                                fixed.otherTensors + fixed.headersAndFiles;
    m_figures.sizeExact = false;
    m_figures.tokensPerSecond = 0;
    if (!d->speed) return;
    double seconds = d->speed->otherSeconds;
    std::vector<int64_t> columns;
    for (size_t i = 0; i < m_model->entries.size(); ++i) {
        const LayerEntry& entry = m_model->entries[i];
        const std::span<const int32_t> counts = m_plan.counts(int(i));
        columns.assign(counts.begin(), counts.end());
        seconds += d->speed->secondsOfLayer(entry.rows, entry.cols, columns, m_model->menu);
    }
    m_figures.tokensPerSecond = 1 / seconds;
}

const SpeedTable* Workbench::speedTable() const {
    return d->speed.get();
}

void Workbench::setSpeedTable(std::shared_ptr<const SpeedTable> table) {
    if (!d->context || table == d->speed) return;
    try {
        if (table) secondsPerToken(*table, *m_model, m_plan.allocation());
    } catch (const Error& error) {
        logger("ui")->warn("kernel times cannot be used: {}", error.what());
        table = nullptr;
    }
    d->speed = std::move(table);
    applyPins(); // the frame anew, in the background where that takes long
}

void Workbench::settle() {
    d->settleTimer.stop();
    if (!hasPlan() || d->pins.running()) return;
    struct Settled {
        std::optional<Allocation> corrected;
        SizeParts size;
        std::string hash, error;
        std::vector<PinCost> costs;
    };
    const auto predictorNow = d->predictor;
    const double nll = reference().nll;
    d->settling.start(
        [context = d->context, allocation = m_plan.allocation(), decision = m_decision,
         frame = d->frame, options = m_options, predictor = predictorNow,
         nll](const JobSlot::Cancelled& cancelled) {
            Settled result;
            const ModelData& model = *context->model();
            try {
                const Allocation* chosen = &allocation;
                if (decision.budget.kind == Budget::Kind::Size && !decision.uniformBits) {
                    Allocation within =
                        context->withinBytes(int64_t(decision.budget.value), allocation.bits, frame,
                                             decision, options, predictor);
                    if (within.points != allocation.points) {
                        result.corrected = std::move(within);
                        chosen = &*result.corrected;
                    }
                }
                if (cancelled) return result;
                result.size = exactSize(model, *chosen, decision, options, predictor);
                result.hash = hashOf(*chosen);
                const double weights = double(model.weights);
                const double bits = double(chosen->bits) / weights;
                for (const PinEntry& entry : decision.pins) {
                    if (cancelled) return result;
                    const PinEffect effect = effectOf(entry.pin, model, chosen->lambda, cancelled);
                    PinCost cost;
                    cost.known = true;
                    cost.error = fromStd(effect.error);
                    cost.channels = effect.channels;
                    cost.bits = effect.bits;
                    cost.distortion = effect.distortion;
                    // As if the pin were the last thing added (enabled) or were added now.
                    const double with =
                        entry.enabled ? chosen->distortion : chosen->distortion + effect.distortion;
                    const double without = with - effect.distortion;
                    const auto ppl = [&](double distortion) {
                        return std::exp(nll + predictor.deltaNll(std::max(distortion, 0.0), bits));
                    };
                    cost.perplexity = ppl(with) - ppl(without);
                    result.costs.push_back(std::move(cost));
                }
            } catch (const std::exception& error) {
                result.error = error.what();
            }
            return result;
        },
        [this](Settled& result) {
            if (!result.error.empty()) {
                logger("ui")->error("sizes could not be worked out: {}", result.error);
                return;
            }
            if (result.corrected) {
                m_plan.update(*result.corrected);
                updateFigures();
                emit planChanged();
            }
            // Headers and files of this plan are the best guess for its neighbours.
            d->frame.fixed = result.size;
            updateFigures();
            m_figures.size = result.size;
            m_figures.sizeExact = true;
            d->planHash = result.hash;
            if (result.costs.size() == m_decision.pins.size()) m_pinCosts = result.costs;
            emit pinCostsChanged();
            emit planSettled();
        });
}

// --- selection, engine, state --------------------------------------------------------------------

void Workbench::selectLayer(int layer) {
    if (layer == m_selectedLayer || !m_model || layer >= int(m_model->entries.size())) return;
    m_selectedLayer = layer;
    m_selectedChannels.clear();
    emit layerSelected(layer);
    emit channelsSelected();
}

void Workbench::selectChannels(ChannelRanges ranges) {
    ranges = normalized(std::move(ranges));
    if (ranges == m_selectedChannels) return;
    m_selectedChannels = std::move(ranges);
    emit channelsSelected();
}

void Workbench::setEngine(EngineClient* engine) {
    m_engine = engine;
    m_jobs->setEngine(engine);
    emit engineChanged();
}

bool Workbench::engineIsRemote() const {
    return m_engine && m_engine->remote();
}

bool Workbench::engineIsHome() const {
    return m_model && m_model->machine == m_settings.engineCommand();
}

bool Workbench::engineHasModel() const {
    return m_model && m_engine && m_model->machine == m_engine->command().machine();
}

void Workbench::setModified(bool modified) {
    const bool changed = modified != m_modified;
    m_modified = modified;
    if (changed || modified) emit modifiedChanged(modified);
}

} // namespace bitloom::ui
