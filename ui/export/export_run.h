// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "ui/export/export_request.h"
#include "ui/state/jobs.h"
#include "ui/state/workbench.h"

#include <QElapsedTimer>
#include <QObject>
#include <QStringList>
#include <QTimer>

#include <vector>

namespace bitloom::ui {

class RemotePartial;

/// One export on its way through the job list: its steps, how much is written, how fast. Lives
/// longer than the dialog that began it; ends with the program, or with the next export.
class ExportRun : public QObject {
    Q_OBJECT
public:
    enum class State {
        Idle,
        Running,
        Cancelled, ///< can be resumed
        Failed,    ///< likewise, unless nothing was written
        Done,
    };
    struct Step {
        enum class State { Done, Running, Waiting, Failed } state = State::Waiting;
        QString text, detail;
        bool operator==(const Step&) const = default;
    };

    explicit ExportRun(Workbench& workbench, QObject* parent = nullptr);

    /// `bytes`: exact size of what will be written, for the progress in bytes.
    void start(const ExportRequest& request, qint64 bytes);
    void cancel();
    /// The same work once more, going on where it stopped.
    void resume();
    /// Lets the export outlive the program.
    void detach();
    bool detached() const { return m_detached; }

    State state() const { return m_state; }
    const ExportRequest& request() const { return m_request; }
    const Job* job() const; ///< nullptr before the first start
    std::vector<Step> steps() const;
    double fraction() const;
    /// Share that an earlier run had finished, as far as it is known.
    double resumedShare() const { return m_resumedShare; }
    qint64 totalBytes() const { return m_bytes; }
    qint64 writtenBytes() const { return m_partial.writtenBytes; }
    const PartialExport& partial() const { return m_partial; }
    double bytesPerSecond() const; ///< 0 while unknown
    double elapsedSeconds() const;
    EngineError error() const;
    const QJsonObject& result() const { return m_result; } ///< of quantize, once done
    bool verified() const { return m_verified; }
    QStringList damaged() const { return m_damaged; }

    /// Reads the finished folder again and compares every hash.
    void verify();
    bool verifying() const { return m_verifyJob != 0; }

    /// Seconds that an export of this plan may take with the present engine, on its device and with
    /// its threads; negative before the first one there.
    static double estimateSeconds(const ExportRequest& request, Workbench& workbench);

signals:
    void changed();  ///< progress, steps or state
    void finished(); ///< Done, Failed or Cancelled

private:
    void begin();
    void lookedElsewhere();
    void quantized(const EngineResult& result);
    void succeed();
    void jobEnded(int job);
    void rememberSpeed(double seconds);

    Workbench& m_workbench;
    ExportRequest m_request;
    State m_state = State::Idle;
    qint64 m_bytes = 0, m_startBytes = 0;
    PartialExport m_partial;
    double m_resumedShare = 0;
    int m_job = 0, m_verifyJob = 0;
    bool m_detached = false, m_quantized = false, m_verified = false;
    QJsonObject m_result;
    QStringList m_damaged;
    RemotePartial* m_remotePartial = nullptr;
    bool m_startKnown = false; ///< m_startBytes is: elsewhere the engine has to be asked
    QElapsedTimer m_clock, m_rateClock;
    double m_elapsed = 0;
    QTimer m_poll;
};

} // namespace bitloom::ui
