// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors

// Presets, measurements, predictions and the curve of the workbench.
#include "ui/state/workbench_p.h"

#include "core/base/error.h"
#include "core/plan/measured.h"
#include "ui/commands/decision_commands.h"

#include <algorithm>
#include <cmath>

namespace bitloom::ui {

namespace {

constexpr int curveSamples = 257, curvePoints = 41;

/// Of evenly spaced points, those that a logarithmic scale would have: small budgets, where the
/// curve bends, get most of them.
std::vector<std::pair<int64_t, double>> thinned(std::vector<std::pair<int64_t, double>> all) {
    if (all.size() < 3) return all;
    const double low = double(all.front().first), high = double(all.back().first);
    const double origin = 0.35 * low;
    std::vector<std::pair<int64_t, double>> chosen;
    size_t next = 0;
    for (int i = 0; i < curvePoints; ++i) {
        const double bits = origin + (low - origin) * std::pow((high - origin) / (low - origin),
                                                               double(i) / (curvePoints - 1));
        while (next + 1 < all.size() && double(all[next].first) < bits)
            ++next;
        chosen.push_back(all[next]);
    }
    return chosen;
}

} // namespace

Prediction Workbench::predict(double distortion, double bitsPerWeight) const {
    const Reference base = reference();
    return d->predictor.predict(distortion, bitsPerWeight, base.nll, base.text.toStdString());
}

Workbench::Reference Workbench::reference() const {
    for (auto m = m_measurements.rbegin(); m != m_measurements.rend(); ++m)
        if (m->fp16Nll > 0) return {m->fp16Nll, m->standardError, m->text, true};
    Reference base;
    if (m_model) {
        base.nll = m_model->nllFp;
        base.standardError = m_model->nllFpStderr;
        base.text = m_model->calibratedOn.section(QLatin1Char(','), 0, 0);
    }
    return base;
}

void Workbench::setOptions(HeadStorage head, int descentPasses, int polishSteps) {
    if (head == m_options.head && descentPasses == m_options.descentPasses &&
        polishSteps == m_options.polishSteps)
        return;
    m_options.head = head;
    m_options.descentPasses = descentPasses;
    m_options.polishSteps = polishSteps;
    const MethodStage stage = stageOf(descentPasses, polishSteps);
    d->basePredictor = m_model && m_model->source ? predictorFor(m_model->source->path(), stage)
                                                  : Predictor(stage);
    refitPredictor();
    d->summaryCache.clear();
    emit optionsChanged();
    if (!d->context) return;
    applyPins(); // the ends of the range change with the head
    startSummaries();
}

void Workbench::refitPredictor() {
    d->predictor = d->basePredictor;
    addMeasurements(d->predictor, m_measurements);
}

void addMeasurements(Predictor& predictor, const std::vector<Measurement>& measurements) {
    const std::vector<MeasuredPoint> known = predictor.measured();
    const auto near = [](double a, double b) { return std::abs(a - b) <= 1e-6 * std::abs(a); };
    for (const Measurement& m : measurements) {
        if (!(m.fp16Nll > 0) || m.planHash.empty()) continue;
        if (m.stage >= 0 && m.stage != int(predictor.stage())) continue;
        // The engine keeps what it measured beside the statistics: the same plan on the same text
        // would count twice.
        const MeasuredPoint point{m.distortion, m.nll - m.fp16Nll, m.bitsPerWeight};
        const bool counted = std::ranges::any_of(known, [&](const MeasuredPoint& k) {
            return near(k.distortion, point.distortion) && near(k.deltaNll, point.deltaNll);
        });
        if (!counted && point.deltaNll > 2 * m.deltaStandardError) predictor.addMeasured(point);
    }
}

Plan Workbench::exportablePlan() const {
    if (!hasPlan()) throw Error(tr("There is no plan yet: analyze the model first.").toStdString());
    return makeExportable(*m_model, m_plan.allocation(), m_decision, d->predictor);
}

std::string Workbench::planHash(const Allocation& allocation) {
    return hashOf(allocation);
}

// --- presets -------------------------------------------------------------------------------------

void Workbench::setPresets(std::vector<Preset> presets, const QString& lastPreset) {
    m_presets = std::move(presets);
    m_lastPreset = lastPreset;
    emit presetsChanged();
    startSummaries();
}

QString Workbench::currentPreset() const {
    for (const Preset& preset : m_presets)
        if (preset.decision == m_decision) return preset.name;
    return {};
}

void Workbench::applyPreset(const QString& name) {
    const auto found = std::ranges::find(m_presets, name, &Preset::name);
    if (found == m_presets.end() || !d->context) return;
    Decision next = found->decision;
    next.budget.value = clampedValue(next.budget);
    try {
        applyDecisionAs(next, tr("Preset %1").arg(name));
    } catch (const Error& error) { // its pins may be those of another model
        emit message(tr("Preset %1 does not fit this model: %2")
                         .arg(name, QString::fromStdString(error.what())));
        return;
    }
    m_lastPreset = name;
    emit presetsChanged();
}

void Workbench::applyDecisionAs(const Decision& decision, const QString& what) {
    if (decision == m_decision) return;
    if (m_model && m_model->complete())
        limitsOf(decision.activePins(), m_model->curves, m_model->menu); // throws with a reason
    m_undo.push(new DecisionCommand(*this, m_decision, decision, what));
}

void Workbench::savePreset(const QString& name) {
    const auto clash = std::ranges::find(m_presets, name, &Preset::name);
    if (name.trimmed().isEmpty() || (clash != m_presets.end() && clash->builtIn))
        throw Error(
            ErrorCode::Usage,
            tr("\"%1\" cannot be the name of a preset of your own.").arg(name).toStdString(),
            tr("Choose another name.").toStdString());
    std::vector<Preset> next = m_presets;
    Preset preset;
    preset.name = name.trimmed();
    preset.decision = m_decision;
    if (clash != m_presets.end())
        next[size_t(clash - m_presets.begin())] = preset;
    else
        next.push_back(preset);
    m_undo.push(new PresetsCommand(*this, std::move(next), preset.name,
                                   tr("Save preset %1").arg(preset.name)));
}

void Workbench::renamePreset(const QString& from, const QString& to) {
    const QString name = to.trimmed();
    if (from == name) return;
    const auto taken = std::ranges::find(m_presets, name, &Preset::name);
    if (name.isEmpty() || taken != m_presets.end())
        throw Error(ErrorCode::Usage,
                    tr("There is a preset \"%1\" already.").arg(name).toStdString(),
                    tr("Choose another name.").toStdString());
    std::vector<Preset> next = m_presets;
    for (Preset& preset : next)
        if (preset.name == from && !preset.builtIn) preset.name = name;
    m_undo.push(new PresetsCommand(*this, std::move(next),
                                   m_lastPreset == from ? name : m_lastPreset,
                                   tr("Rename preset %1").arg(from)));
}

void Workbench::deletePreset(const QString& name) {
    std::vector<Preset> next = m_presets;
    if (std::erase_if(next, [&](const Preset& p) { return p.name == name && !p.builtIn; }) == 0)
        return;
    m_undo.push(
        new PresetsCommand(*this, std::move(next), m_lastPreset, tr("Delete preset %1").arg(name)));
}

PlanSummary Workbench::summary(const Preset& preset) const {
    PlanSummary summary;
    const auto found =
        std::ranges::find(d->summaryCache, preset.decision, &std::pair<Decision, OtherPlan>::first);
    if (found == d->summaryCache.end() || !m_model) return summary;
    const OtherPlan& plan = found->second;
    summary.valid = plan.error.empty();
    summary.error = QString::fromStdString(plan.error);
    if (!summary.valid) return summary;
    summary.bitsPerWeight = double(plan.allocation.bits) / double(m_model->weights);
    summary.distortion = plan.allocation.distortion;
    summary.bytes = plan.size.totalBytes;
    summary.prediction = predict(summary.distortion, summary.bitsPerWeight);
    summary.layerBits = plan.layerBits;
    summary.hash = plan.hash;
    return summary;
}

void Workbench::startSummaries() {
    if (!d->context) return;
    std::vector<Decision> missing;
    for (const Preset& preset : m_presets)
        if (std::ranges::find(d->summaryCache, preset.decision,
                              &std::pair<Decision, OtherPlan>::first) == d->summaryCache.end())
            missing.push_back(preset.decision);
    if (missing.empty()) {
        emit summariesChanged();
        return;
    }
    d->summaries.start(
        [model = m_model, others = d->others, missing, options = m_options,
         predictor = d->predictor](const JobSlot::Cancelled& cancelled) {
            std::vector<std::pair<Decision, OtherPlan>> made;
            for (const Decision& decision : missing) {
                if (cancelled) break;
                OtherPlan plan = others->work(model, decision, options, predictor);
                plan.allocation.points = {}; // figures and hash are enough
                made.emplace_back(decision, std::move(plan));
            }
            return made;
        },
        [this](std::vector<std::pair<Decision, OtherPlan>>& made) {
            for (auto& entry : made)
                d->summaryCache.push_back(std::move(entry));
            emit summariesChanged();
        });
}

// --- measurements and the curve ------------------------------------------------------------------

void Workbench::addMeasurement(const Measurement& measurement) {
    std::erase_if(m_measurements, [&](const Measurement& old) {
        return old.planHash == measurement.planHash && old.text == measurement.text &&
               old.protocol == measurement.protocol;
    });
    m_measurements.push_back(measurement);
    refitPredictor();
    setModified(true);
    if (hasPlan()) {
        const bool exact = m_figures.sizeExact;
        const SizeParts size = m_figures.size;
        updateFigures();
        m_figures.sizeExact = exact;
        if (exact) m_figures.size = size;
        emit planChanged();
    }
    emit measurementsChanged();
    emit rangeChanged();
    emit summariesChanged();
    startCurve();
}

const Measurement* Workbench::measurementOfPlan() const {
    if (d->planHash.empty()) return nullptr;
    for (auto m = m_measurements.rbegin(); m != m_measurements.rend(); ++m)
        if (m->planHash == d->planHash) return &*m;
    return nullptr;
}

void Workbench::startCurve() {
    if (!d->context) return;
    d->curve.start(
        [context = d->context](const JobSlot::Cancelled&) {
            return thinned(context->curve(curveSamples));
        },
        [this](std::vector<std::pair<int64_t, double>>& points) {
            m_curve.clear();
            for (const auto& [bits, distortion] : points) {
                CurvePoint point;
                point.bitsPerWeight = double(bits) / double(m_model->weights);
                point.distortion = distortion;
                point.bytes = (bits + 7) / 8 + d->overhead();
                point.prediction = predict(distortion, point.bitsPerWeight);
                // Budgets between two states of the list give the same one.
                if (m_curve.empty() || point.bitsPerWeight > m_curve.back().bitsPerWeight)
                    m_curve.push_back(point);
            }
            emit curveChanged();
        });
}

} // namespace bitloom::ui
