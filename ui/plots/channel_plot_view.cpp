// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "ui/plots/channel_painter.h"
#include "ui/plots/channel_plot_private.h"
#include "ui/plots/number_text.h"
#include "ui/plots/plot_paint.h"

#include <QLabel>
#include <QStandardItemModel>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace bitloom::ui {

std::span<const float> ChannelPlot::Private::values() const {
    return metric == ChannelMetric::Bits ? std::span<const float>(bitValues) : data.of(metric);
}

QString ChannelPlot::Private::metricName(ChannelMetric which) const {
    switch (which) {
    case ChannelMetric::ActivationAbsmax:
        return ChannelPlot::tr("activation abs-max");
    case ChannelMetric::ActivationRms:
        return ChannelPlot::tr("activation RMS");
    case ChannelMetric::WeightNorm:
        return ChannelPlot::tr("weight RMS");
    case ChannelMetric::Sensitivity:
        return ChannelPlot::tr("sensitivity");
    case ChannelMetric::PredictedError:
        return ChannelPlot::tr("predicted error");
    case ChannelMetric::Bits:
        return ChannelPlot::tr("bits");
    }
    return {};
}

QString ChannelPlot::Private::metricTitle(ChannelMetric which) const {
    const QString unit = which == ChannelMetric::Bits ? QString() : data.units[size_t(which)];
    return unit.isEmpty() ? metricName(which)
                          : QString(metricName(which) + QLatin1String(", ") + unit);
}

void ChannelPlot::Private::sortChannels() {
    orderStale = false;
    order.clear();
    place.clear();
    const int count = channels();
    const std::span<const float> value = values();
    const bool byBits = orderBy == ChannelOrder::GroupedByBits;
    if (orderBy == ChannelOrder::Index || (byBits ? bits.empty() : value.empty())) return;
    order.resize(size_t(count));
    std::iota(order.begin(), order.end(), 0);
    const auto key = [&](int channel) { // NaN goes last
        const float v = value.empty() ? 0.f : value[size_t(channel)];
        return std::isnan(v) ? -std::numeric_limits<float>::infinity() : v;
    };
    std::stable_sort(order.begin(), order.end(), [&](int a, int b) {
        if (byBits && bits[size_t(a)] != bits[size_t(b)]) return bits[size_t(a)] > bits[size_t(b)];
        return key(a) > key(b);
    });
    place.resize(order.size());
    for (int position = 0; position < count; ++position)
        place[size_t(order[size_t(position)])] = position;
}

void ChannelPlot::Private::rangeValues() {
    rangeStale = false;
    std::vector<float> finite;
    for (const float v : values())
        if (std::isfinite(v) && (!logarithmicNow() || v > 0)) finite.push_back(v);
    const auto quantile = [&](double share) {
        auto at = finite.begin() + ptrdiff_t(share * double(finite.size() - 1));
        std::nth_element(finite.begin(), at, finite.end());
        return double(*at);
    };
    double low = logarithmicNow() ? 0.1 : 0, high = 1;
    offScale = 0;
    largest = 0;
    if (!finite.empty()) {
        const auto [smallest, greatest] = std::minmax_element(finite.begin(), finite.end());
        largest = *greatest;
        high = double(largest);
        if (metric == ChannelMetric::Bits) {
            high = largest > 8 ? 17 : 9;
        } else if (logarithmicNow()) {
            low = std::max({double(*smallest) * 0.8, quantile(0.01) / 2, high * 1e-8});
            high *= 2.2;
            if (clip->isChecked()) high = std::min(high, quantile(0.995) * 1.5);
            const double decade = std::pow(10.0, std::floor(std::log10(low)));
            low = high / decade > 30 ? decade : low * 0.8;
        } else {
            low = std::min(0.0, double(*smallest));
            high *= 1.1;
            if (clip->isChecked()) high = std::min(high, quantile(0.995) * 1.25);
        }
        if (!(high > low)) high = low + (low == 0 ? 1 : std::abs(low));
        for (const float v : finite)
            offScale += double(v) > high;
    }
    plot->yAxis->setScaleType(logarithmicNow() ? QCPAxis::stLogarithmic : QCPAxis::stLinear);
    if (logarithmicNow())
        plot->yAxis->setTicker(decadeTicker);
    else
        plot->yAxis->setTicker(linearTicker);
    linearTicker->setIntegers(metric == ChannelMetric::Bits);
    plot->yAxis->setRange(low, high);
    offScaleText->setFullText(offScaleWords());
    q->setTitle(channels() > 0 ? ChannelPlot::tr("%1: %2").arg(data.layer, metricName(metric))
                               : ChannelPlot::tr("Channels"));
    linear->setEnabled(metric != ChannelMetric::Bits);
    logarithmic->setEnabled(metric != ChannelMetric::Bits);
    clip->setEnabled(metric != ChannelMetric::Bits);
}

