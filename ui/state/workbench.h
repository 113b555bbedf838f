// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/plan/predictor.h"
#include "core/plan/speed.h"
#include "core/recipe/quantize_options.h"
#include "ui/plots/plot_data.h"
#include "ui/state/decision.h"
#include "ui/state/model_data.h"
#include "ui/state/plan_state.h"

#include <QObject>
#include <QUndoStack>

#include <memory>
#include <optional>
#include <vector>

namespace bitloom::ui {

class EngineClient;
class JobList;
class Settings;

/// Channels of one layer: ascending, disjoint, not touching.
using ChannelRanges = std::vector<ChannelRange>;
ChannelRanges normalized(ChannelRanges ranges);
int64_t channelCount(const ChannelRanges& ranges);

/// What the budget bar shows; all of it follows the slider within one call.
struct PlanFigures {
    double bitsPerWeight = 0; ///< with all overhead
    double lambda = 0;        ///< nats per bit at which the budget is spent
    double distortion = 0;
    Prediction prediction;      ///< nll 0 where FP16's is unknown
    SizeParts size;             ///< linear parts are always exact
    bool sizeExact = false;     ///< headers, recipe and the like too; false while the slider moves
    double tokensPerSecond = 0; ///< on the engine's machine; 0 where its kernels are not timed
};

/// What a pin costs at the present λ, against leaving its channels free.
struct PinCost {
    int64_t channels = 0;
    int64_t bits = 0;      ///< stored bits more than without it; may be negative
    double distortion = 0; ///< change of ½ Σ D
    double perplexity = 0; ///< change of the predicted perplexity
    bool known = false;    ///< false while it is being counted
    QString error;         ///< why the pin cannot be applied; empty if it can
};

/// Figures of some other decision on the same model: a preset, a point of the curve.
struct PlanSummary {
    bool valid = false;
    QString error;
    double bitsPerWeight = 0, distortion = 0;
    int64_t bytes = 0;
    Prediction prediction;
    std::vector<float> layerBits; ///< mean bits of every layer
    std::string hash;             ///< Workbench::planHash
};

/// One point of the predicted curve.
struct CurvePoint {
    double bitsPerWeight = 0, distortion = 0;
    int64_t bytes = 0; ///< of the whole folder, to the precision of the present overhead
    Prediction prediction;
};

/// Measured points for a predictor that does not know them yet: those of its stage whose loss is
/// more than chance.
void addMeasurements(Predictor& predictor, const std::vector<Measurement>& measurements);

/// The single source of truth of the application: one model, its statistics, what the user decided,
/// and everything that follows. Views read from here and listen; they never talk to each other.
/// Lives on the UI thread; slow work is done on threads of its own and arrives by signals.
///
/// Decisions (budget, pins, presets) go through the undo stack: call the request functions below.
/// Selections, jobs and measurements do not.
class Workbench : public QObject {
    Q_OBJECT
public:
    enum class Phase {
        Empty,   ///< no model
        Opening, ///< headers, statistics or allocator on the way
        Headers, ///< a model without statistics: sizes are known, nothing can be planned
        Partial, ///< statistics of some layers: those can be looked at
        Ready,   ///< the slider lives
        Failed   ///< the last opening failed; see error()
    };

    explicit Workbench(Settings& settings, QObject* parent = nullptr);
    ~Workbench() override;

    // --- the model ---------------------------------------------------------------------------
    Phase phase() const { return m_phase; }
    struct Problem {
        QString what, hint;
    };
    const Problem& error() const { return m_error; }
    bool hasModel() const { return m_model != nullptr; }
    /// Never nullptr while hasModel(). Keep a copy of the pointer to go on using it.
    const std::shared_ptr<const ModelData>& model() const { return m_model; }
    /// Opens a folder, a file in one, or org/name of the local Hugging Face cache, with the newest
    /// statistics; on the engine's machine where the engine is a remote one. Returns at once;
    /// phaseChanged tells the rest. A newer call overtakes.
    void openModel(const QString& path);
    /// With ready data, at once: for tests.
    void setModel(std::shared_ptr<const ModelData> model);
    void closeModel();
    /// Stops an opening; a model that is open stays so, with everything that was decided on it.
    void cancelOpening();
    /// Statistics of the open model from this file of the engine's, in the background: a
    /// calibration finished, or
    /// (`partial`) made progress. Decisions, presets and undo stay as they are.
    void loadStatistics(const QString& file, bool partial);
    /// What the next model opened (or set) starts with instead of the defaults: a session.
    struct Restored {
        Decision decision;
        std::vector<Preset> presets; ///< the user's own
        std::vector<Measurement> measurements;
        QString lastPreset, statisticsFile, selectedLayer;
        bool modified = false;        ///< since the user saved it
        std::string modelFingerprint; ///< of the session's model; empty: not known
    };
    void restoreNext(Restored restored);

