// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "tests/support/gui_fixture.h"
#include "tests/support/speed_by_hand.h"

#include "core/base/error.h"
#include "ui/state/plan_service.h"

using namespace bitloom;
using namespace bitloom::ui;

namespace {

/// Everything that follows from a decision, as text that can be compared.
QByteArray fingerprint(const Workbench& workbench) {
    QByteArray text;
    text += QByteArray::fromStdString(workbench.decision().toJson().dump());
    text += QByteArray(reinterpret_cast<const char*>(workbench.plan().allocation().points.data()),
                       qsizetype(workbench.plan().allocation().points.size()));
    for (const Preset& preset : workbench.presets())
        text += preset.name.toUtf8() + QByteArray::fromStdString(preset.decision.toJson().dump());
    return text;
}

/// The widths that pins ask for, worked out on their own: later pins win.
std::vector<int> expectedWidths(const ModelData& model, const std::vector<Pin>& pins) {
    std::vector<int> widths(size_t(model.columns), 0);
    for (const Pin& pin : pins)
        for (const LayerEntry& entry : model.entries) {
            // The patterns of these tests are plain parts of names.
            if (entry.name.find(pin.pattern) == std::string::npos) continue;
            auto ranges = pin.channels;
            if (ranges.empty()) ranges.emplace_back(0, entry.cols - 1);
            for (const auto& [first, last] : ranges)
                for (int64_t k = first; k <= last; ++k)
                    widths[size_t(entry.firstColumn + k)] = std::stoi(pin.choice);
        }
    return widths;
}

} // namespace

class TestWorkbench : public QObject {
    Q_OBJECT
private slots:
    void opensWithAPlan() {
        WorkbenchFixture f;
        QCOMPARE(f.workbench.phase(), Workbench::Phase::Ready);
        QVERIFY(f.workbench.hasPlan());
        QVERIFY(f.workbench.figures().bitsPerWeight <= 3.0);
        QVERIFY(f.workbench.figures().bitsPerWeight > 2.95);
        QVERIFY(f.workbench.selectedLayer() >= 0);
        QCOMPARE(f.workbench.isModified(), false);
    }

    /// The sum of bits never exceeds the budget; a larger one never takes bits from a free channel.
    void budgetIsMonotone() {
        WorkbenchFixture f;
        const auto [low, high] = f.workbench.range(Budget::Kind::Bits);
        std::vector<uint8_t> before;
        double lastDistortion = 1e300;
        for (int i = 0; i <= 200; ++i) {
            const double wanted = low + (high - low) * i / 200;
            f.workbench.requestBudget({Budget::Kind::Bits, wanted}, true);
            const Allocation& a = f.workbench.plan().allocation();
            QVERIFY(double(a.bits) <= wanted * double(f.workbench.model()->weights) + 1e-6);
            QVERIFY(a.distortion <= lastDistortion);
            lastDistortion = a.distortion;
            for (size_t k = 0; k < before.size(); ++k) {
                const Menu& menu = f.workbench.model()->menu;
                const int64_t rows = f.workbench.model()
                                         ->entries[size_t(f.workbench.model()->layerOf(int64_t(k)))]
                                         .rows;
                QVERIFY(columnBits(menu[a.points[k]], rows) >= columnBits(menu[before[k]], rows));
            }
            before = a.points;
        }
    }

    void sameBudgetSamePlan() {
        WorkbenchFixture f, g;
        for (const double bits : {2.7, 5.1, 3.3}) {
            f.workbench.requestBudget({Budget::Kind::Bits, bits});
            g.workbench.requestBudget({Budget::Kind::Bits, 6.0});
            g.workbench.requestBudget({Budget::Kind::Bits, bits});
            QCOMPARE(f.workbench.plan().allocation().points,
                     g.workbench.plan().allocation().points);
        }
    }