QString ChannelPlot::Private::offScaleWords() const {
    if (offScale <= 0) return {};
    const QString most = numberText(q->locale(), double(largest));
    return offScale == 1 ? ChannelPlot::tr("1 channel off the scale, at %1").arg(most)
                         : ChannelPlot::tr("%1 channels off the scale, the largest at %2")
                               .arg(countText(q->locale(), offScale), most);
}

void ChannelPlot::Private::metricsChanged() {
    auto* model = qobject_cast<QStandardItemModel*>(metricBox->model());
    for (int i = 0; i < channelMetricCount; ++i) {
        const bool there =
            ChannelMetric(i) == ChannelMetric::Bits || !data.values[size_t(i)].empty();
        model->item(i)->setEnabled(there);
    }
}

void ChannelPlot::Private::setView(double from, double to) {
    const double count = channels();
    const double span = std::min(to - from, count);
    from = std::clamp(from, 0.0, std::max(0.0, count - span));
    if (from == first && from + span == last) return;
    first = from;
    last = from + span;
    applyView();
    replot();
}

void ChannelPlot::Private::applyView() {
    plot->xAxis->setRange(first - 0.5, std::max(last, first + 1) - 0.5);
}

double ChannelPlot::Private::positionAt(double x) const {
    const QRectF rect = area();
    return first + (x - rect.left()) / std::max(rect.width(), 1.0) * (last - first);
}

QRectF ChannelPlot::Private::area() const {
    return QRectF(plot->axisRect()->rect());
}

void ChannelPlot::Private::restyle() {
    const PlotTheme colours = theme();
    styleAxes(*plot, colours, q->smallFont());
    plot->setLocale(q->locale());
    plot->xAxis->setTicker(placeTicker);
    placeTicker->setIntegers(true);
    if (!printTheme) styleScaleButtons(colours);
}

/// Two halves of one control, which no style draws by itself.
void ChannelPlot::Private::styleScaleButtons(const PlotTheme& colours) {
    const auto sheet = [&](const QString& corners) {
        return QStringLiteral("QToolButton { border: 1px solid %1; padding: 3px 8px; color: %2; "
                              "background: %3; %4 }"
                              "QToolButton:checked { color: %5; background: %6; }"
                              "QToolButton:focus { border-color: %5; }"
                              "QToolButton:disabled { color: %7; }")
            .arg(colours.border.name(), colours.text.name(), colours.panel.name(), corners,
                 colours.accent.name(), colours.selectedRow.name(), colours.border.name());
    };
    const bool mirrored = q->layoutDirection() == Qt::RightToLeft;
    const QString first =
        QStringLiteral("border-top-left-radius: 4px; border-bottom-left-radius: 4px;");
    const QString second =
        QStringLiteral("border-top-right-radius: 4px; border-bottom-right-radius: 4px;");
    linear->setStyleSheet(sheet(mirrored ? second : first));
    logarithmic->setStyleSheet(sheet(mirrored ? first : second));
}

void ChannelPlot::Private::replot() {
    QString channels;
    switch (orderBy) {
    case ChannelOrder::Index:
        channels = ChannelPlot::tr("input channel, in index order");
        break;
    case ChannelOrder::ValueDescending:
        channels = ChannelPlot::tr("input channels, largest %1 first").arg(metricName(metric));
        break;
    case ChannelOrder::GroupedByBits:
        channels = ChannelPlot::tr("input channels, most bits first");
        break;
    }
    titles->set(channels, metricTitle(metric));
    plot->replot(QCustomPlot::rpQueuedRefresh);
}

void ChannelPlot::Private::redrawBars() {
    plot->layer(QStringLiteral("channels"))->replot();
    if (cursor >= 0) plot->layer(QStringLiteral("overlay"))->replot();
}

