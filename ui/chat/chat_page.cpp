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

QString quoted(const QString& text) {
    QString escaped = text;
    return QString(QLatin1Char('\'') % escaped.replace(QLatin1Char('\''), QLatin1String("'\\''")) %
                   QLatin1Char('\''));
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
    m_foot = new QWidget;
    m_foot->setLayout(foot);
    foot->addWidget(m_legend);
    foot->addWidget(m_apartNote, 1, Qt::AlignRight);
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

// --- the prompt
// ------------------------------------------------------------------------------------

void ChatPage::setPrompt(const QString& prompt) {
    m_prompt->setPlainText(prompt);
    m_prompt->moveCursor(QTextCursor::End);
}

QString ChatPage::prompt() const {
    return m_prompt->toPlainText();
}

void ChatPage::focusPrompt() {
    m_prompt->setFocus(Qt::OtherFocusReason);
}

void ChatPage::send() {
    const QString text = prompt();
    if (text.trimmed().isEmpty() || m_session->busy() || !m_session->obstacle().isEmpty()) return;
    m_session->send(text);
    if (!m_session->busy()) return;
    m_prompts.removeAll(text);
    m_prompts.append(text);
    m_prompts = m_prompts.mid(std::max<qsizetype>(0, m_prompts.size() - ChatState::promptsKept));
    m_recalled = m_prompts.size();
    emit promptSent(text);
    emit stateEdited();
    m_prompt->clear();
}

void ChatPage::recallPrompt(int step) {
    const qsizetype wanted = std::clamp<qsizetype>(m_recalled + step, 0, m_prompts.size());
    if (wanted == m_recalled) return;
    m_recalled = wanted;
    setPrompt(m_prompts.value(wanted));
}

ChatState ChatPage::state() const {
    ChatState state;
    state.options = m_session->options();
    state.left = m_session->side(0).key();
    state.right = m_session->side(1).key();
    state.comparing = m_session->comparing();
    state.prompts = m_prompts;
    return state;
}

void ChatPage::setState(const ChatState& state) {
    if (m_session->busy()) return;
    m_session->setOptions(state.options);
    if (!state.left.isEmpty()) m_session->setSide(0, Subject::fromKey(state.left));
    if (!state.right.isEmpty()) m_session->setSide(1, Subject::fromKey(state.right));
    m_session->setComparing(state.comparing);
    m_prompts = state.prompts;
    m_recalled = m_prompts.size();
    // The last one lies ready, as it was.
    if (prompt().isEmpty() && !m_prompts.isEmpty()) recallPrompt(-1);
}

void ChatPage::chatWith(const QString& folder, int side) {
    if (m_session->busy()) {
        emit m_workbench.message(tr("Stop the answers before choosing another model."));
        return;
    }
    rememberChatFolder(m_workbench.settings(), folder);
    m_session->setSide(side, {Subject::Kind::Folder, folder});
    focusPrompt();
}

QString ChatPage::command() const {
    if (!m_workbench.hasModel()) return {};
    const auto path = [&](int side) {
        const Subject& subject = m_session->side(side);
        if (subject.kind == Subject::Kind::Folder) return subject.name;
        // A plan that is not exported has no folder yet: a name to be put in.
        return subject.kind == Subject::Kind::Original ? m_workbench.model()->folder
                                                       : QStringLiteral("EXPORTED_FOLDER");
    };
    const ChatOptions& o = m_session->options();
    QString line = QStringLiteral("bitloom chat ") % quoted(path(0));
    if (m_session->comparing()) line += QStringLiteral(" --against ") % quoted(path(1));
    const QString text = m_session->turn() ? m_session->turn()->prompt : prompt();
    if (!text.isEmpty()) line += QStringLiteral(" --prompt ") % quoted(text);
    line += QStringLiteral(" --max-tokens %1 --temperature %2 --seed %3")
                .arg(o.maxTokens)
                .arg(o.temperature)
                .arg(o.seed);
    if (o.topK > 0) line += QStringLiteral(" --top-k %1").arg(o.topK);
    if (o.topP < 1) line += QStringLiteral(" --top-p %1").arg(o.topP);
    if (o.minP > 0) line += QStringLiteral(" --min-p %1").arg(o.minP);
    if (o.repetitionPenalty != 1)
        line += QStringLiteral(" --repetition-penalty %1").arg(o.repetitionPenalty);
    return line;
}

void ChatPage::countTokens() {
    const QString text = prompt();
    const int serial = ++m_countSerial;
    EngineClient* engine = m_workbench.engine();
    if (text.isEmpty() || !engine || engine->state() != EngineClient::State::Ready ||
        !m_workbench.hasModel()) {
        m_count->clear();
        return;
    }
    engine->call(
        QStringLiteral("tokenize"),
        {{QStringLiteral("model"), m_workbench.model()->folder}, {QStringLiteral("text"), text}},
        this, [this, serial](const EngineResult& result) {
            if (serial != m_countSerial) return;
            const int count = result.value[QLatin1String("tokens")].toInt();
            m_count->setText(result.ok() ? tokensText(count) : QString());
        });
}

void ChatPage::refreshInput() {
    const QFontMetrics metrics(m_prompt->font());
    m_prompt->setFixedHeight(metrics.lineSpacing() * (height() < 560 ? 2 : 3) + 18);
    const QString obstacle = m_session->obstacle();
    const bool busy = m_session->busy();
    m_send->setEnabled(!busy && obstacle.isEmpty() && !prompt().trimmed().isEmpty());
    m_stop->setEnabled(busy);
    m_hint->setText(busy ? tr("Esc stops within one token.")
                    : m_session->comparing()
                        ? tr("Sent to both. Ctrl+Return sends, Esc stops both within one token.")
                        : tr("Ctrl+Return sends, Esc stops within one token."));
    showNotice();
    m_edit->setEnabled(!busy);
}

void ChatPage::showNotice() {
    QString text = m_session->obstacle();
    bool offer = false;
    if (text.isEmpty() && !m_session->problem().isEmpty())
        text = m_session->problem() % QLatin1Char(' ') % m_session->problemHint();
    if (text.isEmpty())
        if (const auto tight = m_session->tightness()) {
            const QLocale locale;
            text = tr("Both together need about %1 of memory, %2 are allowed. One after the "
                      "other need %3.")
                       .arg(bytesText(locale, double(tight->both)),
                            bytesText(locale, double(tight->limit)),
                            bytesText(locale, double(tight->one)));
            offer = true;
        }
    m_notice->setText(text);
    m_noticeRow->setVisible(!text.isEmpty());
    m_oneByOne->setVisible(offer);
}

// --- events
// -----------------------------------------------------------------------------------------

void ChatPage::keyPressEvent(QKeyEvent* event) {
    if (event->key() == Qt::Key_Escape && m_session->busy()) {
        m_session->stop();
        return;
    }
    QWidget::keyPressEvent(event);
}

void ChatPage::resizeEvent(QResizeEvent* event) {
    QWidget::resizeEvent(event);
    // In a low window the answers come first: the strip becomes a sparkline.
    const bool low = height() < 560;
    m_strip->setMaximumHeight(low ? 48 : 170);
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

bool ChatPage::eventFilter(QObject* object, QEvent* event) {
    if (object == m_prompt && event->type() == QEvent::KeyPress) {
        const auto* key = static_cast<QKeyEvent*>(event);
        const bool enter = key->key() == Qt::Key_Return || key->key() == Qt::Key_Enter;
        if (enter && key->modifiers() & Qt::ControlModifier) {
            send();
            return true;
        }
        const bool up = key->key() == Qt::Key_Up, down = key->key() == Qt::Key_Down;
        if ((up || down) && key->modifiers() & Qt::ControlModifier) {
            recallPrompt(up ? -1 : 1);
            return true;
        }
    }
    return QWidget::eventFilter(object, event);
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
