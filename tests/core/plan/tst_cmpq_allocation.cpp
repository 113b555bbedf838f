// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/base/error.h"
#include "core/plan/cmpq_allocation.h"

#include <QtTest>

#include <cmath>
#include <limits>
#include <numeric>

using namespace bitloom;

namespace {

std::string print(const std::vector<uint8_t>& widths) {
    std::string text;
    for (uint8_t width : widths)
        text += char('0' + width);
    return text;
}

} // namespace

class TestCmpqAllocation : public QObject {
    Q_OBJECT
private slots:
    void widths_data() {
        QTest::addColumn<double>("bits");
        QTest::addColumn<double>("share");
        QTest::addColumn<QString>("expected");
        // Norms of the test: 5 9 1 7 3 8 0 6 2 4 (rank 9 is the largest).
        QTest::newRow("3") << 3.0 << 0.1 << "3433332333";
        QTest::newRow("3, 30 %") << 3.0 << 0.3 << "3424342323";
        QTest::newRow("2.2") << 2.2 << 0.1 << "2322232222";
        QTest::newRow("2.5") << 2.5 << 0.1 << "3323232322";
        QTest::newRow("half on either side") << 3.0 << 0.5 << "4424242422";
        QTest::newRow("no share") << 4.0 << 0.0 << "4444444444";
        QTest::newRow("cut off at 1") << 1.0 << 0.1 << "1211111111";
        QTest::newRow("cut off at 5") << 5.0 << 0.1 << "5555554555";
        QTest::newRow("1.4") << 1.4 << 0.1 << "1212121211";
    }
    void widths() {
        QFETCH(double, bits);
        QFETCH(double, share);
        QFETCH(QString, expected);
        const std::vector<float> norms{5, 9, 1, 7, 3, 8, 0, 6, 2, 4};
        QCOMPARE(QString::fromStdString(print(cmpqWidths(norms, bits, share))), expected);
    }

    void meanIsTheTarget() {
        std::vector<float> norms(1000);
        for (size_t k = 0; k < norms.size(); ++k)
            norms[k] = float(k * 7919 % 1000);
        for (double bits : {2.0, 2.2, 2.5, 2.999, 3.0, 3.7, 4.0}) {
            const std::vector<uint8_t> widths = cmpqWidths(norms, bits);
            QCOMPARE(std::accumulate(widths.begin(), widths.end(), 0),
                     int(std::lround(bits * 1000)));
        }
    }

    void tiesGoToEarlierColumns() {
        const std::vector<float> norms(10, 1.0f);
        QCOMPARE(print(cmpqWidths(norms, 3)), std::string("4333333332"));
        QCOMPARE(print(cmpqWidths(norms, 2.3)), std::string("3332222222"));
        QCOMPARE(print(cmpqWidths(std::vector<float>(3, 1.0f), 3, 0.5)), std::string("442"));
        QCOMPARE(print(cmpqWidths({}, 3)), std::string());
    }

    void nonsense() {
        const std::vector<float> norms{1, 2};
        for (double bits : {0.9, 5.1, std::nan(""), -1.0})
            QVERIFY_THROWS_EXCEPTION(Error, cmpqWidths(norms, bits));
        for (double share : {-0.1, 0.6, std::nan("")})
            QVERIFY_THROWS_EXCEPTION(Error, cmpqWidths(norms, 3, share));
        const std::vector<float> bad{1, std::numeric_limits<float>::quiet_NaN()};
        QVERIFY_THROWS_EXCEPTION(Error, cmpqWidths(bad, 3));
    }
};

QTEST_APPLESS_MAIN(TestCmpqAllocation)
#include "tst_cmpq_allocation.moc"
