// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/base/error.h"
#include "core/base/log.h"
#include "core/base/progress.h"
#include "core/base/threads.h"

#include <QDir>
#include <QFile>
#include <QTemporaryDir>
#include <QTest>

#include <atomic>
#include <limits>
#include <mutex>
#include <sched.h>
#include <set>
#include <thread>
#include <vector>

using namespace bitloom;

namespace {

void write(const QString& path, const char* text) {
    QDir().mkpath(QFileInfo(path).path());
    QFile file(path);
    QVERIFY(file.open(QIODevice::WriteOnly));
    file.write(text);
}

} // namespace

class TestThreads : public QObject {
    Q_OBJECT
private slots:
    void coversEveryIndexOnce_data() {
        QTest::addColumn<qint64>("n");
        QTest::addColumn<qint64>("grain");
        QTest::addColumn<int>("threads");
        for (const qint64 n : {0, 1, 2, 7, 1000, 4097})
            for (const qint64 grain : {-1, 1, 3, 64, 100000})
                for (const int threads : {-1, 1, 2, 5, 64})
                    QTest::addRow("%d/%d/%d", int(n), int(grain), threads) << n << grain << threads;
    }
    void coversEveryIndexOnce() {
        QFETCH(qint64, n);
        QFETCH(qint64, grain);
        QFETCH(int, threads);
        std::vector<std::atomic<int>> seen(static_cast<size_t>(n));
        std::atomic<bool> tooLong{false};
        parallelFor(n, grain, threads, [&](int64_t begin, int64_t end) {
            if (begin >= end || end - begin > std::max<int64_t>(grain, 1)) tooLong = true;
            for (int64_t i = begin; i < end; ++i)
                ++seen[size_t(i)];
        });
        QVERIFY(!tooLong);
        for (const auto& count : seen)
            QCOMPARE(count.load(), 1);
    }

    void handlesTheLargestRange() {
        const int64_t all = std::numeric_limits<int64_t>::max();
        std::atomic<int64_t> sum{0};
        parallelFor(all, all / 3, 4, [&](int64_t begin, int64_t end) { sum += end - begin; });
        QCOMPARE(sum.load(), all);
    }

    void usesSeveralThreads() {
        std::mutex mutex;
        std::set<std::thread::id> ids;
        std::atomic<int> arrived{0};
        // Each range waits for the other: only two threads at once can finish.
        parallelFor(2, 1, 2, [&](int64_t, int64_t) {
            ++arrived;
            while (arrived < 2)
                std::this_thread::yield();
            const std::lock_guard lock(mutex);
            ids.insert(std::this_thread::get_id());
        });
        QCOMPARE(ids.size(), size_t(2));
        QVERIFY(ids.contains(std::this_thread::get_id()));
    }

    void nestedAndConcurrentCallsFinish() {
        std::atomic<int> count{0};
        const auto job = [&] {
            for (int i = 0; i < 20; ++i)
                parallelFor(8, 1, 4, [&](int64_t, int64_t) {
                    parallelFor(10, 2, 4,
                                [&](int64_t begin, int64_t end) { count += int(end - begin); });
                });
        };
        std::thread other(job);
        job();
        other.join();
        QCOMPARE(count.load(), 2 * 20 * 8 * 10);
    }

    void rethrowsTheFirstException() {
        for (const int threads : {1, 4}) {
            std::atomic<int> running{0}, calls{0};
            try {
                parallelFor(1'000'000, 1, threads, [&](int64_t begin, int64_t) {
                    ++running;
                    ++calls;
                    if (begin == 10) {
                        --running;
                        throw Error("at ten");
                    }
                    --running;
                });
                QFAIL("no exception");
            } catch (const Error& error) {
                QCOMPARE(std::string(error.what()), std::string("at ten"));
            }
            QCOMPARE(running.load(), 0); // nobody works any more
            QVERIFY(calls < 1'000'000);  // and the rest was left
            std::atomic<int> after{0};
            parallelFor(100, 1, threads, [&](int64_t, int64_t) { ++after; });
            QCOMPARE(after.load(), 100);
        }
    }

