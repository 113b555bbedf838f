// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/base/error.h"
#include "core/base/units.h"

#include <QTest>

#include <limits>
#include <vector>

using namespace bitloom;

class TestUnits : public QObject {
    Q_OBJECT
private slots:
    void parsesSizes_data() {
        QTest::addColumn<QString>("text");
        QTest::addColumn<qint64>("bytes");
        const auto row = [](const char* text, qint64 bytes) {
            QTest::newRow(text) << text << bytes;
        };
        row("0", 0);
        row("1", 1);
        row("17B", 17);
        row("500M", 500'000'000);
        row("500MB", 500'000'000);
        row("12 kB", 12'000);
        row("12K", 12'000);
        row("1_000", 1000);
        row("1_000_000 ki", 1'024'000'000);
        row("2.6GiB", 2'791'728'742); // 2.6 * 2^30 = 2791728742.4
        row("0.1G", 100'000'000);
        row(".5k", 500);
        row("1.Mi", 1'048'576);
        row("0.0015k", 2); // rounds to the nearest byte
        row("  3 T ", 3'000'000'000'000);
        row("2Ti", qint64(2) << 40);
        row("0.1234567890123456789012345678901234567890G", 123'456'789);
        row("9223372036854775807", std::numeric_limits<qint64>::max());
    }
    void parsesSizes() {
        QFETCH(QString, text);
        QFETCH(qint64, bytes);
        QCOMPARE(qint64(parseSize(text.toStdString())), bytes);
    }

    void refusesOtherTexts_data() {
        QTest::addColumn<QString>("text");
        for (const char* text : {"",
                                 " ",
                                 ".",
                                 "G",
                                 "-1",
                                 "+1",
                                 "1.2.3",
                                 "12 parsecs",
                                 "1__0",
                                 "_1",
                                 "1_",
                                 "1_.5",
                                 "1e9",
                                 "5 i",
                                 "5iB",
                                 "5GG",
                                 "5 G B",
                                 "0x10",
                                 "9223372036854775808",
                                 "9999999T",
                                 "99999999999999999999999999999999999999999999999999",
                                 "nan",
                                 "3,5G"})
            QTest::newRow(*text ? text : "empty") << text;
    }
    void refusesOtherTexts() {
        QFETCH(QString, text);
        try {
            parseSize(text.toStdString());
            QFAIL("accepted");
        } catch (const Error& error) {
            QCOMPARE(error.code(), ErrorCode::Usage);
            QVERIFY(!error.hint().empty());
        }
    }

    void formatsBytes_data() {
        QTest::addColumn<qint64>("bytes");
        QTest::addColumn<QString>("text");
        const auto row = [](qint64 bytes, const char* text) {
            QTest::newRow(text) << bytes << text;
        };
        row(0, "0 B");
        row(999, "999 B");
        row(1000, "1.00 kB");
        row(8'921'560, "8.92 MB");
        row(9'994'999, "9.99 MB");
        row(9'995'000, "10.0 MB");
        row(99'949'999, "99.9 MB");
        row(99'950'000, "100 MB");
        row(999'499, "999 kB");
        row(999'500, "1.00 MB");
        row(-1500, "-1.50 kB");
        row(std::numeric_limits<qint64>::max(), "9.22 EB");
        row(std::numeric_limits<qint64>::min(), "-9.22 EB");
    }
    void formatsBytes() {
        QFETCH(qint64, bytes);
        QFETCH(QString, text);
        QCOMPARE(QString::fromStdString(formatBytes(bytes)), text);
    }

    void formatsDurations_data() {
        QTest::addColumn<double>("seconds");
        QTest::addColumn<QString>("text");
        const auto row = [](double seconds, const char* text) {
            QTest::newRow(text) << seconds << text;
        };
        row(0, "0 s");
        row(0.00001, "1 ms");
        row(0.25, "250 ms");
        row(0.9996, "1 s");
        row(3.4, "3 s");
        row(59.4, "59 s");
        row(59.6, "1 min 00 s");
        row(250, "4 min 10 s");
        row(3599.7, "1 h 00 min");
        row(7500, "2 h 05 min");
        row(100.0 * 3600, "100 h 00 min");
        row(-1, "unknown");
    }
    void formatsDurations() {
        QFETCH(double, seconds);
        QFETCH(QString, text);
        QCOMPARE(QString::fromStdString(formatDuration(seconds)), text);
        QCOMPARE(formatDuration(std::numeric_limits<double>::quiet_NaN()), std::string("unknown"));
    }

    void formatsCounts() {
        QCOMPARE(formatCount(0), std::string("0"));
        QCOMPARE(formatCount(999), std::string("999"));
        QCOMPARE(formatCount(1000), std::string("1,000"));
        QCOMPARE(formatCount(1'048'576), std::string("1,048,576"));
        QCOMPARE(formatCount(-123'456), std::string("-123,456"));
        QCOMPARE(formatCount(std::numeric_limits<int64_t>::min()),
                 std::string("-9,223,372,036,854,775,808"));
    }

    void seesItsOwnMemory() {
        const int64_t before = peakResidentBytes();
        QVERIFY(before > 0);
        std::vector<char> block(64 << 20);
        for (size_t i = 0; i < block.size(); i += 1024)
            block[i] = char(i);
        QVERIFY(residentBytes() >= int64_t(block.size()));
        QVERIFY(peakResidentBytes() >= int64_t(block.size()));
        QVERIFY(block[1024 * 5] == char(1024 * 5));
    }
};

QTEST_APPLESS_MAIN(TestUnits)
#include "tst_units.moc"
