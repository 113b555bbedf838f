// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
//
// The conversation with an engine that follows a script, and with the program's own.
#include "tests/ui/chat/chat_bench.h"
#include "ui/chat/chat_session.h"
#include "ui/state/jobs.h"

using namespace bitloom::ui;

namespace {
constexpr int patience = 60'000;

#define WAIT_IDLE(session) QTRY_VERIFY_WITH_TIMEOUT(!(session).busy(), patience)

/// Full methods that begin by themselves would mix with what a test watches.
void waitForAll(Workbench& workbench) {
    QTRY_COMPARE_WITH_TIMEOUT(workbench.jobs().activeCount(), 0, patience);
}
} // namespace

class TestChatSession : public QObject {
    Q_OBJECT
    std::unique_ptr<ChatBench> m_bench;

private slots:
    void initTestCase() {
        QLocale::setDefault(QLocale::c());
        m_bench = std::make_unique<ChatBench>();
        m_bench->open();
    }
    void cleanupTestCase() { m_bench.reset(); }

    void bothAnswer_data() {
        QTest::addColumn<QString>("order");
        for (const char* order : {"turns", "blocks", "late"})
            QTest::newRow(order) << QString::fromLatin1(order);
    }
    /// However tokens of the two streams mix, each text is its own.
    void bothAnswer() {
        QFETCH(QString, order);
        m_bench->startEngine({QStringLiteral("tokens=16"), QStringLiteral("differ=5"),
                              QStringLiteral("order=") % order});
        SubjectModels models(m_bench->workbench);
        ChatSession session(m_bench->workbench, models);
        QCOMPARE(session.obstacle(), QString());
        session.send(QStringLiteral("Once"));
        QVERIFY(session.busy());
        WAIT_IDLE(session);
        QCOMPARE(session.problem(), QString());
        QCOMPARE(session.stream(0).text(),
                 QStringLiteral(" once upon a time there was a small red fox who lived in the old "
                                "wood"));
        QCOMPARE(session.stream(1).size(), 16);
        QVERIFY(session.stream(1).text().startsWith(QStringLiteral(" once upon a time there")));
        QCOMPARE(session.firstDifference(), 5);
        QCOMPARE(session.commonTokens(), 5);
        QCOMPARE(session.divergence().size(), 16);
        QCOMPARE(session.stream(0).figures().contextUsed, qint64(5 + 16));
        QCOMPARE(session.stream(0).end(), TokenStream::End::MaxTokens);
        QCOMPARE(session.turn()->models[1].method, SubjectModels::Method::Quick);
        waitForAll(m_bench->workbench);
        QVERIFY(session.fullReady(1)); // a small model is carried out in full by itself
        session.regenerate();
        WAIT_IDLE(session);
        QCOMPARE(session.turn()->models[1].method, SubjectModels::Method::Full);
    }

    void identicalModels() {
        m_bench->startEngine({QStringLiteral("tokens=8")});
        SubjectModels models(m_bench->workbench);
        ChatSession session(m_bench->workbench, models);
        session.setSide(1, {Subject::Kind::Original, {}});
        session.send(QStringLiteral("Once"));
        WAIT_IDLE(session);
        QCOMPARE(session.firstDifference(), -1);
        QCOMPARE(session.divergence().size(), 8);
        for (const TokenScore& token : session.divergence().tokens())
            QCOMPARE(token.kl, 0.0f);
        QCOMPARE(session.divergence().summary().sameTop, 1.0);
    }

    /// No more than one token of each side comes after Stop, and nothing is scored.
    void stopsWithinOneToken() {
        m_bench->startEngine({QStringLiteral("tokens=2000"), QStringLiteral("delay=0.01")});
        SubjectModels models(m_bench->workbench);
        ChatSession session(m_bench->workbench, models);
        session.send(QStringLiteral("Once"));
        QTRY_VERIFY_WITH_TIMEOUT(session.stream(0).size() >= 10, patience);
        const int left = session.stream(0).size(), right = session.stream(1).size();
        session.stop();
        WAIT_IDLE(session);
        QVERIFY2(session.stream(0).size() <= left + 1, qPrintable(QString::number(left)));
        QVERIFY(session.stream(1).size() <= right + 1);
        QCOMPARE(session.stream(0).state(), TokenStream::State::Stopped);
        QVERIFY(session.divergence().empty());
        QCOMPARE(session.problem(), QString());
        waitForAll(m_bench->workbench);
    }

    /// Also before the first token, while the plan is still being carried out.
    void stopsWhileLoading() {
        m_bench->startEngine({QStringLiteral("steps=2000"), QStringLiteral("delay=0.01")});
        SubjectModels models(m_bench->workbench);
        ChatSession session(m_bench->workbench, models);
        session.send(QStringLiteral("Once"));
        QCOMPARE(session.phase(), ChatSession::Phase::Preparing);
        QTRY_VERIFY_WITH_TIMEOUT(
            m_bench->workbench.jobs().find(session.job())->state == Job::State::Running, patience);
        session.stop();
        WAIT_IDLE(session);
        QCOMPARE(session.stream(0).size(), 0);
        QCOMPARE(session.stream(0).state(), TokenStream::State::Stopped);
    }

