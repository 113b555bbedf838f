// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include <QDeadlineTimer>
#include <QElapsedTimer>
#include <QHash>
#include <QJsonArray>
#include <QJsonObject>
#include <QObject>
#include <QPointer>
#include <QProcess>
#include <QSet>
#include <QString>
#include <QStringList>
#include <QTimer>

#include <functional>
#include <vector>

namespace bitloom::ui {

/// Why a call failed. The texts come from the engine and are fit for people.
struct EngineError {
    /// JSON-RPC codes of PROTOCOL.md §3, and those of this side, which never come from an engine.
    enum Code {
        Failed = -32001,
        Usage = -32002,
        Cancelled = -32003,
        NoSpace = -32004,
        NoDevice = -32005,
        VersionMismatch = -32010,
        EngineDied = -33001, ///< the process ended before it answered
        NotRunning = -33002, ///< called while the engine was dead
        BadAnswer = -33003,  ///< what the engine sent makes no sense
        TooLarge = -33004,   ///< the request is longer than an engine takes
    };
    int code = 0; ///< 0 = no error
    QString message;
    QString hint;

    explicit operator bool() const { return code != 0; }
    bool cancelled() const { return code == Cancelled; }
};

/// What a call brings back: `value` unless `error`.
struct EngineResult {
    QJsonObject value;
    EngineError error;
    bool ok() const { return !error; }
};

/// How to start an engine.
struct EngineCommand {
    QString program;       ///< "/usr/bin/bitloom", "ssh"
    QStringList arguments; ///< {"serve"}, {"box", "bitloom", "serve"}
    /// The engine sees other disks than this program: paths must be chosen with list_dir, files
    /// come through read, models as a ModelSkeleton.
    bool remote = false;
    QString written = {}; ///< as the user wrote it, with its quotes; empty: made here

    /// `bitloom serve` beside this program, else in PATH; with `extra` options behind (--threads
    /// 4).
    static EngineCommand local(const QStringList& extra = {});
    /// The same with a program that the user chose.
    static EngineCommand localProgram(const QString& program, const QStringList& extra = {});
    /// What the user wrote: "ssh box bitloom serve"; quotes keep words together. Remote.
    static EngineCommand fromText(const QString& text);
    /// Names the machine whose paths the engine takes; empty: this one.
    QString machine() const { return remote ? text() : QString(); }
    QString text() const; ///< for people: "ssh box bitloom serve"
};

/// Progress of a job, PROTOCOL.md §4.
struct EngineProgress {
    double fraction = 0;
    QString what;
    double etaSeconds = -1; ///< −1: not known yet
    double seconds = 0;     ///< since the job started
    qint64 rss = 0, peakRss = 0, vram = 0;
};

struct EngineAlternative {
    int id = 0;
    QString text;
    double logProb = 0;
};

/// One generated token, PROTOCOL.md §4.
struct EngineToken {
    int stream = 0;
    qint64 index = 0;
    int id = -1; ///< −1: text held back until the end
    QString text;
    double logProb = 0;
    std::vector<EngineAlternative> top; ///< likeliest first
};

/// The engine as a child process: starts it, speaks PROTOCOL.md with it, and turns its end, at any
/// moment, into failed calls with a reason. Everything is asynchronous; signals and callbacks come
/// from the event loop of the thread that the object lives in, never from within a call. A job is
/// the call that began it: `call` returns its number, which signals and `cancel` use.
///
/// Calls made while the engine starts wait for the handshake. After the engine's death nothing is
/// restarted by itself: `restart()` is the user's or the application's decision.
class EngineClient final : public QObject {
    Q_OBJECT

public:
    enum class State {
        Stopped,  ///< not started yet, or stopped on purpose
        Starting, ///< process and handshake
        Ready,
        Dead, ///< it ended or could not be used: see reason()
    };
    Q_ENUM(State)
    using Callback = std::function<void(const EngineResult&)>;

    explicit EngineClient(EngineCommand command, QObject* parent = nullptr);
    /// Ends the engine (end of input, then kill after a moment); calls that are still open are
    /// dropped without a callback. A detached job lives on.
    ~EngineClient() override;

    void setCommand(EngineCommand command); ///< takes effect with the next start
    const EngineCommand& command() const { return m_command; }
    /// Milliseconds from start() to a finished handshake; 20 s unless set (ssh may ask for time).
    void setHandshakeTimeout(int milliseconds) { m_handshakeTimeout = milliseconds; }
    /// Milliseconds that a cancelled job may take to end before the process is killed; 500.
    void setCancelTimeout(int milliseconds) { m_cancelTimeout = milliseconds; }

    /// An engine answers some questions at once, whatever it computes. While calls are open, and
    /// always on another machine, one that is quiet is asked for a sign of life every `interval`
    /// milliseconds; what has not answered for `patience` is silent. 5 s and 10 s unless set.
    void setHeartbeat(int interval, int patience);
    int heartbeatInterval() const { return m_beatInterval; }
    /// Milliseconds since the last byte of an engine that is silent; 0 while it answers.
    qint64 silence() const { return m_silence; }

    void start(); ///< does nothing while Starting or Ready
    void
    restart();   ///< ends what runs, whose calls fail with EngineDied, and starts when it is gone
    void stop(); ///< the same without a new start; ends in Stopped

