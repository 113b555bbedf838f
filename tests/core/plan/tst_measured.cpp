// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/plan/measured.h"

#include "core/io/durable.h"

#include <QTemporaryDir>
#include <QtTest>

using namespace bitloom;

namespace fs = std::filesystem;

class TestMeasured : public QObject {
    Q_OBJECT

    QTemporaryDir m_folder;
    fs::path statistics(const char* name) const {
        const fs::path folder = fs::path(m_folder.path().toStdString()) / name;
        fs::create_directories(folder);
        return folder / "stats.safetensors";
    }
    static MeasuredRecord record(double distortion, double delta, MethodStage stage,
                                 const std::string& checkpoint, const std::string& text) {
        return {{distortion, delta, 3.0}, stage, checkpoint, text};
    }

private slots:
    void noneAtFirst() { QVERIFY(loadMeasured(statistics("none")).empty()); }

    void comesBack() {
        const fs::path path = statistics("one");
        addMeasured(path, record(0.03, 0.04, MethodStage::Polish, "a checkpoint", "a text"));
        addMeasured(path, record(0.01, 0.02, MethodStage::Gptq, "another", "a text"));
        const auto back = loadMeasured(path);
        QCOMPARE(back.size(), size_t(2));
        QCOMPARE(back[0].point.distortion, 0.03);
        QCOMPARE(back[0].point.deltaNll, 0.04);
        QCOMPARE(back[0].point.bitsPerWeight, 3.0);
        QVERIFY(back[0].stage == MethodStage::Polish);
        QCOMPARE(back[0].checkpoint, std::string("a checkpoint"));
        QCOMPARE(back[0].textHash, std::string("a text"));
        QVERIFY(back[1].stage == MethodStage::Gptq);
    }

    void theSameAgainReplaces() {
        const fs::path path = statistics("again");
        addMeasured(path, record(0.03, 0.04, MethodStage::Gptq, "c", "t"));
        addMeasured(path, record(0.03, 0.05, MethodStage::Gptq, "c", "t"));
        addMeasured(path, record(0.03, 0.06, MethodStage::Gptq, "c", "another text"));
        const auto back = loadMeasured(path);
        QCOMPARE(back.size(), size_t(2));
        QCOMPARE(back[0].point.deltaNll, 0.05);
        QCOMPARE(back[1].point.deltaNll, 0.06);
    }

    void predictorOfAStageKnowsItsOwn() {
        const fs::path path = statistics("stages");
        addMeasured(path, record(0.03, 0.3, MethodStage::Gptq, "c", "t"));
        const double plain = Predictor(MethodStage::Polish).deltaNll(0.02, 3);
        QCOMPARE(predictorFor(path, MethodStage::Polish).deltaNll(0.02, 3), plain);
        // The only measurement sets the scale.
        QVERIFY(std::abs(predictorFor(path, MethodStage::Gptq).deltaNll(0.03, 3) - 0.3) < 1e-12);
    }

    void theProbeIsKept() {
        const fs::path path = statistics("probe");
        QVERIFY(!loadProbe(path));
        const RoundingProbe probe{0.0128, 0.0149, 0.0013, 0.0113, 16320};
        addMeasured(path, record(0.03, 0.3, MethodStage::Gptq, "c", "t"));
        keepProbe(path, {1, 2, 3, 4, 5});
        keepProbe(path, probe);
        addMeasured(path, record(0.01, 0.02, MethodStage::Gptq, "another", "t"));
        QVERIFY(loadProbe(path) == probe);
        QCOMPARE(loadMeasured(path).size(), size_t(2));
        const Predictor predictor = predictorFor(path, MethodStage::Polish);
        QCOMPARE(predictor.modelScale(), modelScale(probe));
        QCOMPARE(predictor.deltaNll(0.02, 3),
                 Predictor(MethodStage::Polish, modelScale(probe)).deltaNll(0.02, 3));
    }

    void damagedFilesGiveNone_data() {
        QTest::addColumn<QByteArray>("text");
        QTest::newRow("no JSON") << QByteArray("{\"measured\": [");
        QTest::newRow("other JSON") << QByteArray("[1, 2]");
        QTest::newRow("nothing in it") << QByteArray("{}");
        QTest::newRow("a record without figures")
            << QByteArray("{\"measured\": [{\"stage\": \"gptq\"}]}");
        QTest::newRow("a probe without figures")
            << QByteArray("{\"measured\": [], \"probe\": {\"delta_nll\": 1}}");
        QTest::newRow("text for a number")
            << QByteArray("{\"measured\": [{\"distortion\": \"x\", \"delta_nll\": 1, "
                          "\"bits_per_weight\": 3, \"stage\": \"gptq\", \"checkpoint\": \"c\", "
                          "\"text\": \"t\"}]}");
    }
    void damagedFilesGiveNone() {
        QFETCH(QByteArray, text);
        const fs::path path = statistics("damaged");
        writeFileAtomically(path.parent_path() / "measured.json", text.toStdString());
        QVERIFY(loadMeasured(path).empty());
        QVERIFY(!loadProbe(path));
        addMeasured(path, record(0.03, 0.04, MethodStage::Gptq, "c", "t")); // starts anew
        QCOMPARE(loadMeasured(path).size(), size_t(1));
    }

    void stagesOfLaterVersionsArePassedOver() {
        const fs::path path = statistics("later");
        writeFileAtomically(path.parent_path() / "measured.json",
                            "{\"measured\": [{\"distortion\": 1, \"delta_nll\": 1, "
                            "\"bits_per_weight\": 3, \"stage\": \"unheard of\", \"checkpoint\": "
                            "\"c\", \"text\": \"t\"}]}");
        QVERIFY(loadMeasured(path).empty());
    }
};

QTEST_APPLESS_MAIN(TestMeasured)
#include "tst_measured.moc"
