// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
//
// The client of the engine against `bitloom serve` itself, and against programs that are not one or
// die at the worst moment: every call must end, once, with a reason.
#include "ui/engine_client/engine_client.h"
#include "ui/engine_client/engine_devices.h"
#include "ui/engine_client/remote_files.h"

#include "core/model/checkpoint.h"

#include <QDir>
#include <QFile>
#include <QJsonArray>
#include <QJsonObject>
#include <QSignalSpy>
#include <QTemporaryDir>
#include <QTimer>
#include <QtTest>

#include <csignal>

using namespace bitloom::ui;
using State = EngineClient::State;

namespace {

const QString sample = QStringLiteral(BITLOOM_SOURCE_DIR "/resources/models/bitloom-tales-4m");

EngineCommand bad(const QString& mode) {
    return {QStringLiteral(BITLOOM_TEST_PYTHON),
            {QStringLiteral(BITLOOM_SOURCE_DIR "/tests/ui/bad_engine.py"), mode},
            false};
}

/// Follows a script of `options`.
EngineCommand fake(const QStringList& options) {
    return {QStringLiteral(BITLOOM_TEST_PYTHON),
            QStringList{QStringLiteral(BITLOOM_SOURCE_DIR "/tests/ui/fake_engine.py")} + options,
            false};
}

/// What came of a call.
struct Outcome {
    int calls = 0;
    EngineResult result;
    EngineClient::Callback catcher() {
        return [this](const EngineResult& value) {
            ++calls;
            result = value;
        };
    }
};

/// Stopped when this returns: a signal alone leaves threads a moment.
bool freeze(pid_t pid) {
    ::kill(pid, SIGSTOP);
    return QTest::qWaitFor(
        [pid] {
            QFile stat(QStringLiteral("/proc/%1/stat").arg(pid));
            if (!stat.open(QIODevice::ReadOnly)) return false;
            const QByteArray line = stat.readAll();
            return line.mid(line.lastIndexOf(')') + 2, 1) == "T";
        },
        30'000);
}

bool isAlive(qint64 pid) {
    return ::kill(pid_t(pid), 0) == 0;
}

} // namespace

class TestEngineClient : public QObject {
    Q_OBJECT

    QTemporaryDir m_folder;
    static constexpr int patience = 30'000;

    EngineCommand real() const {
        return {QStringLiteral(BITLOOM_BINARY_DIR "/bin/bitloom"),
                {QStringLiteral("serve"), QStringLiteral("--threads"), QStringLiteral("2"),
                 QStringLiteral("--cache"), m_folder.filePath(QStringLiteral("cache"))},
                false};
    }
    static QJsonObject chat(int tokens) {
        return {
            {QStringLiteral("streams"), QJsonArray{QJsonObject{{QStringLiteral("model"), sample}}}},
            {QStringLiteral("prompt"), QStringLiteral("Once")},
            {QStringLiteral("max_tokens"), tokens},
            {QStringLiteral("ignore_eos"), true}};
    }

    static QJsonObject evaluation() { return {{QStringLiteral("model"), sample}}; }

private slots:
    /// An engine that takes nothing, behind a pipe that is full: whoever asks goes on.
    void fullPipeHoldsNobodyUp() {
        EngineClient engine(bad(QStringLiteral("deaf")));
        engine.start();
        QTRY_COMPARE_WITH_TIMEOUT(engine.state(), State::Ready, patience);
        const QString text(1 << 20, QLatin1Char('x')); // far more than a pipe holds
        int calls = 0, ticks = 0;
        for (int i = 0; i < 12; ++i)
            engine.call(QStringLiteral("tokenize"), {{QStringLiteral("text"), text}},
                        [&](const EngineResult&) { ++calls; });
        QCOMPARE(engine.openCalls().size(), 12);
        QTimer timer;
        connect(&timer, &QTimer::timeout, &timer, [&] { ++ticks; });
        timer.start(0);
        QTRY_VERIFY_WITH_TIMEOUT(ticks > 200, patience);
        QCOMPARE(calls, 0);
        engine.stop(); // ends, though what was asked never arrives
        QTRY_COMPARE_WITH_TIMEOUT(calls, 12, patience);
    }