    /// What is kept per layer from tick to tick equals counting everything anew.
    void aggregatesEqualACount() {
        WorkbenchFixture f;
        const ModelData& model = *f.workbench.model();
        for (const double bits : {2.4, 2.41, 3.7, 6.2, 2.9}) {
            f.workbench.requestBudget({Budget::Kind::Bits, bits}, true);
            const PlanState& plan = f.workbench.plan();
            int64_t total = 0;
            double distortion = 0;
            for (size_t l = 0; l < model.entries.size(); ++l) {
                const int64_t expected =
                    layerBits(plan.points(int(l)), model.menu, model.entries[l].rows);
                QCOMPARE(plan.bits(int(l)), expected);
                total += expected;
                distortion += plan.distortion(int(l));
            }
            QCOMPARE(total, plan.allocation().bits);
            QVERIFY(std::abs(distortion - plan.allocation().distortion) <
                    1e-6 * plan.allocation().distortion);
            QCOMPARE(plan.total().totalWeights(), model.weights);
            QCOMPARE(plan.sizes().linearBytes * 8 >= total, true);
        }
    }

    void budgetsInOtherUnits() {
        WorkbenchFixture f;
        const auto [least, most] = f.workbench.range(Budget::Kind::Size);
        const double bytes = least + 0.4 * (most - least);
        f.workbench.requestBudget({Budget::Kind::Size, bytes});
        QVERIFY(f.settle());
        QVERIFY(double(f.workbench.figures().size.totalBytes) <= bytes);
        QVERIFY(double(f.workbench.figures().size.totalBytes) > bytes * 0.98);
        const auto [small, large] = f.workbench.range(Budget::Kind::Perplexity);
        QVERIFY(small < large);
        const double increase = std::sqrt(small * large);
        f.workbench.requestBudget({Budget::Kind::Perplexity, increase});
        QVERIFY(f.workbench.valueOf(Budget::Kind::Perplexity) <= increase * (1 + 1e-6));
        QVERIFY(f.workbench.valueOf(Budget::Kind::Perplexity) > increase * 0.9);
    }

    /// Kernel times in proportion to the code bits: what is read out can be counted by hand.
    void speedFollowsThePlan() {
        WorkbenchFixture f;
        Workbench& w = f.workbench;
        QCOMPARE(w.figures().tokensPerSecond, 0.0);
        SpeedTable table = SpeedByHand::table(*w.model());
        w.setSpeedTable(std::make_shared<const SpeedTable>(table));
        const auto counted = [&] { return SpeedByHand::tokensPerSecond(w); };
        for (const double bits : {2.6, 3.0, 5.5}) {
            w.requestBudget({Budget::Kind::Bits, bits});
            QVERIFY(std::abs(w.figures().tokensPerSecond / counted() - 1) < 1e-9);
        }
        // A budget by rate is kept in bits, and reaches the rate to the curve's precision.
        const auto [slow, fast] = w.range(Budget::Kind::Speed);
        QVERIFY(slow > 0 && fast > 1.5 * slow);
        const double wanted = std::sqrt(slow * fast);
        w.requestBudget({Budget::Kind::Speed, wanted});
        QCOMPARE(w.decision().budget.kind, Budget::Kind::Bits);
        QVERIFY2(std::abs(w.figures().tokensPerSecond / wanted - 1) < 0.03,
                 qPrintable(QString::number(w.figures().tokensPerSecond / wanted)));
        // Times of other shapes are no times of this model.
        table.matrices[0].rows += 1;
        w.setSpeedTable(std::make_shared<const SpeedTable>(table));
        QVERIFY(!w.speedTable());
        QCOMPARE(w.figures().tokensPerSecond, 0.0);
    }

    void impossibleBudgetsMoveToTheEnd() {
        WorkbenchFixture f;
        const auto [low, high] = f.workbench.range(Budget::Kind::Bits);
        QCOMPARE(f.workbench.requestBudget({Budget::Kind::Bits, 0.5}), low);
        QCOMPARE(f.workbench.requestBudget({Budget::Kind::Bits, 99}), high);
    }

