// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors

// Where tokens are on the page, and what is painted under and around them.
#include "ui/chat/token_view.h"

#include "ui/chat/underline_legend.h"

#include <QAbstractTextDocumentLayout>
#include <QPaintEvent>
#include <QPainter>
#include <QScrollBar>
#include <QTextBlock>
#include <QTextFrame>
#include <QTextLayout>

#include <algorithm>
#include <cmath>

namespace bitloom::ui {

// --- geometry
// --------------------------------------------------------------------------------------

std::vector<QRectF> TokenView::tokenRects(int token) const {
    std::vector<QRectF> rects;
    if (token < 0 || token >= tokenCount()) return rects;
    auto [start, end] = m_tokens[size_t(token)];
    // Of a token that begins with blanks the word alone is marked.
    while (start + 1 < end && document()->characterAt(start).isSpace())
        ++start;
    const QPointF scroll(0, verticalScrollBar()->value());
    QTextBlock block = document()->findBlock(start);
    for (; block.isValid() && block.position() < end; block = block.next()) {
        const QTextLayout* layout = block.layout();
        const QPointF origin =
            document()->documentLayout()->blockBoundingRect(block).topLeft() - scroll;
        const int from = std::max(0, start - block.position());
        const int to = std::min(block.length() - 1, end - block.position());
        for (int i = 0; i < layout->lineCount(); ++i) {
            const QTextLine line = layout->lineAt(i);
            const int a = std::max(from, line.textStart());
            const int b = std::min(to, line.textStart() + line.textLength());
            if (a >= b) continue;
            const double x1 = line.cursorToX(a), x2 = line.cursorToX(b);
            const QFontMetricsF metrics(document()->defaultFont());
            const double baseline = line.y() + line.ascent();
            rects.emplace_back(origin.x() + std::min(x1, x2),
                               origin.y() + baseline - metrics.ascent(), std::abs(x2 - x1),
                               metrics.ascent() + metrics.descent());
        }
    }
    return rects;
}

int TokenView::tokenAtPosition(int position) const {
    if (m_tokens.empty() || position < m_origin || position >= m_origin + int(m_length) - m_skip)
        return -1;
    const auto after = std::ranges::upper_bound(m_tokens, position, {}, &Token::start);
    return int(after - m_tokens.begin()) - 1;
}

int TokenView::tokenAtPoint(const QPoint& point) const {
    const QPointF at = QPointF(point) + QPointF(0, verticalScrollBar()->value());
    const int position = document()->documentLayout()->hitTest(at, Qt::ExactHit);
    if (position < 0) return -1;
    for (const int candidate : {position, position - 1}) {
        const int token = tokenAtPosition(candidate);
        for (const QRectF& rect : tokenRects(token))
            if (rect.adjusted(-2, -6, 2, 8).contains(QPointF(point))) return token;
    }
    return -1;
}

std::pair<int, int> TokenView::visibleTokens() const {
    const auto at = [&](double y) {
        return document()->documentLayout()->hitTest(QPointF(0, y + verticalScrollBar()->value()),
                                                     Qt::FuzzyHit);
    };
    const int top = at(-40), bottom = at(viewport()->height() + 40);
    const auto from = std::ranges::lower_bound(m_tokens, top, {}, &Token::end);
    // A line is longer than what its left end says: one line more.
    const QTextBlock block = document()->findBlock(bottom);
    int last = bottom;
    if (block.isValid()) {
        const QTextLine line = block.layout()->lineForTextPosition(bottom - block.position());
        last = line.isValid() ? block.position() + line.textStart() + line.textLength()
                              : block.position() + block.length();
    }
    const auto to = std::ranges::upper_bound(m_tokens, last, {}, &Token::start);
    return {int(from - m_tokens.begin()), int(to - m_tokens.begin())};
}

// --- painting
// --------------------------------------------------------------------------------------

float TokenView::strengthOf(int token) const {
    if (token >= int(m_kl.size())) return 0;
    float kl = m_kl[size_t(token)];
    // Tokens that only begin a character show at the one that completes it.
    for (int i = token - 1; i >= 0 && m_tokens[size_t(i)].start == m_tokens[size_t(i)].end; --i)
        kl = std::max(kl, m_kl[size_t(i)]);
    return std::isfinite(kl) ? kl : 0;
}

void TokenView::paintMarks(QPainter& painter, const PlotTheme& theme) const {
    const auto [from, to] = visibleTokens();
    painter.setPen(Qt::NoPen);
    for (int token = from; token < to; ++token) {
        const int level = underlineLevel(strengthOf(token));
        if (level < 0) continue;
        QColor colour = theme.divergence;
        colour.setAlphaF(float(underlineOpacity(level)));
        for (const QRectF& rect : tokenRects(token))
            painter.fillRect(
                QRectF(rect.left(), rect.bottom() + 1, rect.width(), underlineThickness(level)),
                colour);
    }
}

void TokenView::paintFrame(QPainter& painter, int token, const PlotTheme& theme,
                           bool filled) const {
    for (const QRectF& rect : tokenRects(token)) {
        const QRectF frame = rect.adjusted(-2, -2, 2, 2);
        painter.setPen(filled ? QPen(theme.accent, 1.4) : Qt::NoPen);
        painter.setBrush(theme.accentFill);
        painter.drawRoundedRect(frame, 4, 4);
    }
}

void TokenView::paintEvent(QPaintEvent* event) {
    const PlotTheme theme = PlotTheme::of(palette());
    {
        QPainter painter(viewport());
        painter.setRenderHint(QPainter::Antialiasing);
        if (m_hover >= 0) paintFrame(painter, m_hover, theme, false);
        if (m_difference >= 0) paintFrame(painter, m_difference, theme, true);
    }
    QTextEdit::paintEvent(event);
    QPainter painter(viewport());
    painter.setRenderHint(QPainter::Antialiasing);
    paintMarks(painter, theme);
    if (m_current >= 0 && m_current != m_difference) {
        painter.setBrush(Qt::NoBrush);
        painter.setPen(QPen(hasFocus() ? theme.accent : theme.secondary, 1.4));
        for (const QRectF& rect : tokenRects(m_current))
            painter.drawRoundedRect(rect.adjusted(-2, -2, 2, 2), 3, 3);
    } else if (m_current >= 0 && hasFocus()) {
        painter.setBrush(Qt::NoBrush);
        painter.setPen(QPen(theme.accent, 2));
        for (const QRectF& rect : tokenRects(m_current))
            painter.drawRoundedRect(rect.adjusted(-4, -4, 4, 4), 5, 5);
    }
    if (m_tokens.empty() && !m_placeholder.isEmpty()) {
        painter.setPen(theme.secondary);
        painter.setFont(document()->defaultFont());
        const double top = m_history.isEmpty()
                               ? 8
                               : document()->size().height() - verticalScrollBar()->value() - 24;
        const double side = document()->rootFrame()->frameFormat().leftMargin();
        painter.drawText(QRectF(side, top, viewport()->width() - 2 * side, 80),
                         Qt::AlignLeft | Qt::AlignTop | Qt::TextWordWrap, m_placeholder);
    }
}

} // namespace bitloom::ui
