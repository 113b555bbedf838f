// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "ui/window/watchdog.h"

#include "core/base/log.h"

#include <QCoreApplication>
#include <QEvent>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <ctime>
#include <mutex>
#include <thread>

#include <fcntl.h>
#include <unistd.h>

namespace bitloom::ui {

namespace {

constexpr int64_t beatMs = 50;
constexpr size_t maxBlocks = 1000;

int64_t wallNow() {
    using namespace std::chrono;
    return duration_cast<nanoseconds>(steady_clock::now().time_since_epoch()).count();
}

} // namespace

/// A thread of its own, for only that can look while the other one is busy.
struct Watchdog::Sampler {
    std::atomic<int64_t> beat{wallNow()};
    // The event delivered last; class names live as long as the program.
    std::atomic<const char*> receiver{""};
    std::atomic<int> type{0};
    // The same, seen when the limit had passed: what takes so long.
    std::atomic<const char*> seenReceiver{nullptr};
    std::atomic<int> seenType{0};
    int schedstat = -1; ///< of the watched thread; −1 where the system keeps none

    Sampler() {
        schedstat = ::open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
        thread = std::thread([this] { watch(); });
    }
    ~Sampler() {
        {
            const std::lock_guard lock(mutex);
            stop = true;
        }
        wake.notify_all();
        thread.join();
        if (schedstat >= 0) ::close(schedstat);
    }

private:
    void watch() {
        int64_t told = 0; // beat of the block that was reported
        std::unique_lock lock(mutex);
        while (!wake.wait_for(lock, std::chrono::milliseconds(beatMs), [this] { return stop; })) {
            const int64_t last = beat;
            if (wallNow() - last <= (beatMs + limitMs) * 1'000'000 || last == told) continue;
            told = last;
            seenReceiver = receiver.load();
            seenType = type.load();
            logger("ui")->debug("the user interface has been busy for more than {} ms (event {} "
                                "of {})",
                                limitMs, seenType.load(), seenReceiver.load());
        }
    }

    std::mutex mutex;
    std::condition_variable wake;
    bool stop = false; ///< under mutex
    std::thread thread;
};

Watchdog::Watchdog(QObject* parent)
    : QObject(parent), m_sampler(std::make_unique<Sampler>()), m_last(now()) {
    QCoreApplication::instance()->installEventFilter(this);
    startTimer(int(beatMs), Qt::PreciseTimer);
}

Watchdog::~Watchdog() = default;

Watchdog::Times Watchdog::now() const {
    Times times{wallNow(), 0, 0};
    timespec cpu{};
    if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &cpu) == 0)
        times.cpu = int64_t(cpu.tv_sec) * 1'000'000'000 + cpu.tv_nsec;
    char text[128] = {};
    long long run = 0, queued = 0;
    if (m_sampler->schedstat >= 0 && ::pread(m_sampler->schedstat, text, sizeof text - 1, 0) > 0 &&
        std::sscanf(text, "%lld %lld", &run, &queued) == 2)
        times.queued = queued;
    return times;
}

void Watchdog::clear() {
    m_blocks.clear();
    m_longest = 0;
}

bool Watchdog::eventFilter(QObject* receiver, QEvent* event) {
    if (receiver != this) {
        m_sampler->receiver = receiver->metaObject()->className();
        m_sampler->type = event->type();
    }
    return false;
}

void Watchdog::timerEvent(QTimerEvent*) {
    const Times time = now();
    const int64_t late = (time.wall - m_last.wall) / 1'000'000 - beatMs;
    m_longest = std::max(m_longest, late);
    if (late > limitMs && m_blocks.size() < maxBlocks) {
        const char* receiver = m_sampler->seenReceiver.exchange(nullptr);
        m_blocks.push_back({late, (time.cpu - m_last.cpu) / 1'000'000,
                            (time.queued - m_last.queued) / 1'000'000,
                            receiver ? QStringLiteral("event %1 of %2")
                                           .arg(m_sampler->seenType)
                                           .arg(QLatin1String(receiver))
                                     : QString()});
    }
    m_last = time;
    m_sampler->beat = time.wall;
}

} // namespace bitloom::ui
