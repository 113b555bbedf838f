// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors

// Whether the engine still lives. A connection that hangs ends nothing: no process, no pipe. So an
// engine that is quiet is asked something that it answers at once, whatever it computes: to cancel
// job 0, which never is one (PROTOCOL.md §5).
//
// Quiet time is counted in beats and not by the clock: a computer that slept, or a window that was
// busy itself, has not waited for anybody.
#include "ui/engine_client/engine_client.h"

#include <QJsonDocument>

#include <algorithm>

namespace bitloom::ui {

namespace {

constexpr int silentInterval = 1000; // the seconds on the screen go on

} // namespace

void EngineClient::setHeartbeat(int interval, int patience) {
    m_beatInterval = interval;
    m_beatPatience = patience;
    if (!m_heart.isActive()) return;
    stopHeart();
    startHeart();
}

void EngineClient::startHeart() {
    if (m_heart.isActive()) return;
    m_quiet = 0;
    m_asked = m_heardSomething = false;
    m_sinceBeat.start();
    m_heart.start(m_beatInterval);
}

void EngineClient::stopHeart() {
    m_heart.stop();
    setSilence(0);
}

void EngineClient::beat() {
    if (m_state != State::Ready || !m_process) return;
    const auto passed = std::min<qint64>(m_sinceBeat.restart(), 2 * m_heart.interval());
    m_quiet = m_heardSomething ? 0 : m_quiet + passed;
    m_heardSomething = false;
    if (m_calls.isEmpty() && !remote()) { // nobody waits for this one
        stopHeart();
        return;
    }
    const bool silent = m_asked && m_quiet >= m_beatPatience;
    // One question at a time: a pipe that nobody empties must not fill up with them.
    if (m_quiet > 0 && !m_asked) {
        m_asked = true;
        const QJsonObject question{
            {QStringLiteral("jsonrpc"), QStringLiteral("2.0")},
            {QStringLiteral("id"), m_nextId++},
            {QStringLiteral("method"), QStringLiteral("cancel")},
            {QStringLiteral("params"), QJsonObject{{QStringLiteral("job"), 0}}}};
        m_process->write(QJsonDocument(question).toJson(QJsonDocument::Compact) + '\n');
    }
    m_heart.setInterval(silent ? std::min(silentInterval, m_beatInterval) : m_beatInterval);
    setSilence(silent ? m_quiet : 0);
}

/// Bytes came.
void EngineClient::heard() {
    m_heardSomething = true;
    m_asked = false;
    setSilence(0);
}

void EngineClient::setSilence(qint64 milliseconds) {
    if (milliseconds == m_silence) return;
    m_silence = milliseconds;
    emit silenceChanged(milliseconds);
}

} // namespace bitloom::ui
