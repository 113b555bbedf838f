// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/base/error.h"
#include "core/plan/speed.h"

#include <QTest>

#include <cmath>

using namespace bitloom;

namespace {

SpeedTable table() {
    SpeedTable out;
    out.machine = "a machine";
    out.threads = 2;
    //                         2    3    4    5    6    8    16 bits
    out.matrices = {{256, 4, {0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.6}, 0.001},
                    {512, 2, {2, 3, 4, 5, 6, 8, 16}, 0}};
    out.otherSeconds = 0.05;
    return out;
}

} // namespace

class TestSpeed : public QObject {
    Q_OBJECT
private slots:
    void sums() {
        Plan plan = buildPlan("a: 2t,3t,8g,8g");
        QVERIFY(std::abs(table().secondsPerToken(plan) - (0.05 + (0.2 + 0.3 + 0.8 + 0.8) / 4)) <
                1e-12);
        plan = buildPlan("a: 4t,4t,6g,5g\nb: 4t,4t,4t,2g");
        QVERIFY(std::abs(table().secondsPerToken(plan) -
                         (0.05 + (0.4 + 0.4 + 0.6 + 0.5) / 4 + (0.4 * 3 + 0.2) / 4)) < 1e-12);
        QVERIFY(std::abs(table().tokensPerSecond(plan) * table().secondsPerToken(plan) - 1) <
                1e-12);
    }

    void outliers() {
        // 1 % of 256 rows: 3 in each of the two columns.
        const Plan plan = buildPlan("a: 2t+1%,2t+1%,2t,2t");
        QVERIFY(std::abs(table().secondsPerToken(plan) - (0.05 + 0.2 + 6 * 0.001)) < 1e-12);
    }

    void unknownShape() {
        const Plan plan = buildPlan("a: 2t,2t");
        QVERIFY_EXCEPTION_THROWN(table().secondsPerToken(plan), Error);
    }

    void roundTrip() {
        const SpeedTable back = SpeedTable::fromJson(table().toJson());
        QVERIFY(back.toJson() == table().toJson());
        QCOMPARE(back.matrices[1].seconds[3], 5.0);
    }

    void damaged_data() {
        QTest::addColumn<QString>("path");
        QTest::addColumn<QString>("value");
        QTest::newRow("version") << "/format"
                                 << "2";
        QTest::newRow("widths") << "/widths"
                                << "[2,3]";
        QTest::newRow("too few times") << "/matrices/0/seconds"
                                       << "[1,2]";
        QTest::newRow("negative time") << "/matrices/0/seconds/1"
                                       << "-1";
        QTest::newRow("text") << "/matrices/0/rows"
                              << "\"x\"";
        QTest::newRow("negative rest") << "/other_seconds"
                                       << "-0.1";
        QTest::newRow("no matrices") << "/matrices"
                                     << "null";
    }
    void damaged() {
        QFETCH(QString, path);
        QFETCH(QString, value);
        nlohmann::json json = table().toJson();
        json[nlohmann::json::json_pointer(path.toStdString())] =
            nlohmann::json::parse(value.toStdString());
        if (path == QLatin1String("/matrices")) json.erase("matrices");
        QVERIFY_EXCEPTION_THROWN(SpeedTable::fromJson(json), Error);
    }
};

QTEST_APPLESS_MAIN(TestSpeed)
#include "tst_speed.moc"
