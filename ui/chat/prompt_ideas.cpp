// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "ui/chat/prompt_ideas.h"

#include "ui/chat/chat_session.h"
#include "ui/theme/theme.h"

#include <QHBoxLayout>
#include <QLabel>
#include <QPlainTextEdit>
#include <QPushButton>

namespace bitloom::ui {

PromptIdeas::PromptIdeas(ChatSession& session, QPlainTextEdit& prompt, QWidget* parent)
    : QWidget(parent), m_session(session), m_prompt(prompt) {
    setObjectName(QStringLiteral("promptIdeas"));
    auto* row = new QHBoxLayout(this);
    row->setContentsMargins(0, 0, 0, 0);
    row->setSpacing(gridStep);
    QLabel* label = captionLabel(tr("Begin with"));
    row->addWidget(label);
    // English in every language: the sample and many base models know no other.
    for (const QString& idea : {QStringLiteral("Once upon a time, a little fox"),
                                QStringLiteral("One day, Lily and her brother went to the park."),
                                QStringLiteral("The sky is blue because")}) {
        auto* button = new QPushButton(idea);
        button->setAccessibleName(tr("Prompt: %1").arg(idea));
        // Rather cut than a window that cannot be made smaller.
        button->setSizePolicy(QSizePolicy::Preferred, QSizePolicy::Fixed);
        button->setMinimumWidth(48);
        row->addWidget(button);
        connect(button, &QPushButton::clicked, this, [this, idea] {
            m_prompt.setPlainText(idea);
            m_prompt.moveCursor(QTextCursor::End);
            m_prompt.setFocus(Qt::OtherFocusReason);
        });
    }
    row->addStretch(1);
    connect(&prompt, &QPlainTextEdit::textChanged, this, &PromptIdeas::update);
    connect(&session, &ChatSession::turnsChanged, this, &PromptIdeas::update);
    connect(&session, &ChatSession::obstacleChanged, this, &PromptIdeas::update);
    update();
}

void PromptIdeas::update() {
    setVisible(m_session.turns().empty() && m_session.obstacle().isEmpty() &&
               m_prompt.toPlainText().isEmpty());
}

} // namespace bitloom::ui