    /// An engine that says more than can be handled in one go: the event loop goes on in between.
    void floodsLeaveRoom() {
        EngineClient engine(bad(QStringLiteral("good")));
        engine.start();
        constexpr int lines = 150'000;
        int heard = 0, ticks = 0, ticksWithin = 0;
        double last = -1;
        bool ordered = true;
        connect(&engine, &EngineClient::progress, this, [&](int, const EngineProgress& progress) {
            ++heard;
            ordered = ordered && progress.fraction > last;
            last = progress.fraction;
        });
        QTimer timer;
        connect(&timer, &QTimer::timeout, &timer, [&] {
            ++ticks;
            if (heard > 0 && heard < lines) ++ticksWithin;
        });
        timer.start(0);
        Outcome outcome;
        engine.call(QStringLiteral("flood"), {{QStringLiteral("lines"), lines}}, outcome.catcher());
        QTRY_COMPARE_WITH_TIMEOUT(outcome.calls, 1, patience * 4);
        QVERIFY(outcome.result.ok());
        QCOMPARE(heard, lines);
        QVERIFY(ordered);
        QVERIFY2(ticksWithin > 5, qPrintable(QString::number(ticksWithin)));
    }

    /// An engine that hangs is noticed by itself, and nothing is lost where it goes on.
    void silenceIsNoticed() {
        EngineClient engine(real());
        engine.setHeartbeat(100, 400);
        QSignalSpy silences(&engine, &EngineClient::silenceChanged);
        engine.start();
        QTRY_COMPARE_WITH_TIMEOUT(engine.state(), State::Ready, patience);
        const auto pid = pid_t(engine.hello()[QStringLiteral("pid")].toInt());
        QVERIFY(freeze(pid));
        QTest::qWait(900); // on this machine and with nothing asked: nobody waits for it
        QCOMPARE(engine.silence(), 0);
        Outcome outcome;
        engine.call(QStringLiteral("list_dir"), {}, outcome.catcher());
        QTRY_VERIFY_WITH_TIMEOUT(engine.silence() >= 400, patience);
        const qint64 first = engine.silence();
        QTRY_VERIFY_WITH_TIMEOUT(engine.silence() > first, patience); // and counts on
        QCOMPARE(outcome.calls, 0);
        QCOMPARE(engine.state(), State::Ready); // whether to give it up is the user's to say
        ::kill(pid, SIGCONT);
        QTRY_COMPARE_WITH_TIMEOUT(outcome.calls, 1, patience);
        QVERIFY(outcome.result.ok());
        QCOMPARE(engine.silence(), 0);
        QCOMPARE(silences.last()[0].toLongLong(), 0);
        // A restart gets rid of one that hangs for good.
        QVERIFY(freeze(pid));
        Outcome lost;
        engine.call(QStringLiteral("list_dir"), {}, lost.catcher());
        QTRY_VERIFY_WITH_TIMEOUT(engine.silence() > 0, patience);
        engine.restart();
        QCOMPARE(engine.silence(), 0);
        QTRY_COMPARE_WITH_TIMEOUT(lost.calls, 1, patience);
        QCOMPARE(lost.result.error.code, int(EngineError::EngineDied));
        QTRY_COMPARE_WITH_TIMEOUT(engine.state(), State::Ready, patience);
        QVERIFY(pid_t(engine.hello()[QStringLiteral("pid")].toInt()) != pid);
        QTRY_VERIFY_WITH_TIMEOUT(!isAlive(pid), patience);
    }

    /// One that computes for long answers the question, and is not called silent.
    void busyIsNotSilent() {
        EngineClient engine(bad(QStringLiteral("good")));
        engine.setHeartbeat(50, 150);
        QSignalSpy silences(&engine, &EngineClient::silenceChanged);
        engine.start();
        Outcome outcome;
        engine.call(QStringLiteral("work"), {}, outcome.catcher());
        QTRY_COMPARE_WITH_TIMEOUT(engine.state(), State::Ready, patience);
        QTest::qWait(600);
        QCOMPARE(silences.size(), 0);
        QCOMPARE(outcome.calls, 0);
    }

