// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "tests/support/gui_fixture.h"

#include "core/base/error.h"
#include "ui/state/session.h"

#include <QFile>
#include <QProcess>

using namespace bitloom;
using namespace bitloom::ui;

namespace {

void edit(Workbench& workbench) {
    workbench.requestBudget({Budget::Kind::Size, workbench.valueOf(Budget::Kind::Size) * 1.1});
    workbench.addPin(Pin::parse("v_proj$=6"));
    workbench.addPin(Pin::parse("layers\\.1\\.mlp[0-3,9]=16"));
    std::vector<PinEntry> pins = workbench.decision().pins;
    pins[0].enabled = false;
    workbench.requestPins(pins, QStringLiteral("off"));
    workbench.savePreset(QStringLiteral("größer \"3\""));
    Measurement m;
    m.plan = QStringLiteral("größer");
    m.text = QStringLiteral("valid.txt");
    m.protocol = QStringLiteral("gptq-256");
    m.planHash = "abc";
    m.bitsPerWeight = 3.1;
    m.bytes = 12345678901;
    m.distortion = 0.0123;
    m.predictedNll = 1.8;
    m.nll = 1.81;
    m.fp16Nll = 1.77;
    m.tokens = 40960;
    workbench.addMeasurement(m);
    workbench.selectLayer(4);
}

QByteArray read(const QString& path) {
    QFile file(path);
    return file.open(QIODevice::ReadOnly) ? file.readAll() : QByteArray();
}

void write(const QString& path, const QByteArray& text) {
    QFile file(path);
    QVERIFY(file.open(QIODevice::WriteOnly));
    file.write(text);
}

} // namespace

class TestSession : public QObject {
    Q_OBJECT
private slots:
    void roundTrip() {
        WorkbenchFixture f;
        edit(f.workbench);
        Session session = Session::of(f.workbench);
        session.layout = QStringLiteral("compare");
        session.windowState = QByteArray("\0\1\2", 3);
        session.machine = QStringLiteral("sh -c 'cat | bitloom serve'");
        session.chat.options.temperature = 0.5;
        session.chat.left = QStringLiteral("preset:größer");
        session.chat.prompts = {QStringLiteral("Why?"), QStringLiteral("Wie?")};
        const QString path = f.folder.filePath(QStringLiteral("x.bitloom-session"));
        session.save(path);
        const Session again = Session::load(path);
        QCOMPARE(again.toJson(), session.toJson());
        QCOMPARE(again.work.decision, f.workbench.decision());
        QCOMPARE(again.work.presets.size(), size_t(1));
        QCOMPARE(again.work.presets[0].name, QStringLiteral("größer \"3\""));
        QVERIFY(again.work.measurements == f.workbench.measurements());
        QCOMPARE(again.windowState, QByteArray("\0\1\2", 3));
        QCOMPARE(again.chat, session.chat);
    }

    void restoredPlanIsIdentical() {
        WorkbenchFixture f;
        edit(f.workbench);
        const Session session = Session::of(f.workbench);
        WorkbenchFixture g(nullptr);
        g.workbench.restoreNext(session.work);
        g.workbench.setModel(SyntheticModel::make(3, 48, 96));
        QVERIFY(f.settle());
        QVERIFY(g.settle());
        QCOMPARE(g.workbench.plan().allocation().points, f.workbench.plan().allocation().points);
        QCOMPARE(g.workbench.selectedLayer(), 4);
        QCOMPARE(g.workbench.presets().size(), f.workbench.presets().size());
        QCOMPARE(g.workbench.undoStack()->count(), 0);
        // What was restored holds for that model only.
        g.workbench.setModel(SyntheticModel::make(2, 48, 96));
        QVERIFY(g.workbench.decision().pins.empty());
    }

    void anotherModelTakesNoMeasurements() {
        WorkbenchFixture f;
        edit(f.workbench);
        Session session = Session::of(f.workbench);
        QVERIFY(!session.work.measurements.empty());
        WorkbenchFixture g(nullptr);
        QSignalSpy said(&g.workbench, &Workbench::message);
        g.workbench.restoreNext(session.work);
        g.workbench.setModel(SyntheticModel::make(3, 56, 112));
        QVERIFY(g.workbench.measurements().empty());
        QCOMPARE(said.size(), 1);
        QCOMPARE(g.workbench.decision().pins.size(), f.workbench.decision().pins.size());
    }

