// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/base/error.h"
#include "core/plan/plan.h"
#include "tests/core/plan/curves.h"

#include <QTemporaryDir>
#include <QtTest>

#include <fstream>
#include <nlohmann/json.hpp>
#include <random>
#include <spdlog/spdlog.h>

using namespace bitloom;
using bitloom::test::Curves;

namespace {

Plan samplePlan() {
    Curves curves(defaultMenu(), 3);
    curves.add("model.layers.2.mlp.down_proj", 96, 30, 1e-3);
    curves.add("model.layers.10.mlp.down_proj", 96, 30, 2e-3); // sorts before the first as text
    curves.add("model.layers.10.self_attn.q_proj", 70000, 5, 1e-5);
    Allocator allocator(curves.layers, curves.menu(), defaultAllowed(curves.menu()));
    const std::vector<Pin> pins{Pin::parse("down_proj[0-3,7]=4t+0.25%"), Pin::parse("q_proj[4]=16"),
                                Pin::parse("layers\\.[0-9][]=3")};
    allocator.setLimits(limitsOf({pins.data(), 2}, curves.layers, curves.menu()), curves.layers);
    const Allocation allocation =
        allocator.allocate((2 * allocator.minBits() + allocator.maxBits()) / 3);
    Plan plan =
        makePlan(allocation, curves.layers, curves.menu(), {Budget::Kind::Size, 2.6e9}, pins);
    plan.model = "0123456789abcdef";
    plan.statistics = "fedcba9876543210";
    plan.predicted = Predictor().predict(plan.distortion, plan.bitsPerWeight(), 2.25, "wiki test");
    return plan;
}

void comparePlans(const Plan& a, const Plan& b) {
    QCOMPARE(a.model, b.model);
    QCOMPARE(a.statistics, b.statistics);
    QVERIFY(a.budget == b.budget);
    QVERIFY(a.menu == b.menu);
    QVERIFY(a.pins == b.pins);
    QVERIFY(a.layers == b.layers);
    QCOMPARE(a.bits, b.bits);
    QCOMPARE(a.distortion, b.distortion);
    QCOMPARE(a.predicted.deltaNll, b.predicted.deltaNll);
    QCOMPARE(a.predicted.nll, b.predicted.nll);
    QCOMPARE(a.predicted.low, b.predicted.low);
    QCOMPARE(a.predicted.high, b.predicted.high);
    QCOMPARE(a.predicted.on, b.predicted.on);
}

std::string errorOf(const std::function<void()>& action) {
    try {
        action();
    } catch (const Error& error) {
        return error.what();
    }
    return "no error";
}

} // namespace

class TestPlan : public QObject {
    Q_OBJECT
private slots:
    void initTestCase() { spdlog::set_level(spdlog::level::off); }

    void textToPlanAndBack() {
        const std::string text = "layers.0.q: 8g,4t,4t,2t\nlayers.0.k: 16,4t+0.25%,3g+1%\n";
        const Plan plan = buildPlan(text);
        QCOMPARE(printPlan(plan), text);
        QCOMPARE(plan.layers[0].cols, int64_t(4));
        QCOMPARE(plan.weights(), int64_t(7 * 256));
        const auto bits = [](const char* point) { return columnBits(parsePoint(point), 256); };
        QCOMPARE(plan.bits, bits("8g") + 2 * bits("4t") + bits("2t") + bits("16") +
                                bits("4t+0.25%") + bits("3g+1%") + 6 * 48);
        QCOMPARE(plan.bitsPerWeight(), double(plan.bits) / (7 * 256));
        QCOMPARE(printPlan(buildPlan("a: 2x4t,8g")), std::string("a: 4t,4t,8g\n"));
        QVERIFY(errorOf([] { buildPlan("a 4t"); }) != "no error");
        QVERIFY(errorOf([] { buildPlan("a: 7t"); }) != "no error");
        QVERIFY(errorOf([] { buildPlan("a: "); }) != "no error");
    }

