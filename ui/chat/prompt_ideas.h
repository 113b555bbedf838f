// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include <QWidget>

class QPlainTextEdit;

namespace bitloom::ui {

class ChatSession;

/// Beginnings of texts that any language model can continue, as buttons, for a chat in which
/// nothing was asked yet; gone with the first word of the prompt.
class PromptIdeas : public QWidget {
    Q_OBJECT
public:
    /// Both outlive this.
    PromptIdeas(ChatSession& session, QPlainTextEdit& prompt, QWidget* parent = nullptr);

private:
    void update();

    ChatSession& m_session;
    QPlainTextEdit& m_prompt;
};

} // namespace bitloom::ui
