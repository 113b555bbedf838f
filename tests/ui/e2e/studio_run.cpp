// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "tests/ui/e2e/studio_run.h"

#include "ui/window/main_window.h"
#include "ui/window/watchdog.h"

#include <QApplication>
#include <QElapsedTimer>
#include <QFile>
#include <QMetaObject>
#include <QTimer>
#include <QWidget>

#include <algorithm>
#include <cstdio>
#include <thread>

#include <sys/resource.h>

namespace bitloom::ui {

namespace {

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
constexpr bool sanitized = true; // several times slower: nothing can be said about times
#else
constexpr bool sanitized = false;
#endif

/// Share of the machine's processor time that nobody used within a moment.
double idleShare() {
    const auto read = [] {
        QFile file(QStringLiteral("/proc/stat"));
        std::pair<double, double> times{0, 0}; // idle, all
        if (!file.open(QIODevice::ReadOnly)) return times;
        const QList<QByteArray> fields = file.readLine().simplified().split(' ');
        for (qsizetype i = 1; i < fields.size(); ++i) {
            times.second += fields[i].toDouble();
            if (i == 4) times.first = fields[i].toDouble();
        }
        return times;
    };
    const auto before = read();
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
    const auto after = read();
    const double all = after.second - before.second;
    return all > 0 ? (after.first - before.first) / all : 0;
}

bool idleAtStart = false;
QElapsedTimer sinceStart; ///< of the program

double processSeconds() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    const auto seconds = [](const timeval& t) {
        return double(t.tv_sec) + 1e-6 * double(t.tv_usec);
    };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

bool isCalled(const QWidget* widget, const QString& name) {
    return widget->objectName() == name || QLatin1String(widget->metaObject()->className()) == name;
}

} // namespace

void check(bool holds, const std::string& what) {
    if (!holds) throw Failure(what);
}

StudioRun::StudioRun() = default;
StudioRun::~StudioRun() = default;

void StudioRun::begin() {
    idleAtStart = idleShare() > 0.8;
    sinceStart.start();
}

int64_t StudioRun::msSinceStart() const {
    return sinceStart.elapsed();
}

std::string StudioRun::play(const Script& script) {
    StudioRun run;
    Studio::Options options;
    options.sampleFolder = QStringLiteral(BITLOOM_SOURCE_DIR "/resources/models/bitloom-tales-4m");
    options.watchdog = true;
    run.m_studio = std::make_unique<Studio>(options);
    std::string failure;
    std::thread hands([&] {
        try {
            run.m_robot = std::make_unique<Robot>();
            script(run);
        } catch (const std::exception& error) {
            failure = run.m_step + ": " + error.what();
            const QString folder = qEnvironmentVariable("ARTIFACTS");
            if (run.m_robot && !folder.isEmpty())
                run.m_robot->look(QRect(0, 0, 1600, 1000))
                    .save(folder + QStringLiteral("/tst_studio-failed.png"));
            // All loops end, also those of dialogs.
            QMetaObject::invokeMethod(
                qApp, [] { QCoreApplication::exit(1); }, Qt::QueuedConnection);
        }
    });
    QTimer::singleShot(0, qApp, [&] { run.m_studio->start(); });
    QApplication::exec();
    run.m_ui.end();
    hands.join();
    run.collectBlocks();
    // Idle from beginning to end, as far as one can tell: what others do is not the studio's.
    const bool idleMachine = idleAtStart && idleShare() > 0.8;
    run.m_studio.reset();
    return failure.empty() ? run.judgement(idleMachine) : failure;
}

void StudioRun::collectBlocks() {
    Watchdog* watchdog = m_studio->watchdog();
    for (const Watchdog::Block& block : watchdog->blocks())
        m_blocks.push_back(
            {m_step, block.doing.toStdString(), block.ms, block.cpuMs, block.ownMs()});
    if (watchdog->longestMs() > m_longestMs) {
        m_longestMs = watchdog->longestMs();
        m_longestStep = m_step;
    }
    watchdog->clear();
}

void StudioRun::step(const std::string& name) {
    m_ui.ask([this] { collectBlocks(); });
    m_step = name;
    std::printf("%6lld ms  %s\n", static_cast<long long>(msSinceStart()), name.c_str());
    std::fflush(stdout);
}

std::string StudioRun::judgement(bool idleMachine) const {
    const auto worst = std::max_element(m_blocks.begin(), m_blocks.end(), [&](auto& a, auto& b) {
        return idleMachine ? a.ownMs < b.ownMs : a.cpuMs < b.cpuMs;
    });
    std::printf("the user interface was busy for more than %d ms %d times, %d ms at most: %s "
                "(machine %s)\n",
                int(Watchdog::limitMs), int(m_blocks.size()), int(m_longestMs),
                m_longestStep.c_str(), idleMachine ? "idle" : "busy");
    for (const Blocked& block : m_blocks)
        std::printf("    %4lld ms, of that %lld ms its own, %lld ms computing: %s, %s\n",
                    static_cast<long long>(block.ms), static_cast<long long>(block.ownMs),
                    static_cast<long long>(block.cpuMs), block.step.c_str(), block.doing.c_str());
    if (sanitized || worst == m_blocks.end()) return {};
    // Where others keep the X server from answering, only its own computing can be held against it,
    // which is slower there, too.
    const int64_t ms = idleMachine ? worst->ownMs : worst->cpuMs;
    return ms > (idleMachine ? 1 : 5) * Watchdog::limitMs
               ? "the user interface was blocked for " + std::to_string(ms) + " ms: " + worst->step
               : std::string();
}

std::string StudioRun::judgementSoFar(bool idleMachine) {
    m_ui.ask([this] { collectBlocks(); });
    return judgement(idleMachine);
}

void StudioRun::forgiveBlocks() {
    m_ui.ask([this] { m_studio->watchdog()->clear(); });
    m_blocks.clear();
    m_longestMs = 0;
}

QPoint StudioRun::middleOf(const QString& name) {
    QPoint found;
    m_ui.waitFor("widget " + name.toStdString(), 5'000, [&] {
        for (QWidget* top :
             {QApplication::activeWindow(), static_cast<QWidget*>(&m_studio->window())}) {
            if (!top) continue;
            for (QWidget* widget : top->findChildren<QWidget*>(name))
                if (widget->isVisible() && widget->isEnabled()) {
                    found = widget->mapToGlobal(widget->rect().center());
                    return true;
                }
        }
        return false;
    });
    return found;
}

void StudioRun::waitForWindow(const QString& name, int limitMs) {
    m_ui.waitFor("window " + name.toStdString(), limitMs, [&] {
        for (QWidget* top : QApplication::topLevelWidgets())
            if (isCalled(top, name) && top->isVisible()) return true;
        return false;
    });
    QElapsedTimer clock;
    clock.start();
    while (!m_ui.ask([&] {
        QWidget* active = QApplication::activeWindow();
        return active && isCalled(active, name);
    })) {
        check(clock.elapsed() < limitMs, "no keyboard for window " + name.toStdString());
        m_robot->focusTopWindow();
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
}

void StudioRun::waitGone(const QString& name) {
    m_ui.waitFor("end of window " + name.toStdString(), 5'000, [&] {
        for (QWidget* top : QApplication::topLevelWidgets())
            if (isCalled(top, name) && top->isVisible()) return false;
        return true;
    });
    waitForWindow(QStringLiteral("mainWindow"));
}

double StudioRun::cpuPercent(int ms) {
    const double before = processSeconds();
    std::this_thread::sleep_for(std::chrono::milliseconds(ms));
    return 100'000 * (processSeconds() - before) / ms;
}

} // namespace bitloom::ui