    void runs_data() {
        QTest::addColumn<QString>("points");
        QTest::addColumn<QString>("runs");
        QTest::newRow("one") << "8g"
                             << "1x8g";
        QTest::newRow("equal") << "4t,4t,4t"
                               << "3x4t";
        QTest::newRow("mixed") << "8g,8g,6g,4t+0.25%,4t+0.25%,8g"
                               << "2x8g,1x6g,2x4t+0.25%,1x8g";
        QTest::newRow("raw") << "16,16,2g"
                             << "2x16,1x2g";
    }
    void runs() {
        QFETCH(QString, points);
        QFETCH(QString, runs);
        const Plan plan = buildPlan("l: " + points.toStdString());
        const std::vector<uint8_t>& list = plan.layers[0].points;
        QCOMPARE(runLengths(list, plan.menu), runs.toStdString());
        QVERIFY(parseRunLengths(runs.toStdString(), plan.menu, int64_t(list.size())) == list);
        QVERIFY(parseRunLengths(points.toStdString(), plan.menu, int64_t(list.size())) == list);
    }
    void randomRunsComeBack() {
        std::mt19937_64 random(1);
        for (int i = 0; i < 200; ++i) {
            std::vector<uint8_t> points(1 + random() % 500);
            uint8_t point = 0;
            for (uint8_t& p : points)
                p = point = random() % 4 ? point : uint8_t(random() % defaultMenu().size());
            const std::string text = runLengths(points, defaultMenu());
            QVERIFY(parseRunLengths(text, defaultMenu(), int64_t(points.size())) == points);
        }
        QVERIFY(errorOf([] { runLengths(std::vector<uint8_t>{28}, defaultMenu()); }) != "no error");
    }
    void badRuns_data() {
        QTest::addColumn<QString>("text");
        QTest::addColumn<QString>("says");
        QTest::newRow("empty") << ""
                               << "'' is not an operating point";
        QTest::newRow("too few") << "2x4t"
                                 << "of 2 columns, not 3";
        QTest::newRow("too many") << "4x4t"
                                  << "more than 3 columns";
        QTest::newRow("far too many") << "9223372036854775807x4t"
                                      << "more than 3 columns";
        QTest::newRow("overflow") << "99999999999999999999x4t"
                                  << "no run of columns";
        QTest::newRow("none") << "0x4t,3x4t"
                              << "no run of columns";
        QTest::newRow("negative") << "-1x4t,4x4t"
                                  << "no run of columns";
        QTest::newRow("no count") << "x4t"
                                  << "no run of columns";
        QTest::newRow("comma") << "3x4t,"
                               << "ends in a comma";
        QTest::newRow("two commas") << "1x4t,,2x4t"
                                    << "not an operating point";
        QTest::newRow("not in menu") << "3x4t+2%"
                                     << "not in the menu";
        QTest::newRow("nonsense") << "3x4y"
                                  << "not an operating point";
    }
    void badRuns() {
        QFETCH(QString, text);
        QFETCH(QString, says);
        const std::string message =
            errorOf([&] { parseRunLengths(text.toStdString(), defaultMenu(), 3); });
        QVERIFY2(message.find(says.toStdString()) != std::string::npos, message.c_str());
    }

    void jsonComesBack() {
        const Plan plan = samplePlan();
        QVERIFY(plan.bits > 0 && plan.distortion > 0 && plan.predicted.nll > 2.25);
        comparePlans(Plan::fromJson(plan.toJson(), "here"), plan);
        const std::string text = plan.toJson().dump();
        comparePlans(Plan::fromJson(nlohmann::json::parse(text), "here"), plan);
        QVERIFY(plan.toJson()["format"] == 1);
        QVERIFY(plan.toJson()["budget"] == nlohmann::json({{"kind", "size"}, {"value", 2.6e9}}));
        QVERIFY(plan.toJson()["pins"][0] == "down_proj[0-3,7]=4t+0.25%");
    }
    void filesComeBack() {
        const QTemporaryDir folder;
        const std::filesystem::path path =
            std::filesystem::path(folder.path().toStdString()) / "plan.json";
        const Plan plan = samplePlan();
        plan.save(path);
        comparePlans(Plan::load(path), plan);
        std::ofstream(path) << "{\"format\": 1,";
        QVERIFY(errorOf([&] { Plan::load(path); }).find(path.string()) != std::string::npos);
        QVERIFY(errorOf([&] { Plan::load(path.string() + "x"); }) != "no error");
        Plan odd = plan;
        odd.layers[0].name = "\xff";
        QVERIFY(errorOf([&] { odd.save(path); }).find(path.string()) != std::string::npos);
    }

