// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "ui/window/engine_banner.h"

#include "ui/theme/icons.h"
#include "ui/theme/theme.h"

#include <QEvent>
#include <QHBoxLayout>
#include <QLabel>
#include <QMessageBox>
#include <QPushButton>

namespace bitloom::ui {

EngineBanner::EngineBanner(Workbench& workbench, QWidget* parent)
    : QFrame(parent), m_workbench(workbench) {
    setObjectName(QStringLiteral("engineBanner"));
    setAccessibleName(tr("The engine is not running"));
    setBackgroundRole(QPalette::AlternateBase);
    setAutoFillBackground(true);
    auto* row = new QHBoxLayout(this);
    row->setContentsMargins(16, gridStep, 16, gridStep);
    row->setSpacing(gridStep);
    m_icon = new QLabel;
    m_icon->setFixedSize(16, 16);
    m_text = new QLabel;
    m_text->setObjectName(QStringLiteral("engineBannerText"));
    m_text->setTextFormat(Qt::PlainText);
    m_text->setWordWrap(true);
    m_retry = new QPushButton(tr("Start again"));
    m_retry->setObjectName(QStringLiteral("engineRetry"));
    m_retry->setAccessibleName(tr("Start the engine again"));
    m_details = new QPushButton(tr("Details"));
    m_details->setObjectName(QStringLiteral("engineDetails"));
    m_details->setAccessibleName(tr("Last words of the engine"));
    row->addWidget(m_icon);
    row->addWidget(m_text, 1);
    row->addWidget(m_details);
    row->addWidget(m_retry);
    connect(m_retry, &QPushButton::clicked, this, [this] {
        if (m_engine) m_engine->restart();
    });
    connect(m_details, &QPushButton::clicked, this, [this] {
        if (!m_engine) return;
        auto* box = new QMessageBox(QMessageBox::NoIcon, tr("Engine"), m_engine->reason().message,
                                    QMessageBox::Close, window());
        box->setAttribute(Qt::WA_DeleteOnClose);
        box->setInformativeText(tr("It was started with: %1").arg(m_engine->command().text()));
        box->setDetailedText(m_engine->errorOutput());
        box->open();
    });
    connect(&workbench, &Workbench::engineChanged, this, &EngineBanner::rewire);
    rewire();
}

void EngineBanner::rewire() {
    if (m_engine) m_engine->disconnect(this);
    m_engine = m_workbench.engine();
    if (m_engine) {
        connect(m_engine, &EngineClient::stateChanged, this, &EngineBanner::refresh);
        connect(m_engine, &EngineClient::silenceChanged, this, &EngineBanner::refresh);
    }
    refresh();
}

void EngineBanner::refresh() {
    // A cancel that had to end the process starts the next one by itself.
    const bool gone = m_engine && m_engine->state() == EngineClient::State::Dead &&
                      m_engine->reason().code != EngineError::Cancelled;
    const bool silent = m_engine && m_engine->silence() > 0;
    setVisible(gone || silent);
    if (!gone && !silent) return;
    m_icon->setPixmap(symbolPixmap(QStringLiteral("warning"), palette().color(QPalette::Text),
                                   {16, 16}, devicePixelRatioF()));
    m_retry->setText(silent ? tr("Restart") : tr("Start again"));
    m_retry->setAccessibleName(silent ? tr("Restart the engine") : tr("Start the engine again"));
    m_details->setVisible(!silent && !m_engine->errorOutput().isEmpty());
    if (silent) {
        const int every = m_engine->heartbeatInterval() / 1000;
        m_text->setText(QStringList{
            tr("No answer from the engine for %1 s.").arg(m_engine->silence() / 1000),
            m_engine->remote()
                ? tr("The connection may be interrupted; it is tried every %1 s.").arg(every)
                : tr("It is asked every %1 s.").arg(every),
            tr("A restart ends what runs there; finished parts are kept.")}
                            .join(QLatin1Char(' ')));
        return;
    }
    const EngineError reason = m_engine->reason();
    QStringList sentences{m_engine->remote() ? tr("There is no connection to the engine.")
                                             : tr("The engine is not running."),
                          reason.message};
    if (!reason.hint.isEmpty()) sentences << reason.hint;
    sentences << tr("Plans and finished work are kept.");
    m_text->setText(sentences.join(QLatin1Char(' ')));
}

void EngineBanner::changeEvent(QEvent* event) {
    QFrame::changeEvent(event);
    if (event->type() == QEvent::PaletteChange && m_text) refresh();
}

} // namespace bitloom::ui
