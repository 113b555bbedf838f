// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "ui/plots/divergence_strip.h"

#include "ui/plots/number_text.h"
#include "ui/plots/painted_canvas.h"
#include "ui/plots/plot_paint.h"
#include "ui/plots/qcp.h"

#include <QKeyEvent>
#include <QMouseEvent>

#include <algorithm>
#include <cmath>

namespace bitloom::ui {

namespace {

constexpr int kSparklineHeight = 72;
constexpr double kLeast = 0.05; ///< nats; the axis never magnifies less than this

QColor strengthColour(const PlotTheme& theme, float kl) {
    QColor colour = theme.divergence;
    const auto& steps = DivergenceStrip::thresholds;
    colour.setAlphaF(kl >= steps[2] ? 1.f : kl >= steps[1] ? 0.7f : 0.42f);
    return colour;
}

} // namespace

struct DivergenceStrip::Private {
    explicit Private(DivergenceStrip* owner) : q(owner) {}

    DivergenceStrip* q;
    PaintedCanvas* canvas = nullptr;
    std::vector<TokenDivergence> tokens;
    int expected = 0, firstDifference = -1, current = -1;
    bool hovering = false;
    double top = kLeast; ///< of the axis; only grows while tokens come in

    int count() const { return int(tokens.size()); }
    int length() const { return std::max({count(), expected, 1}); }
    bool axes(const QRectF& rect) const { return rect.height() >= kSparklineHeight; }
    QRectF area(const QRectF& rect) const;
    double leftRoom() const {
        return leftAxisRoom(q->smallFont(), tickText(q->locale(), top, top / 10), 56);
    }
    int tokenAt(const QRectF& rect, double x) const;
    void paint(QPainter& painter, const QRectF& rect, const PlotTheme& theme, bool print) const;
    void paintAxes(QPainter& painter, const QRectF& rect, const PlotTheme& theme) const;
    void paintBars(QPainter& painter, const QRectF& rect, const PlotTheme& theme) const;
    void paintFirstDifference(QPainter& painter, const QRectF& rect, const PlotTheme& theme) const;
    QStringList readoutLines() const;
    void moveTo(int token, bool hover);
    int nextDifference(int from, int step) const;
};

DivergenceStrip::DivergenceStrip(QWidget* parent)
    : PlotView(parent), d(std::make_unique<Private>(this)) {
    d->canvas = new PaintedCanvas(this, [this](QPainter& painter) {
        d->paint(painter, QRectF(d->canvas->rect()), theme(), false);
    });
    d->canvas->setMinimumHeight(28);
    setCanvas(d->canvas, tr("KL divergence per token"));
    setTitle(tr("KL divergence per token, nats"));
    setState({PlotState::Kind::Empty, tr("No text is scored yet."), {}, {}, -1});
}

DivergenceStrip::~DivergenceStrip() = default;

void DivergenceStrip::clear() {
    d->tokens.clear();
    d->firstDifference = d->current = -1;
    d->expected = 0;
    d->top = kLeast;
    d->canvas->update();
    tellTable();
    tellReadout();
}

void DivergenceStrip::append(std::span<const TokenDivergence> tokens) {
    d->tokens.insert(d->tokens.end(), tokens.begin(), tokens.end());
    for (const TokenDivergence& token : tokens)
        if (std::isfinite(token.kl)) d->top = std::max(d->top, double(token.kl) * 1.12);
    if (state().kind == PlotState::Kind::Empty && d->count() > 0) setState({});
    d->canvas->update();
    tellTable();
}

void DivergenceStrip::setFirstDifference(int token) {
    d->firstDifference = token;
    d->canvas->update();
}

void DivergenceStrip::setExpectedTokens(int count) {
    d->expected = count;
    d->canvas->update();
}

void DivergenceStrip::setCurrentToken(int token) {
    if (token >= d->count()) token = -1;
    if (token == d->current) return;
    d->current = token;
    d->canvas->update();
    tellReadout();
}

int DivergenceStrip::currentToken() const {
    return d->current;
}

int DivergenceStrip::tokens() const {
    return d->count();
}

QString DivergenceStrip::readout() const {
    return d->readoutLines().join(QLatin1String(", "));
}

QString DivergenceStrip::summary() const {
    if (d->tokens.empty()) return state().message;
    double sum = 0;
    int scored = 0, other = 0;
    for (const TokenDivergence& token : d->tokens) {
        other += !token.sameTop;
        if (!std::isfinite(token.kl)) continue;
        sum += double(token.kl);
        ++scored;
    }
    return tr("%3 tokens, mean KL %1 nats, another top token at %2. Arrow keys move a cursor.")
        .arg(numberText(locale(), scored ? sum / scored : NAN, 3), countText(locale(), other),
             countText(locale(), d->count()));
}

QStringList DivergenceStrip::tableHeader() const {
    return {tr("token"), tr("text"), tr("KL, nats"), tr("Δ ln p, nats"), tr("same top token")};
}

int DivergenceStrip::tableRows() const {
    return d->count();
}

QVariant DivergenceStrip::tableCell(int row, int column) const {
    const TokenDivergence& token = d->tokens[size_t(row)];
    switch (column) {
    case 0:
        return row + 1;
    case 1:
        return token.text;
    case 2:
        return token.kl;
    case 3:
        return token.deltaLogProb;
    default:
        return int(token.sameTop);
    }
}

std::vector<LegendEntry> DivergenceStrip::legend(const PlotTheme& theme) const {
    std::vector<LegendEntry> entries;
    for (const float from : thresholds)
        entries.push_back({LegendEntry::Mark::Box, strengthColour(theme, from),
                           tr("from %1 nats").arg(numberText(locale(), double(from), 2))});
    entries.push_back({LegendEntry::Mark::Ring, theme.text, tr("another top token")});
    return entries;
}

QSize DivergenceStrip::sizeHint() const {
    return {480, 140};
}

QSize DivergenceStrip::minimumSizeHint() const {
    return {120, 28};
}

QRectF DivergenceStrip::Private::area(const QRectF& rect) const {
    if (!axes(rect)) return rect.adjusted(4, 5, -4, -2);
    const double line = QFontMetricsF(q->smallFont()).height();
    return rect.adjusted(leftRoom(), line + 8, -16, -line - 8);
}

int DivergenceStrip::Private::tokenAt(const QRectF& rect, double x) const {
    const QRectF inner = area(rect);
    const double width = inner.width() / length();
    const int token = int(std::floor((x - inner.left()) / width));
    if (token < 0 || token >= count()) return -1;
    if (width >= 3) return token;
    // Several tokens in one pixel: the worst of them.
    const int from = std::max(0, int((x - 1.5 - inner.left()) / width));
    const int to = std::min(count() - 1, int((x + 1.5 - inner.left()) / width));
    int worst = token;
    for (int i = from; i <= to; ++i)
        if (!(tokens[size_t(i)].kl <= tokens[size_t(worst)].kl)) worst = i;
    return worst;
}

void DivergenceStrip::Private::paint(QPainter& painter, const QRectF& rect, const PlotTheme& theme,
                                     bool print) const {
    painter.fillRect(rect, theme.panel);
    const QRectF inner = area(rect);
    if (inner.width() < 4 || inner.height() < 4) return;
    if (axes(rect)) {
        paintAxes(painter, inner, theme);
    } else {
        painter.fillRect(QRectF(inner.left(), inner.bottom(), inner.width(), 1), theme.separator);
    }
    paintBars(painter, inner, theme);
    if (axes(rect)) paintFirstDifference(painter, inner, theme);
    if (print || current < 0 || current >= count()) return;
    const double x = inner.left() + (current + 0.5) * inner.width() / length();
    QPen pen(theme.text, 1, Qt::CustomDashLine);
    pen.setDashPattern({2, 3});
    painter.setRenderHint(QPainter::Antialiasing, false);
    painter.setPen(pen);
    painter.drawLine(QPointF(x, inner.top()), QPointF(x, inner.bottom()));
    if (axes(rect))
        drawReadoutBox(painter, theme, q->smallFont(), readoutLines(), {x, inner.top()},
                       rect.adjusted(2, 2, -2, -2));
}

void DivergenceStrip::Private::paintAxes(QPainter& painter, const QRectF& rect,
                                         const PlotTheme& theme) const {
    const QFont small = q->smallFont();
    const QFontMetricsF metrics(small);
    painter.setFont(small);
    painter.setRenderHint(QPainter::Antialiasing, false);
    const int lines = std::clamp(int(rect.height() / (2 * metrics.height())), 1, 5);
    const std::vector<double> ticks = roundTicks(0, top, lines);
    const double step = ticks.size() > 1 ? ticks[1] - ticks[0] : top;
    for (const double tick : ticks) {
        const double y = std::round(rect.bottom() - tick / top * rect.height());
        painter.fillRect(QRectF(rect.left(), y, rect.width(), 1),
                         tick == 0 ? theme.border : theme.grid);
        painter.setPen(theme.secondary);
        painter.drawText(QRectF(rect.left() - 38, y - metrics.height() / 2, 32, metrics.height()),
                         Qt::AlignRight | Qt::AlignVCenter | Qt::TextDontClip,
                         tickText(q->locale(), tick, step));
    }
    const double slot = rect.width() / length();
    const double room = metrics.horizontalAdvance(countText(q->locale(), length())) + 24;
    int stride = 1;
    for (const int candidate : {1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000})
        if (stride = candidate; candidate * slot >= room) break;
    const QString unit = DivergenceStrip::tr("token");
    const double unitStart = rect.right() - metrics.horizontalAdvance(unit) - 8;
    for (int token = 0; token < length(); token += stride) {
        const double x = rect.left() + (token + 0.5) * slot;
        if (x + room / 2 > unitStart && token > 0) break;
        painter.drawText(QRectF(x - 40, rect.bottom() + 4, 80, metrics.height()),
                         Qt::AlignHCenter | Qt::AlignTop, countText(q->locale(), token + 1));
    }
    painter.drawText(
        QRectF(unitStart, rect.bottom() + 4, rect.right() - unitStart, metrics.height()),
        Qt::AlignRight | Qt::AlignTop | Qt::TextDontClip, unit);
    drawLeftTitle(painter, rect, leftRoom(), DivergenceStrip::tr("KL, nats"));
}

void DivergenceStrip::Private::paintBars(QPainter& painter, const QRectF& rect,
                                         const PlotTheme& theme) const {
    const double slot = rect.width() / length();
    const double width = std::max(1.0, std::min(6.0, slot * 0.6));
    painter.setRenderHint(QPainter::Antialiasing, slot < 1 || isVector(painter));
    painter.setPen(Qt::NoPen);
    for (int i = 0; i < count(); ++i) {
        const float kl = tokens[size_t(i)].kl;
        if (!std::isfinite(kl)) continue;
        const double height = std::max(1.0, std::clamp(double(kl) / top, 0.0, 1.0) * rect.height());
        const double x = rect.left() + (i + 0.5) * slot - width / 2;
        QColor colour = strengthColour(theme, kl);
        if (slot < 1) colour.setAlphaF(1);
        painter.fillRect(
            QRectF(slot >= 2 ? std::round(x) : x, rect.bottom() - height, width, height), colour);
    }
    if (slot < 3) return; // rings would be a band
    painter.setRenderHint(QPainter::Antialiasing);
    painter.setBrush(theme.panel);
    painter.setPen(QPen(theme.text, 1.3));
    for (int i = 0; i < count(); ++i) {
        const TokenDivergence& token = tokens[size_t(i)];
        if (token.sameTop || !std::isfinite(token.kl)) continue;
        const double height = std::clamp(double(token.kl) / top, 0.0, 1.0) * rect.height();
        painter.drawEllipse(QPointF(rect.left() + (i + 0.5) * slot, rect.bottom() - height - 5),
                            2.6, 2.6);
    }
}

void DivergenceStrip::Private::paintFirstDifference(QPainter& painter, const QRectF& rect,
                                                    const PlotTheme& theme) const {
    if (firstDifference < 0 || firstDifference >= length()) return;
    const double x = rect.left() + (firstDifference + 0.5) * rect.width() / length();
    const QFont bold = boldened(q->smallFont());
    const QFontMetricsF metrics(bold);
    QPen pen(theme.accent, 1.4, Qt::DotLine);
    painter.setPen(pen);
    double y = rect.bottom();
    if (firstDifference < count() && std::isfinite(tokens[size_t(firstDifference)].kl))
        y -=
            std::clamp(double(tokens[size_t(firstDifference)].kl) / top, 0.0, 1.0) * rect.height() +
            9;
    painter.drawLine(QPointF(x, rect.top() - metrics.height()),
                     QPointF(x, std::max(rect.top(), y)));
    const QString words = DivergenceStrip::tr("first difference, token %1")
                              .arg(countText(q->locale(), firstDifference + 1));
    const double width = metrics.horizontalAdvance(words) + 2;
    double left = x - width - 6;
    if (left < rect.left()) left = x + 6;
    painter.setFont(bold);
    painter.setPen(theme.accent);
    painter.drawText(QRectF(left, rect.top() - metrics.height() - 2, width, metrics.height()),
                     Qt::AlignLeft | Qt::AlignVCenter | Qt::TextDontClip, words);
}

QStringList DivergenceStrip::Private::readoutLines() const {
    if (current < 0 || current >= count()) return {};
    const TokenDivergence& token = tokens[size_t(current)];
    const QLocale locale = q->locale();
    QString shown = token.text;
    shown.replace(QLatin1Char('\n'), QStringLiteral("⏎"))
        .replace(QLatin1Char('\t'), QStringLiteral("⇥"));
    QStringList lines{
        shown.isEmpty()
            ? DivergenceStrip::tr("Token %1").arg(countText(locale, current + 1))
            : DivergenceStrip::tr("Token %1, “%2”").arg(countText(locale, current + 1), shown)};
    if (!std::isfinite(token.kl)) return lines << DivergenceStrip::tr("not scored");
    lines << DivergenceStrip::tr("KL %1 nats, Δ ln p %2")
                 .arg(numberText(locale, double(token.kl), 3),
                      numberText(locale, double(token.deltaLogProb), 3));
    if (!token.sameTop) lines << DivergenceStrip::tr("another top token");
    return lines;
}

void DivergenceStrip::Private::moveTo(int token, bool hover) {
    hovering = hover && token >= 0;
    if (token == current) return;
    q->setCurrentToken(token);
    emit q->cursorMoved(token);
}

int DivergenceStrip::Private::nextDifference(int from, int step) const {
    for (int i = from + step; i >= 0 && i < count(); i += step)
        if (!tokens[size_t(i)].sameTop) return i;
    return from;
}

bool DivergenceStrip::canvasEvent(QEvent* event) {
    if (d->tokens.empty()) return false;
    switch (event->type()) {
    case QEvent::MouseMove: {
        const QPointF at = static_cast<QMouseEvent*>(event)->position();
        d->moveTo(d->tokenAt(QRectF(d->canvas->rect()), at.x()), true);
        return true;
    }
    case QEvent::Leave:
        if (d->hovering) d->moveTo(-1, false);
        return false;
    case QEvent::MouseButtonPress: {
        const auto* mouse = static_cast<QMouseEvent*>(event);
        if (mouse->button() != Qt::LeftButton) return false;
        d->canvas->setFocus(Qt::MouseFocusReason);
        const int token = d->tokenAt(QRectF(d->canvas->rect()), mouse->position().x());
        d->moveTo(token, false);
        if (token >= 0) emit tokenClicked(token);
        return true;
    }
    case QEvent::KeyPress:
        break;
    default:
        return false;
    }
    const auto* key = static_cast<QKeyEvent*>(event);
    const int last = d->count() - 1;
    const bool far = key->modifiers() & Qt::ControlModifier;
    switch (key->key()) {
    case Qt::Key_Left:
        d->moveTo(std::clamp(d->current - (far ? 10 : 1), 0, last), false);
        return true;
    case Qt::Key_Right:
        d->moveTo(std::clamp(d->current + (far ? 10 : 1), 0, last), false);
        return true;
    case Qt::Key_Home:
        d->moveTo(0, false);
        return true;
    case Qt::Key_End:
        d->moveTo(last, false);
        return true;
    case Qt::Key_Down:
        d->moveTo(d->nextDifference(d->current, 1), false);
        return true;
    case Qt::Key_Up:
        d->moveTo(d->nextDifference(d->current, -1), false);
        return true;
    case Qt::Key_Return:
    case Qt::Key_Enter:
        if (d->current >= 0) emit tokenClicked(d->current);
        return true;
    default:
        return false;
    }
}

void DivergenceStrip::themeChanged() {
    d->canvas->update();
}

void DivergenceStrip::paintPlot(QCPPainter& painter, const QRect& rect, const PlotTheme& theme) {
    d->paint(painter, QRectF(rect), theme, true);
}

} // namespace bitloom::ui
