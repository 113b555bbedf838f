// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors

// What the page shows of the answers: divergence, headline, the token under the cursor.
#include "ui/chat/chat_page.h"

#include "ui/chat/chat_column.h"
#include "ui/chat/sampling_panel.h"
#include "ui/chat/token_panel.h"
#include "ui/chat/token_view.h"
#include "ui/chat/underline_legend.h"
#include "ui/models/texts.h"
#include "ui/plots/divergence_strip.h"
#include "ui/state/jobs.h"
#include "ui/state/settings.h"
#include "ui/theme/icons.h"
#include "ui/theme/theme.h"

#include <QLabel>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QRegularExpression>
#include <QScrollBar>
#include <QToolButton>

#include <algorithm>
#include <cmath>

namespace bitloom::ui {

// --- answers
// ----------------------------------------------------------------------------------------

void ChatPage::refreshAll() {
    for (ChatColumn* column : m_columns)
        column->refreshSources();
    const ChatTurn* turn = m_session->turn();
    m_promptRow->setVisible(turn != nullptr);
    if (turn) m_promptText->setText(turn->prompt);
    refresh();
    refreshInput();
}

void ChatPage::refresh() {
    m_batch.stop();
    const int difference = m_session->firstDifference();
    for (ChatColumn* column : m_columns) {
        column->refresh();
        column->view()->setFirstDifference(difference);
    }
    alignHeads();
    if (difference >= 0) m_strip->setFirstDifference(difference);
    m_strip->setExpectedTokens(m_session->stream(0).size());
    const bool compared = m_session->comparing() && m_session->turn();
    m_apartNote->setText(difference >= 0
                             ? tr("After the first difference the texts part. KL is scored on the "
                                  "left text.")
                             : QString());
    m_legend->setVisible(!m_session->divergence().empty());
    m_divergence->setVisible(compared &&
                             (m_session->options().score || !m_session->divergence().empty()));
    refreshHeadline();
    if (m_current >= 0) refreshToken();
}

void ChatPage::refreshDivergence(int first) {
    const DivergenceModel& model = m_session->divergence();
    std::vector<TokenDivergence> fresh;
    for (int i = first; i < model.size(); ++i) {
        const TokenScore& score = model.tokens()[size_t(i)];
        fresh.push_back({score.kl, score.deltaLogProb, score.sameTop, score.text});
    }
    if (!fresh.empty()) m_strip->append(fresh);
    std::vector<float> kl;
    kl.reserve(size_t(model.size()));
    for (const TokenScore& score : model.tokens())
        kl.push_back(score.kl);
    m_columns[0]->view()->setDivergence(kl);
    // The right text is scored only as far as it is the same.
    kl.resize(std::min(kl.size(), size_t(m_session->commonTokens())));
    m_columns[1]->view()->setDivergence(kl);
    if (!m_batch.isActive()) m_batch.start();
}

void ChatPage::refreshHeadline() {
    const DivergenceModel& model = m_session->divergence();
    const int difference = m_session->firstDifference(), common = m_session->commonTokens();
    const QString gap = QStringLiteral("&nbsp;&nbsp;&nbsp; ");
    const QLocale locale;
    QString text = QStringLiteral("<b>") % tr("Divergence") % QStringLiteral("</b>") % gap;
    const QString same = tr("same for %1").arg(tokensText(common));
    if (difference >= 0)
        text += (common > 0 ? QString(same % gap) : QString()) %
                QStringLiteral("<a href=\"#difference\" style=\"color:%1\">%2</a>")
                    .arg(PlotTheme::of(palette()).accent.name(),
                         tr("first difference: token %1").arg(locale.toString(difference + 1)));
    else if (common > 0)
        text += m_session->busy() ? same : tr("the same text, %1").arg(tokensText(common));
    if (m_session->phase() == ChatSession::Phase::Scoring)
        text += gap % tr("scoring, %1 of %2").arg(model.size()).arg(m_session->stream(0).size());
    if (!model.empty()) {
        const DivergenceModel::Summary s = model.summary();
        const auto figure = [&](const QString& value, const QString& words) {
            QString tail = words;
            tail.replace(QLatin1Char(' '), QChar(0x00A0));
            text += gap % QStringLiteral("<b>") % value.toHtmlEscaped() %
                    QStringLiteral("</b>&nbsp;") % tail;
        };
        figure(numberText(locale, s.klMean, 2), tr("mean KL, nats"));
        figure(numberText(locale, s.klMedian, 2), tr("median"));
        figure(numberText(locale, s.klP99, 2), tr("at 99 %"));
        figure(percentText(locale, s.sameTop), tr("same top token"));
        figure(numberText(locale, s.lnPplRatio, 2), tr("ln PPL ratio"));
    }
    m_headline->setText(text);
    const PlotState& state = m_strip->state();
    if (model.empty()) {
        const bool busy = m_session->busy();
        PlotState empty{PlotState::Kind::Empty,
                        busy ? tr("The left text is scored when both answers are there.")
                             : tr("No text is scored yet."),
                        {},
                        {},
                        -1};
        if (!(state == empty)) m_strip->setState(empty);
    } else if (state.kind == PlotState::Kind::Empty) {
        m_strip->setState({});
    }
}

QString ChatPage::divergenceText() const {
    QString plain = m_headline->text();
    static const QRegularExpression tags(QStringLiteral("<[^>]*>"));
    plain.remove(tags);
    return plain.replace(QLatin1String("&nbsp;"), QLatin1String(" ")).simplified();
}

// --- the cursor
// -------------------------------------------------------------------------------------

QString ChatPage::readoutOf(int token, int side) const {
    const TokenStream& stream = m_session->stream(side);
    if (token < 0 || token >= stream.size()) return {};
    const ChatToken& own = stream.tokens()[size_t(token)];
    const QLocale locale;
    QStringList parts{tr("token %1, “%2”").arg(token + 1).arg(visibleTokenText(own.text))};
    if (std::isfinite(own.logProb))
        parts << tr("probability %1").arg(fixedText(std::exp(own.logProb), 2));
    const DivergenceModel& model = m_session->divergence();
    const bool scored = token < model.size() && (side == 0 || token < m_session->commonTokens());
    if (scored) {
        const TokenScore& score = model.tokens()[size_t(token)];
        parts << tr("KL %1 nats").arg(numberText(locale, double(score.kl), 3))
              << tr("Δ ln p %1").arg(signedText(double(score.deltaLogProb), 3))
              << (score.sameTop ? tr("same top token") : tr("another top token"));
    }
    if (token == m_session->firstDifference()) parts << tr("first difference");
    return parts.join(QStringLiteral(", "));
}

void ChatPage::setCurrentToken(int token, bool reveal) {
    const int most = std::max(m_session->stream(0).size(), m_session->stream(1).size());
    if (token >= most) token = -1;
    m_current = token;
    for (int side = 0; side < 2; ++side) {
        TokenView* view = m_columns[side]->view();
        m_syncing = true;
        view->setCurrentToken(token, reveal);
        m_syncing = false;
        view->setReadout(readoutOf(view->currentToken(), side));
    }
    m_strip->setCurrentToken(token);
    refreshToken();
}

void ChatPage::refreshToken() {
    if (!m_token) return;
    const auto title = [&](int side) {
        const ChatTurn* turn = m_session->turn();
        const QString answered = turn ? turn->models[size_t(side)].title : QString();
        QString title =
            answered.isEmpty() ? subjectTitle(m_session->side(side), m_workbench) : answered;
        return title.section(QLatin1Char(' '), 0, 0); // "2.60 bits": the number says it
    };
    m_token->setTitles(title(0), m_session->comparing() ? title(1) : QString());
    const DivergenceModel& model = m_session->divergence();
    m_token->setDifferences(m_current >= 0 && m_current < model.size() &&
                                    !model.tokens()[size_t(m_current)].sameTop
                                ? model.otherTopRank(m_current)
                                : 0,
                            model.otherTopCount(), model.otherTop(m_current, -1) >= 0,
                            model.otherTop(m_current, 1) >= 0);
    const auto tokenOf = [&](int side) -> const ChatToken* {
        const TokenStream& stream = m_session->stream(side);
        return m_current >= 0 && m_current < stream.size() ? &stream.tokens()[size_t(m_current)]
                                                           : nullptr;
    };
    const ChatToken *left = tokenOf(0), *right = m_session->comparing() ? tokenOf(1) : nullptr;
    if (!left && !right) {
        m_token->clear();
        return;
    }
    const TokenScore* score =
        m_current < model.size() ? &model.tokens()[size_t(m_current)] : nullptr;
    const int difference = m_session->firstDifference();
    const bool sameContext = difference < 0 || m_current <= difference;
    QString heading = tr("Token %1").arg(QLocale().toString(m_current + 1));
    const TokenStream& stream = m_session->stream(left ? 0 : 1);
    if (m_current > 0)
        heading = tr("Token %1, after “%2”")
                      .arg(QLocale().toString(m_current + 1),
                           visibleTokenText(stream.tokens()[size_t(m_current) - 1].text));
    const QString figure =
        score ? tr("KL %1 nats").arg(numberText(QLocale(), double(score->kl), 3)) : QString();
    const QString note = sameContext ? QString()
                         : score     ? tr("The texts have parted: the right column knows this "
                                              "token alone, by scoring the left text.")
                                     : tr("The texts have parted: the sides cannot be compared "
                                              "here.");
    m_token->show(heading, figure,
                  tokenChoices(left, right, sameContext,
                               score && std::isfinite(score->logProb)
                                   ? std::optional<double>(score->logProb)
                                   : std::nullopt),
                  note);
}

void ChatPage::stepDifference(int step) {
    const int next = m_session->divergence().otherTop(m_current, step);
    if (next >= 0) setCurrentToken(next, true);
}

void ChatPage::syncScroll(int from) {
    if (m_syncing) return;
    QScrollBar* source = m_columns[from]->view()->verticalScrollBar();
    QScrollBar* target = m_columns[1 - from]->view()->verticalScrollBar();
    m_syncing = true;
    target->setValue(std::min(source->value(), target->maximum()));
    m_syncing = false;
}

} // namespace bitloom::ui
