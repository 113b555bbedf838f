// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/base/error.h"
#include "core/plan/plan.h"
#include "tests/core/plan/curves.h"

#include <QtTest>

#include <functional>

using namespace bitloom;
using bitloom::test::Curves;

namespace {

std::string usageError(const std::function<void()>& action) {
    try {
        action();
    } catch (const Error& error) {
        if (error.code() != ErrorCode::Usage) return "wrong code";
        return std::string(error.what()) + ' ' + error.hint();
    }
    return "no error";
}

Curves smallModel() {
    Curves curves(test::menuOf("2t 3t 4t 4t+1% 4g 8g 16"), 4);
    curves.add("model.layers.0.self_attn.q_proj", 64, 6);
    curves.add("model.layers.0.mlp.down_proj", 64, 8);
    curves.add("model.layers.10.mlp.down_proj", 64, 8);
    return curves;
}

/// "0:0-1=2t,3t 2:7=16": limits as text, runs of columns with equal masks together.
std::string printLimits(const std::vector<ColumnLimit>& limits, const Menu& menu) {
    std::string text;
    for (size_t i = 0; i < limits.size();) {
        size_t j = i;
        while (j + 1 < limits.size() && limits[j + 1].layer == limits[i].layer &&
               limits[j + 1].column == limits[j].column + 1 &&
               limits[j + 1].allowed == limits[i].allowed)
            ++j;
        text += (text.empty() ? "" : " ") + std::to_string(limits[i].layer) + ':' +
                std::to_string(limits[i].column);
        if (j > i) text += '-' + std::to_string(limits[j].column);
        char separator = '=';
        for (size_t p = 0; p < menu.size(); ++p)
            if (limits[i].allowed >> p & 1) {
                text += separator + pointText(menu[p]);
                separator = ',';
            }
        i = j + 1;
    }
    return text;
}

} // namespace

class TestPins : public QObject {
    Q_OBJECT
private slots:
    void parse_data() {
        QTest::addColumn<QString>("text");
        QTest::addColumn<QString>("pattern");
        QTest::addColumn<int>("ranges");
        QTest::addColumn<QString>("choice");
        QTest::newRow("width") << "down_proj=4"
                               << "down_proj" << 0 << "4";
        QTest::newRow("raw") << "down_proj=16"
                             << "down_proj" << 0 << "16";
        QTest::newRow("point") << "q=4t+0.25%"
                               << "q" << 0 << "4t+0.25%";
        QTest::newRow("channels") << "q[0-15,40]=4t+1%"
                                  << "q" << 2 << "4t+1%";
        QTest::newRow("anchors") << "^model\\.layers\\.(0|1)\\.=8"
                                 << "^model\\.layers\\.(0|1)\\." << 0 << "8";
        QTest::newRow("class inside") << "layers\\.[0-3]\\.mlp=3"
                                      << "layers\\.[0-3]\\.mlp" << 0 << "3";
        QTest::newRow("class at end") << "layers\\.[0-3][]=3"
                                      << "layers\\.[0-3]" << 0 << "3";
        QTest::newRow("letters at end") << "layers\\.[a-c]=3"
                                        << "layers\\.[a-c]" << 0 << "3";
        QTest::newRow("equals inside") << "a=b(?=c)=3"
                                       << "a=b(?=c)" << 0 << "3";
    }
    void parse() {
        QFETCH(QString, text);
        QFETCH(QString, pattern);
        QFETCH(int, ranges);
        QFETCH(QString, choice);
        const Pin pin = Pin::parse(text.toStdString());
        QCOMPARE(pin.pattern, pattern.toStdString());
        QCOMPARE(int(pin.channels.size()), ranges);
        QCOMPARE(pin.choice, choice.toStdString());
        QCOMPARE(pin.text(), text.toStdString());
        QVERIFY(Pin::parse(pin.text()) == pin);
    }
    void ranges() {
        const Pin pin = Pin::parse("q[3,0-1,7-7]= 4 ");
        QVERIFY(pin.channels == (std::vector<std::pair<int64_t, int64_t>>{{3, 3}, {0, 1}, {7, 7}}));
        QCOMPARE(pin.text(), std::string("q[3,0-1,7]=4"));
    }

    void nonsense_data() {
        QTest::addColumn<QString>("text");
        for (const char* text :
             {"",        "q",       "=4",      "q=",         "q=1",
              "q=9",     "q=4x",    "q=4t+",   "q[4-2]=4",   "q[1,]=4",
              "q[,1]=4", "q[1-]=4", "q[-1]=4", "q[1-2-3]=4", "q[99999999999999999999]=4",
              "(=4",     "[]=4",    "a**=4",   "q=16g",      "\xff=4"})
            QTest::newRow(text) << QString::fromLatin1(text);
    }
    void nonsense() {
        QFETCH(QString, text);
        QVERIFY2(usageError([&] { Pin::parse(text.toLatin1().toStdString()); }) != "no error",
                 "accepted");
        QVERIFY(usageError([&] { Pin::parse(text.toLatin1().toStdString()); }) != "wrong code");
    }