    /// For random pins and budgets every pin is honoured exactly, also one that asks for what the
    /// optimizer would have given anyway.
    void pinsAreHonoured() {
        WorkbenchFixture f;
        const ModelData& model = *f.workbench.model();
        std::mt19937 random(11);
        const std::array widths{2, 3, 4, 5, 6, 8, 16};
        const std::array<std::string, 7> parts{
            "q_proj", "layers.1.", "down_proj", "layers.2.mlp.up", "v_proj", "layers.0.self_attn.o",
            "proj"};
        for (int round = 0; round < 60; ++round) {
            std::vector<PinEntry> entries;
            std::vector<Pin> active;
            const int count = 1 + int(random() % 4);
            for (int i = 0; i < count; ++i) {
                Pin pin;
                pin.pattern = parts[random() % parts.size()];
                pin.choice = std::to_string(widths[random() % widths.size()]);
                if (random() % 2) {
                    const int64_t first = int64_t(random() % 40);
                    pin.channels = {{first, first + int64_t(random() % 8)}};
                }
                const bool enabled = random() % 5 != 0;
                entries.push_back({pin, enabled});
                if (enabled) active.push_back(pin);
            }
            if (round % 3 == 0) {
                // Exactly what the channel has already.
                Pin same;
                same.pattern = "layers.1.mlp.down_proj";
                same.channels = {{5, 5}};
                const int layer = 13;
                QCOMPARE(model.entries[layer].name, std::string("model.layers.1.mlp.down_proj"));
                same.choice = std::to_string(model.menu[f.workbench.plan().points(layer)[5]].bits);
                entries.push_back({same, true});
                active.push_back(same);
            }
            f.workbench.requestPins(entries, QStringLiteral("pins"));
            const std::vector<int> expected = expectedWidths(model, active);
            for (const double bits : {2.0, 3.0, 4.5, 12.0}) {
                f.workbench.requestBudget({Budget::Kind::Bits, bits});
                const auto& points = f.workbench.plan().allocation().points;
                for (size_t k = 0; k < expected.size(); ++k)
                    if (expected[k] != 0) QCOMPARE(model.menu[points[k]].bits, expected[k]);
            }
        }
    }

    void badPinsAreRefused() {
        WorkbenchFixture f;
        const Decision before = f.workbench.decision();
        QVERIFY_EXCEPTION_THROWN(f.workbench.addPin(Pin::parse("nothing_like_it=4")), Error);
        QVERIFY_EXCEPTION_THROWN(f.workbench.addPin(Pin::parse("q_proj[4000]=4")), Error);
        QCOMPARE(f.workbench.decision(), before);
        QCOMPARE(f.workbench.undoStack()->count(), 0);
    }

    void unpinningCutsRanges() {
        WorkbenchFixture f;
        const LayerEntry& entry = f.workbench.model()->entries[1];
        f.workbench.addPin(Workbench::pinOn(entry, {{4, 20}}, QStringLiteral("8")));
        QVERIFY(f.workbench.isPinned(1, 10));
        QVERIFY(f.workbench.unpin(1, {{8, 11}}));
        QVERIFY(f.workbench.isPinned(1, 7));
        QVERIFY(!f.workbench.isPinned(1, 8));
        QVERIFY(!f.workbench.isPinned(1, 11));
        QVERIFY(f.workbench.isPinned(1, 12));
        QVERIFY(f.workbench.unpin(1, {}));
        QVERIFY(f.workbench.decision().pins.empty());
        QVERIFY(!f.workbench.unpin(1, {}));
    }

    /// Costs are those of the allocator with and without the pin at the same λ.
    void pinCostsAreDifferences() {
        WorkbenchFixture f;
        f.workbench.addPin(Pin::parse("v_proj=16"));
        QVERIFY(f.settle());
        QCOMPARE(f.workbench.pinCosts().size(), size_t(1));
        const PinCost& cost = f.workbench.pinCosts()[0];
        QVERIFY(cost.known);
        QCOMPARE(cost.channels, int64_t(3 * 48));
        const ModelData& model = *f.workbench.model();
        int64_t bits = 0;
        double distortion = 0;
        for (size_t l = 0; l < model.entries.size(); ++l) {
            if (model.entries[l].name.find("v_proj") == std::string::npos) continue;
            for (int64_t k = 0; k < model.entries[l].cols; ++k) {
                const int free = pointAtLambda(model, int64_t(l), k, defaultAllowed(model.menu),
                                               f.workbench.figures().lambda);
                const int own = f.workbench.plan().points(int(l))[size_t(k)];
                const auto& c = model.curves[l];
                bits += columnBits(model.menu[size_t(own)], c.rows) -
                        columnBits(model.menu[size_t(free)], c.rows);
                const size_t at = size_t(k) * model.menu.size();
                distortion += 0.5 * c.weight * double(c.conditional[size_t(k)]) *
                              (double(c.sse[at + size_t(own)]) - double(c.sse[at + size_t(free)]));
            }
        }
        // The allocator may have stopped within the last step of a pinned channel's own hull.
        QVERIFY(std::abs(cost.bits - bits) <= std::abs(bits) / 20);
        QVERIFY(std::abs(cost.distortion - distortion) <= std::abs(distortion) / 20 + 1e-15);
        QVERIFY(cost.bits > 0);
        QVERIFY(cost.perplexity < 0);
    }