    void talks() {
        EngineClient engine(real());
        QSignalSpy states(&engine, &EngineClient::stateChanged);
        QSignalSpy tokens(&engine, &EngineClient::token), started(&engine, &EngineClient::started);
        QSignalSpy ended(&engine, &EngineClient::streamEnded);
        engine.start();
        QCOMPARE(engine.state(), State::Starting);
        Outcome outcome;
        const int job = engine.call(QStringLiteral("generate"), chat(5), outcome.catcher());
        QCOMPARE(outcome.calls, 0);
        QTRY_COMPARE_WITH_TIMEOUT(outcome.calls, 1, patience);
        QVERIFY2(outcome.result.ok(), qPrintable(outcome.result.error.message));
        QCOMPARE(engine.state(), State::Ready);
        QCOMPARE(states.size(), 2);
        QCOMPARE(engine.hello()[QStringLiteral("protocol")].toInt(), 1);
        QCOMPARE(started.size(), 1);
        QCOMPARE(ended.size(), 1);
        QString text;
        QCOMPARE(tokens.size(), 5);
        for (const QList<QVariant>& row : tokens) {
            QCOMPARE(row[0].toInt(), job);
            const auto token = row[1].value<EngineToken>();
            QCOMPARE(token.stream, 0);
            QVERIFY(token.logProb <= 0 && token.id >= 0);
            text += token.text;
        }
        const QJsonObject stream =
            outcome.result.value[QStringLiteral("streams")].toArray()[0].toObject();
        QCOMPARE(stream[QStringLiteral("text")].toString(), text);
        QVERIFY(engine.openCalls().isEmpty());
    }

    void failsWithReasons() {
        EngineClient engine(real());
        engine.start();
        Outcome outcome;
        engine.call(QStringLiteral("open"), {{QStringLiteral("model"), QStringLiteral("/none")}},
                    outcome.catcher());
        QTRY_COMPARE_WITH_TIMEOUT(outcome.calls, 1, patience);
        QCOMPARE(outcome.result.error.code, int(EngineError::Failed));
        QVERIFY(outcome.result.error.message.contains(QStringLiteral("/none")));
        QVERIFY(!outcome.result.error.hint.isEmpty());
    }

    void cancels() {
        EngineClient engine(real());
        engine.setCancelTimeout(patience); // as long as a busy machine takes
        engine.start();
        Outcome outcome;
        int job = 0;
        // The engine may be done before this process gets its turn: then once more.
        for (int attempt = 0; attempt < 20 && !outcome.result.error.cancelled(); ++attempt) {
            outcome = {};
            QSignalSpy tokens(&engine, &EngineClient::token);
            job = engine.call(QStringLiteral("generate"), chat(500), outcome.catcher());
            QTRY_VERIFY_WITH_TIMEOUT(tokens.size() > 2, patience);
            if (engine.isOpen(job)) {
                QCOMPARE(engine.methodOf(job), QStringLiteral("generate"));
                engine.cancel(job);
                engine.cancel(job);
            }
            QTRY_COMPARE_WITH_TIMEOUT(outcome.calls, 1, patience);
        }
        QVERIFY(outcome.result.error.cancelled());
        QCOMPARE(engine.state(), State::Ready);
        QVERIFY(!engine.isOpen(job));
        engine.cancel(job); // long gone
        Outcome next;
        engine.call(QStringLiteral("info"), {{QStringLiteral("model"), sample}}, next.catcher());
        QTRY_COMPARE_WITH_TIMEOUT(next.calls, 1, patience);
        QVERIFY(next.result.ok());
    }

    void cancelBeforeTheHandshake() {
        EngineClient engine(bad(QStringLiteral("good")));
        engine.start();
        Outcome first, second;
        const int job = engine.call(QStringLiteral("echo"), {}, first.catcher());
        engine.call(QStringLiteral("echo"), {}, second.catcher());
        engine.cancel(job);
        QCOMPARE(first.calls, 0); // never from within a call
        QTRY_COMPARE_WITH_TIMEOUT(second.calls, 1, patience);
        QVERIFY(second.result.ok());
        QCOMPARE(first.calls, 1);
        QVERIFY(first.result.error.cancelled());
    }