    State state() const { return m_state; }
    EngineError reason() const { return m_reason; } ///< of Dead
    /// What `hello` told: version, cache, sample, threads, devices, detached, …; empty before.
    const QJsonObject& hello() const { return m_hello; }
    bool remote() const { return m_command.remote; }
    /// The end of what the engine wrote to standard error: for "Details" and "Copy report".
    QString errorOutput() const { return m_errorOutput; }

    /// Sends a request and returns its number (≥ 1), also the job's. `done` is called exactly once,
    /// later, unless `guard` or this client is destroyed before. In the states Stopped and Dead it
    /// fails with NotRunning.
    int call(const QString& method, const QJsonObject& params, const QObject* guard, Callback done);
    int call(const QString& method, const QJsonObject& params, Callback done) {
        return call(method, params, this, std::move(done));
    }
    /// Asks a job to stop. Its callback gets Cancelled; if it has none after the cancel timeout, or
    /// twice the time that the engine says it cannot be broken off for (stopDelayed), the process
    /// is killed, all open calls fail (this one with Cancelled), and the state is Dead, with
    /// `reason().code == Cancelled`: a restart() continues. Unknown jobs are ignored.
    void cancel(int job);
    bool isOpen(int job) const { return m_calls.contains(job); }
    QString methodOf(int job) const; ///< of an open call; else empty
    QList<int> openCalls() const;    ///< by number

    /// Leaves a running calibrate, quantize or export to itself: it goes on when this client is
    /// destroyed or stopped. `done` gets {"key": …, "lock": …}.
    void detach(int job, Callback done);

signals:
    void stateChanged(bitloom::ui::EngineClient::State state, const QString& reason);
    void started(int job); ///< left the queue
    /// A cancelled job is in a step that cannot be broken off and may take so long.
    void stopDelayed(int job, double seconds);
    void progress(int job, const bitloom::ui::EngineProgress& progress);
    /// silence() is another: about once a second while the engine is silent, and 0 at its end.
    void silenceChanged(qint64 milliseconds);
    /// A layer of the statistics is there; `part` "norms" or "gamma"; see PROTOCOL.md.
    void partial(int job, const QString& layer, const QString& part, const QJsonObject& details);
    void token(int job, const bitloom::ui::EngineToken& token);
    void streamEnded(int job, int stream, const QJsonObject& result);
    void scores(int job, const QJsonObject& piece);
    void evaluation(int job, const QJsonObject& soFar);
    void check(int job, const QString& name, bool ok, const QString& detail);
    /// `level`: "debug", "info", "warning", "error". Lines of standard error, which hold the
    /// warnings once more, come as "debug" of the room "stderr".
    void log(const QString& level, const QString& room, const QString& text);

private:
    struct Call {
        QString method;
        QJsonObject params;
        bool guarded = false;
        QPointer<const QObject> guard;
        Callback done;
        bool sent = false;
        bool cancelling = false;
        QDeadlineTimer stops; ///< past the cancel timeout, as the engine asked for
    };

    void launch();
    void sayHello();
    void greeted(const QJsonObject& message);
    bool send(int id, Call& call);
    void sendWaiting();
    void readOutput();
    void handleInput(bool all);
    void readErrors();
    void handle(const QByteArray& line);
    void notified(const QString& method, const QJsonObject& params);
    void answered(int id, const QJsonObject& message);
    void cancelAnswered(int job, const QJsonObject& result);
    void cancelTimedOut(int job);
    void finish(int id, const EngineResult& result);
    void finishLater(int id, const EngineError& error);
    void failAll(const EngineError& error, int cancelledJob = 0);
    void die(const EngineError& reason, int cancelledJob = 0);
    void processEnded(int exitCode, QProcess::ExitStatus status);
    void release(bool atOnce);
    void setState(State state, const EngineError& reason = {});
    void startHeart();
    void stopHeart();
    void beat();
    void heard();
    void setSilence(qint64 milliseconds);

    EngineCommand m_command;
    int m_handshakeTimeout = 20000, m_cancelTimeout = 500;
    State m_state = State::Stopped;
    EngineError m_reason;
    QJsonObject m_hello;
    QString m_errorOutput;
    QProcess* m_process = nullptr;
    QList<QProcess*> m_leaving; ///< released, not ended yet
    bool m_waiting = false;     ///< to launch once they have
    QByteArray m_input;         ///< an unfinished line
    qsizetype m_scanned = 0;    ///< of it, handled or without an end
    qsizetype m_handled = 0;    ///< of it, to be taken away
    bool m_inputWaits = false;  ///< the rest of m_input is handled from the event loop
    QByteArray m_errorLine;
    int m_nextId = 1, m_helloId = 0;
    QSet<int> m_detached; ///< open jobs that must outlive this object
    QHash<int, Call> m_calls;
    QHash<int, int> m_cancels; ///< number of a cancel without an answer: the job that it is for
    QTimer m_handshake;
    QTimer m_heart;
    QElapsedTimer m_sinceBeat;
    int m_beatInterval = 5000, m_beatPatience = 10'000;
    bool m_heardSomething = false, m_asked = false; ///< since the last beat; and not answered yet
    qint64 m_quiet = 0, m_silence = 0;
};

} // namespace bitloom::ui