    /// A drag is one step; undo-all and redo-all of random commands give identical plans.
    void undoAndRedo() {
        WorkbenchFixture f;
        std::mt19937 random(5);
        std::vector<QByteArray> states{fingerprint(f.workbench)};
        QUndoStack& undo = *f.workbench.undoStack();
        for (int i = 0; i < 60; ++i) {
            const int before = undo.index();
            switch (random() % 6) {
            case 0:
            case 1: {
                f.workbench.beginDrag();
                for (int k = 0; k < 20; ++k)
                    f.workbench.requestBudget(
                        {Budget::Kind::Bits, 2.2 + double(random() % 500) / 100}, true);
                f.workbench.endDrag();
                break;
            }
            case 2:
                f.workbench.addPin(Pin::parse((random() % 2 ? "q_proj[" : "up_proj[") +
                                              std::to_string(random() % 48) + "]=6"));
                break;
            case 3: {
                std::vector<PinEntry> pins = f.workbench.decision().pins;
                if (pins.empty()) break;
                pins[random() % pins.size()].enabled ^= true;
                f.workbench.requestPins(pins, QStringLiteral("toggle"));
                break;
            }
            case 4:
                f.workbench.savePreset(QStringLiteral("own %1").arg(random() % 5));
                break;
            case 5:
                f.workbench.applyPreset(
                    f.workbench.presets()[random() % f.workbench.presets().size()].name);
                break;
            }
            QVERIFY(undo.index() <= before + 1);
            if (undo.index() == before + 1) states.push_back(fingerprint(f.workbench));
        }
        QCOMPARE(int(states.size()), undo.count() + 1);
        for (int i = int(states.size()) - 1; i > 0; --i) {
            QCOMPARE(fingerprint(f.workbench), states[size_t(i)]);
            undo.undo();
        }
        QCOMPARE(fingerprint(f.workbench), states.front());
        for (size_t i = 1; i < states.size(); ++i) {
            undo.redo();
            QCOMPARE(fingerprint(f.workbench), states[i]);
        }
    }

    /// Measurements stay where they are, whatever is undone.
    void undoKeepsMeasurements() {
        WorkbenchFixture f;
        f.workbench.requestBudget({Budget::Kind::Bits, 4.0});
        Measurement m;
        m.plan = QStringLiteral("x");
        m.planHash = Workbench::planHash(f.workbench.plan().allocation());
        m.bitsPerWeight = 4;
        m.distortion = f.workbench.figures().distortion;
        m.nll = 1.8;
        m.fp16Nll = 1.75;
        f.workbench.addMeasurement(m);
        f.workbench.undoStack()->undo();
        QCOMPARE(f.workbench.measurements().size(), size_t(1));
        f.workbench.undoStack()->redo();
        QVERIFY(f.settle());
        QVERIFY(f.workbench.measurementOfPlan());
    }

    /// The predictor learns: after a measurement that is twice what was predicted, the prediction
    /// nearby is close to it.
    void measurementsRecalibrate() {
        WorkbenchFixture f;
        f.workbench.requestBudget({Budget::Kind::Bits, 3.0});
        const double before = f.workbench.figures().prediction.deltaNll;
        Measurement m;
        m.plan = QStringLiteral("x");
        m.planHash = Workbench::planHash(f.workbench.plan().allocation());
        m.bitsPerWeight = f.workbench.figures().bitsPerWeight;
        m.distortion = f.workbench.figures().distortion;
        m.fp16Nll = 1.75;
        m.nll = 1.75 + 2 * before;
        f.workbench.addMeasurement(m);
        QVERIFY(std::abs(f.workbench.figures().prediction.deltaNll / (2 * before) - 1) < 0.02);
        QVERIFY(std::abs(f.workbench.figures().prediction.nll - m.nll) < 0.02 * before);
    }