    void allocationSplitsByLayer() {
        Curves curves(test::menuOf("2g 4g"), 1);
        curves.add("a", 64, 2);
        curves.add("b", 32, 3);
        Allocation allocation{{0, 1, 1, 1, 0}, 1234, 0.5, 0};
        const Plan plan = makePlan(allocation, curves.layers, curves.menu(), {}, {});
        QCOMPARE(printPlan(plan), std::string("a: 2g,4g\nb: 4g,4g,2g\n"));
        QCOMPARE(plan.bits, int64_t(1234));
        QCOMPARE(plan.distortion, 0.5);
        QCOMPARE(plan.weights(), int64_t(2 * 64 + 3 * 32));
        allocation.points.pop_back();
        QVERIFY(errorOf([&] { makePlan(allocation, curves.layers, curves.menu(), {}, {}); }) !=
                "no error");
        allocation.points.resize(6);
        QVERIFY(errorOf([&] { makePlan(allocation, curves.layers, curves.menu(), {}, {}); }) !=
                "no error");
    }

    // A plan edited by hand keeps its choices; bits are counted again, predictions dropped.
    void editedPlans() {
        const Plan plan = samplePlan();
        nlohmann::json json = plan.toJson();
        json["layers"]["model.layers.2.mlp.down_proj"] = "30x8g";
        const Plan edited = Plan::fromJson(json, "here");
        QVERIFY(edited.bits != plan.bits);
        int64_t bits = 0;
        for (const Plan::Layer& layer : edited.layers)
            bits += layerBits(layer.points, edited.menu, layer.rows);
        QCOMPARE(edited.bits, bits);
        QCOMPARE(edited.distortion, 0.0);
        QCOMPARE(edited.predicted.deltaNll, 0.0);
    }

    void badJson_data() {
        QTest::addColumn<QString>("patch"); // RFC 7396
        QTest::addColumn<QString>("says");
        QTest::newRow("no format") << R"({"format": null})"
                                   << "has no \"format\"";
        QTest::newRow("format 2") << R"({"format": 2})"
                                  << "is format 2";
        QTest::newRow("model") << R"({"model": 3})"
                               << "\"model\" must be text";
        QTest::newRow("menu") << R"({"menu": ["4t", "5x"]})"
                              << "'5x' is not an operating point";
        QTest::newRow("menu empty") << R"({"menu": []})"
                                    << "1 to 64";
        QTest::newRow("menu twice") << R"({"menu": ["4t", "2t", "4t"]})"
                                    << "4t twice";
        QTest::newRow("menu lacks") << R"({"menu": ["4t"]})"
                                    << "not in the menu";
        QTest::newRow("budget") << R"({"budget": []})"
                                << "budget: is not an object";
        QTest::newRow("budget kind") << R"({"budget": {"kind": "magic"}})"
                                     << "\"magic\"";
        QTest::newRow("budget value") << R"({"budget": {"value": "3"}})"
                                      << "must be a number";
        QTest::newRow("pins") << R"({"pins": {}})"
                              << "\"pins\" is not a list";
        QTest::newRow("pin") << R"({"pins": ["q"]})"
                             << "Pin 'q' has no '='";
        QTest::newRow("layer missing")
            << R"({"layers": {"model.layers.10.self_attn.q_proj": null}})"
            << "has no \"model.layers.10.self_attn.q_proj\"";
        QTest::newRow("layer unknown") << R"({"layers": {"x": "3x4t"}})"
                                       << "layer 'x' is not in";
        QTest::newRow("layer runs") << R"({"layers": {"model.layers.10.self_attn.q_proj": "4x4t"}})"
                                    << "q_proj: The runs are of 4 columns, not 5";
        QTest::newRow("shapes") << R"({"shapes": [["a", 1]]})"
                                << "[layer, rows, columns]";
        QTest::newRow("shape rows") << R"({"shapes": [["a", 0, 3]]})"
                                    << "whole numbers";
        QTest::newRow("shape cols") << R"({"shapes": [["a", 3, 18446744073709551615]]})"
                                    << "whole numbers";
        QTest::newRow("shape fraction") << R"({"shapes": [["a", 3, 1.5]]})"
                                        << "whole numbers";
        QTest::newRow("bits") << R"({"bits": -3})"
                              << "\"bits\" must hold";
        QTest::newRow("distortion") << R"({"distortion": null})"
                                    << "no \"distortion\"";
        QTest::newRow("predicted") << R"({"predicted": {"low": {}}})"
                                   << "\"low\" must be a number";
    }
    void badJson() {
        QFETCH(QString, patch);
        QFETCH(QString, says);
        nlohmann::json json = samplePlan().toJson();
        json.merge_patch(nlohmann::json::parse(patch.toStdString()));
        const std::string message = errorOf([&] { Plan::fromJson(json, "a.json"); });
        QVERIFY2(message.find(says.toStdString()) != std::string::npos, message.c_str());
        QVERIFY2(message.starts_with("a.json: "), message.c_str());
    }