    void limits_data() {
        QTest::addColumn<QStringList>("pins");
        QTest::addColumn<QString>("limits");
        using List = QStringList;
        QTest::newRow("none") << List{} << "";
        QTest::newRow("width") << List{"q_proj=4"} << "0:0-5=4t,4t+1%,4g";
        QTest::newRow("point") << List{"q_proj=4t"} << "0:0-5=4t";
        QTest::newRow("raw") << List{"10.*down[0]=16"} << "2:0=16";
        QTest::newRow("several layers")
            << List{"down[6-7,0]=8"} << "1:0=8g 1:6-7=8g 2:0=8g 2:6-7=8g";
        QTest::newRow("searched anywhere") << List{"layers\\.1=2"} << "2:0-7=2t";
        QTest::newRow("later wins")
            << List{"down=2", "10.*down[3-4]=3"} << "1:0-7=2t 2:0-2=2t 2:3-4=3t 2:5-7=2t";
        QTest::newRow("later wins, other way")
            << List{"10.*down[3-4]=3", "down=2"} << "1:0-7=2t 2:0-7=2t";
    }
    void limits() {
        QFETCH(QStringList, pins);
        QFETCH(QString, limits);
        const Curves curves = smallModel();
        std::vector<Pin> list;
        for (const QString& pin : pins)
            list.push_back(Pin::parse(pin.toStdString()));
        QCOMPARE(QString::fromStdString(
                     printLimits(limitsOf(list, curves.layers, curves.menu()), curves.menu())),
                 limits);
    }

    void limitErrors_data() {
        QTest::addColumn<QString>("pin");
        QTest::addColumn<QString>("says");
        QTest::newRow("no such layer") << "v_proj=4"
                                       << "model.layers.0.self_attn.q_proj";
        QTest::newRow("channel") << "q_proj[6]=4"
                                 << "channels 0 to 5, not 6";
        QTest::newRow("channel of one") << "proj[7]=4"
                                        << "q_proj' has channels 0 to 5, not 7";
        QTest::newRow("no width") << "q_proj=5"
                                  << "no 5 in the menu. It has 2t, 3t, 4t, 4t+1%";
        QTest::newRow("no point") << "q_proj=3g"
                                  << "no 3g in the menu";
        QTest::newRow("no share") << "q_proj=4t+2%"
                                  << "no 4t+2% in the menu";
        QTest::newRow("endless") << "(.*.*.*.*.*.*.*.*.*.*.*.*)*\\d{9}=4"
                                 << "could not be searched";
    }
    void limitErrors() {
        QFETCH(QString, pin);
        QFETCH(QString, says);
        const Curves curves = smallModel();
        const std::vector<Pin> pins{Pin::parse(pin.toStdString())};
        const std::string message =
            usageError([&] { limitsOf(pins, curves.layers, curves.menu()); });
        QVERIFY2(message.find(says.toStdString()) != std::string::npos, message.c_str());
        QVERIFY2(message.find(pins[0].pattern) != std::string::npos, message.c_str());
    }
    void pinsMadeByHandAreChecked() {
        const Curves curves = smallModel();
        for (const Pin& pin : {Pin{"", {}, "4"}, Pin{"q", {{2, 1}}, "4"}, Pin{"q", {{-1, 1}}, "4"},
                               Pin{"q", {}, "x"}})
            QVERIFY(usageError([&] {
                        limitsOf({&pin, 1}, curves.layers, curves.menu());
                    }) != "no error");
    }

    void pinsAreHonoured() {
        const Curves curves = smallModel();
        Allocator allocator(curves.layers, curves.menu(), defaultAllowed(curves.menu()));
        const std::vector<Pin> pins{Pin::parse("q_proj[1-2]=16"), Pin::parse("0.mlp=4"),
                                    Pin::parse("10.*[5]=3t")};
        allocator.setLimits(limitsOf(pins, curves.layers, curves.menu()), curves.layers);
        for (int i = 0; i <= 100; ++i) {
            const Allocation got = allocator.allocate(
                allocator.minBits() + (allocator.maxBits() - allocator.minBits()) / 100 * i);
            for (size_t c = 0; c < got.points.size(); ++c) {
                const OperatingPoint& point = curves.menu()[got.points[c]];
                QCOMPARE(point.kind == PointKind::Raw, c == 1 || c == 2);
                if (c >= 6 && c < 14) QCOMPARE(point.bits, 4);
                if (c == 14 + 5) QCOMPARE(pointText(point), std::string("3t"));
            }
        }
    }
};

QTEST_APPLESS_MAIN(TestPins)
#include "tst_pins.moc"
