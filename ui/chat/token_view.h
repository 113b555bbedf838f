// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "ui/chat/token_stream.h"
#include "ui/plots/plot_theme.h"

#include <QDragEnterEvent>
#include <QStringList>
#include <QTextEdit>

#include <vector>

namespace bitloom::ui {

/// A read-only text of tokens that grows while it is read: marks under tokens by their divergence,
/// a frame around the first difference, and a cursor that goes from token to token with the arrow
/// keys, whose value assistive technology reads as the description.
///
/// Text arrives in batches; one costs the layout of its paragraph and the paint of what is visible.
class TokenView : public QTextEdit {
    Q_OBJECT
public:
    /// `name`: the accessible name.
    explicit TokenView(const QString& name, QWidget* parent = nullptr);

    /// What stands before the answer, in pairs: a prompt (muted) and its answer.
    void setHistory(const QStringList& promptsAndAnswers);
    /// Follows the stream: adds what is new, or begins again where the text is another one.
    void showStream(const TokenStream& stream);
    /// KL of the first tokens, nats; NaN where there is none. Tokens behind them have no mark.
    void setDivergence(const std::vector<float>& kl);
    void setFirstDifference(int token); ///< −1: none

    int currentToken() const { return m_current; }
    /// Also scrolls there if `reveal`. −1: none.
    void setCurrentToken(int token, bool reveal = false);
    void revealToken(int token);
    int tokenCount() const { return int(m_tokens.size()); }
    /// What the cursor says: set by the owner whenever the current token changes.
    void setReadout(const QString& readout);
    QString readout() const { return m_readout; }
    /// Where a token is drawn, in viewport coordinates, a rectangle for each line.
    std::vector<QRectF> tokenRects(int token) const;
    /// Of the answer alone.
    QString answerText() const;
    void setPlaceholder(const QString& text); ///< instead of an answer that has no token yet

signals:
    void tokenHovered(int token);       ///< −1: left
    void tokenMoved(int token);         ///< by the keyboard or a click
    void differenceRequested(int step); ///< Ctrl with an arrow: the next or previous one

protected:
    void paintEvent(QPaintEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    void mouseMoveEvent(QMouseEvent* event) override;
    void mouseReleaseEvent(QMouseEvent* event) override;
    void leaveEvent(QEvent* event) override;
    void changeEvent(QEvent* event) override;
    void focusInEvent(QFocusEvent* event) override;
    void dragEnterEvent(QDragEnterEvent* event) override { event->ignore(); }

private:
    static constexpr double sideMargin = 24; ///< left and right of the text

    struct Token {
        int start = 0, end = 0; ///< in the document
    };
    void restyle();
    void mutePrompts();
    void rebuild(const TokenStream& stream);
    void appendTokens(const TokenStream& stream, int from);
    void applyFormat(int token, bool marked);
    int tokenAtPosition(int position) const;
    int tokenAtPoint(const QPoint& point) const;
    std::pair<int, int> visibleTokens() const;
    void paintMarks(QPainter& painter, const PlotTheme& theme) const;
    void paintFrame(QPainter& painter, int token, const PlotTheme& theme, bool filled) const;
    void moveBy(int step);
    void moveToLine(int step);
    float strengthOf(int token) const;

    QStringList m_history;
    QString m_readout, m_placeholder;
    std::vector<Token> m_tokens;
    std::vector<int> m_ids;
    std::vector<float> m_kl;
    std::vector<std::pair<int, int>> m_prompts; ///< of the history, in the document
    int m_skip = 0;   ///< blanks at the beginning of the answer that are not shown
    int m_origin = 0; ///< where the answer begins in the document
    int m_difference = -1, m_current = -1, m_hover = -1, m_formatted = -1;
    qsizetype m_length = 0; ///< of the answer's text that is in the document
};

} // namespace bitloom::ui