    // --- the plan ----------------------------------------------------------------------------
    bool hasPlan() const { return m_plan.valid(); }
    const PlanState& plan() const { return m_plan; }
    const PlanFigures& figures() const { return m_figures; }
    const Decision& decision() const { return m_decision; }
    /// Least and most that can be reached under the pins, in the unit of `kind`: bits per weight,
    /// bytes of the folder, relative increase of perplexity. In that order also for Perplexity,
    /// where the first is the smaller increase.
    std::pair<double, double> range(Budget::Kind kind) const;
    /// The present plan in that unit.
    double valueOf(Budget::Kind kind) const;
    /// The plan as the command line and the engine read it. Costs some 10 ms for a large model.
    Plan exportablePlan() const;
    /// Hash of the choices of all columns: equal plans, equal hashes.
    static std::string planHash(const Allocation& allocation);
    /// What besides the plan fixes the checkpoint's bytes, and the stage of the prediction.
    const QuantizeOptions& options() const { return m_options; }
    void setOptions(HeadStorage head, int descentPasses, int polishSteps);

    /// The least that λ would have to be for the channel's next step, and what its points cost and
    /// err: what "Why these bits?" explains.
    struct ChannelStory {
        struct Step {
            OperatingPoint from, to;
            double slope = 0; ///< nats per bit gained by the step
            bool taken = false;
        };
        int64_t layer = 0, channel = 0;
        OperatingPoint chosen, free; ///< free: what it would take without pins
        bool pinned = false;
        double lambda = 0, error = 0; ///< error: its share of the distortion
        std::vector<Step> steps;
    };
    ChannelStory story(int layer, int64_t channel) const;
    bool isPinned(int layer, int64_t channel) const;
    /// What is pinned in a layer, enabled pins only, by width.
    std::vector<ChannelPin> pinsOf(int layer) const;
    /// Width of every channel of a layer without pins, at the present λ.
    std::vector<uint8_t> freeBits(int layer) const;

    // --- decisions (undoable) ------------------------------------------------------------------
    QUndoStack* undoStack() { return &m_undo; }
    /// `dragging` merges with the moves before, until endDrag(). Values outside of the range are
    /// moved to its end; what that was is the return value.
    double requestBudget(const Budget& budget, bool dragging = false);
    void beginDrag();
    void endDrag();
    bool dragging() const { return m_dragging; }
    /// The figures when the handle was grabbed; the last finished drag keeps them until it fades.
    const std::optional<PlanFigures>& grabbed() const { return m_grabbed; }
    /// Throws Error(Usage) for a pin that cannot be applied to this model. `what` names the step in
    /// the undo list.
    void requestPins(std::vector<PinEntry> pins, const QString& what);
    void addPin(const Pin& pin);
    /// Channels of one layer (empty: all), a kind of layers, or a block, pinned to "4", "16", ….
    static Pin pinOn(const LayerEntry& layer, const ChannelRanges& channels, const QString& choice);
    /// Takes the layer's channels (empty: all) out of the pins that name exactly this layer; false
    /// where only wider pins hold them.
    bool unpin(int layer, const ChannelRanges& channels);
    void applyPreset(const QString& name);
    void applyDecisionAs(const Decision& decision, const QString& what);

    // --- pins ----------------------------------------------------------------------------------
    const std::vector<PinCost>& pinCosts() const { return m_pinCosts; } ///< like decision().pins
    /// true while pins are being worked into the allocator of a large model; the plan follows.
    bool applyingPins() const;

