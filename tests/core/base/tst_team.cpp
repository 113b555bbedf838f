// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/base/team.h"

#include <QTest>

#include <atomic>
#include <ctime>
#include <set>
#include <stdexcept>
#include <thread>
#include <vector>

using namespace bitloom;

class TestTeam : public QObject {
    Q_OBJECT
private slots:
    void everyItemOnce_data() {
        QTest::addColumn<int>("threads");
        QTest::addColumn<int>("items");
        for (const int threads : {1, 2, 3, 8})
            for (const int items : {0, 1, 2, 7, 1000})
                QTest::addRow("%d threads, %d items", threads, items) << threads << items;
    }
    void everyItemOnce() {
        QFETCH(int, threads);
        QFETCH(int, items);
        Team team(threads);
        QCOMPARE(team.threads(), threads);
        // Rounds right behind each other, each of which uses what the one before has written.
        std::vector<uint64_t> values(size_t(items), 0); // modulo 2^64
        for (int64_t round = 0; round < 300; ++round)
            team.forEach(
                items, [&](int64_t i) { values[size_t(i)] = 3 * values[size_t(i)] + uint64_t(i); });
        for (int64_t i = 0; i < items; ++i) {
            uint64_t expected = 0;
            for (int round = 0; round < 300; ++round)
                expected = 3 * expected + uint64_t(i);
            QCOMPARE(values[size_t(i)], expected);
        }
    }

    void workIsShared() {
        Team team(2);
        // Two items that each wait for the other can only end on two threads.
        std::atomic<int> here{0};
        team.forEach(2, [&](int64_t) {
            ++here;
            while (here.load() < 2)
                std::this_thread::yield();
        });
        QCOMPARE(here.load(), 2);
    }

    void firstErrorComesBack() {
        Team team(4);
        for (int round = 0; round < 50; ++round) {
            std::atomic<int> ran{0};
            QVERIFY_EXCEPTION_THROWN(team.forEach(100,
                                                  [&](int64_t i) {
                                                      ++ran;
                                                      if (i == 3) throw std::runtime_error("no");
                                                  }),
                                     std::runtime_error);
            QVERIFY(ran > 0);
            std::atomic<int> after{0};
            team.forEach(10, [&](int64_t) { ++after; });
            QCOMPARE(after.load(), 10);
        }
    }

    void idleMembersSleep() {
        Team team(4);
        team.forEach(4, [](int64_t) {});
        QTest::qWait(20);
        const auto cpu = [] {
            timespec t{};
            clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
            return double(t.tv_sec) + 1e-9 * double(t.tv_nsec);
        };
        const double before = cpu();
        std::this_thread::sleep_for(std::chrono::milliseconds(300));
        QVERIFY(cpu() - before < 0.05); // three spinning members would take up to 0.9 s
    }
};

QTEST_APPLESS_MAIN(TestTeam)
#include "tst_team.moc"