    /// A job that does not end in time costs the process, and a restart goes on.
    void stubborn() {
        EngineClient engine(bad(QStringLiteral("stubborn")));
        engine.setCancelTimeout(100);
        engine.start();
        Outcome work, other;
        const int job = engine.call(QStringLiteral("work"), {}, work.catcher());
        engine.call(QStringLiteral("work"), {}, other.catcher());
        QSignalSpy progress(&engine, &EngineClient::progress);
        QTRY_COMPARE_WITH_TIMEOUT(progress.size(), 2, patience);
        const auto value = progress[0][1].value<EngineProgress>();
        QCOMPARE(value.fraction, 0.5);
        QCOMPARE(value.what, QStringLiteral("busy"));
        QCOMPARE(value.etaSeconds, -1.0);
        engine.cancel(job);
        QTRY_COMPARE_WITH_TIMEOUT(work.calls + other.calls, 2, patience);
        QCOMPARE(work.result.error.code, int(EngineError::Cancelled));
        QCOMPARE(other.result.error.code, int(EngineError::EngineDied));
        QCOMPARE(engine.state(), State::Dead);
        QVERIFY(engine.reason().cancelled());
        Outcome dead;
        engine.call(QStringLiteral("echo"), {}, dead.catcher());
        QCOMPARE(dead.calls, 0);
        QTRY_COMPARE_WITH_TIMEOUT(dead.calls, 1, patience);
        QCOMPARE(dead.result.error.code, int(EngineError::NotRunning));
        engine.restart();
        Outcome again;
        engine.call(QStringLiteral("echo"), {{QStringLiteral("x"), 1}}, again.catcher());
        QTRY_COMPARE_WITH_TIMEOUT(again.calls, 1, patience);
        QVERIFY(again.result.ok());
        QCOMPARE(again.result.value[QStringLiteral("x")].toInt(), 1);
    }

    /// An engine that says that it is in a long step is waited for.
    void stopsLate() {
        EngineClient engine(fake({QStringLiteral("stubborn=3"), QStringLiteral("says=20"),
                                  QStringLiteral("steps=100000"), QStringLiteral("delay=0.01")}));
        engine.setCancelTimeout(2000);
        engine.start();
        QSignalSpy progress(&engine, &EngineClient::progress);
        QSignalSpy delayed(&engine, &EngineClient::stopDelayed);
        Outcome work, other;
        const int job = engine.call(QStringLiteral("evaluate"), evaluation(), work.catcher());
        engine.call(QStringLiteral("verify"), evaluation(), other.catcher());
        QTRY_VERIFY_WITH_TIMEOUT(!progress.isEmpty(), patience);
        engine.cancel(job);
        QTRY_COMPARE_WITH_TIMEOUT(work.calls, 1, patience);
        QVERIFY(work.result.error.cancelled());
        QCOMPARE(delayed.size(), 1);
        QCOMPARE(delayed[0][0].toInt(), job);
        QCOMPARE(delayed[0][1].toDouble(), 20.0);
        QTRY_COMPARE_WITH_TIMEOUT(other.calls, 1, patience); // what waited goes on
        QVERIFY(other.result.ok());
        QCOMPARE(engine.state(), State::Ready);
    }

    /// But not for ever, and what falls with it is named.
    void neverStops() {
        EngineClient engine(fake({QStringLiteral("stubborn=1000"), QStringLiteral("says=0.3"),
                                  QStringLiteral("steps=100000"), QStringLiteral("delay=0.01")}));
        engine.setCancelTimeout(1000);
        engine.start();
        QSignalSpy progress(&engine, &EngineClient::progress);
        Outcome work, other;
        const int job = engine.call(QStringLiteral("evaluate"), evaluation(), work.catcher());
        engine.call(QStringLiteral("verify"), evaluation(), other.catcher());
        QTRY_VERIFY_WITH_TIMEOUT(!progress.isEmpty(), patience);
        QElapsedTimer timer;
        timer.start();
        engine.cancel(job);
        QTRY_COMPARE_WITH_TIMEOUT(work.calls + other.calls, 2, patience);
        QVERIFY(timer.elapsed() >= 1600); // the timeout, and twice what it said
        QVERIFY(work.result.error.cancelled());
        QCOMPARE(other.result.error.code, int(EngineError::EngineDied));
        const QString why = engine.reason().message;
        QVERIFY2(why.contains(QStringLiteral("evaluate")) &&
                     why.contains(QStringLiteral("with it ended: verify")),
                 qPrintable(why));
        QCOMPARE(other.result.error.message, why);
    }

