// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/base/error.h"
#include "core/stats/operating_point.h"
#include "tests/core/plan/curves.h"

#include <QtTest>

#include <cmath>
#include <random>

using namespace bitloom;

class TestOperatingPoint : public QObject {
    Q_OBJECT
private slots:
    void defaultMenuIsAsDesigned() {
        std::string text;
        for (const OperatingPoint& point : defaultMenu())
            text += pointText(point) + ' ';
        QCOMPARE(text, std::string("2t 2t+0.25% 2t+1% 3t 3t+0.25% 3t+1% 4t 4t+0.25% 4t+1% "
                                   "2g 2g+0.25% 2g+1% 3g 3g+0.25% 3g+1% 4g 4g+0.25% 4g+1% "
                                   "5g 5g+0.25% 5g+1% 6g 6g+0.25% 6g+1% 8g 8g+0.25% 8g+1% 16 "));
    }

    // Counted by hand from FORMAT §1.
    void bits_data() {
        QTest::addColumn<QString>("point");
        QTest::addColumn<qint64>("rows");
        QTest::addColumn<qint64>("bits");
        // codes + values + class byte + outliers
        QTest::newRow("table 4, whole words")
            << "4t" << qint64(4096) << qint64(16384 + 128 + 16 + 8);
        QTest::newRow("table 3, padded") << "3t" << qint64(100) << qint64(320 + 64 + 16 + 8);
        QTest::newRow("table 2, one row") << "2t" << qint64(1) << qint64(32 + 32 + 16 + 8);
        QTest::newRow("table 1") << "1t" << qint64(64) << qint64(64 + 16 + 16 + 8);
        QTest::newRow("table 5") << "5t" << qint64(64) << qint64(320 + 256 + 16 + 8);
        QTest::newRow("grid 2") << "2g" << qint64(4096) << qint64(8192 + 32 + 8);
        QTest::newRow("grid 5, padded") << "5g" << qint64(13) << qint64(96 + 32 + 8);
        QTest::newRow("grid 8") << "8g" << qint64(11008) << qint64(88064 + 32 + 8);
        QTest::newRow("outliers") << "3g+0.25%" << qint64(4096) << qint64(12288 + 32 + 8 + 10 * 32);
        QTest::newRow("outliers, 65535 rows")
            << "2g+1%" << qint64(65535) << qint64(131072 + 32 + 8 + 655 * 32);
        QTest::newRow("outliers, 65536 rows")
            << "2g+1%" << qint64(65536) << qint64(131072 + 32 + 8 + 655 * 48);
        QTest::newRow("raw") << "16" << qint64(4097) << qint64(65552 + 8);
    }
    void bits() {
        QFETCH(QString, point);
        QFETCH(qint64, rows);
        QFETCH(qint64, bits);
        QCOMPARE(qint64(columnBits(parsePoint(point.toStdString()), rows)), bits);
    }

    void outliersRoundHalfUp_data() {
        QTest::addColumn<double>("fraction");
        QTest::addColumn<qint64>("rows");
        QTest::addColumn<qint64>("count");
        QTest::newRow("none") << 0.0 << qint64(4096) << qint64(0);
        QTest::newRow("10.24") << 0.0025 << qint64(4096) << qint64(10);
        QTest::newRow("40.96") << 0.01 << qint64(4096) << qint64(41);
        QTest::newRow("half") << 0.0025 << qint64(200) << qint64(1);
        QTest::newRow("one and a half") << 0.01 << qint64(150) << qint64(2);
        QTest::newRow("under half") << 0.0025 << qint64(199) << qint64(0);
        QTest::newRow("no more than all") << 5.0 << qint64(10) << qint64(10);
    }
    void outliersRoundHalfUp() {
        QFETCH(double, fraction);
        QFETCH(qint64, rows);
        QFETCH(qint64, count);
        QCOMPARE(qint64(outlierCount({PointKind::Grid, 4, fraction}, rows)), count);
        QCOMPARE(outlierCount({PointKind::Raw, 16, fraction}, rows), int64_t(0));
    }

    void layersPayForEachClassOnce() {
        const Menu menu = test::menuOf("2g 2g+0.25% 4t 16");
        const auto bits = [&](size_t p) { return columnBits(menu[p], 100); };
        QVERIFY(pointClasses(menu, 100) == (std::vector<uint8_t>{0, 0, 2, 3}));
        QVERIFY(pointClasses(menu, 400) == (std::vector<uint8_t>{0, 1, 2, 3}));
        const std::vector<uint8_t> points{0, 1, 0, 2, 3, 3};
        QCOMPARE(layerBits(points, menu, 100), 3 * bits(0) + bits(2) + 2 * bits(3) + 3 * 48);
        QCOMPARE(layerBits({}, menu, 100), int64_t(0));
        QVERIFY_THROWS_EXCEPTION(Error, layerBits(std::vector<uint8_t>{4}, menu, 100));
    }

    void textComesBack_data() {
        QTest::addColumn<QString>("text");
        for (const char* text : {"1t", "2t", "5t", "2g", "6g", "8g", "16", "4t+0.25%", "3g+1%",
                                 "3g+10%", "3g+99%", "2t+0.3333%", "2t+0.001%", "2t+12.5%"})
            QTest::newRow(text) << text;
    }
    void textComesBack() {
        QFETCH(QString, text);
        QCOMPARE(pointText(parsePoint(text.toStdString())), text.toStdString());
    }
    void fractionsComeBackBitForBit() {
        std::mt19937_64 random(1);
        std::uniform_real_distribution<double> exponent(-12, -0.01);
        for (int i = 0; i < 2000; ++i) {
            const OperatingPoint point{PointKind::Table, 3, std::pow(10, exponent(random))};
            QVERIFY2(parsePoint(pointText(point)) == point, pointText(point).c_str());
        }
    }

    void nonsense_data() {
        QTest::addColumn<QString>("text");
        for (const char* text :
             {"",          "4",     "t",     "4x",      "0t",     "6t",      "7g",
              "1g",        "9g",    "17",    "16t",     "160",    "4t+",     "4t+1",
              "4t+%",      "4t+.%", "4t+0%", "4t+100%", "4t+-1%", "4t+1e0%", "4t+1%%",
              "4t+1.2.3%", "4t 1%", "4t1%",  " 4t",     "4t ",    "4t+nan%", "4T"})
            QTest::newRow(text) << text;
    }
    void nonsense() {
        QFETCH(QString, text);
        try {
            parsePoint(text.toStdString());
            QFAIL("accepted");
        } catch (const Error& error) {
            QVERIFY(error.code() == ErrorCode::Usage);
            QVERIFY(std::string(error.what()).find("'" + text.toStdString() + "'") !=
                    std::string::npos);
        }
    }
};

QTEST_APPLESS_MAIN(TestOperatingPoint)
#include "tst_operating_point.moc"
