// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "ui/chat/chat_page.h"

#include "ui/chat/chat_column.h"
#include "ui/chat/prompt_ideas.h"
#include "ui/chat/sampling_panel.h"
#include "ui/chat/token_panel.h"
#include "ui/chat/token_view.h"
#include "ui/chat/underline_legend.h"
#include "ui/models/metric_help.h"
#include "ui/models/texts.h"
#include "ui/plots/divergence_strip.h"
#include "ui/state/jobs.h"
#include "ui/state/settings.h"
#include "ui/theme/icons.h"
#include "ui/theme/theme.h"

#include <QClipboard>
#include <QEvent>
#include <QFrame>
#include <QGuiApplication>
#include <QHBoxLayout>
#include <QKeyEvent>
#include <QLabel>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QScrollBar>
#include <QSplitter>
#include <QTextCursor>
#include <QToolButton>
#include <QVBoxLayout>

#include <algorithm>

namespace bitloom::ui {

namespace {

constexpr int batchMs = 33; // answers are shown thirty times a second, however fast tokens come

QFrame* hairline() {
    auto* line = new QFrame;
    line->setFrameShape(QFrame::HLine);
    line->setFrameShadow(QFrame::Plain);
    line->setForegroundRole(QPalette::Midlight);
    line->setFixedHeight(1);
    return line;
}

} // namespace

ChatPage::ChatPage(Workbench& workbench, SubjectModels& models, QWidget* parent)
    : QWidget(parent), m_workbench(workbench), m_models(models) {
    setObjectName(QStringLiteral("chatPage"));
    setBackgroundRole(QPalette::Base);
    setAutoFillBackground(true);
    m_session = new ChatSession(workbench, models, this);
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(0);
    column->addWidget(makePromptRow());
    column->addWidget(makeAnswers(), 1);
    column->addWidget(makeDivergence());
    column->addWidget(makeInput());
    m_batch.setSingleShot(true);
    m_batch.setInterval(batchMs);
    connect(&m_batch, &QTimer::timeout, this, &ChatPage::refresh);
    m_countTimer.setSingleShot(true);
    m_countTimer.setInterval(200);
    connect(&m_countTimer, &QTimer::timeout, this, &ChatPage::countTokens);
    setFocusProxy(m_prompt);
    connectSession();
    refreshAll();
}

ChatPage::~ChatPage() {
    m_session->disconnect(this);
    m_workbench.disconnect(this);
    m_models.disconnect(this);
}

QWidget* ChatPage::makePromptRow() {
    m_promptRow = new QWidget;
    auto* column = new QVBoxLayout(m_promptRow);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(0);
    auto* row = new QHBoxLayout;
    row->setContentsMargins(24, 8, 16, 8);
    row->setSpacing(gridStep);
    auto* label = new QLabel(tr("Prompt"));
    label->setForegroundRole(QPalette::PlaceholderText);
    m_promptText = new QLabel;
    m_promptText->setObjectName(QStringLiteral("lastPrompt"));
    m_promptText->setTextFormat(Qt::PlainText);
    m_promptText->setWordWrap(true);
    m_promptText->setFont(headingFont());
    m_promptText->setTextInteractionFlags(Qt::TextSelectableByMouse);
    m_edit = new QToolButton;
    m_edit->setObjectName(QStringLiteral("editPrompt"));
    m_edit->setIcon(symbol("rename"));
    m_edit->setAutoRaise(true);
    m_edit->setToolTip(tr("Edit the prompt"));
    m_edit->setAccessibleName(tr("Edit the prompt"));
    m_edit->setFocusPolicy(Qt::TabFocus);
    m_copyCommand = new QToolButton;
    m_copyCommand->setObjectName(QStringLiteral("copyChatCommand"));
    m_copyCommand->setIcon(symbol("command"));
    m_copyCommand->setAutoRaise(true);
    m_copyCommand->setToolTip(tr("Copy as command"));
    m_copyCommand->setAccessibleName(tr("Copy the chat as command"));
    m_copyCommand->setFocusPolicy(Qt::TabFocus);
    label->setContentsMargins(0, 5, 0, 5);
    m_promptText->setContentsMargins(0, 5, 0, 5);
    row->addWidget(label, 0, Qt::AlignTop);
    row->addWidget(m_promptText, 1, Qt::AlignTop);
    row->addWidget(m_copyCommand, 0, Qt::AlignTop);
    row->addWidget(m_edit, 0, Qt::AlignTop);
    column->addLayout(row);
    column->addWidget(hairline());
    connect(m_edit, &QToolButton::clicked, this, [this] {
        setPrompt(m_session->takeBack());
        focusPrompt();
    });
    connect(m_copyCommand, &QToolButton::clicked, this, [this] {
        QGuiApplication::clipboard()->setText(command());
        emit m_workbench.message(tr("Copied: %1").arg(command()));
    });
    return m_promptRow;
}

QWidget* ChatPage::makeAnswers() {
    auto* box = new QWidget;
    auto* column = new QVBoxLayout(box);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(0);
    auto* splitter = new QSplitter(Qt::Horizontal);
    splitter->setObjectName(QStringLiteral("chatColumns"));
    splitter->setChildrenCollapsible(false);
    splitter->setHandleWidth(1);
    for (int side = 0; side < 2; ++side) {
        m_columns[side] = new ChatColumn(*m_session, m_models, side);
        splitter->addWidget(m_columns[side]);
        splitter->setStretchFactor(side, 1);
        TokenView* view = m_columns[side]->view();
        connect(m_columns[side], &ChatColumn::folderDropped, this,
                [this, side](const QString& folder) { chatWith(folder, side); });
        connect(view, &TokenView::tokenMoved, this,
                [this](int token) { setCurrentToken(token, false); });
        connect(view, &TokenView::tokenHovered, this, [this](int token) {
            if (token >= 0) setCurrentToken(token, false);
        });
        connect(view, &TokenView::differenceRequested, this, &ChatPage::stepDifference);
        connect(view->verticalScrollBar(), &QScrollBar::valueChanged, this,
                [this, side] { syncScroll(side); });
    }
    m_answers = splitter;
    column->addWidget(splitter, 1);
    auto* foot = new QHBoxLayout;
    foot->setContentsMargins(24, 4, 24, 8);
    foot->setSpacing(24);
    m_legend = new UnderlineLegend;
    m_apartNote = captionLabel({});
    m_apartNote->setForegroundRole(QPalette::PlaceholderText);
    m_apartNote->setWordWrap(true);
    m_apartNote->setAlignment(Qt::AlignRight | Qt::AlignVCenter);
    m_foot = new QWidget;
    m_foot->setLayout(foot);
    foot->addWidget(m_legend);
    foot->addWidget(m_apartNote, 1);
    column->addWidget(m_foot);
    return box;
}

QWidget* ChatPage::makeDivergence() {
    m_divergence = new QWidget;
    auto* column = new QVBoxLayout(m_divergence);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(0);
    column->addWidget(hairline());
    auto* head = new QHBoxLayout;
    head->setContentsMargins(24, 8, 24, 0);
    m_headline = new QLabel;
    m_headline->setObjectName(QStringLiteral("divergenceHeadline"));
    m_headline->setTextFormat(Qt::RichText);
    m_headline->setWordWrap(true);
    m_headline->setTextInteractionFlags(Qt::LinksAccessibleByMouse | Qt::LinksAccessibleByKeyboard);
    m_headline->setAccessibleName(tr("Divergence of the answers"));
    m_headline->setWhatsThis(figureHelp(Figure::KlDivergence) % figureHelp(Figure::SameTop) %
                             figureHelp(Figure::LnPplRatio));
    head->addWidget(m_headline, 1);
    column->addLayout(head);
    m_strip = new DivergenceStrip;
    m_strip->setObjectName(QStringLiteral("divergenceStrip"));
    m_strip->setWhatsThis(figureHelp(Figure::TokenKl));
    m_strip->setMinimumHeight(44);
    m_strip->setMaximumHeight(170);
    column->addWidget(m_strip);
    connect(m_headline, &QLabel::linkActivated, this, [this](const QString&) {
        setCurrentToken(m_session->firstDifference(), true);
        m_columns[0]->view()->setFocus();
    });
    connect(m_strip, &DivergenceStrip::cursorMoved, this, [this](int token) {
        if (token >= 0) setCurrentToken(token, false);
    });
    connect(m_strip, &DivergenceStrip::tokenClicked, this,
            [this](int token) { setCurrentToken(token, true); });
    connect(m_strip, &PlotView::failed, &m_workbench, &Workbench::message);
    return m_divergence;
}

QWidget* ChatPage::makeInput() {
    auto* box = new QWidget;
    auto* column = new QVBoxLayout(box);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(0);
    column->addWidget(hairline());
    auto* inner = new QVBoxLayout;
    inner->setContentsMargins(24, 10, 24, 10);
    inner->setSpacing(gridStep);
    m_noticeRow = new QWidget;
    auto* noticeRow = new QHBoxLayout(m_noticeRow);
    noticeRow->setContentsMargins(0, 0, 0, 0);
    m_notice = new QLabel;
    m_notice->setObjectName(QStringLiteral("chatNotice"));
    m_notice->setWordWrap(true);
    m_oneByOne = new QPushButton(tr("Answer one after the other"));
    m_oneByOne->setObjectName(QStringLiteral("oneByOne"));
    m_oneByOne->setAccessibleName(m_oneByOne->text());
    noticeRow->addWidget(m_notice, 1);
    noticeRow->addWidget(m_oneByOne);
    inner->addWidget(m_noticeRow);
    m_prompt = new QPlainTextEdit;
    m_prompt->setObjectName(QStringLiteral("chatPrompt"));
    m_prompt->setAccessibleName(tr("Prompt"));
    m_prompt->setPlaceholderText(tr("Write something that both models continue"));
    m_prompt->setTabChangesFocus(true);
    m_prompt->setToolTip(tr("Ctrl+Up and Ctrl+Down bring earlier prompts back."));
    m_prompt->setAcceptDrops(false);
    m_prompt->installEventFilter(this);
    inner->addWidget(new PromptIdeas(*m_session, *m_prompt));
    inner->addWidget(m_prompt);
    auto* row = new QHBoxLayout;
    row->setSpacing(gridStep);
    m_hint = captionLabel({});
    m_hint->setWordWrap(true);
    m_count = captionLabel({});
    m_hint->setForegroundRole(QPalette::PlaceholderText);
    m_count->setForegroundRole(QPalette::PlaceholderText);
    m_stop = new QPushButton(tr("Stop"));
    m_stop->setObjectName(QStringLiteral("chatStop"));
    m_stop->setAccessibleName(tr("Stop the answers"));
    m_send = new QPushButton(tr("Send"));
    m_send->setObjectName(QStringLiteral("chatSend"));
    m_send->setAccessibleName(tr("Send the prompt"));
    m_send->setProperty("primary", true);
    row->addWidget(m_hint, 1);
    row->addWidget(m_count);
    row->addWidget(m_stop);
    row->addWidget(m_send);
    inner->addLayout(row);
    column->addLayout(inner);
    connect(m_send, &QPushButton::clicked, this, &ChatPage::send);
    connect(m_stop, &QPushButton::clicked, this, [this] { m_session->stop(); });
    connect(m_oneByOne, &QPushButton::clicked, this, [this] {
        ChatOptions options = m_session->options();
        options.together = false;
        m_session->setOptions(options);
    });
    connect(m_prompt, &QPlainTextEdit::textChanged, this, [this] {
        refreshInput();
        m_countTimer.start();
    });
    return box;
}

void ChatPage::connectSession() {
    connect(m_session, &ChatSession::streamChanged, this, [this] {
        if (!m_batch.isActive()) m_batch.start();
    });
    connect(m_session, &ChatSession::turnsChanged, this, [this] {
        m_current = -1;
        refreshAll();
    });
    connect(m_session, &ChatSession::sidesChanged, this, &ChatPage::refreshAll);
    connect(m_session, &ChatSession::phaseChanged, this, [this] {
        refreshInput();
        if (!m_batch.isActive()) m_batch.start();
    });
    connect(m_session, &ChatSession::obstacleChanged, this, &ChatPage::refreshInput);
    connect(m_session, &ChatSession::optionsChanged, this, &ChatPage::refreshInput);
    connect(m_session, &ChatSession::optionsChanged, this, &ChatPage::stateEdited);
    connect(m_session, &ChatSession::sidesChanged, this, &ChatPage::stateEdited);
    connect(m_session, &ChatSession::preparationChanged, this, [this] {
        if (!m_batch.isActive()) m_batch.start();
    });
    connect(m_session, &ChatSession::scoresCleared, this, [this] {
        m_strip->clear();
        refreshDivergence(0);
    });
    connect(m_session, &ChatSession::scoresAdded, this, &ChatPage::refreshDivergence);
    for (auto signal :
         {&Workbench::presetsChanged, &Workbench::phaseChanged, &Workbench::summariesChanged})
        connect(&m_workbench, signal, this, [this] {
            for (ChatColumn* column : m_columns)
                column->refreshSources();
            refresh();
        });
    connect(&m_workbench, &Workbench::planSettled, this, &ChatPage::refresh);
    connect(&m_models, &SubjectModels::infoChanged, this, &ChatPage::refresh);
}

SamplingPanel* ChatPage::samplingPanel() {
    if (!m_sampling) m_sampling = new SamplingPanel(*m_session);
    return m_sampling;
}

TokenPanel* ChatPage::tokenPanel() {
    if (!m_token) {
        m_token = new TokenPanel;
        connect(m_token, &TokenPanel::stepRequested, this, &ChatPage::stepDifference);
        refreshToken();
    }
    return m_token;
}

// --- events
// -----------------------------------------------------------------------------------------

bool ChatPage::event(QEvent* event) {
    // Esc is the window's shortcut for the job that runs: here it is the answer's, which may wait
    // behind another job.
    if (event->type() == QEvent::ShortcutOverride && m_session->busy() &&
        static_cast<QKeyEvent*>(event)->key() == Qt::Key_Escape) {
        event->accept();
        return true;
    }
    return QWidget::event(event);
}

void ChatPage::keyPressEvent(QKeyEvent* event) {
    if (event->key() == Qt::Key_Escape && m_session->busy()) {
        m_session->stop();
        return;
    }
    QWidget::keyPressEvent(event);
}

void ChatPage::resizeEvent(QResizeEvent* event) {
    QWidget::resizeEvent(event);
    // The answers come first: in a low window the strip becomes a sparkline.
    const bool low = height() < 560;
    m_strip->setMaximumHeight(low ? 48 : std::clamp(height() / 6, 90, 170));
    m_foot->setVisible(!low);
    refreshInput();
    alignHeads();
}

void ChatPage::alignHeads() {
    // Both texts begin on the same line, whatever stands in the heads.
    int height = 0;
    for (ChatColumn* column : m_columns)
        height = std::max(height, column->naturalHeadHeight());
    for (ChatColumn* column : m_columns)
        column->setHeadHeight(height);
}

void ChatPage::changeEvent(QEvent* event) {
    QWidget::changeEvent(event);
    if (event->type() == QEvent::PaletteChange && m_headline) refreshHeadline();
    if (event->type() == QEvent::FontChange && m_prompt) {
        m_promptText->setFont(headingFont());
        refreshInput();
    }
}

} // namespace bitloom::ui
