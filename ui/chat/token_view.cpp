// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "ui/chat/token_view.h"

#include "ui/chat/underline_legend.h"

#include <QAbstractTextDocumentLayout>
#include <QAccessible>
#include <QKeyEvent>
#include <QScrollBar>
#include <QTextBlock>
#include <QTextCursor>
#include <QTextDocument>
#include <QTextDocumentFragment>

#include <algorithm>
#include <cmath>

namespace bitloom::ui {

namespace {

constexpr double lineRatio = 2.0; // a line of 30 px for a text of 15 px leaves room for the marks
constexpr double textRatio = 15.0 / 13;

/// Qt's documents have no carriage return, and break a line at either sign of a pair.
QString documentText(QString text) {
    return text.replace(QLatin1Char('\r'), QLatin1Char(' '));
}

} // namespace

TokenView::TokenView(const QString& name, QWidget* parent) : QTextEdit(parent) {
    setAccessibleName(name);
    setReadOnly(true);
    setTextInteractionFlags(Qt::TextSelectableByMouse | Qt::TextSelectableByKeyboard);
    setUndoRedoEnabled(false);
    setFrameShape(QFrame::NoFrame);
    setProperty("flat-panel", true);
    setAcceptDrops(false);
    viewport()->setMouseTracking(true);
    setTabChangesFocus(true);
    setCursorWidth(0); // the frame around a token is the cursor
    setMinimumHeight(64);
    setVerticalScrollBarPolicy(Qt::ScrollBarAsNeeded);
    setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    setLineWrapMode(QTextEdit::WidgetWidth);
    setWordWrapMode(QTextOption::WrapAtWordBoundaryOrAnywhere);
    restyle();
}

void TokenView::restyle() {
    QFont text = font();
    if (text.pointSizeF() > 0)
        text.setPointSizeF(text.pointSizeF() * textRatio);
    else
        text.setPixelSize(qRound(text.pixelSize() * textRatio));
    document()->setDefaultFont(text);
    document()->setDocumentMargin(0);
    QTextFrameFormat frame = document()->rootFrame()->frameFormat();
    frame.setLeftMargin(sideMargin);
    frame.setRightMargin(sideMargin);
    frame.setTopMargin(4);
    frame.setBottomMargin(12);
    document()->rootFrame()->setFrameFormat(frame);
    QTextBlockFormat block;
    block.setLineHeight(std::round(QFontInfo(text).pixelSize() * lineRatio),
                        QTextBlockFormat::FixedHeight);
    QTextCursor all(document());
    all.select(QTextCursor::Document);
    all.mergeBlockFormat(block);
}

void TokenView::setHistory(const QStringList& promptsAndAnswers) {
    if (m_history == promptsAndAnswers) return;
    m_history = promptsAndAnswers;
    m_ids.clear();
    m_length = -1; // the document begins anew with the next stream
}

void TokenView::setPlaceholder(const QString& text) {
    if (text == m_placeholder) return;
    m_placeholder = text;
    viewport()->update();
}

void TokenView::rebuild(const TokenStream& stream) {
    document()->clear();
    restyle();
    m_tokens.clear();
    m_ids.clear();
    m_kl.clear();
    m_difference = m_current = m_hover = m_formatted = -1;
    m_length = 0;
    m_skip = 0;
    QTextCursor cursor(document());
    m_prompts.clear();
    for (qsizetype i = 0; i < m_history.size(); ++i) {
        if (i > 0) cursor.insertBlock();
        const int from = cursor.position();
        cursor.insertText(documentText(m_history[i]), QTextCharFormat());
        if (i % 2 == 0) m_prompts.emplace_back(from, cursor.position());
    }
    if (!m_history.isEmpty()) cursor.insertBlock();
    mutePrompts();
    m_origin = cursor.position();
    appendTokens(stream, 0);
    setReadout({});
}

void TokenView::mutePrompts() {
    QTextCharFormat muted;
    muted.setForeground(PlotTheme::of(palette()).secondary);
    for (const auto& [from, to] : m_prompts) {
        QTextCursor cursor(document());
        cursor.setPosition(from);
        cursor.setPosition(to, QTextCursor::KeepAnchor);
        cursor.mergeCharFormat(muted);
    }
}

void TokenView::showStream(const TokenStream& stream) {
    // The same answer with more at its end; or another one.
    const auto& tokens = stream.tokens();
    bool same = m_length >= 0 && m_length <= stream.text().size() && m_ids.size() <= tokens.size();
    for (size_t i = 0; same && i < m_ids.size(); ++i)
        same = m_ids[i] == tokens[i].id;
    if (same && m_ids.empty() && m_tokens.empty() && document()->isEmpty() && tokens.empty()) {
        viewport()->update();
        return;
    }
    if (!same)
        rebuild(stream);
    else
        appendTokens(stream, int(m_ids.size()));
    viewport()->update();
}

void TokenView::appendTokens(const TokenStream& stream, int from) {
    // Most answers begin with the blank behind the prompt: an indent that means nothing.
    if (m_length == 0 && !stream.text().isEmpty()) {
        m_skip = 0;
        while (m_skip < int(stream.text().size()) && stream.text()[m_skip] == QLatin1Char(' '))
            ++m_skip;
        m_length = m_skip;
    }
    const auto& tokens = stream.tokens();
    for (size_t i = size_t(from); i < tokens.size(); ++i) {
        const int start = m_origin + int(tokens[i].start) - m_skip;
        const int end = m_origin + int(tokens[i].end()) - m_skip;
        m_tokens.push_back({std::max(m_origin, start), std::max(m_origin, end)});
        m_ids.push_back(tokens[i].id);
    }
    // Text that was held back lengthens the last token.
    if (!m_tokens.empty()) m_tokens.back().end = m_origin + int(stream.text().size()) - m_skip;
    const QString fresh = stream.text().mid(m_length);
    if (fresh.isEmpty()) return;
    QScrollBar* bar = verticalScrollBar();
    const bool follows = bar->value() >= bar->maximum() - 2;
    QTextCursor cursor(document());
    cursor.movePosition(QTextCursor::End);
    cursor.insertText(documentText(fresh), QTextCharFormat());
    m_length = stream.text().size();
    if (follows) bar->setValue(bar->maximum());
}

void TokenView::setDivergence(const std::vector<float>& kl) {
    m_kl = kl;
    viewport()->update();
}

void TokenView::applyFormat(int token, bool marked) {
    if (token < 0 || token >= tokenCount()) return;
    QTextCursor cursor(document());
    cursor.setPosition(m_tokens[size_t(token)].start);
    cursor.setPosition(m_tokens[size_t(token)].end, QTextCursor::KeepAnchor);
    QTextCharFormat format;
    format.setFontWeight(marked ? QFont::DemiBold : QFont::Normal);
    cursor.mergeCharFormat(format);
}

void TokenView::setFirstDifference(int token) {
    if (token >= tokenCount()) token = -1;
    if (token == m_difference && token == m_formatted) return;
    applyFormat(m_formatted, false);
    m_difference = m_formatted = token;
    applyFormat(token, true);
    viewport()->update();
}

void TokenView::setReadout(const QString& readout) {
    if (readout == m_readout) return;
    m_readout = readout;
    setAccessibleDescription(readout);
    QAccessibleEvent event(this, QAccessible::DescriptionChanged);
    QAccessible::updateAccessibility(&event);
}

void TokenView::setCurrentToken(int token, bool reveal) {
    if (token >= tokenCount()) token = -1;
    if (token != m_current) {
        m_current = token;
        if (token >= 0 && hasFocus()) {
            QTextCursor cursor(document()); // screen readers follow it
            cursor.setPosition(m_tokens[size_t(token)].start);
            const int value = verticalScrollBar()->value();
            setTextCursor(cursor);
            verticalScrollBar()->setValue(value);
        }
        viewport()->update();
    }
    if (reveal) revealToken(token);
}

void TokenView::revealToken(int token) {
    const std::vector<QRectF> rects = tokenRects(token);
    if (rects.empty()) return;
    const QRectF rect = rects.front();
    QScrollBar* bar = verticalScrollBar();
    const double margin = rect.height();
    if (rect.top() < margin)
        bar->setValue(bar->value() + int(rect.top() - margin));
    else if (rect.bottom() > viewport()->height() - margin)
        bar->setValue(bar->value() + int(rect.bottom() + margin - viewport()->height()));
}

QString TokenView::answerText() const {
    QTextCursor cursor(document());
    cursor.setPosition(m_origin);
    cursor.movePosition(QTextCursor::End, QTextCursor::KeepAnchor);
    return cursor.selection().toPlainText();
}

// --- input
// ------------------------------------------------------------------------------------------

void TokenView::moveBy(int step) {
    if (m_tokens.empty()) return;
    int token = m_current < 0 ? (step > 0 ? 0 : tokenCount() - 1)
                              : std::clamp(m_current + step, 0, tokenCount() - 1);
    // Tokens without text have no place to show.
    while (token > 0 && token < tokenCount() - 1 &&
           m_tokens[size_t(token)].start == m_tokens[size_t(token)].end)
        token += step > 0 ? 1 : -1;
    emit tokenMoved(token);
    revealToken(token);
}

void TokenView::moveToLine(int step) {
    if (m_current < 0) {
        moveBy(step);
        return;
    }
    const std::vector<QRectF> rects = tokenRects(m_current);
    if (rects.empty()) return;
    const double line = std::round(QFontInfo(document()->defaultFont()).pixelSize() * lineRatio);
    const QPointF at(rects.front().center().x(),
                     rects.front().center().y() + step * line + verticalScrollBar()->value());
    const int token = tokenAtPosition(document()->documentLayout()->hitTest(at, Qt::FuzzyHit));
    if (token < 0) return;
    emit tokenMoved(token);
    revealToken(token);
}

void TokenView::keyPressEvent(QKeyEvent* event) {
    // With Shift the keys select text, as everywhere.
    if (event->modifiers() & Qt::ShiftModifier || m_tokens.empty()) {
        QTextEdit::keyPressEvent(event);
        return;
    }
    const bool control = event->modifiers() & Qt::ControlModifier;
    const int forward = layoutDirection() == Qt::RightToLeft ? -1 : 1;
    switch (event->key()) {
    case Qt::Key_Left:
    case Qt::Key_Right: {
        const int step = event->key() == Qt::Key_Right ? forward : -forward;
        if (control)
            emit differenceRequested(step);
        else
            moveBy(step);
        return;
    }
    case Qt::Key_Up:
    case Qt::Key_Down:
        moveToLine(event->key() == Qt::Key_Down ? 1 : -1);
        return;
    case Qt::Key_Home:
        emit tokenMoved(0);
        revealToken(0);
        return;
    case Qt::Key_End:
        emit tokenMoved(tokenCount() - 1);
        revealToken(tokenCount() - 1);
        return;
    default:
        QTextEdit::keyPressEvent(event);
    }
}

void TokenView::mouseMoveEvent(QMouseEvent* event) {
    QTextEdit::mouseMoveEvent(event);
    const int token = event->buttons() ? -1 : tokenAtPoint(event->pos());
    if (token == m_hover) return;
    m_hover = token;
    viewport()->update();
    emit tokenHovered(token);
}

void TokenView::mouseReleaseEvent(QMouseEvent* event) {
    QTextEdit::mouseReleaseEvent(event);
    if (event->button() != Qt::LeftButton || textCursor().hasSelection()) return;
    if (const int token = tokenAtPoint(event->pos()); token >= 0) emit tokenMoved(token);
}

void TokenView::leaveEvent(QEvent* event) {
    QTextEdit::leaveEvent(event);
    if (m_hover < 0) return;
    m_hover = -1;
    viewport()->update();
    emit tokenHovered(-1);
}

void TokenView::focusInEvent(QFocusEvent* event) {
    QTextEdit::focusInEvent(event);
    viewport()->update();
}

void TokenView::changeEvent(QEvent* event) {
    QTextEdit::changeEvent(event);
    if (event->type() == QEvent::FontChange || event->type() == QEvent::ApplicationFontChange)
        restyle();
    if (event->type() == QEvent::PaletteChange) {
        mutePrompts();
        viewport()->update();
    }
}

} // namespace bitloom::ui
