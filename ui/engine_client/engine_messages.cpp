// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors

// What the engine sends: lines, and what each of them is. The process is in engine_client.cpp.
#include "ui/engine_client/engine_client.h"

#include <QElapsedTimer>
#include <QJsonDocument>

namespace bitloom::ui {

namespace {

constexpr qsizetype maxAnswerBytes = 512 << 20; // no sensible answer is as long
constexpr qsizetype maxErrorOutput = 64 << 10;  // kept for reports
constexpr int inputSlice = 12;                  // ms of handling lines at a time

} // namespace

void EngineClient::readErrors() {
    if (!m_process) return;
    const QByteArray bytes = m_process->readAllStandardError();
    m_errorOutput += QString::fromUtf8(bytes);
    if (m_errorOutput.size() > maxErrorOutput) m_errorOutput = m_errorOutput.right(maxErrorOutput);
    m_errorLine += bytes;
    const QPointer<EngineClient> self = this;
    for (qsizetype end; self && (end = m_errorLine.indexOf('\n')) >= 0;) {
        const QString line = QString::fromUtf8(m_errorLine.left(end)).trimmed();
        m_errorLine.remove(0, end + 1);
        if (!line.isEmpty()) emit log(QStringLiteral("debug"), QStringLiteral("stderr"), line);
    }
    if (self && m_errorLine.size() > maxErrorOutput) m_errorLine.clear();
}

void EngineClient::readOutput() {
    if (!m_process) return;
    m_input += m_process->readAllStandardOutput();
    const QPointer<EngineClient> self = this;
    heard();
    if (self && !m_inputWaits) handleInput(/*all=*/false);
}

/// The lines of m_input. Unless `all`, what takes longer than a frame goes on from the event loop,
/// so that a flood after a slow line never holds up the window.
void EngineClient::handleInput(bool all) {
    const QPointer<EngineClient> self = this;
    const QPointer<QProcess> process = m_process;
    QElapsedTimer clock;
    clock.start();
    // Any line may end in a slot that stops, restarts or deletes this, or comes back to here.
    while (self && process && m_process == process) {
        const qsizetype end = m_input.indexOf('\n', m_scanned);
        if (end < 0) {
            m_scanned = m_input.size();
            break;
        }
        const QByteArray line = m_input.mid(m_handled, end - m_handled);
        m_handled = m_scanned = end + 1;
        handle(line);
        if (!all && self && m_process == process && clock.elapsed() > inputSlice) {
            m_inputWaits = true;
            QMetaObject::invokeMethod(
                this,
                [this] {
                    m_inputWaits = false;
                    handleInput(/*all=*/false);
                },
                Qt::QueuedConnection);
            break;
        }
    }
    if (!self || !process || m_process != process) return;
    // What was handled goes at once and not line by line: its rest would be moved every time.
    m_input.remove(0, m_handled);
    m_scanned -= m_handled;
    m_handled = 0;
    if (m_input.size() > maxAnswerBytes && m_input.indexOf('\n') < 0)
        die({EngineError::BadAnswer, tr("The engine sends a line without an end."),
             tr("It was started with: %1").arg(m_command.text())});
}

void EngineClient::handle(const QByteArray& line) {
    if (line.trimmed().isEmpty()) return;
    const QJsonObject message = QJsonDocument::fromJson(line).object();
    if (message.isEmpty()) {
        // A login shell on another machine may greet first; that is no reason to give up.
        emit log(QStringLiteral("warning"), QStringLiteral("engine"),
                 tr("Not understood: %1").arg(QString::fromUtf8(line.left(200))));
        return;
    }
    if (message.contains(QLatin1String("method"))) {
        notified(message[QLatin1String("method")].toString(),
                 message[QLatin1String("params")].toObject());
        return;
    }
    const QJsonValue id = message[QLatin1String("id")];
    if (!id.isDouble()) {
        emit log(QStringLiteral("warning"), QStringLiteral("engine"),
                 message[QLatin1String("error")].toObject()[QLatin1String("message")].toString());
        return;
    }
    const int number = id.toInt();
    if (number != 0 && number == m_helloId) {
        greeted(message);
    } else {
        answered(number, message);
    }
}

void EngineClient::notified(const QString& method, const QJsonObject& params) {
    const int job = params[QLatin1String("job")].toInt();
    const auto text = [&](const char* name) { return params[QLatin1String(name)].toString(); };
    if (method == QLatin1String("log")) {
        emit log(text("level"), text("room"), text("text"));
        return;
    }
    if (!m_calls.contains(job)) return;
    if (method == QLatin1String("progress")) {
        EngineProgress value;
        value.fraction = params[QLatin1String("fraction")].toDouble();
        value.what = text("what");
        value.etaSeconds = params[QLatin1String("eta_s")].toDouble(-1);
        value.seconds = params[QLatin1String("seconds")].toDouble();
        value.rss = params[QLatin1String("rss")].toInteger();
        value.peakRss = params[QLatin1String("peak_rss")].toInteger();
        value.vram = params[QLatin1String("vram")].toInteger();
        emit progress(job, value);
    } else if (method == QLatin1String("token")) {
        EngineToken value;
        value.stream = params[QLatin1String("stream")].toInt();
        value.index = params[QLatin1String("index")].toInteger();
        value.id = params[QLatin1String("id")].toInt(-1);
        value.text = text("text");
        value.logProb = params[QLatin1String("logprob")].toDouble();
        for (const QJsonValue& entry : params[QLatin1String("top")].toArray()) {
            const QJsonObject object = entry.toObject();
            value.top.push_back({object[QLatin1String("id")].toInt(),
                                 object[QLatin1String("text")].toString(),
                                 object[QLatin1String("logprob")].toDouble()});
        }
        emit token(job, value);
    } else if (method == QLatin1String("started")) {
        emit started(job);
    } else if (method == QLatin1String("partial")) {
        emit partial(job, text("layer"), text("part"), params);
    } else if (method == QLatin1String("stream")) {
        emit streamEnded(job, params[QLatin1String("stream")].toInt(), params);
    } else if (method == QLatin1String("scores")) {
        emit scores(job, params);
    } else if (method == QLatin1String("evaluation")) {
        emit evaluation(job, params);
    } else if (method == QLatin1String("check")) {
        emit check(job, text("name"), params[QLatin1String("ok")].toBool(), text("detail"));
    }
}

void EngineClient::answered(int id, const QJsonObject& message) {
    if (const int job = m_cancels.take(id); job > 0) {
        cancelAnswered(job, message[QLatin1String("result")].toObject());
        return;
    }
    if (!m_calls.contains(id)) return; // of a sign of life, or of nothing
    EngineResult result;
    if (message.contains(QLatin1String("error"))) {
        const QJsonObject error = message[QLatin1String("error")].toObject();
        result.error = {error[QLatin1String("code")].toInt(EngineError::Failed),
                        error[QLatin1String("message")].toString(),
                        error[QLatin1String("data")].toObject()[QLatin1String("hint")].toString()};
        if (result.error.code == 0) result.error.code = EngineError::BadAnswer;
    } else {
        result.value = message[QLatin1String("result")].toObject();
    }
    finish(id, result);
}

void EngineClient::finish(int id, const EngineResult& result) {
    const auto found = m_calls.find(id);
    if (found == m_calls.end()) return;
    const Call call = *found;
    m_calls.erase(found);
    m_detached.remove(id);
    if (call.done && !(call.guarded && !call.guard)) call.done(result);
}

} // namespace bitloom::ui
