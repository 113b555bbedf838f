// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "ui/chat/chat_session.h"

#include <QPointer>
#include <QTimer>
#include <QWidget>

class QLabel;
class QPlainTextEdit;
class QPushButton;
class QSplitter;
class QToolButton;

namespace bitloom::ui {

class ChatColumn;
class DivergenceStrip;
class SamplingPanel;
class TokenPanel;
class UnderlineLegend;

/// The chat: both answers side by side, their divergence, and the prompt. Sampling and the token
/// under the cursor are panels of their own, which the window puts into docks.
class ChatPage : public QWidget {
    Q_OBJECT
public:
    ChatPage(Workbench& workbench, SubjectModels& models, QWidget* parent = nullptr);
    ~ChatPage() override;

    ChatSession& session() { return *m_session; }
    /// Made once; they belong to whoever shows them.
    SamplingPanel* samplingPanel();
    TokenPanel* tokenPanel();

    /// A folder as one of the sides: an export to be tested, or one that was dropped.
    void chatWith(const QString& folder, int side = 1);
    void focusPrompt();
    void setPrompt(const QString& prompt);
    QString prompt() const;
    void send();
    /// What the session file holds of this page.
    ChatState state() const;
    void setState(const ChatState& state);
    /// The token that both texts, the strip and the token panel stand on; −1: none.
    void setCurrentToken(int token, bool reveal);
    int currentToken() const { return m_current; }
    QString divergenceText() const; ///< the line above the strip, plain
    /// The command that gives this comparison in a terminal; empty without a model.
    QString command() const;

signals:
    void promptSent(const QString& prompt);
    void stateEdited(); ///< something that state() holds is another

protected:
    void changeEvent(QEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;
    bool event(QEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    bool eventFilter(QObject* object, QEvent* event) override;

private:
    QWidget* makePromptRow();
    QWidget* makeAnswers();
    QWidget* makeDivergence();
    QWidget* makeInput();
    void connectSession();
    void refresh(); ///< after a batch of tokens
    void refreshAll();
    void refreshDivergence(int first);
    void refreshHeadline();
    void refreshInput();
    void refreshToken();
    void countTokens();
    void stepDifference(int step);
    void recallPrompt(int step);
    void syncScroll(int from);
    void showNotice();
    void alignHeads();
    QString readoutOf(int token, int side) const;

    Workbench& m_workbench;
    SubjectModels& m_models;
    ChatSession* m_session = nullptr;
    ChatColumn* m_columns[2] = {};
    QPointer<SamplingPanel> m_sampling;
    QPointer<TokenPanel> m_token;
    DivergenceStrip* m_strip = nullptr;
    UnderlineLegend* m_legend = nullptr;
    QLabel *m_promptText = nullptr, *m_headline = nullptr, *m_hint = nullptr, *m_count = nullptr,
           *m_notice = nullptr, *m_apartNote = nullptr;
    QToolButton *m_edit = nullptr, *m_copyCommand = nullptr;
    QPushButton *m_send = nullptr, *m_stop = nullptr, *m_oneByOne = nullptr;
    QPlainTextEdit* m_prompt = nullptr;
    QWidget *m_promptRow = nullptr, *m_noticeRow = nullptr, *m_divergence = nullptr,
            *m_answers = nullptr, *m_foot = nullptr;
    QTimer m_batch, m_countTimer;
    QStringList m_prompts;    ///< that were sent, newest last
    qsizetype m_recalled = 0; ///< index of the one in the box; their count: a new one
    int m_current = -1, m_countSerial = 0;
    bool m_syncing = false;
};

} // namespace bitloom::ui
