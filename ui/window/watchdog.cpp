// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "ui/window/watchdog.h"

#include "core/base/log.h"

#include <chrono>

namespace bitloom::ui {

namespace {

int64_t nowMs() {
    using namespace std::chrono;
    return duration_cast<milliseconds>(steady_clock::now().time_since_epoch()).count();
}

constexpr int64_t beatMs = 50, limitMs = 100;

} // namespace

Watchdog::Watchdog(QObject* parent) : QObject(parent), m_lastBeat(nowMs()) {
    startTimer(int(beatMs), Qt::PreciseTimer);
    m_thread = std::thread([this] {
        int64_t told = 0; // beat of the block that was reported
        while (!m_stop) {
            std::this_thread::sleep_for(std::chrono::milliseconds(beatMs));
            const int64_t beat = m_lastBeat, silence = nowMs() - beat - beatMs;
            if (silence > m_longest) m_longest = silence;
            if (silence > limitMs && beat != told) {
                told = beat;
                logger("ui")->debug("the user interface has been busy for more than {} ms",
                                    limitMs);
            }
        }
    });
}

Watchdog::~Watchdog() {
    m_stop = true;
    m_thread.join();
}

void Watchdog::timerEvent(QTimerEvent*) {
    m_lastBeat = nowMs();
}

} // namespace bitloom::ui