void ChannelPlot::Private::paintBars(QCPPainter& painter) {
    const std::span<const float> value = values();
    const QRectF rect = area();
    if (rect.width() < 1) return;
    const double ratio = isVector(painter) ? 2 : painter.device()->devicePixelRatioF();
    const int columns = int(std::lround(rect.width() * ratio));
    EnvelopeSource source;
    source.values = value;
    source.bits = bits;
    source.pins = pinned;
    source.selected = printTheme ? std::span<const uint8_t>() : std::span<const uint8_t>(selected);
    source.order = order;
    envelope.build(source, first, last, columns);
    const PlotTheme colours = theme();
    const auto count = std::count(selected.begin(), selected.end(), uint8_t(1));
    const QCPRange range = plot->yAxis->range();
    const ValueScale scale(range.lower, range.upper, logarithmicNow(), rect.bottom() - 1,
                           rect.height());
    const ChannelPainter bars{
        envelope,
        colours,
        rect,
        rect.width() / columns,
        scale,
        q->smallFont(),
        count ? ChannelPlot::tr("%1 selected").arg(countText(q->locale(), count)) : QString(),
        [this](int pin) {
            return ChannelPlot::tr("pinned to %1 bits").arg(q->locale().toString(pin));
        }};
    bars.paint(painter);
    if (value.empty() && channels() > 0) {
        painter.setPen(colours.secondary);
        painter.setFont(q->font());
        painter.drawText(
            rect, Qt::AlignCenter | Qt::TextWordWrap,
            ChannelPlot::tr("The %1 of this layer is not known yet.").arg(metricName(metric)));
    }
}

void ChannelPlot::Private::paintOverlay(QCPPainter& painter) {
    if (cursor < 0 || cursor >= channels() || printTheme) return;
    const QRectF rect = area();
    const double position = placeOf(cursor);
    const double x = rect.left() + (position + 0.5 - first) / (last - first) * rect.width();
    if (x < rect.left() || x > rect.right()) return;
    const PlotTheme colours = theme();
    QPen dashes(colours.text, 1, Qt::CustomDashLine);
    dashes.setDashPattern({2, 3});
    painter.setPen(dashes);
    painter.setRenderHint(QPainter::Antialiasing, false);
    painter.drawLine(QPointF(x, rect.top()), QPointF(x, rect.bottom()));
    const std::span<const float> value = values();
    double y = rect.center().y();
    if (!value.empty() && std::isfinite(value[size_t(cursor)])) {
        const double v = std::max(double(value[size_t(cursor)]), plot->yAxis->range().lower);
        y = std::clamp(plot->yAxis->coordToPixel(v), rect.top(), rect.bottom());
        QColor faint = colours.text;
        faint.setAlphaF(0.5f);
        dashes.setColor(faint);
        painter.setPen(dashes);
        painter.drawLine(QPointF(rect.left(), y), QPointF(rect.right(), y));
        painter.setRenderHint(QPainter::Antialiasing);
        const QColor ring = bits.empty() ? colours.accent : colours.bits(bits[size_t(cursor)]);
        painter.setPen(QPen(ring, 2));
        painter.setBrush(colours.panel);
        painter.drawEllipse(QPointF(x, y), 3.6, 3.6);
    }
    drawReadoutBox(painter, colours, q->smallFont(), readoutLines(), {x, y}, rect);
}

QStringList ChannelPlot::Private::readoutLines() const {
    if (cursor < 0 || cursor >= channels()) return {};
    const QLocale locale = q->locale();
    const auto text = [&](ChannelMetric which) {
        const std::vector<float>& list = data.of(which);
        return list.empty() ? QString()
                            : QString(metricName(which) + QChar(0x00A0) +
                                      numberText(locale, double(list[size_t(cursor)])));
    };
    QStringList lines{ChannelPlot::tr("Channel %1").arg(countText(locale, cursor))};
    if (metric != ChannelMetric::Bits) {
        QString line = text(metric);
        const QString unit = data.units[size_t(metric)];
        if (!unit.isEmpty() && !line.isEmpty()) line += QChar(0x00A0) + unit;
        if (!line.isEmpty()) lines << line;
    }
    for (const ChannelMetric other :
         {ChannelMetric::ActivationAbsmax, ChannelMetric::ActivationRms})
        if (other != metric && !text(other).isEmpty()) {
            lines << text(other);
            break;
        }
    if (bits.empty() || bits[size_t(cursor)] == 0) return lines;
    QString words = ChannelPlot::tr("%1 bits").arg(locale.toString(int(bits[size_t(cursor)])));
    if (!pinned.empty() && pinned[size_t(cursor)])
        words = freeBits.empty() || freeBits[size_t(cursor)] == 0
                    ? ChannelPlot::tr("%1, pinned").arg(words)
                    : ChannelPlot::tr("%1, pinned (free: %2)")
                          .arg(words, locale.toString(int(freeBits[size_t(cursor)])));
    return lines << words;
}

