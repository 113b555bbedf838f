// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include <QJsonObject>
#include <QString>

#include <span>
#include <vector>

namespace bitloom::ui {

/// What two models make of one token of the same text (teacher forcing). Nats.
struct TokenScore {
    int id = -1;
    QString text;
    float kl = 0;           ///< KL(reference ‖ model) of the distributions at this token
    float deltaLogProb = 0; ///< ln p(model) − ln p(reference) of the token
    float logProb = 0, referenceLogProb = 0;
    bool sameTop = true; ///< both find the same token likeliest
};

/// Scores of the reference's answer, in the order of its tokens, as they stream in. A value.
class DivergenceModel {
public:
    void clear();
    /// A piece of PROTOCOL.md `scores`. `first` of the first piece is where the answer starts;
    /// later pieces must go on where the one before ended. False: the piece makes no sense; nothing
    /// was taken.
    bool add(const QJsonObject& piece);

    const std::vector<TokenScore>& tokens() const { return m_tokens; }
    int size() const { return int(m_tokens.size()); }
    bool empty() const { return m_tokens.empty(); }

    /// Of the tokens so far; the same definitions as the engine's result.
    struct Summary {
        int tokens = 0, otherTop = 0;
        double klMean = 0, klMedian = 0, klP99 = 0, klMax = 0;
        double sameTop = 1;    ///< share
        double lnPplRatio = 0; ///< mean of −deltaLogProb
    };
    Summary summary() const;

    /// The nearest token in this direction (+1, −1) at which the likeliest token differs; −1: none.
    int otherTop(int from, int step) const;
    int otherTopCount() const;
    int otherTopRank(int token) const; ///< how many there are up to and with this one

private:
    std::vector<TokenScore> m_tokens;
    qint64 m_first = -1;
};

} // namespace bitloom::ui