    void badStarts_data() {
        QTest::addColumn<QString>("mode");
        QTest::addColumn<int>("code");
        QTest::addColumn<QString>("text");
        const auto row = [](const char* mode, EngineError::Code code, const char* text) {
            QTest::newRow(mode) << QString::fromLatin1(mode) << int(code)
                                << QString::fromLatin1(text);
        };
        row("silent", EngineError::EngineDied, "did not answer");
        row("exits", EngineError::EngineDied, "exit code 127");
        row("old", EngineError::VersionMismatch, "protocol 0");
        row("future", EngineError::VersionMismatch, "protocol 2");
        row("stranger", EngineError::BadAnswer, "is not one");
        row("dies-greeting", EngineError::EngineDied, "signal 9");
        row("missing", EngineError::EngineDied, "could not be started");
        row("endless", EngineError::EngineDied, "did not answer");
    }
    void badStarts() {
        QFETCH(QString, mode);
        QFETCH(int, code);
        QFETCH(QString, text);
        EngineCommand command = bad(mode);
        if (mode == QStringLiteral("missing")) command.program = QStringLiteral("/no/such/engine");
        EngineClient engine(command);
        const bool waits = mode == QStringLiteral("silent") || mode == QStringLiteral("endless");
        engine.setHandshakeTimeout(waits ? 300 : patience);
        QSignalSpy states(&engine, &EngineClient::stateChanged);
        engine.start();
        Outcome waiting;
        engine.call(QStringLiteral("echo"), {}, waiting.catcher());
        QTRY_COMPARE_WITH_TIMEOUT(engine.state(), State::Dead, patience);
        QCOMPARE(engine.reason().code, code);
        QVERIFY2(engine.reason().message.contains(text), qPrintable(engine.reason().message));
        QVERIFY(!engine.reason().hint.isEmpty());
        if (mode == QStringLiteral("exits"))
            QVERIFY(engine.reason().hint.contains(QStringLiteral("libtorch")));
        QTRY_COMPARE_WITH_TIMEOUT(waiting.calls, 1, patience);
        QCOMPARE(waiting.result.error.code, int(EngineError::EngineDied));
        QCOMPARE(states.size(), 2);
        QCOMPARE(states[1][1].toString(), engine.reason().message);
    }

    void loginShellsMayGreet() {
        EngineClient engine(bad(QStringLiteral("greets")));
        QSignalSpy log(&engine, &EngineClient::log);
        engine.start();
        QTRY_COMPARE_WITH_TIMEOUT(engine.state(), State::Ready, patience);
        QCOMPARE(log.size(), 2);
        QVERIFY(log[0][2].toString().contains(QStringLiteral("Welcome")));
    }

    void oddAnswers() {
        EngineClient engine(bad(QStringLiteral("odd")));
        engine.start();
        Outcome work, echo;
        engine.call(QStringLiteral("work"), {}, work.catcher());
        engine.call(QStringLiteral("echo"), {}, echo.catcher());
        QTRY_COMPARE_WITH_TIMEOUT(echo.calls, 1, patience);
        QCOMPARE(work.calls, 1);
        QVERIFY(!work.result.ok());
        QVERIFY(echo.result.ok());
        QCOMPARE(engine.state(), State::Ready);
    }

    void largeAnswers() {
        EngineClient engine(bad(QStringLiteral("good")));
        engine.start();
        Outcome large, tooLarge;
        engine.call(QStringLiteral("large"), {{QStringLiteral("size"), 20'000'000}},
                    large.catcher());
        engine.call(QStringLiteral("echo"), {{QStringLiteral("text"), QString(17 << 20, u'z')}},
                    tooLarge.catcher());
        QTRY_COMPARE_WITH_TIMEOUT(large.calls, 1, patience);
        QCOMPARE(large.result.value[QStringLiteral("text")].toString().size(), 20'000'000);
        QTRY_COMPARE_WITH_TIMEOUT(tooLarge.calls, 1, patience);
        QCOMPARE(tooLarge.result.error.code, int(EngineError::TooLarge));
        QCOMPARE(engine.state(), State::Ready);
    }

    void crashes() {
        EngineClient engine(bad(QStringLiteral("crashes")));
        engine.start();
        Outcome first, second;
        engine.call(QStringLiteral("work"), {}, first.catcher());
        engine.call(QStringLiteral("work"), {}, second.catcher());
        QTRY_COMPARE_WITH_TIMEOUT(engine.state(), State::Dead, patience);
        QTRY_COMPARE_WITH_TIMEOUT(first.calls + second.calls, 2, patience);
        QCOMPARE(first.result.error.code, int(EngineError::EngineDied));
        QCOMPARE(second.result.error.code, int(EngineError::EngineDied));
        QVERIFY(engine.reason().message.contains(QStringLiteral("signal 6")));
        QVERIFY(engine.errorOutput().contains(QStringLiteral("terminate called")));
    }