void ChannelPlot::Private::showFacts() {
    name->setFullText(data.layer);
    factsText.clear();
    if (channels() <= 0) {
        facts->setFullText({});
        return;
    }
    const QLocale locale = q->locale();
    QString text = isolated(ChannelPlot::tr("%1 × %2").arg(countText(locale, data.rows),
                                                           countText(locale, channels())));
    if (!bits.empty()) {
        const double sum = std::accumulate(bits.begin(), bits.end(), 0.0);
        text = ChannelPlot::tr("%1, mean %2 bits")
                   .arg(text, locale.toString(sum / double(bits.size()), 'f', 2));
    }
    factsText = text;
    facts->setFullText(text);
    if (facts->isHidden() && !live) showSelection();
}

void ChannelPlot::Private::fitHeader() {
    const QMargins margins = q->header()->contentsMargins();
    int controls = margins.left() + margins.right();
    for (const QWidget* control : {static_cast<QWidget*>(metricBox),
                                   static_cast<QWidget*>(orderBox), static_cast<QWidget*>(linear),
                                   static_cast<QWidget*>(logarithmic), static_cast<QWidget*>(clip)})
        if (!control->isHidden()) controls += control->sizeHint().width() + 8;
    const QFontMetrics metrics(q->font());
    const int named = controls + metrics.horizontalAdvance(data.layer) + 16;
    const int headed = named + heading->sizeHint().width() + 8;
    const int room = q->width();
    heading->setVisible(headed <= room || data.layer.isEmpty());
    name->setFont(heading->isHidden() ? boldened(q->font()) : q->font());
    const bool stated = headed + metrics.horizontalAdvance(factsText) + 8 <= room;
    if (stated == !facts->isHidden()) return;
    // Without it the name takes the stretch.
    facts->setVisible(stated);
    q->header()->setStretchFactor(name, stated ? 0 : 1);
    showSelection();
}

void ChannelPlot::Private::showSelection() {
    const auto ranges = q->selection();
    pinButton->setVisible(!ranges.empty());
    if (ranges.empty()) {
        QStringList hint;
        if (facts->isHidden() && !factsText.isEmpty()) hint << factsText;
        if (channels() > 0) hint << ChannelPlot::tr("Shift+drag selects channels");
        // Whole or not at all.
        const QFontMetrics metrics(q->font());
        const int room = q->width() - legend->sizeHint().width() - 64;
        while (hint.size() > 1 &&
               metrics.horizontalAdvance(hint.join(QStringLiteral("   ·   "))) > room)
            hint.removeLast();
        selectionText->setText(hint.join(QStringLiteral("&nbsp;&nbsp; · &nbsp;&nbsp;")));
        selectionText->setForegroundRole(QPalette::PlaceholderText);
        return;
    }
    const QLocale locale = q->locale();
    double sum = 0;
    std::vector<float> chosen;
    int count = 0;
    const std::span<const float> value = values();
    for (const ChannelRange& range : ranges)
        for (int k = range.first; k <= range.last; ++k, ++count) {
            sum += bits.empty() ? 0 : bits[size_t(k)];
            if (!value.empty() && std::isfinite(value[size_t(k)]))
                chosen.push_back(value[size_t(k)]);
        }
    const QString where =
        ranges.size() > 1 ? ChannelPlot::tr("%1 channels").arg(countText(locale, count))
        : ranges[0].first == ranges[0].last
            ? ChannelPlot::tr("channel %1").arg(countText(locale, ranges[0].first))
            : QString(countText(locale, ranges[0].first) + QChar(0x2013) +
                      countText(locale, ranges[0].last));
    QStringList parts;
    if (!bits.empty())
        parts << ChannelPlot::tr("mean %1 bits").arg(locale.toString(sum / count, 'f', 2));
    if (!chosen.empty() && metric != ChannelMetric::Bits) {
        auto middle = chosen.begin() + ptrdiff_t(chosen.size() / 2);
        std::nth_element(chosen.begin(), middle, chosen.end());
        parts << ChannelPlot::tr("median %1 %2")
                     .arg(metricName(metric), numberText(locale, double(*middle), 3));
    }
    const QString words = parts.join(QLatin1String(", "));
    selectionText->setForegroundRole(QPalette::WindowText);
    selectionText->setText(
        QStringLiteral("<b style=\"color:%1\">%2</b>&nbsp; %3")
            .arg(theme().accent.name(), where.toHtmlEscaped(), words.toHtmlEscaped()));
    selectionText->setAccessibleName(ChannelPlot::tr("Selected: %1, %2").arg(where, words));
}

void ChannelPlot::paintPlot(QCPPainter& painter, const QRect& rect, const PlotTheme& theme) {
    d->printTheme = theme;
    d->restyle();
    paintInto(*d->plot, painter, rect);
    d->printTheme.reset();
    d->restyle();
}

} // namespace bitloom::ui