    void oldVersion() {
        const Session old = Session::fromJson(R"({"format": "bitloom-session", "version": 1,
            "model": {"folder": "/models/x", "fingerprint": "f"}, "bits": 3.25,
            "pins": ["q_proj=4", "down_proj[0-7]=16"],
            "presets": [{"name": "mine", "bits": 2.75}]})",
                                              QStringLiteral("old"));
        QCOMPARE(old.modelFolder, QStringLiteral("/models/x"));
        QCOMPARE(old.work.decision.budget.value, 3.25);
        QCOMPARE(old.work.decision.pins.size(), size_t(2));
        QCOMPARE(old.work.presets.size(), size_t(1));
        QCOMPARE(old.work.presets[0].decision.budget.value, 2.75);
    }

    void damaged_data() {
        QTest::addColumn<QByteArray>("text");
        QTest::addColumn<QString>("says");
        QTest::newRow("empty") << QByteArray() << QStringLiteral("file");
        QTest::newRow("half") << QByteArray("{\"format\": \"bitloom-session\", \"ver")
                              << QStringLiteral("file");
        QTest::newRow("other JSON") << QByteArray("[1, 2]") << QStringLiteral("no Bitloom session");
        QTest::newRow("later") << QByteArray(R"({"format": "bitloom-session", "version": 99})")
                               << QStringLiteral("later version");
        QTest::newRow("no model") << QByteArray(R"({"format": "bitloom-session", "version": 2})")
                                  << QStringLiteral("\"model\" is missing");
        QTest::newRow("budget") << QByteArray(R"({"format": "bitloom-session", "version": 2,
            "model": {"folder": "x", "fingerprint": ""}, "decision": {"budget": {"kind": "bits"}, "pins": []}})")
                                << QStringLiteral("\"value\"");
        QTest::newRow("kind") << QByteArray(R"({"format": "bitloom-session", "version": 2,
            "model": {"folder": "x", "fingerprint": ""},
            "decision": {"budget": {"kind": "weight", "value": 3}, "pins": []}})")
                              << QStringLiteral("no kind of budget");
    }
    void damaged() {
        QFETCH(QByteArray, text);
        QFETCH(QString, says);
        try {
            Session::fromJson(text, QStringLiteral("file"));
            QFAIL("a damaged session was accepted");
        } catch (const Error& error) {
            QVERIFY2(QString::fromUtf8(error.what()).contains(says), error.what());
        }
    }

    /// No byte may be cut off, and none that is turned may crash.
    void damageOfAllKinds() {
        WorkbenchFixture f;
        edit(f.workbench);
        const QByteArray good = Session::of(f.workbench).toJson();
        for (qsizetype length = 0; length < good.size(); length += 37)
            QVERIFY_EXCEPTION_THROWN(Session::fromJson(good.left(length), QStringLiteral("cut")),
                                     Error);
        std::mt19937 random(3);
        for (int i = 0; i < 400; ++i) {
            QByteArray bad = good;
            bad[qsizetype(random() % size_t(bad.size()))] = char(random() % 127);
            try {
                Session::fromJson(bad, QStringLiteral("turned"));
            } catch (const Error&) {
            }
        }
    }

    void autosaveAndCrash() {
        QTemporaryDir state;
        WorkbenchFixture f;
        QString left;
        {
            Autosave autosave(f.workbench, f.settings, state.path());
            QSignalSpy saved(&autosave, &Autosave::saved);
            f.workbench.requestBudget({Budget::Kind::Bits, 4.2});
            QVERIFY(saved.wait(5000));
            QCOMPARE(Session::load(autosave.file()).work.decision.budget.value, 4.2);
            // Nothing new, nothing written.
            autosave.saveNow();
            QCOMPARE(saved.count(), 1);
            left = autosave.file();
            QVERIFY(autosave.leftBehind().isEmpty());
        } // gone without endProperly(): as after a crash
        {
            Autosave next(f.workbench, f.settings, state.path());
            QCOMPARE(next.leftBehind(), QStringList{left});
            QCOMPARE(Session::load(left).work.decision.budget.value, 4.2);
            next.discard(left);
            QVERIFY(next.leftBehind().isEmpty());
            next.saveNow();
            next.endProperly();
        }
        Autosave last(f.workbench, f.settings, state.path());
        QVERIFY(last.leftBehind().isEmpty());
    }

    void properEndLeavesTheLastSession() {
        QTemporaryDir state;
        WorkbenchFixture f;
        QVERIFY(Autosave(f.workbench, f.settings, state.path()).lastSession().isEmpty());
        edit(f.workbench);
        {
            Autosave autosave(f.workbench, f.settings, state.path());
            autosave.setCompletion([](Session& session) {
                session.layout = QStringLiteral("chat");
                session.file = QStringLiteral("/home/me/x.bitloom-session");
            });
            autosave.saveNow();
            autosave.endProperly();
            QVERIFY(!QFile::exists(autosave.file()));
        }
        Autosave next(f.workbench, f.settings, state.path());
        QVERIFY(next.leftBehind().isEmpty());
        const Session last = Session::load(next.lastSession());
        QCOMPARE(last.work.decision, f.workbench.decision());
        QVERIFY(last.work.measurements == f.workbench.measurements());
        QVERIFY(last.work.modified);
        QCOMPARE(last.layout, QStringLiteral("chat"));
        QCOMPARE(last.file, QStringLiteral("/home/me/x.bitloom-session"));
        // Who closes the model before the program wants an empty window next time.
        f.workbench.closeModel();
        next.endProperly();
        QVERIFY(next.lastSession().isEmpty());
    }

    void restoredSessionReplacesTheOldFile() {
        QTemporaryDir state;
        WorkbenchFixture f;
        const QString old = state.filePath(QStringLiteral("autosave-1-2.bitloom-session"));
        Session::of(f.workbench).save(old);
        Autosave autosave(f.workbench, f.settings, state.path());
        QCOMPARE(autosave.leftBehind(), QStringList{old});
        autosave.takeOver(old);
        QVERIFY(QFile::exists(old)); // as long as it is the only one
        autosave.saveNow();
        QVERIFY(QFile::exists(autosave.file()));
        QVERIFY(!QFile::exists(old));
    }

    void damagedAutosaveIsKept() {
        QTemporaryDir state;
        WorkbenchFixture f;
        const QString path = state.filePath(QStringLiteral("autosave-1-2.bitloom-session"));
        write(path, "{\"format\":");
        const Autosave autosave(f.workbench, f.settings, state.path());
        QVERIFY(autosave.leftBehind().isEmpty());
        QVERIFY(!QFile::exists(path));
        QCOMPARE(read(path + QStringLiteral(".damaged")), QByteArray("{\"format\":"));
    }

    void settingsAreKept() {
        QTemporaryDir folder;
        const QString file = folder.filePath(QStringLiteral("s.ini"));
        {
            Settings settings(file);
            QVERIFY(settings.isFirstStart());
            QSignalSpy look(&settings, &Settings::appearanceChanged);
            settings.setTheme(Settings::Theme::Dark);
            settings.setTheme(Settings::Theme::Dark);
            settings.setFontPercent(500);
            QCOMPARE(look.count(), 2);
            for (int i = 0; i < 14; ++i)
                settings.addRecentModel(QStringLiteral("/m/%1").arg(i));
            settings.addRecentModel(QStringLiteral("/m/8"));
        }
        Settings again(file);
        QVERIFY(!again.isFirstStart());
        QCOMPARE(again.theme(), Settings::Theme::Dark);
        QCOMPARE(again.fontPercent(), 200);
        QCOMPARE(again.recentModels().size(), 10);
        QCOMPARE(again.recentModels().first(), QStringLiteral("/m/8"));
        QCOMPARE(again.recentModels().count(QStringLiteral("/m/8")), 1);
    }
};

QTEST_MAIN(TestSession)
#include "tst_session.moc"
