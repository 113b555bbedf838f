// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "ui/plots/number_text.h"
#include "ui/plots/pareto_plot_private.h"
#include "ui/plots/plot_paint.h"

#include <QKeyEvent>
#include <QMouseEvent>

#include <algorithm>

namespace bitloom::ui {

namespace {

constexpr double kGibibyte = 1024.0 * 1024 * 1024, kMebibyte = 1024.0 * 1024;
constexpr double kReach = 9; ///< pixels from a point that still hit it

} // namespace

ParetoPlot::ParetoPlot(QWidget* parent) : PlotView(parent), d(std::make_unique<Private>(this)) {
    d->plot = new QCustomPlot(this);
    d->plot->setMinimumSize(160, 96);
    d->titles = new AxisTitles(*d->plot);
    d->titles->setTicks(7, 4);
    QCPAxisRect* rect = d->plot->axisRect();
    rect->setMinimumMargins(QMargins(56, 10, 16, 24));
    new PaintedLayer(d->plot, QStringLiteral("main"), rect,
                     [this](QCPPainter& painter) { d->paintData(painter); });
    new PaintedLayer(d->plot, QStringLiteral("overlay"), nullptr,
                     [this](QCPPainter& painter) { d->paintOverlay(painter); });
    setCanvas(d->plot, tr("Perplexity over size"));
    setTitle(tr("Perplexity over size"));
    setState({PlotState::Kind::Empty,
              tr("No predictions yet."),
              tr("Analyze the model to see what every size costs in quality."),
              {},
              -1});
    themeChanged();
}

ParetoPlot::~ParetoPlot() = default;

void ParetoPlot::setData(ParetoData data) {
    d->data = std::move(data);
    auto& curve = d->data.predicted;
    std::erase_if(curve, [](const PredictedPoint& point) {
        return !std::isfinite(point.bits) || !std::isfinite(point.perplexity);
    });
    std::erase_if(d->data.measured, [](const MeasuredMark& mark) {
        return !std::isfinite(mark.bits) || !std::isfinite(mark.perplexity);
    });
    std::sort(curve.begin(), curve.end(),
              [](const PredictedPoint& a, const PredictedPoint& b) { return a.bits < b.bits; });
    d->cursor = -1;
    d->range();
    d->sortStops();
    if (state().kind == PlotState::Kind::Empty && !(curve.empty() && d->data.measured.empty()))
        setState({});
    d->plot->replot(QCustomPlot::rpQueuedRefresh);
    tellTable();
    tellReadout();
}

void ParetoPlot::setPlan(const PredictedPoint& plan, const QString& name) {
    d->plan = plan;
    d->planName = name;
    d->plot->layer(QStringLiteral("overlay"))->replot();
}

void ParetoPlot::setHorizontal(Horizontal horizontal) {
    if (horizontal == d->horizontal) return;
    d->horizontal = horizontal;
    d->range();
    d->sortStops();
    d->plot->replot(QCustomPlot::rpQueuedRefresh);
}

ParetoPlot::Horizontal ParetoPlot::horizontal() const {
    return d->horizontal;
}

QCustomPlot* ParetoPlot::plot() const {
    return d->plot;
}

void ParetoPlot::Private::sortStops() {
    stops.clear();
    for (size_t i = 0; i < data.predicted.size(); ++i)
        stops.push_back({false, i});
    for (size_t i = 0; i < data.measured.size(); ++i)
        stops.push_back({true, i});
    std::stable_sort(stops.begin(), stops.end(),
                     [this](const Stop& a, const Stop& b) { return pixel(a).x() < pixel(b).x(); });
}

QPointF ParetoPlot::Private::pixel(const Stop& stop) const {
    if (stop.measured) {
        const MeasuredMark& mark = data.measured[stop.index];
        return pixel(mark.bits, mark.bytes, mark.perplexity);
    }
    const PredictedPoint& point = data.predicted[stop.index];
    return pixel(point.bits, point.bytes, point.perplexity);
}

/// Everything measured is in sight, and as much of the curve as keeps its bend readable: at its
/// cheap end it climbs through any ceiling.
void ParetoPlot::Private::range() {
    double bytes = 0;
    for (const PredictedPoint& point : data.predicted)
        bytes = std::max(bytes, point.bytes);
    sizeUnit = bytes >= kGibibyte ? kGibibyte : kMebibyte;
    double left = HUGE_VAL, right = -HUGE_VAL, low = HUGE_VAL, high = -HUGE_VAL;
    for (const MeasuredMark& mark : data.measured) {
        left = std::min(left, x(mark.bits, mark.bytes));
        right = std::max(right, x(mark.bits, mark.bytes));
        low = std::min(low, mark.perplexity - mark.sigma);
        high = std::max(high, mark.perplexity + mark.sigma);
    }
    for (const PredictedPoint& point : data.predicted) {
        left = std::min(left, x(point.bits, point.bytes));
        if (point.bits <= 5.2) right = std::max(right, x(point.bits, point.bytes));
        low = std::min(low, point.perplexity);
    }
    if (!data.predicted.empty()) {
        // At least the curve from a fifth of its way on.
        const PredictedPoint& bend = data.predicted[data.predicted.size() / 5];
        high = std::max(high, bend.perplexity);
    }
    if (std::isfinite(data.fp16Perplexity)) low = std::min(low, data.fp16Perplexity);
    if (!(right > left)) right = left + 1;
    if (!std::isfinite(left)) left = 2, right = 5;
    if (!std::isfinite(low) || !std::isfinite(high)) low = 0, high = 1;
    if (!(high > low)) high = low + std::max(1e-3, std::abs(low) * 0.01);
    const double tall = high - low, wide = right - left;
    plot->xAxis->setRange(left - 0.03 * wide, right + 0.05 * wide);
    plot->yAxis->setRange(low - 0.1 * tall, high + 0.12 * tall);
    titles->set(horizontal == Horizontal::BitsPerWeight ? ParetoPlot::tr("true bits per weight")
                : sizeUnit == kGibibyte                 ? ParetoPlot::tr("size, GiB")
                                                        : ParetoPlot::tr("size, MiB"),
                data.text.isEmpty() ? ParetoPlot::tr("perplexity")
                                    : ParetoPlot::tr("perplexity, %1").arg(data.text));
}

double ParetoPlot::Private::bitsAt(double coordinate) const {
    const auto& curve = data.predicted;
    const auto place = [this](const PredictedPoint& point) { return x(point.bits, point.bytes); };
    if (coordinate <= place(curve.front())) return curve.front().bits;
    if (coordinate >= place(curve.back())) return curve.back().bits;
    const auto next =
        std::find_if(curve.begin() + 1, curve.end(),
                     [&](const PredictedPoint& point) { return place(point) >= coordinate; });
    if (next == curve.end()) return curve.back().bits;
    const double from = place(next[-1]), to = place(*next);
    const double share = to > from ? (coordinate - from) / (to - from) : 0;
    return next[-1].bits + share * (next->bits - next[-1].bits);
}

QString ParetoPlot::Private::perplexityText(double value) const {
    return std::isfinite(value) ? q->locale().toString(value, 'f', value < 100 ? 2 : 0)
                                : QStringLiteral("–");
}

QStringList ParetoPlot::Private::readoutLines(const Stop& stop) const {
    const QLocale locale = q->locale();
    const QChar space(0x00A0);
    const auto where = [&](double bits, double bytes) {
        const QString text =
            ParetoPlot::tr("%1 bits per weight").arg(locale.toString(bits, 'f', 2));
        return bytes > 0 ? QString(text + QLatin1String(", ") + bytesText(locale, bytes)) : text;
    };
    if (!stop.measured) {
        const PredictedPoint& point = data.predicted[stop.index];
        return {ParetoPlot::tr("Predicted"), where(point.bits, point.bytes),
                ParetoPlot::tr("perplexity ≈ %1, %2 to %3")
                    .arg(perplexityText(point.perplexity), perplexityText(point.low),
                         perplexityText(point.high))};
    }
    const MeasuredMark& mark = data.measured[stop.index];
    QStringList lines{ParetoPlot::tr("%1, measured").arg(mark.label), where(mark.bits, mark.bytes)};
    QString value = perplexityText(mark.perplexity);
    if (mark.sigma > 0)
        value += space + QStringLiteral("±") + space + numberText(locale, mark.sigma, 2);
    lines << ParetoPlot::tr("perplexity %1").arg(isolated(value));
    if (!mark.text.isEmpty())
        lines << (mark.tokens > 0 ? ParetoPlot::tr("on %1, %2 tokens")
                                        .arg(mark.text, countText(locale, mark.tokens))
                                  : ParetoPlot::tr("on %1").arg(mark.text));
    if (std::isfinite(mark.predicted)) {
        const double off = 100 * (mark.predicted / mark.perplexity - 1);
        lines << ParetoPlot::tr("was predicted %1, off by %2%3\u00A0%")
                     .arg(perplexityText(mark.predicted),
                          off < 0 ? QString(QChar(0x2212)) : QStringLiteral("+"),
                          locale.toString(std::abs(off), 'f', 1));
    }
    return lines;
}

QString ParetoPlot::readout() const {
    if (d->cursor < 0 || d->cursor >= int(d->stops.size())) return {};
    const QStringList lines = d->readoutLines(d->stops[size_t(d->cursor)]);
    return lines[0] + QLatin1String(": ") + lines.mid(1).join(QLatin1String(", "));
}

QString ParetoPlot::summary() const {
    if (d->stops.empty()) return state().message;
    QString text = tr("Predicted curve of %1 points and %2 measurements.")
                       .arg(countText(locale(), int64_t(d->data.predicted.size())),
                            countText(locale(), int64_t(d->data.measured.size())));
    if (d->hasPlan())
        text += QLatin1Char(' ') + tr("This plan: %1 bits per weight, predicted perplexity %2.")
                                       .arg(locale().toString(d->plan.bits, 'f', 2),
                                            d->perplexityText(d->plan.perplexity));
    return text + QLatin1Char(' ') +
           tr("Arrow keys move over the points, Enter takes the budget of one.");
}

QStringList ParetoPlot::tableHeader() const {
    return {tr("plan"), tr("kind"), tr("bits per weight"), tr("bytes"), tr("perplexity"),
            tr("low"),  tr("high"), tr("sigma"),           tr("text"),  tr("tokens")};
}

int ParetoPlot::tableRows() const {
    return int(d->stops.size()) + (std::isfinite(d->data.fp16Perplexity) ? 1 : 0);
}

QVariant ParetoPlot::tableCell(int row, int column) const {
    const double nan = NAN;
    QVariantList cells;
    if (row >= int(d->stops.size())) {
        cells = {QStringLiteral("FP16"),
                 tr("measured"),
                 16.0,
                 d->data.fp16Bytes,
                 d->data.fp16Perplexity,
                 nan,
                 nan,
                 d->data.fp16Sigma,
                 d->data.text,
                 QVariant()};
    } else if (const Private::Stop& stop = d->stops[size_t(row)]; stop.measured) {
        const MeasuredMark& mark = d->data.measured[stop.index];
        cells = {mark.label,
                 tr("measured"),
                 mark.bits,
                 mark.bytes,
                 mark.perplexity,
                 nan,
                 nan,
                 mark.sigma,
                 mark.text,
                 mark.tokens > 0 ? QVariant(qlonglong(mark.tokens)) : QVariant()};
    } else {
        const PredictedPoint& point = d->data.predicted[stop.index];
        cells = {QString(), tr("predicted"), point.bits, point.bytes,  point.perplexity,
                 point.low, point.high,      nan,        d->data.text, QVariant()};
    }
    return cells[column];
}

int ParetoPlot::tableDecimals(int column) const {
    return column == 2 ? 3 : column == 3 ? 0 : column >= 4 && column <= 7 ? 4 : -1;
}

void ParetoPlot::Private::restyle() {
    styleAxes(*plot, theme(), q->smallFont());
    plot->setLocale(q->locale());
    plot->xAxis->setTicker(bottomTicker);
    plot->yAxis->setTicker(leftTicker);
}

void ParetoPlot::themeChanged() {
    d->restyle();
    d->range();
    d->plot->replot(QCustomPlot::rpQueuedRefresh);
}

void ParetoPlot::paintPlot(QCPPainter& painter, const QRect& rect, const PlotTheme& theme) {
    d->printTheme = theme;
    d->restyle();
    paintInto(*d->plot, painter, rect);
    d->printTheme.reset();
    d->restyle();
}

int ParetoPlot::Private::stopNear(const QPointF& at) const {
    int best = -1;
    double nearest = kReach;
    for (size_t i = 0; i < stops.size(); ++i) {
        const QPointF away = pixel(stops[i]) - at;
        // What was measured wins where both are near.
        const double distance = std::hypot(away.x(), away.y()) - (stops[i].measured ? 4 : 0);
        if (distance < nearest) {
            nearest = distance;
            best = int(i);
        }
    }
    return best;
}

bool ParetoPlot::Private::onHandle(const QPointF& at) const {
    if (!hasPlan() || data.predicted.size() < 2) return false;
    const QPointF away = pixel(plan.bits, plan.bytes, plan.perplexity) - at;
    return std::hypot(away.x(), away.y()) <= kReach + 3;
}

void ParetoPlot::Private::moveCursor(int stop, bool hover) {
    hovering = hover && stop >= 0;
    if (stop == cursor) return;
    cursor = stop;
    plot->layer(QStringLiteral("overlay"))->replot();
    q->tellReadout();
    emit q->cursorMoved(q->readout());
}

void ParetoPlot::Private::request(const QPointF& at) {
    emit q->budgetRequested(bitsAt(plot->xAxis->pixelToCoord(at.x())));
}

bool ParetoPlot::canvasEvent(QEvent* event) {
    const auto mouse = [event] { return static_cast<QMouseEvent*>(event); };
    switch (event->type()) {
    case QEvent::MouseButtonPress: {
        if (mouse()->button() != Qt::LeftButton) return false;
        d->plot->setFocus(Qt::MouseFocusReason);
        const int stop = d->stopNear(mouse()->position());
        if (d->onHandle(mouse()->position())) {
            d->dragging = true;
            d->moveCursor(-1, false);
            d->plot->setCursor(Qt::ClosedHandCursor);
            emit dragStarted();
        } else if (stop >= 0) {
            d->moveCursor(stop, false);
            const Private::Stop& at = d->stops[size_t(stop)];
            if (!at.measured) emit budgetRequested(d->data.predicted[at.index].bits);
        }
        return true;
    }
    case QEvent::MouseMove:
        if (d->dragging) {
            d->request(mouse()->position());
        } else {
            const bool handle = d->onHandle(mouse()->position());
            d->plot->setCursor(handle ? Qt::OpenHandCursor : Qt::ArrowCursor);
            d->moveCursor(handle ? -1 : d->stopNear(mouse()->position()), true);
        }
        return true;
    case QEvent::MouseButtonRelease:
        if (!d->dragging) return false;
        d->dragging = false;
        d->plot->setCursor(Qt::OpenHandCursor);
        emit dragFinished();
        return true;
    case QEvent::Leave:
        if (d->hovering) d->moveCursor(-1, false);
        return false;
    case QEvent::KeyPress:
        break;
    default:
        return false;
    }
    const int last = int(d->stops.size()) - 1;
    if (last < 0) return false;
    switch (static_cast<QKeyEvent*>(event)->key()) {
    case Qt::Key_Left:
        d->moveCursor(d->cursor < 0 ? last : std::max(d->cursor - 1, 0), false);
        return true;
    case Qt::Key_Right:
        d->moveCursor(std::min(d->cursor + 1, last), false);
        return true;
    case Qt::Key_Home:
        d->moveCursor(0, false);
        return true;
    case Qt::Key_End:
        d->moveCursor(last, false);
        return true;
    case Qt::Key_Escape:
        if (d->cursor < 0) return false;
        d->moveCursor(-1, false);
        return true;
    case Qt::Key_Return:
    case Qt::Key_Enter:
        if (d->cursor >= 0) {
            const Private::Stop& at = d->stops[size_t(d->cursor)];
            emit budgetRequested(at.measured ? d->data.measured[at.index].bits
                                             : d->data.predicted[at.index].bits);
        }
        return true;
    default:
        return false;
    }
}

} // namespace bitloom::ui
