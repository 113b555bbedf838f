// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include <QtTest>

#include <cmath>

#include "kernels/group_quantizer.h"
#include "kernels/half.h"
#include "tests/kernels/test_columns.h"

using namespace bitloom::kernels;

namespace {

double errorByHand(const std::vector<float>& w, const GroupCode& code, int bits) {
    double sum = 0;
    for (const float x : w) {
        double best = std::numeric_limits<double>::infinity();
        for (int c = 0; c < 1 << bits; ++c)
            best = std::min(best, std::fabs(double(x) - double(code.value(c))));
        sum += best * best;
    }
    return sum;
}

std::vector<std::vector<float>> groups() {
    std::vector<std::vector<float>> all = columns::adversarial();
    for (unsigned seed = 0; seed < 60; ++seed)
        all.push_back(columns::random(columns::Shape(seed % 6), seed % 2 ? 128 : 32, seed));
    return all;
}

} // namespace

class TestGroupQuantizer : public QObject {
    Q_OBJECT

private slots:
    void knownGroups() {
        // Asymmetric, 4 bits: -0.5…1.0 in steps of 0.1, which is not exact in fp16.
        std::vector<float> w = {-0.5f, 1.f, 0.25f, 0.f};
        GroupCode code = fitGroup(w, {.bits = 4, .symmetric = false});
        QCOMPARE(code.scale, floatToHalf(0.1f));
        QCOMPARE(int(code.zero), 5);
        std::vector<uint8_t> codes(4);
        assignGroup(w, code, 4, codes);
        QCOMPARE(codes, (std::vector<uint8_t>{0, 15, 8, 5})); // 0.25 -> 0.3 (fp16 0.1 < 0.1)
        // Symmetric, 4 bits: zero 8, scale = 1/7.5.
        code = fitGroup(w, {.bits = 4, .symmetric = true});
        QCOMPARE(code.scale, floatToHalf(float(1 / 7.5)));
        QCOMPARE(int(code.zero), 8);
        // All positive: the range reaches down to 0, so that 0 is exact.
        w = {0.75f, 1.5f};
        code = fitGroup(w, {.bits = 2, .symmetric = false});
        QCOMPARE(int(code.zero), 0);
        QCOMPARE(code.value(3), 1.5f);
        QCOMPARE(code.value(0), 0.f);
    }

    void tiesGoDown() {
        // Exactly between two values: scale 1/8, zero 8.
        for (int c = 0; c < 15; ++c)
            QCOMPARE(int(quantizeScalar(float(c - 8) / 8 + 0.0625f, 0.125f, 8, 4)), c);
        QCOMPARE(int(quantizeScalar(1e30f, 0.125f, 8, 4)), 15);
        QCOMPARE(int(quantizeScalar(-1e30f, 0.125f, 8, 4)), 0);
        QCOMPARE(int(quantizeScalar(0.3f, 0.f, 8, 4)), 8);
    }

    void everyGroup_data() {
        QTest::addColumn<int>("bits");
        QTest::addColumn<bool>("symmetric");
        for (int bits = 2; bits <= 8; ++bits)
            for (const bool symmetric : {false, true})
                QTest::addRow("%d bits %s", bits, symmetric ? "sym" : "asym") << bits << symmetric;
    }

    void everyGroup() {
        QFETCH(int, bits);
        QFETCH(bool, symmetric);
        const int levels = 1 << bits;
        for (const std::vector<float>& w : groups()) {
            double plain = -1, searched = -1;
            const GroupCode code = fitGroup(w, {bits, symmetric, false}, &plain);
            const GroupCode clipped = fitGroup(w, {bits, symmetric, true}, &searched);
            QVERIFY(searched <= plain);
            for (const GroupCode& c : {code, clipped}) {
                QVERIFY(int(c.zero) < levels);
                if (symmetric) QCOMPARE(int(c.zero), levels / 2);
                QVERIFY(std::isfinite(halfToFloat(c.scale)));
            }
            const double byHand = errorByHand(w, code, bits);
            QVERIFY(std::fabs(plain - byHand) <= 1e-6 * byHand + 1e-60);
            const double clippedByHand = errorByHand(w, clipped, bits);
            QVERIFY(std::fabs(searched - clippedByHand) <= 1e-6 * clippedByHand + 1e-60);

            std::vector<uint8_t> codes(w.size());
            std::vector<float> back(w.size());
            assignGroup(w, clipped, bits, codes);
            dequantizeGroup(clipped, codes, back);
            double error = 0;
            for (size_t i = 0; i < w.size(); ++i) {
                QVERIFY(int(codes[i]) < levels);
                QCOMPARE(back[i], clipped.value(codes[i]));
                QCOMPARE(codes[i],
                         quantizeScalar(w[i], halfToFloat(clipped.scale), int(clipped.zero), bits));
                error += std::pow(double(w[i]) - double(back[i]), 2);
            }
            QVERIFY(std::fabs(error - clippedByHand) <= 1e-6 * clippedByHand + 1e-60);
        }
    }

    void zeroStaysZero() {
        for (const bool symmetric : {false, true}) {
            for (const std::vector<float>& w : groups()) {
                const GroupCode code = fitGroup(w, {4, symmetric, true});
                QCOMPARE(code.value(quantizeScalar(0.f, halfToFloat(code.scale), code.zero, 4)),
                         0.f);
            }
        }
    }

    void clippingHelpsHeavyTailsAtFewBits() {
        double plain = 0, searched = 0;
        for (unsigned seed = 0; seed < 50; ++seed) {
            const std::vector<float> w = columns::random(columns::Shape::Laplace, 128, seed);
            double a, b;
            fitGroup(w, {3, false, false}, &a);
            fitGroup(w, {3, false, true}, &b);
            plain += a;
            searched += b;
        }
        QVERIFY2(searched < 0.8 * plain, qPrintable(QString::number(searched / plain)));
    }
};

QTEST_APPLESS_MAIN(TestGroupQuantizer)
#include "tst_group_quantizer.moc"
