// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors

// Opening a model, here or on the engine's machine, and taking it in with what a session brings.
#include "ui/state/workbench_p.h"

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/plan/measured.h"
#include "ui/engine_client/engine_client.h"
#include "ui/engine_client/remote_files.h"

#include <utility>

namespace bitloom::ui {

namespace {

QString fromStd(const std::string& text) {
    return QString::fromStdString(text);
}

} // namespace

void Workbench::openModel(const QString& path) {
    d->opening.cancel();
    d->remote.reset();
    if (m_phase != Phase::Opening) d->phaseBefore = m_phase;
    setPhase(Phase::Opening);
    if (engineIsRemote())
        openRemote(path);
    else
        openAt({path, {}, {}, {}, {}});
}

void Workbench::openRemote(const QString& path) {
    if (m_engine->state() == EngineClient::State::Stopped ||
        m_engine->state() == EngineClient::State::Dead)
        m_engine->restart();
    d->remote = std::make_unique<RemoteOpening>(
        m_engine, path, m_settings.cacheFolder(),
        d->restored ? d->restored->statisticsFile : QString(),
        [this](const RemoteOpening::Result& result) {
            d->remote.release()->deleteLater(); // its own call is still on the stack
            if (!result.error)
                return openAt({result.skeleton, result.folder, m_engine->command().machine(),
                               result.statistics, result.statisticsFile});
            d->restored.reset();
            setPhase(m_model ? d->phaseBefore : Phase::Failed,
                     {result.error.message, result.error.hint});
        },
        nullptr);
}

void Workbench::openAt(const Place& place) {
    const QString cache = m_settings.cacheFolder();
    const QuantizeOptions options = m_options;
    const std::optional<Restored> restored = d->restored;
    d->opening.start(
        [place, cache, options, restored](const JobSlot::Cancelled& cancelled) {
            Opened opened;
            const bool here = place.engineFolder.isEmpty();
            try {
                opened.model =
                    here ? ModelData::open(place.folder)
                         : ModelData::openRemote(place.folder, place.engineFolder, place.machine);
                std::shared_ptr<const Statistics> statistics;
                if (!place.statistics.isEmpty())
                    statistics = Statistics::open(place.statistics.toStdString());
                if (here && restored && !restored->statisticsFile.isEmpty()) {
                    try {
                        statistics = Statistics::open(restored->statisticsFile.toStdString());
                    } catch (const Error&) { // gone from the cache: any other will do
                    }
                }
                if (statistics &&
                    statistics->recipe().modelFingerprint != opened.model->fingerprint)
                    statistics = nullptr;
                if (here && !statistics)
                    statistics = ModelData::findStatistics(*opened.model, cache);
                if (statistics && !cancelled) {
                    opened.model = ModelData::with(opened.model, statistics, place.statisticsFile);
                    opened.prepare(restored ? restored->decision : Decision{}, options);
                }
            } catch (const Error& error) {
                opened.problem = {fromStd(error.what()), fromStd(error.hint())};
            } catch (const std::exception& error) {
                opened.problem = {fromStd(error.what()), {}};
            }
            return opened;
        },
        [this](Opened& opened) { install(opened); });
}

void Workbench::Opened::prepare(const Decision& decision, const QuantizeOptions& options) {
    context = std::make_shared<PlanContext>(model);
    predictor = model->source ? predictorFor(model->source->path(),
                                             stageOf(options.descentPasses, options.polishSteps))
                              : Predictor(stageOf(options.descentPasses, options.polishSteps));
    try {
        if (const auto pins = decision.activePins(); !pins.empty()) context->setPins(pins);
    } catch (const Error& error) {
        pinProblem = fromStd(error.what());
    }
    frame = context->frame(options, predictor);
}

void Workbench::setModel(std::shared_ptr<const ModelData> model) {
    Opened opened;
    opened.model = std::move(model);
    if (opened.model->complete())
        opened.prepare(d->restored ? d->restored->decision : Decision{}, m_options);
    install(opened);
}

void Workbench::closeModel() {
    d->opening.cancel();
    d->remote.reset();
    Opened nothing;
    install(nothing);
}

void Workbench::cancelOpening() {
    if (m_phase != Phase::Opening) return;
    if (!m_model) {
        d->restored.reset();
        return closeModel();
    }
    d->opening.cancel();
    d->remote.reset();
    d->restored.reset();
    setPhase(d->phaseBefore);
    emit message(tr("Opening stopped. %1 stays open.").arg(m_model->title));
}

void Workbench::install(Opened& opened) {
    if (!opened.problem.what.isEmpty()) {
        d->restored.reset();
        // A model that is open stays so, with everything that was decided on it.
        setPhase(m_model ? d->phaseBefore : Phase::Failed, opened.problem);
        return;
    }
    d->settleTimer.stop();
    d->statistics.cancel();
    d->pins.cancel();
    d->settling.cancel();
    d->curve.cancel();
    d->summaries.cancel();
    const Restored restored = d->restored.value_or(Restored{});
    const bool isRestored = std::exchange(d->restored, std::nullopt).has_value();

    m_model = opened.model;
    d->context = opened.context;
    d->frame = opened.frame;
    d->speed = nullptr; // the kernel times of other shapes
    d->basePredictor = d->predictor = opened.predictor;
    d->summaryCache.clear();
    d->planHash.clear();
    m_plan = d->context ? PlanState(m_model) : PlanState();
    m_figures = {};
    m_grabbed.reset();
    m_curve.clear();
    m_dragging = false;
    // What was measured on another model would bend the predictions of this one.
    const bool other = m_model && !restored.modelFingerprint.empty() &&
                       restored.modelFingerprint != m_model->fingerprint;
    m_measurements = other ? std::vector<Measurement>{} : restored.measurements;
    m_presets = builtInPresets();
    for (const Preset& preset : restored.presets)
        m_presets.push_back(preset);
    m_lastPreset = restored.lastPreset;
    m_decision = isRestored ? restored.decision : Decision{};
    if (!opened.pinProblem.isEmpty()) {
        for (PinEntry& pin : m_decision.pins)
            pin.enabled = false;
        emit message(opened.pinProblem);
    }
    if (other)
        emit message(tr("This is another model than the one of the session: its measurements were "
                        "left out."));
    m_pinCosts.assign(m_decision.pins.size(), {});
    m_undo.clear();
    m_selectedLayer = -1;
    m_selectedChannels.clear();
    refitPredictor();
    if (d->context) {
        m_decision.budget.value = clampedValue(m_decision.budget);
        Allocation next = d->context->allocate(m_decision, d->frame, d->overhead(), d->predictor);
        m_plan.update(next);
        updateFigures();
    }
    emit modelChanged();
    if (m_model) {
        setPhase(d->context ? Phase::Ready
                            : (m_model->hasStatistics() ? Phase::Partial : Phase::Headers));
    } else {
        setPhase(Phase::Empty);
    }
    emit decisionChanged();
    emit pinsChanged();
    emit presetsChanged();
    emit measurementsChanged();
    if (d->context) {
        emit rangeChanged();
        emit planChanged();
    }
    int layer = -1;
    if (m_model)
        for (size_t l = 0; l < m_model->entries.size() && layer < 0; ++l)
            if (fromStd(m_model->entries[l].name) == restored.selectedLayer) layer = int(l);
    if (layer >= 0)
        selectLayer(layer);
    else
        selectFirst();
    setModified(restored.modified);
    if (d->context) {
        settle();
        startCurve();
        startSummaries();
    }
}

/// The layer that has most to show: the widest of those that read the MLP's inside, in the middle.
void Workbench::selectFirst() {
    if (!m_model || m_model->entries.empty()) {
        emit layerSelected(-1);
        return;
    }
    const auto& entries = m_model->entries;
    int best = 0;
    for (size_t l = 0; l < entries.size(); ++l)
        if (entries[l].role == LinearRole::Down && entries[l].block == m_model->blocks / 2)
            best = int(l);
    m_selectedLayer = -1;
    selectLayer(best);
}

void Workbench::loadStatistics(const QString& file, bool partial) {
    if (!m_model) return;
    if (!m_model->remote()) return readStatistics(file, {}, partial);
    // Over a slow line, only every so many pieces of a calibration come here.
    if (!m_engine || (partial && d->copyingPartial)) return;
    d->copyingPartial = partial;
    const std::string of = m_model->fingerprint;
    RemoteCopy::file(m_engine, file, remoteCopyPath(m_settings.cacheFolder(), *m_engine, file),
                     this, [=, this](const QString& copy, const EngineError& error) {
                         d->copyingPartial = false;
                         if (!m_model || m_model->fingerprint != of) return;
                         if (!error)
                             readStatistics(copy, file, partial);
                         else if (!partial)
                             emit message(error.message);
                     });
}

void Workbench::readStatistics(const QString& file, const QString& engineFile, bool partial) {
    const std::shared_ptr<const ModelData> model = m_model;
    const Decision decision = m_decision;
    const QuantizeOptions options = m_options;
    d->statistics.start(
        [=](const JobSlot::Cancelled&) {
            Opened opened;
            try {
                opened.model = ModelData::with(model, Statistics::open(file.toStdString(), partial),
                                               engineFile);
                if (opened.model->source->complete()) opened.prepare(decision, options);
            } catch (const std::exception& error) {
                opened.problem = {fromStd(error.what()), {}};
            }
            return opened;
        },
        [this, partial](Opened& opened) {
            if (!opened.problem.what.isEmpty()) {
                // A partial file may be read while it is written to: the next piece comes soon.
                if (!partial) emit message(opened.problem.what);
                logger("ui")->warn("statistics could not be read: {}",
                                   opened.problem.what.toStdString());
                return;
            }
            if (!opened.context) { // a calibration under way; a plan that is there stays
                if (d->context) return;
                m_model = opened.model;
                if (m_phase != Phase::Partial) setPhase(Phase::Partial);
                emit statisticsChanged();
                return;
            }
            Restored keep;
            keep.decision = m_decision;
            for (const Preset& preset : m_presets)
                if (!preset.builtIn) keep.presets.push_back(preset);
            keep.measurements = m_measurements;
            keep.lastPreset = m_lastPreset;
            keep.modified = m_modified;
            if (m_selectedLayer >= 0)
                keep.selectedLayer = fromStd(m_model->entries[size_t(m_selectedLayer)].name);
            d->restored = std::move(keep);
            install(opened);
        });
}

} // namespace bitloom::ui
