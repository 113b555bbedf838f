// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors

// The prompt: what is written, sent, brought back and kept in sessions, and what stands around it.
#include "ui/chat/chat_page.h"

#include "ui/chat/chat_column.h"
#include "ui/engine_client/engine_client.h"
#include "ui/models/texts.h"
#include "ui/state/chat_state.h"
#include "ui/state/settings.h"

#include <QFontMetrics>
#include <QKeyEvent>
#include <QLabel>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QTextCursor>
#include <QTextDocument>
#include <QToolButton>

#include <algorithm>
#include <cmath>

namespace bitloom::ui {

namespace {

QString quoted(const QString& text) {
    QString escaped = text;
    return QString(QLatin1Char('\'') % escaped.replace(QLatin1Char('\''), QLatin1String("'\\''")) %
                   QLatin1Char('\''));
}

} // namespace

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
    // The box grows with what is written; until then the room belongs to the answers.
    const int written = int(std::ceil(m_prompt->document()->size().height()));
    const int lines = std::clamp(written, height() < 740 ? 1 : 2, height() < 560 ? 3 : 6);
    m_prompt->setFixedHeight(QFontMetrics(m_prompt->font()).lineSpacing() * lines + 18);
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

} // namespace bitloom::ui
