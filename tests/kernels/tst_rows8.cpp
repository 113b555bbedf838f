// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include <QtTest>

#include <cmath>

#include "kernels/half.h"
#include "kernels/rows8.h"
#include "tests/kernels/test_columns.h"

using namespace bitloom::kernels;

class TestRows8 : public QObject {
    Q_OBJECT

private slots:
    void knownRow() {
        // Largest 127/64: the scale is exactly 1/64, values are exact.
        const std::vector<float> row = {127 / 64.f, -127 / 64.f, 1 / 64.f, -2 / 64.f, 0.f, -0.f};
        std::vector<int8_t> codes(row.size());
        uint16_t scale = 0;
        quantizeRow(row, codes, scale);
        QCOMPARE(halfToFloat(scale), 1 / 64.f);
        QCOMPARE(codes, (std::vector<int8_t>{127, -127, 1, -2, 0, 0}));
        std::vector<float> back(row.size());
        dequantizeRow(codes, scale, back);
        for (size_t i = 0; i < row.size(); ++i)
            QCOMPARE(back[i], row[i]);
    }

    void nearestWithinRange() {
        std::vector<std::vector<float>> rows = columns::adversarial();
        for (unsigned seed = 0; seed < 30; ++seed)
            rows.push_back(columns::random(columns::Shape(seed % 6), 64 + seed, seed));
        for (const std::vector<float>& row : rows) {
            std::vector<int8_t> codes(row.size());
            uint16_t bits = 0xFFFF;
            quantizeRow(row, codes, bits);
            const double scale = double(halfToFloat(bits));
            double largest = 0;
            for (const float w : row)
                largest = std::max(largest, std::fabs(double(w)));
            QVERIFY(std::isfinite(scale) && scale >= 0);
            // Half a unit of fp16 from max/127 (11 bits, or the subnormal unit).
            if (largest / 127 <= 65504)
                QVERIFY(std::fabs(scale - largest / 127) <=
                        std::max(largest / 127 / 2048, 0x1p-25) * 1.001);
            else
                QCOMPARE(scale, 65504.);
            for (size_t i = 0; i < row.size(); ++i) {
                QVERIFY(codes[i] >= -127);
                double best = std::numeric_limits<double>::infinity();
                for (int c = -127; c <= 127; ++c)
                    best = std::min(best, std::fabs(double(row[i]) - scale * c));
                const double got = std::fabs(double(row[i]) - scale * codes[i]);
                QVERIFY(got <= best * (1 + 1e-5) + 1e-45);
            }
        }
    }

    void relativeErrorOfGaussianRow() {
        const std::vector<float> row = columns::random(columns::Shape::Gaussian, 4096, 5);
        std::vector<int8_t> codes(row.size());
        std::vector<float> back(row.size());
        uint16_t scale = 0;
        quantizeRow(row, codes, scale);
        dequantizeRow(codes, scale, back);
        double error = 0, power = 0;
        for (size_t i = 0; i < row.size(); ++i) {
            error += std::pow(double(row[i]) - double(back[i]), 2);
            power += std::pow(double(row[i]), 2);
        }
        // step²/12 with step = 3.6…4 σ / 127.
        QVERIFY2(error / power > 5e-5 && error / power < 1.2e-4,
                 qPrintable(QString::number(error / power)));
    }
};

QTEST_APPLESS_MAIN(TestRows8)
#include "tst_rows8.moc"
