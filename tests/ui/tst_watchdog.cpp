// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "ui/window/watchdog.h"

#include <QElapsedTimer>
#include <QObject>
#include <QTest>
#include <QThread>
#include <QTimer>

using namespace bitloom::ui;

namespace {

/// Keeps the event loop from turning, once.
class Blocker : public QObject {
    Q_OBJECT
public:
    explicit Blocker(bool computing) : m_computing(computing) { startTimer(0); }
    bool done() const { return m_done; }

protected:
    void timerEvent(QTimerEvent* event) override {
        killTimer(event->timerId());
        QElapsedTimer clock;
        clock.start();
        if (!m_computing) QThread::msleep(400);
        while (m_computing && clock.elapsed() < 400) {
        }
        m_done = true;
    }

private:
    bool m_computing, m_done = false;
};

} // namespace

class TestWatchdog : public QObject {
    Q_OBJECT
private slots:
    void tellsWhatBlocks_data() {
        QTest::addColumn<bool>("computing");
        QTest::newRow("waiting") << false;
        QTest::newRow("computing") << true;
    }

    void tellsWhatBlocks() {
        QFETCH(bool, computing);
        Watchdog watchdog;
        QTest::qWait(60);
        watchdog.clear();
        Blocker blocker(computing);
        QTRY_VERIFY(blocker.done());
        QTRY_VERIFY(!watchdog.blocks().empty());
        const auto& blocks = watchdog.blocks();
        const auto worst = std::max_element(blocks.begin(), blocks.end(),
                                            [](auto& a, auto& b) { return a.ms < b.ms; });
        // The beat may have been due at any time of its 50 ms; nothing can make the block shorter.
        QVERIFY2(worst->ms >= 300, qPrintable(QString::number(worst->ms)));
        QVERIFY(watchdog.longestMs() >= worst->ms);
        QVERIFY2(worst->doing.contains(QLatin1String("Blocker")), qPrintable(worst->doing));
        if (!computing) QVERIFY(worst->cpuMs < 300);
        watchdog.clear();
        QVERIFY(watchdog.blocks().empty());
        QCOMPARE(watchdog.longestMs(), 0);
    }
};

QTEST_GUILESS_MAIN(TestWatchdog)
#include "tst_watchdog.moc"