    // --- presets and measurements --------------------------------------------------------------
    const std::vector<Preset>& presets() const { return m_presets; } ///< built-in ones first
    /// Name of the preset that the present decision is; empty if none.
    QString currentPreset() const;
    QString lastPreset() const { return m_lastPreset; } ///< the one applied last, if edited since
    void savePreset(const QString& name);
    void renamePreset(const QString& from, const QString& to);
    void deletePreset(const QString& name);
    /// Figures of a preset; invalid until they have been worked out (summariesChanged).
    PlanSummary summary(const Preset& preset) const;
    const std::vector<Measurement>& measurements() const { return m_measurements; }
    void addMeasurement(const Measurement& measurement);
    /// The latest measurement of exactly the present plan; nullptr if there is none, and while the
    /// plan is still changing.
    const Measurement* measurementOfPlan() const;
    /// FP16 on the text that predictions refer to: the latest measured one, else the calibration's.
    struct Reference {
        double nll = 0, standardError = 0; ///< nll 0: unknown
        QString text;
        bool measured = false; ///< by evaluation, not by calibration
    };
    Reference reference() const;
    /// The predicted curve over the whole range under the pins; empty until worked out.
    const std::vector<CurvePoint>& curve() const { return m_curve; }
    Prediction predict(double distortion, double bitsPerWeight) const;

    // --- selection -----------------------------------------------------------------------------
    int selectedLayer() const { return m_selectedLayer; } ///< −1 = none
    void selectLayer(int layer);
    const ChannelRanges& selectedChannels() const { return m_selectedChannels; }
    void selectChannels(ChannelRanges ranges);

    // --- speed ---------------------------------------------------------------------------------
    /// Kernel times of the engine's machine for this model, or none. A table of other shapes is
    /// refused with a warning in the log. Speeds appear with rangeChanged and planChanged.
    void setSpeedTable(std::shared_ptr<const SpeedTable> table);
    const SpeedTable* speedTable() const;

    // --- the rest ------------------------------------------------------------------------------
    Settings& settings() { return m_settings; }
    JobList& jobs() { return *m_jobs; }
    /// nullptr in tests and before one was set; its state() says how it is.
    EngineClient* engine() const { return m_engine; }
    void setEngine(EngineClient* engine);
    /// Paths are of another machine than this one.
    bool engineIsRemote() const;
    /// The open model is on the machine that the engine runs on; it is not after the engine's
    /// command was changed. Plans go on, jobs do not.
    bool engineHasModel() const;
    /// The open model is on the machine that the settings name.
    bool engineIsHome() const;
    bool isModified() const { return m_modified; } ///< since the session was saved
    void setModified(bool modified);

signals:
    void phaseChanged();
    void modelChanged();    ///< other layers or statistics: read everything again
    void planChanged();     ///< every tick; plan().changedLayers() says where
    void planSettled();     ///< the last change is some time ago; exact sizes and pin costs
    void rangeChanged();    ///< least and most of the budget
    void decisionChanged(); ///< budget, pins or both, before planChanged
    void pinsChanged();
    void pinCostsChanged();
    void dragChanged(); ///< begin or end
    void layerSelected(int layer);
    void channelsSelected();
    void presetsChanged();
    void summariesChanged();
    void measurementsChanged();
    void curveChanged();
    void optionsChanged();
    void statisticsChanged(); ///< values of some layers arrived; the plan is untouched
    void modifiedChanged(bool modified);
    void engineChanged();
    void message(const QString& text); ///< one sentence for the status bar

private:
    friend class DecisionCommand;
    friend class PresetsCommand;
    struct Opened;
    struct Private;

    void setPhase(Phase phase, Problem error = {});
    struct Place; ///< where a model and its statistics are
    void openAt(const Place& place);
    void openRemote(const QString& path);
    void readStatistics(const QString& file, const QString& engineFile, bool partial);
    void install(Opened& opened);
    void applyDecision(const Decision& decision);
    void setPresets(std::vector<Preset> presets, const QString& lastPreset);
    void applyPins();
    void frameReady();
    void allocate();
    void updateFigures();
    void settle();
    void startCurve();
    void startSummaries();
    void refitPredictor();
    void selectFirst();
    double clampedValue(const Budget& budget) const;

    Settings& m_settings;
    Phase m_phase = Phase::Empty;
    Problem m_error;
    std::shared_ptr<const ModelData> m_model;
    PlanState m_plan;
    PlanFigures m_figures;
    std::optional<PlanFigures> m_grabbed;
    Decision m_decision;
    QuantizeOptions m_options;
    std::vector<PinCost> m_pinCosts;
    std::vector<Preset> m_presets;
    QString m_lastPreset;
    std::vector<Measurement> m_measurements;
    std::vector<CurvePoint> m_curve;
    int m_selectedLayer = -1;
    ChannelRanges m_selectedChannels;
    bool m_dragging = false, m_modified = false;
    QUndoStack m_undo;
    JobList* m_jobs = nullptr;
    EngineClient* m_engine = nullptr;
    std::unique_ptr<Private> d;
};

} // namespace bitloom::ui
