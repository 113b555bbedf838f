// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors

// What rounding costs a model: the rounded weights against their definition, the expectation
// against the weights' own errors, and when a calibration measures it.
#include "core/engine/probe_rounding.h"

#include "core/engine/evaluate.h"
#include "core/plan/measured.h"
#include "tests/support/engine_testing.h"

using namespace bitloom;
using namespace bitloom::engineTesting;

namespace {

std::vector<float> linearOf(const ModelWeights& weights, const LinearInfo& linear) {
    std::vector<float> values(size_t(linear.rows * linear.cols));
    weights.readLinear(linear.name, values, 2);
    return values;
}

/// A small model and a calibration of it that probes, with a cache of its own.
struct Probing {
    std::shared_ptr<const Checkpoint> model = golden("mistral-sliding");
    TemporaryFolder cache;
    CalibrateOptions options;

    explicit Probing(uint64_t seed, int64_t windows = 4)
        : options(calibrateOptions(randomWindows(seed, windows, 12, model->config().vocab),
                                   cache.path())) {
        options.probe = true;
    }
    CalibrationReport run(Progress& progress) const { return calibrate(model, options, progress); }
};

} // namespace

class TestProbeRounding : public QObject {
    Q_OBJECT
private slots:
    void initTestCase() { initEngine(compute()); }

    void everyColumnHasATable() {
        const auto model = golden("qwen2-bias-tied"); // columns that are no multiple of a group
        const auto original = weightsOf(model);
        const auto rounded = roundedWeights(original);
        for (const LinearInfo& linear : model->catalogue().linears) {
            const std::vector<float> before = linearOf(*original, linear),
                                     after = linearOf(*rounded, linear);
            bool changed = false;
            for (int64_t k = 0; k < linear.cols; ++k) {
                std::set<float> values;
                for (int64_t n = 0; n < linear.rows; ++n)
                    values.insert(after[size_t(n * linear.cols + k)]);
                QVERIFY(values.size() <= 16);
                for (int64_t n = 0; n < linear.rows; ++n) {
                    const size_t i = size_t(n * linear.cols + k);
                    const float off = std::abs(after[i] - before[i]);
                    changed |= off > 0;
                    for (const float value : values)
                        QVERIFY(off <= std::abs(value - before[i]));
                }
            }
            QVERIFY(changed);
            QVERIFY(!rounded->storedRows(linear.name + ".weight"));
        }
        const std::string embedding = "model.embed_tokens.weight";
        std::vector<float> row(size_t(model->config().hidden)), same(row.size());
        original->readRows(embedding, 3, row);
        rounded->readRows(embedding, 3, same);
        QVERIFY(row == same);
        QVERIFY(rounded->storedRows(embedding).has_value());
    }

    void figures() {
        const auto model = golden("llama2-gqa");
        TemporaryFolder cache;
        const TokenWindows windows = randomWindows(21, 5, 16, model->config().vocab);
        const auto statistics = calibrated(model, windows, cache.path());
        NoProgress progress;
        const auto probe = probeRounding(model, *statistics, windows, compute(), progress);
        QVERIFY(probe.has_value());
        // Expected: from what rounding really did to the weights.
        const auto original = weightsOf(model);
        const auto rounded = roundedWeights(original);
        double expected = 0;
        for (const LinearInfo& linear : model->catalogue().linears) {
            const LayerStatistics& layer = *statistics->find(linear.name);
            const std::vector<float> before = linearOf(*original, linear),
                                     after = linearOf(*rounded, linear);
            for (size_t i = 0; i < before.size(); ++i) {
                const double off = double(after[i]) - double(before[i]);
                const double a = layer.actRms[i % size_t(linear.cols)];
                expected += layer.gamma * a * a * off * off / 2;
            }
        }
        QVERIFY(std::abs(probe->distortion - expected) < 1e-4 * expected);
        // Measured: few windows are all taken.
        const Evaluation evaluation = evaluate(
            *rounded, original.get(), evaluationWindows(windows, Protocol::Gptq, model->config()),
            compute(), progress);
        QCOMPARE(probe->deltaNll, evaluation.deltaNll);
        QCOMPARE(probe->standardError, evaluation.deltaStderr);
        QCOMPARE(probe->klMean, evaluation.klMean);
        QCOMPARE(probe->tokens, 5 * 15);
        QVERIFY(probe->klMean > 0);
    }

    /// On the sample, whose plans set the general scale, the probe leaves predictions as they are.
    void theSampleIsTheUnit() {
        const auto model =
            Checkpoint::open(BITLOOM_SOURCE_DIR "/resources/models/bitloom-tales-4m");
        const auto statistics = Statistics::open(model->folder() / "bitloom" / "stats.safetensors");
        const auto ids = statistics->inputIds();
        const TokenWindows windows =
            windowsOf({ids.begin(), ids.end()}, statistics->recipe().length);
        Cancelling progress;
        const auto probe = probeRounding(model, *statistics, windows, compute(), progress);
        QVERIFY(probe.has_value());
        QCOMPARE(probe->tokens, 64 * 255);
        QVERIFY(progress.questionAfter("measuring what rounding costs") > 0);
        const double scale = modelScale(*probe);
        QVERIFY2(scale > 0.85 && scale < 1.18, qPrintable(QString::number(scale)));
    }

    void calibrationProbesOnce() {
        Probing small(22);
        Cancelling progress;
        const CalibrationReport first = small.run(progress);
        QVERIFY(first.probe.has_value() && first.warnings.empty());
        QVERIFY(loadProbe(first.statistics) == first.probe);
        QVERIFY(progress.fractionsFine());
        QCOMPARE(progress.last(), 1.0);
        QCOMPARE(predictorFor(first.statistics, MethodStage::Gptq).modelScale(),
                 modelScale(*first.probe));
        // Kept: read back, not measured again.
        const RoundingProbe other{1, 2, 3, 4, 5};
        keepProbe(first.statistics, other);
        const CalibrationReport second = small.run(progress);
        QVERIFY(second.cached && second.probe == other);
        // Gone: measured without a new calibration. Calibrated anew: measured anew.
        fs::remove(first.statistics.parent_path() / "measured.json");
        const CalibrationReport third = small.run(progress);
        QVERIFY(third.cached && third.probe == first.probe);
        keepProbe(first.statistics, other);
        small.options.force = true;
        QVERIFY(small.run(progress).probe == first.probe);
    }

    void cancelledInTheProbe() {
        const Probing whole(23), small(23);
        Cancelling counter;
        const auto expected = whole.run(counter).probe;
        Cancelling progress(counter.questionAfter("measuring what rounding costs"));
        QVERIFY(cancelledIn([&] { small.run(progress); }));
        NoProgress calm;
        const CalibrationReport report = small.run(calm);
        QVERIFY(report.cached); // nothing was lost
        QVERIFY(report.probe == expected);
    }

    void failureIsAWarning() {
        const Probing small(24, 2);
        NoProgress progress;
        const fs::path statistics = small.run(progress).statistics;
        const fs::path file = statistics.parent_path() / "measured.json";
        fs::remove(file);
        fs::create_directory(file); // nothing can be kept there
        fs::create_directory(file / "in the way");
        const CalibrationReport report = small.run(progress);
        QVERIFY(report.cached);
        QCOMPARE(report.warnings.size(), size_t(1));
        QVERIFY(report.warnings[0].find("measured.json") != std::string::npos);
    }
};

QTEST_APPLESS_MAIN(TestProbeRounding)
#include "tst_probe_rounding.moc"
