// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "ui/engine_client/engine_client.h"

#include <QJsonArray>
#include <QJsonObject>
#include <QString>

#include <limits>
#include <map>
#include <span>
#include <vector>

namespace bitloom::ui {

/// One token of an answer, with the place of its text in the whole.
struct ChatToken {
    int id = -1;
    QString text;        ///< empty while a character is incomplete
    qsizetype start = 0; ///< of the text, in UTF-16 units
    double logProb = std::numeric_limits<double>::quiet_NaN(); ///< nats
    std::vector<EngineAlternative> top;                        ///< likeliest first

    qsizetype end() const { return start + text.size(); }
};

/// One model's answer while it grows: tokens in the order of their index, whatever order they come
/// in. A value; knows nothing of engines and widgets.
class TokenStream {
public:
    enum class State {
        Empty,
        Waiting, ///< asked for: in the queue, loading, reading the prompt
        Streaming,
        Done,
        Stopped, ///< by the user; what came is kept
        Failed,
    };
    enum class End { None, MaxTokens, Eos, Stop, ContextFull, Cancelled };

    /// Figures of the answer. Negative: not known (yet).
    struct Figures {
        double tokensPerSecond = -1, firstTokenSeconds = -1, loadSeconds = -1, seconds = -1;
        qint64 memory = -1, contextUsed = -1, contextTotal = -1, promptTokens = -1;
        bool resident = true; ///< false: read from the disk for every token
        QString device;       ///< "processor" or the GPU's name; empty while not known
        QString deviceReason; ///< why not a GPU, where one was wished for
    };

    void clear() { *this = {}; }
    /// Empties it and begins to wait.
    void begin();
    /// Takes a token that came `seconds` after begin(). Returns how many tokens the text grew by:
    /// 0 for one that came twice or before its turn, more where it closed a gap.
    int append(const EngineToken& token, double seconds);
    /// The result of PROTOCOL.md `generate` for this stream, or its `stream` notification.
    void finish(const QJsonObject& result);
    void fail(const QString& message);
    void stop(); ///< the job ended as cancelled without a word on this stream

    State state() const { return m_state; }
    bool growing() const { return m_state == State::Waiting || m_state == State::Streaming; }
    End end() const { return m_end; }
    const QString& problem() const { return m_problem; }
    const std::vector<ChatToken>& tokens() const { return m_tokens; }
    int size() const { return int(m_tokens.size()); }
    bool empty() const { return m_tokens.empty(); }
    const QString& text() const { return m_text; }
    const Figures& figures() const { return m_figures; }
    const QJsonArray& promptIds() const { return m_promptIds; } ///< known once it ended
    QJsonArray ids() const;
    /// Token at a place of the text: the one that the character there belongs to; −1 outside.
    int tokenAt(qsizetype position) const;

private:
    void take(const EngineToken& token);

    State m_state = State::Empty;
    End m_end = End::None;
    QString m_text, m_problem;
    std::vector<ChatToken> m_tokens;
    std::map<qint64, EngineToken> m_early; ///< came before their turn
    QJsonArray m_promptIds;
    Figures m_figures;
};

/// First token in which two answers differ; where one ended and the other goes on, the first that
/// only the other has. −1: none so far.
int firstDifference(const TokenStream& a, const TokenStream& b);

} // namespace bitloom::ui