    // Whatever a file holds: a plan or an Error.
    void mutatedFiles() {
        const std::string good = samplePlan().toJson().dump();
        const std::string pieces = "0123456789-+.eE\"{}[]:,xtg% nul\\u";
        std::mt19937_64 random(5);
        int plans = 0, errors = 0;
        for (int i = 0; i < 3000; ++i) {
            std::string text = good;
            for (size_t n = 1 + random() % 3; n > 0; --n) {
                const size_t at = random() % text.size();
                switch (random() % 4) {
                case 0:
                    text[at] = pieces[random() % pieces.size()];
                    break;
                case 1:
                    text.erase(at, 1 + random() % 20);
                    break;
                case 2:
                    text.insert(at, text.substr(random() % text.size(), random() % 20));
                    break;
                default:
                    text.insert(at,
                                std::string(1 + random() % 3, pieces[random() % pieces.size()]));
                }
            }
            const nlohmann::json json = nlohmann::json::parse(text, nullptr, false);
            if (json.is_discarded()) continue;
            try {
                const Plan plan = Plan::fromJson(json, "here");
                for (const Plan::Layer& layer : plan.layers)
                    QCOMPARE(int64_t(layer.points.size()), layer.cols);
                ++plans;
            } catch (const Error& error) {
                QVERIFY(std::string_view(error.what()).starts_with("here: "));
                ++errors;
            }
        }
        QVERIFY(plans > 20);
        QVERIFY(errors > 200);
    }

    // Every value of a plan replaced by every kind of value.
    void mutatedValues() {
        const nlohmann::json good = samplePlan().toJson();
        const std::vector<nlohmann::json> values{nullptr,
                                                 true,
                                                 -1,
                                                 1e300,
                                                 18446744073709551615ull,
                                                 "",
                                                 "x",
                                                 nlohmann::json::array(),
                                                 nlohmann::json::object(),
                                                 {1, "a", nullptr}};
        const nlohmann::json flat = good.flatten();
        for (const auto& [path, old] : flat.items())
            for (const nlohmann::json& value : values)
                for (std::string target = path; !target.empty();
                     target = target.substr(0, target.rfind('/'))) {
                    nlohmann::json json = good;
                    json[nlohmann::json::json_pointer(target)] = value;
                    try {
                        (void)Plan::fromJson(json, "here");
                    } catch (const Error&) {
                    }
                }
        for (const nlohmann::json& value : values)
            QVERIFY(errorOf([&] { Plan::fromJson(value, "here"); }).starts_with("here: "));
    }
};

QTEST_APPLESS_MAIN(TestPlan)
#include "tst_plan.moc"
