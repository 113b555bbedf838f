// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "ui/window/status_line.h"

#include "ui/engine_client/engine_devices.h"
#include "ui/models/jobs_model.h"
#include "ui/models/texts.h"
#include "ui/plots/elided_label.h"
#include "ui/state/jobs.h"
#include "ui/state/log_buffer.h"
#include "ui/state/session.h"
#include "ui/theme/theme.h"

#include <QHBoxLayout>
#include <QLabel>
#include <QProgressBar>
#include <QPushButton>
#include <QToolButton>

namespace bitloom::ui {

StatusLine::StatusLine(Workbench& workbench, LogBuffer& log, QWidget* parent)
    : QStatusBar(parent), m_workbench(workbench), m_log(log) {
    setObjectName(QStringLiteral("statusLine"));
    setSizeGripEnabled(false);
    auto* left = new QWidget;
    auto* row = new QHBoxLayout(left);
    row->setContentsMargins(16, 2, 8, 2);
    row->setSpacing(16);
    m_text = new ElidedLabel;
    m_text->setObjectName(QStringLiteral("statusText"));
    m_text->setSizePolicy(QSizePolicy::Maximum, QSizePolicy::Preferred);
    m_progress = new QProgressBar;
    m_progress->setObjectName(QStringLiteral("statusProgress"));
    m_progress->setAccessibleName(tr("Progress of the running job"));
    m_progress->setRange(0, 1000);
    m_progress->setTextVisible(false);
    m_progress->setFixedWidth(160);
    m_rest = new QLabel;
    m_cancel = new QPushButton(tr("Cancel"));
    m_cancel->setObjectName(QStringLiteral("statusCancel"));
    m_cancel->setAccessibleName(tr("Cancel the running job"));
    row->addWidget(m_text);
    row->addWidget(m_progress);
    row->addWidget(m_rest);
    row->addWidget(m_cancel);
    row->addStretch(1);
    addWidget(left, 1);

    m_warnings = new QToolButton;
    m_warnings->setObjectName(QStringLiteral("statusLog"));
    m_warnings->setAutoRaise(true);
    m_warnings->setToolTip(tr("Show the log"));
    m_saved = new QLabel;
    m_engine = new QLabel;
    for (QLabel* label : {m_saved, m_engine})
        label->setForegroundRole(QPalette::PlaceholderText);
    m_engine->setObjectName(QStringLiteral("statusEngine"));
    m_saved->setContentsMargins(8, 0, 0, 0);
    m_engine->setContentsMargins(8, 0, 8, 0);
    addPermanentWidget(m_warnings);
    addPermanentWidget(m_saved);
    m_restart = new QPushButton(tr("Restart engine"));
    m_restart->setObjectName(QStringLiteral("statusRestart"));
    m_restart->setAccessibleName(tr("Restart the engine now"));
    m_restart->hide();
    auto* engine = new QWidget;
    auto* engineRow = new QHBoxLayout(engine);
    engineRow->setContentsMargins(0, 2, 0, 2);
    engineRow->setSpacing(0);
    engineRow->addWidget(m_engine);
    engineRow->addWidget(m_restart);
    engineRow->addSpacing(16);
    addPermanentWidget(engine);

    m_messageTimer.setSingleShot(true);
    connect(&m_messageTimer, &QTimer::timeout, this, [this] {
        m_message.clear();
        updateJob();
    });
    connect(m_cancel, &QPushButton::clicked, this, [this] {
        if (const Job* job = m_workbench.jobs().active()) m_workbench.jobs().cancel(job->id);
    });
    connect(m_restart, &QPushButton::clicked, this, [this] {
        if (EngineClient* running = m_workbench.engine()) running->restart();
    });
    connect(m_warnings, &QToolButton::clicked, this, &StatusLine::logRequested);
    connect(&workbench, &Workbench::message, this, &StatusLine::say);
    connect(&workbench, &Workbench::phaseChanged, this, &StatusLine::updateJob);
    connect(&workbench, &Workbench::engineChanged, this, [this] {
        if (EngineClient* engine = m_workbench.engine()) {
            connect(engine, &EngineClient::stateChanged, this, &StatusLine::updateEngine,
                    Qt::UniqueConnection);
            connect(engine, &EngineClient::silenceChanged, this, &StatusLine::updateEngine,
                    Qt::UniqueConnection);
        }
        updateEngine();
    });
    connect(&workbench.jobs(), &JobList::activeChanged, this, &StatusLine::updateJob);
    connect(&workbench.jobs(), &JobList::changed, this, &StatusLine::updateJob);
    const auto warnings = [this](int count) {
        m_warnings->setText(tr("Log: %n warning(s)", nullptr, count));
        m_warnings->setAccessibleName(m_warnings->text());
    };
    connect(&log, &LogBuffer::warningsChanged, this, warnings);
    warnings(log.warnings());
    updateJob();
    updateEngine();
}

void StatusLine::setAutosave(Autosave* autosave) {
    connect(autosave, &Autosave::saved, this, [this, autosave] {
        m_saved->setText(
            tr("Saved %1")
                .arg(QLocale().toString(autosave->lastSaved().time(), QLocale::ShortFormat)));
    });
    connect(autosave, &Autosave::failed, this, &StatusLine::say);
}

void StatusLine::say(const QString& text) {
    m_message = text;
    m_messageTimer.start(12000);
    updateJob();
}

QString StatusLine::text() const {
    return m_text->text();
}

void StatusLine::updateJob() {
    const Job* job = m_workbench.jobs().active();
    m_progress->setVisible(job);
    m_rest->setVisible(job);
    m_cancel->setVisible(job);
    QString text = m_message;
    if (job) {
        if (text.isEmpty()) text = job->title;
        m_progress->setValue(int(job->fraction * 1000));
        m_rest->setText(JobsModel::statusText(*job).section(QLatin1String(", "), 0, 1));
    } else if (text.isEmpty()) {
        switch (m_workbench.phase()) {
        case Workbench::Phase::Empty:
        case Workbench::Phase::Failed:
            text = tr("No model open. Nothing is sent over the network.");
            break;
        case Workbench::Phase::Opening:
            text = tr("Opening…");
            break;
        case Workbench::Phase::Headers:
            text = tr("%1: headers read, not analyzed yet").arg(m_workbench.model()->title);
            break;
        case Workbench::Phase::Partial:
            text = tr("%1: partly analyzed").arg(m_workbench.model()->title);
            break;
        case Workbench::Phase::Ready:
            text = tr("Analyzed on %1").arg(m_workbench.model()->calibratedOn);
            break;
        }
    }
    static_cast<ElidedLabel*>(m_text)->setFullText(text);
}

void StatusLine::updateEngine() {
    const EngineClient* engine = m_workbench.engine();
    const bool ended = engine && engine->state() == EngineClient::State::Dead &&
                       engine->reason().code != EngineError::Cancelled;
    const bool silent = engine && engine->silence() > 0;
    m_restart->setVisible(engine &&
                          (ended || silent || engine->state() == EngineClient::State::Stopped));
    if (!engine) {
        m_engine->setText({});
        return;
    }
    if (silent) {
        m_engine->setText(tr("no answer for %1 s").arg(engine->silence() / 1000));
        m_engine->setToolTip(engine->command().text());
        return;
    }
    switch (engine->state()) {
    case EngineClient::State::Ready: {
        const bool cuda = EngineDevice::of(engine->hello(), QStringLiteral("quantize")).cuda ||
                          EngineDevice::of(engine->hello(), QStringLiteral("generate")).cuda;
        const QString device = cuda ? tr("CUDA") : tr("CPU");
        const int threads = engine->hello().value(QLatin1String("threads")).toInt();
        m_engine->setText(tr("%1, %n thread(s)", nullptr, threads).arg(device));
        m_engine->setToolTip(tr("The engine runs: %1").arg(engine->command().text()));
        break;
    }
    case EngineClient::State::Starting:
        m_engine->setText(tr("engine starting"));
        break;
    case EngineClient::State::Stopped:
        m_engine->setText(tr("engine stopped"));
        break;
    case EngineClient::State::Dead:
        // A cancel that had to end the process brings a new one at once.
        m_engine->setText(ended ? tr("engine not running") : tr("engine starting"));
        m_engine->setToolTip(engine->reason().message);
        break;
    }
}

} // namespace bitloom::ui
