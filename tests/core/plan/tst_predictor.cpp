// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/plan/predictor.h"

#include <QtTest>

#include <cmath>
#include <limits>

using namespace bitloom;

namespace {

bool within(double value, double expected, double relative) {
    return std::abs(value / expected - 1) <= relative;
}

} // namespace

class TestPredictor : public QObject {
    Q_OBJECT
private slots:
    // Plans of the sample: ½ Σ D, and what was measured (tests/bench/results/sample_table.md).
    void startsWhereStagesWereMeasured_data() {
        QTest::addColumn<int>("stage");
        QTest::addColumn<double>("x");
        QTest::addColumn<double>("measured");
        QTest::newRow("gptq, 2.2 bits") << 0 << 0.08891 << 0.1294;
        QTest::newRow("gptq, 3 bits") << 0 << 0.02917 << 0.0332;
        QTest::newRow("gptq, 4 bits") << 0 << 0.00760 << 0.0076;
        QTest::newRow("descent, 2 bits uniform") << 1 << 0.11195 << 0.1598;
        QTest::newRow("descent, 2.5 bits") << 1 << 0.05810 << 0.0746;
        QTest::newRow("descent, 3 bits") << 1 << 0.02917 << 0.0314;
        QTest::newRow("descent, 4 bits") << 1 << 0.00760 << 0.0070;
        QTest::newRow("polish, 2.2 bits") << 2 << 0.08891 << 0.0833;
        QTest::newRow("polish, 3 bits") << 2 << 0.02917 << 0.0213;
    }
    void startsWhereStagesWereMeasured() {
        QFETCH(int, stage);
        QFETCH(double, x);
        QFETCH(double, measured);
        const Predictor predictor{MethodStage(stage)};
        QVERIFY(within(predictor.deltaNll(x, 3), measured, 0.13));
    }
    void smallErrorsAddUp() {
        // Second-order theory: for small errors ΔNLL is the distortion itself.
        const Predictor predictor;
        QVERIFY(within(predictor.deltaNll(1e-6, 3), 1e-6, 0.1));
        QVERIFY(within(predictor.deltaNll(2e-6, 3), 2 * predictor.deltaNll(1e-6, 3), 1e-4));
        // Larger ones cost up to three times as much,
        QVERIFY(predictor.deltaNll(0.5, 3) > 1.5 * 0.5 && predictor.deltaNll(0.5, 3) < 3 * 0.5);
        // until all that a model knows is lost.
        QVERIFY(predictor.deltaNll(3, 3) < 5 && predictor.deltaNll(1e6, 3) < 5 + 1e-9);
        QVERIFY(predictor.deltaNll(1e6, 3) > 4.99);
    }
    void laterStagesAreBetter() {
        for (double x : {0.2, 0.05, 0.01}) {
            const double gptq = Predictor(MethodStage::Gptq).deltaNll(x, 3);
            const double descent = Predictor(MethodStage::CoordinateDescent).deltaNll(x, 3);
            const double polish = Predictor(MethodStage::Polish).deltaNll(x, 3);
            QVERIFY(polish < descent);
            QVERIFY(descent < gptq * 1.06);
        }
    }

    void risesWithDistortionAndInverts() {
        Predictor predictor;
        for (int points = 0; points < 3; ++points) {
            double last = 0;
            for (double x = 1e-6; x < 10; x *= 1.7) {
                const double delta = predictor.deltaNll(x, 3.1);
                QVERIFY(delta > last);
                QVERIFY(within(predictor.distortionFor(delta, 3.1), x, 1e-6));
                last = delta;
            }
            predictor.addMeasured({0.04 * (points + 1), 0.07, 2.5 + points});
        }
        QCOMPARE(predictor.deltaNll(0, 3), 0.0);
        QCOMPARE(predictor.distortionFor(0, 3), 0.0);
        QCOMPARE(predictor.deltaNll(std::nan(""), 3), 0.0);
    }

    void onePointSetsTheScale() {
        Predictor predictor;
        const double start = predictor.deltaNll(0.03, 3);
        predictor.addMeasured({0.03, 2 * start, 3});
        QVERIFY(within(predictor.deltaNll(0.03, 3), 2 * start, 1e-9));
        // All budgets follow the only measurement there is.
        QVERIFY(within(predictor.deltaNll(0.1, 2.2), 2 * Predictor().deltaNll(0.1, 2.2), 1e-2));
    }
    void nearestBudgetCountsMost() {
        const Predictor plain;
        Predictor predictor;
        predictor.addMeasured({0.1, 2.0 * plain.deltaNll(0.1, 2.2), 2.2});
        predictor.addMeasured({0.01, 0.5 * plain.deltaNll(0.01, 4), 4});
        const auto scale = [&](double bits) {
            return predictor.deltaNll(0.03, bits) / plain.deltaNll(0.03, bits);
        };
        QVERIFY(within(scale(2.2), 2, 0.01));
        QVERIFY(within(scale(4), 0.5, 0.01));
        QVERIFY(within(scale(3.1), 1, 0.01)); // half way: the geometric mean
        QVERIFY(scale(2.5) > scale(3.0) && scale(3.0) > scale(3.5));
        // Measured twice at one budget: the mean of the logarithms.
        predictor.addMeasured({0.1, 8.0 * plain.deltaNll(0.1, 2.2), 2.2});
        QVERIFY(within(scale(2.2), 4, 0.03)); // near a nat the limit is felt
    }
    void uselessPointsAreLeftOut() {
        Predictor predictor;
        const double infinity = std::numeric_limits<double>::infinity();
        for (const MeasuredPoint& point :
             {MeasuredPoint{0, 0.1, 3}, MeasuredPoint{0.1, 0, 3}, MeasuredPoint{0.1, -0.01, 3},
              MeasuredPoint{0.1, std::nan(""), 3}, MeasuredPoint{infinity, 0.1, 3},
              MeasuredPoint{0.1, 0.1, infinity}})
            predictor.addMeasured(point);
        QVERIFY(predictor.measured().empty());
        QCOMPARE(predictor.deltaNll(0.03, 3), Predictor().deltaNll(0.03, 3));
    }