    void presetsHaveFigures() {
        WorkbenchFixture f;
        QTRY_VERIFY_WITH_TIMEOUT(f.workbench.summary(f.workbench.presets()[3]).valid, 10'000);
        const PlanSummary small = f.workbench.summary(f.workbench.presets()[0]);
        const PlanSummary uniform = f.workbench.summary(f.workbench.presets()[3]);
        QVERIFY(small.bitsPerWeight <
                std::max(2.51, f.workbench.range(Budget::Kind::Bits).first + 0.01));
        QVERIFY(uniform.bitsPerWeight >= 4);
        f.workbench.applyPreset(f.workbench.presets()[3].name);
        QCOMPARE(f.workbench.figures().bitsPerWeight, uniform.bitsPerWeight);
        QCOMPARE(f.workbench.currentPreset(), f.workbench.presets()[3].name);
        for (const uint8_t point : f.workbench.plan().allocation().points)
            QCOMPARE(f.workbench.model()->menu[point].bits, 4);
    }

    void presetNames() {
        WorkbenchFixture f;
        QVERIFY_EXCEPTION_THROWN(f.workbench.savePreset(f.workbench.presets()[0].name), Error);
        QVERIFY_EXCEPTION_THROWN(f.workbench.savePreset(QStringLiteral("  ")), Error);
        f.workbench.savePreset(QStringLiteral("mine"));
        f.workbench.renamePreset(QStringLiteral("mine"), QStringLiteral("ours"));
        QCOMPARE(f.workbench.presets().back().name, QStringLiteral("ours"));
        QVERIFY_EXCEPTION_THROWN(
            f.workbench.renamePreset(QStringLiteral("ours"), f.workbench.presets()[0].name), Error);
        f.workbench.deletePreset(QStringLiteral("ours"));
        QCOMPARE(f.workbench.presets().size(), builtInPresets().size());
        f.workbench.deletePreset(builtInPresets()[0].name); // built in: stays
        QCOMPARE(f.workbench.presets().size(), builtInPresets().size());
    }

    /// A channel's story agrees with the plan: steps taken gain at least λ, others less.
    void storiesAgree() {
        WorkbenchFixture f;
        for (const int64_t channel : {0, 5, 13, 47}) {
            const auto story = f.workbench.story(2, channel);
            QCOMPARE(story.chosen, story.free);
            for (const auto& step : story.steps)
                if (step.taken)
                    QVERIFY(step.slope >= story.lambda * (1 - 1e-6));
                else
                    QVERIFY(step.slope <= story.lambda * (1 + 1e-6));
        }
    }

    void largeModelsApplyPinsBeside() {
        WorkbenchFixture f(SyntheticModel::make(8, 1600, 4300));
        QVERIFY(f.workbench.model()->columns > 100'000);
        QVERIFY(f.settle());
        f.workbench.addPin(Pin::parse("v_proj=8"));
        QVERIFY(f.workbench.applyingPins());
        f.workbench.requestBudget({Budget::Kind::Bits, 3.5}); // waits for the pins
        QTRY_VERIFY_WITH_TIMEOUT(!f.workbench.applyingPins(), 10'000);
        for (const int layer : {2, 9})
            for (const uint8_t point : f.workbench.plan().points(layer))
                QCOMPARE(f.workbench.model()->menu[point].bits, 8);
        QVERIFY(std::abs(f.workbench.figures().bitsPerWeight - 3.5) < 0.001);
        f.workbench.undoStack()->undo();
        f.workbench.undoStack()->undo();
        QTRY_VERIFY_WITH_TIMEOUT(!f.workbench.applyingPins(), 10'000);
        QVERIFY(std::abs(f.workbench.figures().bitsPerWeight - 3.0) < 0.001);
    }
};

QTEST_MAIN(TestWorkbench)
#include "tst_workbench.moc"