    void manyShortJobs() {
        std::atomic<int64_t> sum{0};
        for (int i = 0; i < 5'000; ++i)
            parallelFor(4, 1, 3, [&](int64_t begin, int64_t) { sum += begin; });
        QCOMPARE(sum.load(), int64_t(5'000) * 6);
    }

    void honoursTheAffinity() {
        cpu_set_t before;
        QCOMPARE(sched_getaffinity(0, sizeof before, &before), 0);
        cpu_set_t one;
        CPU_ZERO(&one);
        for (int i = 0; i < CPU_SETSIZE; ++i)
            if (CPU_ISSET(i, &before)) {
                CPU_SET(i, &one);
                break;
            }
        QVERIFY(defaultThreads() >= 1);
        QVERIFY(defaultThreads() <= CPU_COUNT(&before));
        QCOMPARE(sched_setaffinity(0, sizeof one, &one), 0);
        QCOMPARE(defaultThreads(), 1);
        QCOMPARE(sched_setaffinity(0, sizeof before, &before), 0);
    }

    void readsQuotas_data() {
        QTest::addColumn<QString>("line");
        QTest::addColumn<QString>("file");
        QTest::addColumn<QString>("content");
        QTest::addColumn<int>("cores");
        QTest::newRow("v2 namespaced") << "0::/"
                                       << "cpu.max"
                                       << "150000 100000\n"
                                       << 2;
        QTest::newRow("v2 none") << "0::/"
                                 << "cpu.max"
                                 << "max 100000\n"
                                 << 0;
        QTest::newRow("v2 own") << "0::/a/b"
                                << "a/b/cpu.max"
                                << "400000 100000\n"
                                << 4;
        QTest::newRow("v2 parent") << "0::/a/b"
                                   << "a/cpu.max"
                                   << "50000 100000\n"
                                   << 1;
        QTest::newRow("v2 empty") << "0::/a"
                                  << "a/cpu.max"
                                  << "" << 0;
        QTest::newRow("v2 nonsense") << "0::/a"
                                     << "a/cpu.max"
                                     << "many few\n"
                                     << 0;
        QTest::newRow("v1") << "4:cpu,cpuacct:/d/x"
                            << "cpu/d/x/cpu.cfs_quota_us"
                            << "300000\n"
                            << 3;
        QTest::newRow("v1 none") << "4:cpu,cpuacct:/"
                                 << "cpu/cpu.cfs_quota_us"
                                 << "-1\n"
                                 << 0;
        QTest::newRow("other controller") << "5:memory:/"
                                          << "cpu/cpu.cfs_quota_us"
                                          << "100000\n"
                                          << 0;
        QTest::newRow("broken line") << "nonsense"
                                     << "cpu.max"
                                     << "100000 100000\n"
                                     << 0;
        QTest::newRow("no path") << "0::"
                                 << "cpu.max"
                                 << "100000 100000\n"
                                 << 0;
    }
    void readsQuotas() {
        QFETCH(QString, line);
        QFETCH(QString, file);
        QFETCH(QString, content);
        QFETCH(int, cores);
        QTemporaryDir folder;
        write(folder.filePath("cgroup"), qPrintable("7:name=x:/\n" + line + "\n"));
        const QString path = folder.filePath("fs/" + file);
        write(path, qPrintable(content));
        write(QFileInfo(path).path() + "/cpu.cfs_period_us", "100000\n");
        QCOMPARE(cgroupCores(folder.filePath("cgroup").toStdString(),
                             folder.filePath("fs").toStdString()),
                 cores);
    }
    void noGroupsNoQuota() { QCOMPARE(cgroupCores("/no/such", "/no/such"), 0); }

    void oneLoggerPerRoom() {
        const auto first = logger("core");
        QVERIFY(first);
        QCOMPARE(logger("core"), first);
        QVERIFY(logger("engine") != first);
        QCOMPARE(first->name(), std::string("core"));
    }

    void slicesOfProgress() {
        class Recorder : public Progress {
        public:
            void report(double fraction, std::string_view) override { last = fraction; }
            bool cancelled() const override { return stop; }
            double last = -1;
            bool stop = false;
        } whole;
        ProgressSlice part(whole, 0.5, 0.75);
        part.report(0.5, "x");
        QCOMPARE(whole.last, 0.625);
        part.check();
        whole.stop = true;
        try {
            part.check();
            QFAIL("not stopped");
        } catch (const Error& error) {
            QCOMPARE(error.code(), ErrorCode::Cancelled);
        }
    }
};

QTEST_APPLESS_MAIN(TestThreads)
#include "tst_threads.moc"