    /// What was said before the end counts.
    void lastWords() {
        EngineClient engine(bad(QStringLiteral("last-words")));
        engine.start();
        Outcome outcome;
        engine.call(QStringLiteral("work"), {}, outcome.catcher());
        QTRY_COMPARE_WITH_TIMEOUT(engine.state(), State::Dead, patience);
        QTRY_COMPARE_WITH_TIMEOUT(outcome.calls, 1, patience);
        QVERIFY(outcome.result.value[QStringLiteral("late")].toBool());
        QVERIFY(engine.reason().message.contains(QStringLiteral("exit code 3")));
    }

    void killedInEveryPhase_data() {
        QTest::addColumn<QString>("method");
        for (const char* method : {"", "calibrate", "generate", "evaluate"})
            QTest::newRow(*method ? method : "idle") << QString::fromLatin1(method);
    }
    /// SIGKILL from outside: the calls fail, and after a restart the same call succeeds.
    void killedInEveryPhase() {
        QFETCH(QString, method);
        EngineClient engine(real());
        engine.start();
        QTRY_COMPARE_WITH_TIMEOUT(engine.state(), State::Ready, patience);
        const auto pid = pid_t(engine.hello()[QStringLiteral("pid")].toInteger());
        QJsonObject params{{QStringLiteral("model"), sample}};
        if (method == QStringLiteral("calibrate")) {
            params[QStringLiteral("sequences")] = 2;
            params[QStringLiteral("length")] = 48;
        }
        if (method == QStringLiteral("evaluate")) {
            params[QStringLiteral("windows")] = 100;
            params[QStringLiteral("context")] = 64;
        }
        if (method == QStringLiteral("generate")) params = chat(400);
        Outcome outcome;
        // The engine may be done before this process gets its turn: then once more.
        for (int attempt = 0; attempt < 20; ++attempt) {
            outcome = {};
            if (!method.isEmpty()) {
                QSignalSpy progress(&engine, &EngineClient::progress);
                const int job = engine.call(method, params, outcome.catcher());
                QTRY_VERIFY_WITH_TIMEOUT(!progress.isEmpty() || !engine.isOpen(job), patience);
            }
            ::kill(pid, SIGSTOP);
            QTest::qWait(20); // what it has sent arrives
            if (outcome.calls == 0) break;
            ::kill(pid, SIGCONT);
        }
        ::kill(pid, SIGKILL);
        QTRY_COMPARE_WITH_TIMEOUT(engine.state(), State::Dead, patience);
        QVERIFY(engine.reason().message.contains(QStringLiteral("signal 9")));
        if (method.isEmpty()) return;
        QTRY_COMPARE_WITH_TIMEOUT(outcome.calls, 1, patience);
        QCOMPARE(outcome.result.error.code, int(EngineError::EngineDied));
        engine.restart();
        Outcome again;
        engine.call(method, params, again.catcher());
        QTRY_COMPARE_WITH_TIMEOUT(again.calls, 1, patience);
        QVERIFY2(again.result.ok(), qPrintable(again.result.error.message));
    }

    void restartWaitsForTheOldOne() {
        EngineClient engine(bad(QStringLiteral("clings")));
        QSignalSpy states(&engine, &EngineClient::stateChanged);
        engine.start();
        QTRY_COMPARE_WITH_TIMEOUT(engine.state(), State::Ready, patience);
        Outcome open;
        engine.call(QStringLiteral("work"), {}, open.catcher());
        engine.restart();
        QCOMPARE(engine.state(), State::Starting);
        Outcome next;
        engine.call(QStringLiteral("echo"), {}, next.catcher());
        QTRY_COMPARE_WITH_TIMEOUT(next.calls, 1, patience);
        QVERIFY(next.result.ok());
        QCOMPARE(open.calls, 1);
        QCOMPARE(open.result.error.code, int(EngineError::EngineDied));
        engine.stop();
        QCOMPARE(engine.state(), State::Stopped);
        Outcome stopped;
        engine.call(QStringLiteral("echo"), {}, stopped.catcher());
        QTRY_COMPARE_WITH_TIMEOUT(stopped.calls, 1, patience);
        QCOMPARE(stopped.result.error.code, int(EngineError::NotRunning));
    }