    void oneAfterTheOther() {
        m_bench->startEngine({QStringLiteral("tokens=6"), QStringLiteral("differ=2")});
        SubjectModels models(m_bench->workbench);
        ChatSession session(m_bench->workbench, models);
        ChatOptions options;
        options.together = false;
        session.setOptions(options);
        QSignalSpy grown(&session, &ChatSession::streamChanged);
        bool leftDoneFirst = true;
        connect(&session, &ChatSession::streamChanged, &session, [&](int side) {
            if (side == 1 && session.stream(1).size() > 0)
                leftDoneFirst &= session.stream(0).size() == 6;
        });
        session.send(QStringLiteral("Once"));
        WAIT_IDLE(session);
        QVERIFY(leftDoneFirst);
        QCOMPARE(session.stream(1).size(), 6);
        QCOMPARE(session.firstDifference(), 2);
        waitForAll(m_bench->workbench);
    }

    void saysWhenBothDoNotFit() {
        m_bench->startEngine({QStringLiteral("limit=8000000000")}); // each takes 5 GB
        SubjectModels models(m_bench->workbench);
        ChatSession session(m_bench->workbench, models);
        QTRY_VERIFY_WITH_TIMEOUT(session.tightness().has_value(), patience);
        QCOMPARE(session.tightness()->both, qint64(10'000'000'000));
        QCOMPARE(session.tightness()->one, qint64(5'000'000'000));
        ChatOptions options;
        options.together = false;
        session.setOptions(options);
        QVERIFY(!session.tightness());
    }

    void continuesFromItsOwnAnswers() {
        m_bench->startEngine({QStringLiteral("tokens=3"), QStringLiteral("differ=1")});
        SubjectModels models(m_bench->workbench);
        ChatSession session(m_bench->workbench, models);
        ChatOptions options;
        options.continued = true;
        session.setOptions(options);
        session.send(QStringLiteral("ab"));
        WAIT_IDLE(session);
        waitForAll(m_bench->workbench);
        session.send(QStringLiteral("c"));
        WAIT_IDLE(session);
        QCOMPARE(session.turns().size(), size_t(2));
        // Prompt ids, what each side answered, then "\nc".
        QCOMPARE(session.stream(0).promptIds(), (QJsonArray{1, 0, 1, 0, 1, 2, 500, 501}));
        const QJsonArray right = session.stream(1).promptIds();
        QCOMPARE(right.size(), 8);
        QVERIFY(right[4].toInt() >= 100);
        QCOMPARE(session.takeBack(), QStringLiteral("c"));
        QCOMPARE(session.turns().size(), size_t(1));
        waitForAll(m_bench->workbench);
    }

    /// A handle that the engine does not keep any more is made again, once.
    void makesLostTriesAgain() {
        m_bench->startEngine({QStringLiteral("tokens=4"), QStringLiteral("lose=1")});
        SubjectModels models(m_bench->workbench);
        ChatSession session(m_bench->workbench, models);
        session.send(QStringLiteral("Once"));
        WAIT_IDLE(session);
        QCOMPARE(session.problem(), QString());
        QCOMPARE(session.stream(1).size(), 4);
        waitForAll(m_bench->workbench);
        m_bench->startEngine({QStringLiteral("tokens=4"), QStringLiteral("lose=9")});
        session.send(QStringLiteral("Once"));
        WAIT_IDLE(session);
        QVERIFY(session.problem().contains(QStringLiteral("try:1")));
        QCOMPARE(session.stream(0).state(), TokenStream::State::Failed);
        waitForAll(m_bench->workbench);
    }

    void presetsAreWorkedOut() {
        m_bench->startEngine({QStringLiteral("tokens=4"), QStringLiteral("differ=2")});
        SubjectModels models(m_bench->workbench);
        ChatSession session(m_bench->workbench, models);
        session.setSide(0, {Subject::Kind::Preset, QStringLiteral("Uniform 4")});
        session.setSide(1, {Subject::Kind::Preset, QStringLiteral("Small")});
        session.send(QStringLiteral("Once"));
        WAIT_IDLE(session);
        QCOMPARE(session.problem(), QString());
        QVERIFY(session.turn()->models[0].model != session.turn()->models[1].model);
        waitForAll(m_bench->workbench);
    }

    /// What answered stays what it was, whatever the side is set to afterwards.
    void answersKeepTheirModel() {
        m_bench->startEngine({QStringLiteral("tokens=4")});
        SubjectModels models(m_bench->workbench);
        ChatSession session(m_bench->workbench, models);
        session.setComparing(false);
        session.send(QStringLiteral("Once"));
        WAIT_IDLE(session);
        QVERIFY(!session.isStale(0));
        session.setSide(0, {Subject::Kind::Preset, QStringLiteral("Small")});
        QVERIFY(session.isOfAnother(0));
        QVERIFY(session.isStale(0));
        QCOMPARE(session.turn()->models[0].title, QStringLiteral("FP16"));
        session.setSide(0, {Subject::Kind::Original, {}});
        QVERIFY(!session.isOfAnother(0));
        waitForAll(m_bench->workbench);
    }

    /// A full method that was asked for gives way to an answer, and goes on behind it, also where
    /// that is stopped.
    void interruptedPreparationsGoOn() {
        m_bench->startEngine({QStringLiteral("tokens=2000"), QStringLiteral("delay=0.01"),
                              QStringLiteral("steps=20")});
        SubjectModels models(m_bench->workbench);
        ChatSession session(m_bench->workbench, models);
        session.prepareFull(1);
        QVERIFY(session.preparing(1));
        session.send(QStringLiteral("Once"));
        QTRY_VERIFY_WITH_TIMEOUT(session.stream(0).size() >= 3, patience);
        QVERIFY(!session.preparing(1));
        session.stop();
        WAIT_IDLE(session);
        QVERIFY(session.preparing(1));
        QTRY_VERIFY_WITH_TIMEOUT(session.fullReady(1), patience);
        waitForAll(m_bench->workbench);
    }

    /// What the engine could not say because it died is asked again.
    void problemsOfTheEnginePass() {
        m_bench->startEngine({QStringLiteral("tokens=4")});
        SubjectModels models(m_bench->workbench);
        ChatSession session(m_bench->workbench, models);
        models.info(m_bench->workbench.model()->folder); // on its way
        m_bench->engine->stop();
        QTRY_VERIFY_WITH_TIMEOUT(m_bench->engine->state() != EngineClient::State::Ready, patience);
        m_bench->engine->restart();
        QTRY_VERIFY_WITH_TIMEOUT(m_bench->engine->state() == EngineClient::State::Ready, patience);
        QCOMPARE(session.obstacle(), QString());
        QTRY_VERIFY_WITH_TIMEOUT(!models.info(m_bench->workbench.model()->folder).isEmpty(),
                                 patience);
        QCOMPARE(session.obstacle(), QString());
    }

    /// A wish to stop that meets the end of one call ends the job before the next.
    void cancelBetweenCalls() {
        m_bench->startEngine({});
        QTRY_VERIFY_WITH_TIMEOUT(m_bench->engine->state() == EngineClient::State::Ready, patience);
        JobList& jobs = m_bench->workbench.jobs();
        const int job = jobs.begin(QStringLiteral("Two calls"), QStringLiteral("test"));
        const QJsonObject params{{QStringLiteral("model"), m_bench->workbench.model()->folder},
                                 {QStringLiteral("text"), QStringLiteral("ab")}};
        bool first = false, second = false;
        jobs.call(job, QStringLiteral("tokenize"), params, 0, 0.5, [&](const EngineResult&) {
            first = true;
            jobs.call(job, QStringLiteral("tokenize"), params, 0.5, 1,
                      [&](const EngineResult&) { second = true; });
        });
        jobs.cancel(job); // the script answers all the same
        QTRY_VERIFY_WITH_TIMEOUT(!jobs.find(job)->active(), patience);
        QVERIFY(first);
        QVERIFY(!second);
        QCOMPARE(jobs.find(job)->state, Job::State::Cancelled);
    }

    void withTheProgramItself() {
        if (!m_bench->startRealEngine()) QSKIP("the program is not built");
        SubjectModels models(m_bench->workbench);
        ChatSession session(m_bench->workbench, models);
        session.setSide(1, {Subject::Kind::Original, {}});
        ChatOptions options;
        options.maxTokens = 24;
        session.setOptions(options);
        session.send(QStringLiteral("Once upon a time"));
        WAIT_IDLE(session);
        QCOMPARE(session.problem(), QString());
        QCOMPARE(session.stream(0).text(), session.stream(1).text());
        QCOMPARE(session.divergence().size(), session.stream(0).size());
        for (const TokenScore& token : session.divergence().tokens())
            QCOMPARE(token.kl, 0.0f);
        options.maxTokens = 400;
        session.setOptions(options);
        session.send(QStringLiteral("Once upon a time"));
        QTRY_VERIFY_WITH_TIMEOUT(session.stream(0).size() >= 3, patience);
        session.stop();
        WAIT_IDLE(session);
        QVERIFY(session.stream(0).size() < 300);
        QCOMPARE(session.stream(0).state(), TokenStream::State::Stopped);
    }
};

QTEST_GUILESS_MAIN(TestChatSession)
#include "tst_chat_session.moc"