    void aProbeScalesAllPredictions() {
        const Predictor plain, scaled(MethodStage::CoordinateDescent, 0.2);
        for (const double x : {1e-4, 0.01, 0.1})
            QVERIFY(within(scaled.deltaNll(x, 3), 0.2 * plain.deltaNll(x, 3), 5e-3));
        QVERIFY(within(scaled.distortionFor(scaled.deltaNll(0.07, 3), 3), 0.07, 1e-6));
        // A measured plan says more than the probe.
        Predictor measured(MethodStage::CoordinateDescent, 0.2);
        measured.addMeasured({0.03, 0.05, 3});
        QVERIFY(within(measured.deltaNll(0.03, 3), 0.05, 1e-9));
        const Prediction p = measured.predict(0.03, 3, 0, "");
        QVERIFY(within(p.low, 0.6 * p.deltaNll, 1e-2) && within(p.high, 1.6 * p.deltaNll, 1e-2));
    }
    void scaleOfAProbe() {
        // The sample's own figures, with all of its calibration text.
        QVERIFY(within(modelScale({0.012803, 0.014066, 0.00039, 0.011104, 192'015}), 1, 0.03));
        // A model whose gradients overstate errors eightfold, measured on its calibration text: its
        // plans at 3, 4 and 5 bits then lost 0.20, 0.14 and 0.13 of what is predicted without.
        const double all = modelScale({0.168327, 0.030721, 0.0010887, 0.073916, 261'120});
        QVERIFY(all > 0.12 && all < 0.17);
        const double few = modelScale({0.168327, 0.023361, 0.0046704, 0.073243, 16'320});
        QVERIFY(few > 0.09 && few < 0.17);
    }
    void scaleFollowsThePreciseOne() {
        const double x = 0.01;
        const auto scale = [&](double delta, double error, double kl) {
            return modelScale({x, delta, error, kl, 1000});
        };
        // Twice as much of both is twice the scale.
        QVERIFY(within(scale(0.02, 1e-3, 0.02), 2 * scale(0.01, 5e-4, 0.01), 1e-2));
        // Sharp: ΔNLL decides. Lost in noise, or better than FP16: KL does.
        const double sharp = scale(0.02, 1e-5, 0.002), noisy = scale(0.02, 0.2, 0.002);
        QVERIFY(sharp > 5 * noisy);
        QVERIFY(within(scale(-0.001, 0.002, 0.002), scale(0.02, 20, 0.002), 1e-2));
        // One window has no error: how sharp it is, is not known.
        QCOMPARE(scale(0.02, 0, 0.002), scale(-1, 0, 0.002));
    }
    void uselessProbesScaleNothing() {
        const double infinity = std::numeric_limits<double>::infinity(), nan = std::nan("");
        for (const RoundingProbe& probe :
             {RoundingProbe{}, RoundingProbe{0, 0.1, 0.01, 0.1, 9},
              RoundingProbe{nan, 0.1, 0.01, 0.1, 9}, RoundingProbe{infinity, 0.1, 0.01, 0.1, 9},
              RoundingProbe{0.1, 0.1, 0.01, 0, 9}, RoundingProbe{0.1, 0.1, 0.01, nan, 9},
              RoundingProbe{0.1, nan, nan, -1, 9}})
            QCOMPARE(modelScale(probe), 1.0);
        QCOMPARE(modelScale({1e-9, 1, 0.1, 1, 9}), 50.0);
        QCOMPARE(modelScale({1e3, 1e-9, 1e-10, 1e-9, 9}), 0.02);
        QVERIFY(std::isfinite(modelScale({0.1, infinity, infinity, infinity, 9})));
    }

    void bandBeforeMeasurements() {
        const Prediction p = Predictor().predict(0.03, 3, 2.0, "text");
        QVERIFY(within(p.low, 0.6 * p.deltaNll, 1e-3));
        QVERIFY(within(p.high, 1.6 * p.deltaNll, 1e-3));
        QCOMPARE(p.nll, 2.0 + p.deltaNll);
        QCOMPARE(p.on, std::string("text"));
        QCOMPARE(Predictor().predict(0.03, 3, 0, "").nll, 0.0);
    }
    void bandFollowsTheSpread() {
        const Predictor plain;
        const auto band = [&](double spread) {
            Predictor predictor;
            for (int i = 0; i < 6; ++i)
                predictor.addMeasured(
                    {0.02 * (i + 1),
                     (i % 2 ? spread : 1 / spread) * plain.deltaNll(0.02 * (i + 1), 4 - 0.3 * i),
                     4 - 0.3 * i});
            const Prediction p = predictor.predict(0.05, 3, 0, "");
            return std::pair(p.low / p.deltaNll, p.high / p.deltaNll);
        };
        const auto [goodLow, goodHigh] = band(1.01);
        const auto [badLow, badHigh] = band(2);
        QVERIFY(goodLow > 0.6 && goodLow < 1 && goodHigh < 1.6 && goodHigh > 1);
        QVERIFY(badLow < 0.6 && badHigh > 1.6);
    }
};

QTEST_APPLESS_MAIN(TestPredictor)
#include "tst_predictor.moc"