    /// The owner of a callback may be gone, and a callback may do anything to the client.
    void guards() {
        auto* engine = new EngineClient(bad(QStringLiteral("good")));
        engine->start();
        auto guard = std::make_unique<QObject>();
        Outcome never, last;
        engine->call(QStringLiteral("echo"), {}, guard.get(), never.catcher());
        guard.reset();
        engine->call(QStringLiteral("echo"), {}, last.catcher());
        QTRY_COMPARE_WITH_TIMEOUT(last.calls, 1, patience);
        QCOMPARE(never.calls, 0);
        int calls = 0;
        engine->call(QStringLiteral("echo"), {}, [&](const EngineResult&) {
            ++calls;
            engine->restart();
            engine->call(QStringLiteral("echo"), {}, [&](const EngineResult& result) {
                QVERIFY(result.ok());
                ++calls;
                delete engine;
                engine = nullptr;
            });
        });
        QTRY_COMPARE_WITH_TIMEOUT(calls, 2, patience);
        QVERIFY(!engine);
    }

    void detachedJobsOutliveTheClient() {
        qint64 pid = 0;
        QString key;
        {
            EngineClient engine(real());
            engine.start();
            QSignalSpy progress(&engine, &EngineClient::progress);
            Outcome outcome, detached;
            const int job = engine.call(QStringLiteral("calibrate"),
                                        {{QStringLiteral("model"), sample},
                                         {QStringLiteral("sequences"), 6},
                                         {QStringLiteral("length"), 40}},
                                        outcome.catcher());
            QTRY_VERIFY_WITH_TIMEOUT(!progress.isEmpty(), patience);
            pid = engine.hello()[QStringLiteral("pid")].toInteger();
            engine.detach(job, detached.catcher());
            QTRY_COMPARE_WITH_TIMEOUT(detached.calls, 1, patience);
            QVERIFY2(detached.result.ok(), qPrintable(detached.result.error.message));
            key = detached.result.value[QStringLiteral("key")].toString();
        }
        QVERIFY(isAlive(pid));
        EngineClient engine(real());
        engine.start();
        QTRY_COMPARE_WITH_TIMEOUT(engine.state(), State::Ready, patience);
        const QJsonArray list = engine.hello()[QStringLiteral("detached")].toArray();
        QCOMPARE(list.size(), 1);
        QCOMPARE(list[0].toObject()[QStringLiteral("key")].toString(), key);
        Outcome attached;
        engine.call(QStringLiteral("attach"), {{QStringLiteral("key"), key}}, attached.catcher());
        QTRY_COMPARE_WITH_TIMEOUT(attached.calls, 1, patience);
        QVERIFY2(attached.result.ok(), qPrintable(attached.result.error.message));
        QVERIFY(QFile::exists(attached.result.value[QStringLiteral("statistics")].toString()));
        QTRY_VERIFY_WITH_TIMEOUT(!isAlive(pid), patience);
    }

    /// An engine elsewhere: its model as a stand-in, its files piece by piece.
    void remoteFiles() {
        EngineClient engine(real());
        engine.start();
        Outcome opened;
        engine.call(QStringLiteral("open"), {{QStringLiteral("model"), sample}}, opened.catcher());
        QTRY_COMPARE_WITH_TIMEOUT(opened.calls, 1, patience);
        const QString parent = m_folder.filePath(QStringLiteral("skeletons"));
        QString folder;
        for (int round = 0; round < 2; ++round) { // the second finds it there
            folder.clear();
            RemoteCopy::skeleton(&engine, opened.result.value, parent, this,
                                 [&](const QString& path, const EngineError& error) {
                                     QVERIFY2(!error, qPrintable(error.message));
                                     folder = path;
                                 });
            QTRY_VERIFY_WITH_TIMEOUT(!folder.isEmpty(), patience);
        }
        const auto model = bitloom::Checkpoint::open(folder.toStdString());
        QCOMPARE(QString::fromStdString(model->fingerprint()),
                 opened.result.value[QStringLiteral("fingerprint")].toString());
        QCOMPARE(QDir(parent).entryList(QDir::AllEntries | QDir::NoDotAndDotDot).size(), 1);

        const QString statistics = opened.result.value[QStringLiteral("statistics")]
                                       .toArray()[0]
                                       .toObject()[QStringLiteral("path")]
                                       .toString();
        const QString copy = m_folder.filePath(QStringLiteral("copies/stats.safetensors"));
        EngineError failure{1, {}, {}};
        RemoteCopy::file(&engine, statistics, copy, this,
                         [&](const QString&, const EngineError& error) { failure = error; });
        QTRY_COMPARE_WITH_TIMEOUT(failure.code, 0, patience);
        QFile a(statistics), b(copy);
        QVERIFY(a.open(QIODevice::ReadOnly) && b.open(QIODevice::ReadOnly));
        QVERIFY(a.readAll() == b.readAll());

        RemoteCopy::file(&engine, QStringLiteral("/etc/hostname"), copy + u'x', this,
                         [&](const QString&, const EngineError& error) { failure = error; });
        QTRY_COMPARE_WITH_TIMEOUT(failure.code, int(EngineError::Failed), patience);
        QVERIFY(!QFile::exists(copy + u'x'));

        QJsonObject tricky = opened.result.value;
        tricky[QStringLiteral("fingerprint")] = QStringLiteral("abc123");
        tricky[QStringLiteral("files")] =
            QJsonArray{QJsonObject{{QStringLiteral("name"), QStringLiteral("../../outside")},
                                   {QStringLiteral("bytes"), 1},
                                   {QStringLiteral("pieces"), QJsonArray()}}};
        RemoteCopy::skeleton(&engine, tricky, parent, this,
                             [&](const QString&, const EngineError& error) { failure = error; });
        QTRY_COMPARE_WITH_TIMEOUT(failure.code, int(EngineError::BadAnswer), patience);
    }

