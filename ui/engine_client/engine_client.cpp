// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
//
// One process at a time is m_process and is listened to. A process that is given up (stopped,
// restarted, killed after a cancel) is "released": nobody listens to it any more, it is told to end
// and removes itself; a new one starts only after it is gone, since it may hold locks that the new
// one needs.
#include "ui/engine_client/engine_client.h"

#include <QCoreApplication>
#include <QFileInfo>
#include <QJsonDocument>
#include <QStandardPaths>

#include <algorithm>
#include <csignal>
#include <unistd.h>

namespace bitloom::ui {

namespace {

constexpr int protocolVersion = 1;
constexpr qsizetype maxRequestBytes = 16 << 20; // PROTOCOL.md §1
constexpr int endTimeout = 800;                 // an engine ends within 500 ms of its input
constexpr double noticeable = 0.25;         // seconds that a cancelled job may take without a word
constexpr double longestStop = 300;         // seconds that an engine may ask for
constexpr int attachCancelTimeout = 10'000; // another process has to be asked

/// Processes that outlive their client. Never destroyed: QProcess kills what it holds.
void leaveAlone(QProcess* process) {
    static QList<QProcess*>* const left = new QList<QProcess*>;
    left->append(process);
    process->setParent(nullptr);
    QObject::connect(process, &QProcess::finished, process, [process] {
        left->removeOne(process);
        process->deleteLater();
    });
}

QByteArray lineOf(const QJsonObject& message) {
    return QJsonDocument(message).toJson(QJsonDocument::Compact) + '\n';
}

QJsonObject request(int id, const QString& method, const QJsonObject& params) {
    return {{QStringLiteral("jsonrpc"), QStringLiteral("2.0")},
            {QStringLiteral("id"), id},
            {QStringLiteral("method"), method},
            {QStringLiteral("params"), params}};
}

QString lastLine(const QString& text) {
    const QStringList lines = text.split(u'\n', Qt::SkipEmptyParts);
    return lines.isEmpty() ? QString() : lines.last().trimmed();
}

} // namespace

EngineCommand EngineCommand::local(const QStringList& extra) {
    EngineCommand command;
    const QString name = QStringLiteral("bitloom");
    const QFileInfo beside(QCoreApplication::applicationDirPath() + u'/' + name);
    command.program =
        beside.isExecutable() ? beside.absoluteFilePath() : QStandardPaths::findExecutable(name);
    if (command.program.isEmpty()) command.program = name; // starting it will say what is missing
    command.arguments = QStringList{QStringLiteral("serve")} + extra;
    return command;
}

EngineCommand EngineCommand::fromText(const QString& text) {
    EngineCommand command;
    command.program = QStringLiteral("/bin/sh"); // with all of its quotes and pipes
    command.arguments = QStringList{QStringLiteral("-c"), text};
    command.remote = true;
    command.written = text;
    return command;
}

EngineCommand EngineCommand::localProgram(const QString& program, const QStringList& extra) {
    EngineCommand command = local(extra);
    command.program = program;
    return command;
}

QString EngineCommand::text() const {
    return written.isEmpty() ? (QStringList{program} + arguments).join(u' ') : written;
}

EngineClient::EngineClient(EngineCommand command, QObject* parent)
    : QObject(parent), m_command(std::move(command)) {
    m_handshake.setSingleShot(true);
    connect(&m_handshake, &QTimer::timeout, this, [this] {
        die({EngineError::EngineDied,
             tr("The engine did not answer within %1 s.").arg(m_handshakeTimeout / 1000.0),
             tr("It was started with: %1").arg(m_command.text())});
    });
    connect(&m_heart, &QTimer::timeout, this, &EngineClient::beat);
}

EngineClient::~EngineClient() {
    m_calls.clear();
    for (QProcess* process : std::as_const(m_leaving)) {
        process->disconnect(this);
        process->kill(); // had its time, or has it no more
        process->waitForFinished(2000);
    }
    if (!m_process) return;
    m_process->disconnect(this);
    if (!m_detached.isEmpty()) {
        m_process->waitForBytesWritten(1000);
        m_process->closeWriteChannel();
        leaveAlone(m_process);
        return;
    }
    m_process->closeWriteChannel();
    if (m_process->waitForFinished(endTimeout)) return;
    m_process->kill();
    m_process->waitForFinished(2000);
}

void EngineClient::setCommand(EngineCommand command) {
    m_command = std::move(command);
}

void EngineClient::start() {
    if (m_state == State::Starting || m_state == State::Ready) return;
    setState(State::Starting);
    m_handshake.start(m_handshakeTimeout);
    if (!m_leaving.isEmpty()) {
        m_waiting = true;
    } else {
        launch();
    }
}

void EngineClient::restart() {
    const QPointer<EngineClient> self = this;
    stop();
    if (self) start();
}

void EngineClient::stop() {
    if (m_state == State::Stopped) return;
    release(/*atOnce=*/false);
    const QPointer<EngineClient> self = this;
    setState(State::Stopped);
    if (self)
        failAll({EngineError::EngineDied, tr("The engine was stopped."),
                 tr("What was finished is kept: start again to go on with it.")});
}

void EngineClient::launch() {
    m_waiting = false;
    m_hello = {};
    m_cancels.clear();
    m_input.clear();
    m_scanned = m_handled = 0;
    m_errorLine.clear();
    m_errorOutput.clear();
    m_process = new QProcess(this);
    m_process->setProgram(m_command.program);
    m_process->setArguments(m_command.arguments);
    // Ctrl-C in the terminal that the application was started from is not meant for the engine.
    m_process->setChildProcessModifier([] { ::setsid(); });
    connect(m_process, &QProcess::readyReadStandardOutput, this, &EngineClient::readOutput);
    connect(m_process, &QProcess::readyReadStandardError, this, &EngineClient::readErrors);
    connect(m_process, &QProcess::finished, this, &EngineClient::processEnded);
    connect(m_process, &QProcess::errorOccurred, this, [this](QProcess::ProcessError error) {
        if (error != QProcess::FailedToStart) return; // the others end in finished()
        die({EngineError::EngineDied,
             tr("The engine '%1' could not be started: %2.")
                 .arg(m_command.program, m_process->errorString()),
             tr("Install the program bitloom beside this one or where PATH leads.")});
    });
    connect(m_process, &QProcess::started, this, &EngineClient::sayHello);
    m_process->start();
}

void EngineClient::sayHello() {
    m_helloId = m_nextId++;
    const QJsonObject client{{QStringLiteral("name"), QCoreApplication::applicationName()},
                             {QStringLiteral("version"), QCoreApplication::applicationVersion()}};
    m_process->write(lineOf(request(
        m_helloId, QStringLiteral("hello"),
        {{QStringLiteral("protocol"), protocolVersion}, {QStringLiteral("client"), client}})));
}

void EngineClient::greeted(const QJsonObject& message) {
    if (message.contains(QLatin1String("error"))) {
        const QJsonObject error = message[QLatin1String("error")].toObject();
        die({error[QLatin1String("code")].toInt(EngineError::BadAnswer),
             error[QLatin1String("message")].toString(),
             error[QLatin1String("data")].toObject()[QLatin1String("hint")].toString()});
        return;
    }
    const QJsonObject hello = message[QLatin1String("result")].toObject();
    const int version = hello[QLatin1String("protocol")].toInt(-1);
    if (version != protocolVersion) {
        die({version < 0 ? EngineError::BadAnswer : EngineError::VersionMismatch,
             version < 0 ? tr("What answers as the engine is not one.")
                         : tr("The engine speaks protocol %1, this application protocol %2.")
                               .arg(version)
                               .arg(protocolVersion),
             version < 0 ? tr("It was started with: %1").arg(m_command.text())
                         : tr("Install the same version of both.")});
        return;
    }
    m_handshake.stop();
    m_helloId = 0;
    m_hello = hello;
    const QPointer<EngineClient> self = this;
    setState(State::Ready);
    if (self && m_state == State::Ready) sendWaiting();
    if (self && m_state == State::Ready && (remote() || !m_calls.isEmpty())) startHeart();
}

int EngineClient::call(const QString& method, const QJsonObject& params, const QObject* guard,
                       Callback done) {
    const int id = m_nextId++;
    Call call;
    call.method = method;
    call.params = params;
    call.guarded = guard != nullptr;
    call.guard = guard;
    call.done = std::move(done);
    m_calls.insert(id, std::move(call));
    if (m_state == State::Ready) {
        send(id, m_calls[id]);
        startHeart();
    } else if (m_state != State::Starting) {
        finishLater(id, {EngineError::NotRunning,
                         m_state == State::Dead
                             ? tr("The engine is not running: %1").arg(m_reason.message)
                             : tr("The engine is not running."),
                         tr("Start it again.")});
    }
    return id;
}

bool EngineClient::send(int id, Call& call) {
    const QByteArray line = lineOf(request(id, call.method, call.params));
    call.params = {};
    call.sent = true;
    if (line.size() > maxRequestBytes) {
        finishLater(id, {EngineError::TooLarge, tr("The request is too large for the engine."),
                         tr("Give a shorter text, or a file on the engine's machine.")});
        return false;
    }
    return m_process->write(line) == line.size();
}

void EngineClient::sendWaiting() {
    for (const int id : openCalls()) {
        const auto call = m_calls.find(id);
        if (call != m_calls.end() && !call->sent) send(id, *call);
    }
}

void EngineClient::cancel(int job) {
    const auto call = m_calls.find(job);
    if (call == m_calls.end() || call->cancelling) return;
    call->cancelling = true;
    if (!call->sent) {
        finishLater(job, {EngineError::Cancelled, tr("Cancelled before it began."), {}});
        return;
    }
    if (m_state != State::Ready) return; // its failure is on the way
    const int number = m_nextId++;
    m_cancels.insert(number, job);
    m_process->write(
        lineOf(request(number, QStringLiteral("cancel"), {{QStringLiteral("job"), job}})));
    const int patience =
        call->method == QLatin1String("attach") ? attachCancelTimeout : m_cancelTimeout;
    // A later process has other jobs under other numbers: this one is found no more then.
    QTimer::singleShot(patience, this, [this, job] { cancelTimedOut(job); });
}

/// An engine that lives and says how long its library call takes is worth waiting for: killing it
/// costs every other job, and the models that it holds.
void EngineClient::cancelAnswered(int job, const QJsonObject& result) {
    const auto call = m_calls.find(job);
    const double seconds = result[QLatin1String("unbreakable_s")].toDouble();
    if (call == m_calls.end() || !(seconds >= noticeable)) return;
    call->stops =
        QDeadlineTimer(m_cancelTimeout + qint64(2000 * std::min(seconds, longestStop / 2)));
    emit stopDelayed(job, seconds);
}

void EngineClient::cancelTimedOut(int job) {
    const auto waits = m_calls.constFind(job);
    if (waits == m_calls.constEnd()) return;
    if (!waits->stops.hasExpired()) {
        QTimer::singleShot(int(waits->stops.remainingTime()) + 1, this,
                           [this, job] { cancelTimedOut(job); });
        return;
    }
    const QPointer<EngineClient> self = this;
    // The answer may have come while this thread was busy.
    if (m_process) m_input += m_process->readAllStandardOutput();
    handleInput(/*all=*/true);
    if (!self || !m_calls.contains(job) || !m_process) return;
    // The answer to the cancel may have come just now, too.
    if (!m_calls[job].stops.hasExpired()) return cancelTimedOut(job);
    QStringList others;
    for (const int id : openCalls())
        if (id != job && !m_calls[id].cancelling && !others.contains(m_calls[id].method))
            others << m_calls[id].method;
    const QString name = methodOf(job);
    const QString with = others.join(QStringLiteral(", "));
    die({EngineError::Cancelled,
         others.isEmpty()
             ? tr("The engine was ended, because “%1” did not stop in time.").arg(name)
             : tr("The engine was ended, because “%1” did not stop in time; with it ended: %2.")
                   .arg(name, with),
         tr("What was finished is kept: start again to go on with it. Plans that were tried in "
            "memory have to be tried again.")},
        job);
}

QString EngineClient::methodOf(int job) const {
    const auto call = m_calls.find(job);
    return call == m_calls.end() ? QString() : call->method;
}

QList<int> EngineClient::openCalls() const {
    QList<int> ids = m_calls.keys();
    std::sort(ids.begin(), ids.end());
    return ids;
}

void EngineClient::detach(int job, Callback done) {
    call(QStringLiteral("detach"), {{QStringLiteral("job"), job}},
         [this, job, done = std::move(done)](const EngineResult& result) {
             if (result.ok() && isOpen(job)) m_detached.insert(job);
             if (done) done(result);
         });
}

/// From the event loop, so that a callback never runs inside of the call that it belongs to.
void EngineClient::finishLater(int id, const EngineError& error) {
    QMetaObject::invokeMethod(
        this,
        [this, id, error] {
            finish(id, {{}, error});
        },
        Qt::QueuedConnection);
}

/// Every open call fails, each through the event loop: a callback may do anything to this object.
void EngineClient::failAll(const EngineError& error, int cancelledJob) {
    for (const int id : openCalls()) {
        const bool cancelled = id == cancelledJob || m_calls[id].cancelling;
        EngineError own = error;
        own.code = cancelled ? EngineError::Cancelled : EngineError::EngineDied;
        finishLater(id, own);
    }
}

void EngineClient::die(const EngineError& reason, int cancelledJob) {
    release(/*atOnce=*/true);
    const QPointer<EngineClient> self = this;
    // What is open now failed with this process, whatever a slot starts next.
    failAll(reason, cancelledJob);
    if (self) setState(State::Dead, reason);
}

void EngineClient::processEnded(int exitCode, QProcess::ExitStatus status) {
    const QPointer<EngineClient> self = this;
    const QPointer<QProcess> process = m_process;
    readErrors();
    if (self && m_process == process && process) {
        m_input += process->readAllStandardOutput();
        handleInput(/*all=*/true);
    }
    if (!self || m_process != process || !process) return;
    QString message, hint = lastLine(m_errorOutput);
    if (status == QProcess::CrashExit) {
        message = tr("The engine ended unexpectedly (signal %1).").arg(exitCode);
        if (exitCode == SIGKILL)
            hint = tr("Perhaps memory ran out: close other programs, or set a lower memory limit. "
                      "What was finished is kept.");
    } else {
        message = m_state == State::Starting
                      ? tr("The engine ended before it was ready (exit code %1).").arg(exitCode)
                      : tr("The engine ended (exit code %1).").arg(exitCode);
    }
    if (hint.isEmpty()) hint = tr("It was started with: %1").arg(m_command.text());
    die({EngineError::EngineDied, message, hint});
}

/// Stops listening to the process and has it end: by itself and killed if that takes too long, or
/// killed at once.
void EngineClient::release(bool atOnce) {
    m_handshake.stop();
    m_waiting = false;
    m_helloId = 0;
    QProcess* const process = std::exchange(m_process, nullptr);
    if (!process) return;
    process->disconnect(this);
    if (!atOnce && !m_detached.isEmpty()) {
        process->closeWriteChannel();
        leaveAlone(process);
        m_detached.clear();
        return;
    }
    m_detached.clear();
    if (process->state() == QProcess::NotRunning) {
        process->deleteLater();
        return;
    }
    m_leaving.append(process);
    connect(process, &QProcess::finished, this, [this, process] {
        process->deleteLater();
        m_leaving.removeOne(process);
        if (m_leaving.isEmpty() && m_waiting) launch();
    });
    if (atOnce) {
        process->kill();
    } else {
        process->closeWriteChannel();
        QTimer::singleShot(endTimeout, process, [process] { process->kill(); });
    }
}

void EngineClient::setState(State state, const EngineError& reason) {
    if (state != State::Ready) stopHeart();
    m_state = state;
    m_reason = reason;
    if (state != State::Ready) m_hello = {};
    emit stateChanged(state, reason.message);
}

} // namespace bitloom::ui