    /// Two libraries make a GPU of use, and neither is of any where the engine was not told so.
    void devices() {
        const auto hello = [](const QString& started, const QStringList& methods) {
            const QJsonObject cpu{{QStringLiteral("name"), QStringLiteral("cpu")}};
            const QJsonObject cuda{
                {QStringLiteral("name"), QStringLiteral("cuda")},
                {QStringLiteral("reason"), QStringLiteral("no libtorch")},
                {QStringLiteral("generate_reason"), QStringLiteral("no kernels")},
                {QStringLiteral("methods"), QJsonArray::fromStringList(methods)}};
            QJsonObject out{{QStringLiteral("devices"), QJsonArray{cpu, cuda}}};
            if (!started.isEmpty()) out[QStringLiteral("device")] = started;
            return out;
        };
        const QString quantize = QStringLiteral("quantize"), generate = QStringLiteral("generate");
        for (const char* started : {"auto", "cuda"}) {
            const QJsonObject one = hello(QString::fromLatin1(started), {generate});
            QVERIFY(EngineDevice::of(one, generate).cuda);
            QCOMPARE(EngineDevice::of(one, generate).reason, QString());
            QVERIFY(!EngineDevice::of(one, quantize).cuda);
            QCOMPARE(EngineDevice::of(one, quantize).reason, QStringLiteral("no libtorch"));
            const QJsonObject other = hello(QString::fromLatin1(started), {quantize});
            QVERIFY(EngineDevice::of(other, quantize).cuda);
            QCOMPARE(EngineDevice::of(other, generate).reason, QStringLiteral("no kernels"));
        }
        for (const char* started : {"cpu", ""}) {
            const QJsonObject both = hello(QString::fromLatin1(started), {quantize, generate});
            QVERIFY(!EngineDevice::of(both, quantize).cuda);
            QCOMPARE(EngineDevice::of(both, quantize).key(), QStringLiteral("cpu"));
            QCOMPARE(EngineDevice::of(both, quantize).reason, QString());
        }
        QVERIFY(!EngineDevice::of({}, quantize).cuda);
    }

    void commands() {
        const EngineCommand ssh = EngineCommand::fromText(
            QStringLiteral("ssh -o 'ServerAliveInterval 15' box bitloom serve"));
        QCOMPARE(ssh.arguments, (QStringList{QStringLiteral("-c"), ssh.text()}));
        QCOMPARE(ssh.text(), QStringLiteral("ssh -o 'ServerAliveInterval 15' box bitloom serve"));
        QVERIFY(ssh.remote);
        const EngineCommand local =
            EngineCommand::local({QStringLiteral("--threads"), QStringLiteral("4")});
        QVERIFY(local.text().endsWith(QStringLiteral("serve --threads 4")));
        QVERIFY(!local.remote);
    }
};

QTEST_GUILESS_MAIN(TestEngineClient)
#include "tst_engine_client.moc"
