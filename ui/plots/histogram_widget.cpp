// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "ui/plots/histogram_widget.h"

#include "ui/plots/number_text.h"
#include "ui/plots/painted_canvas.h"
#include "ui/plots/plot_paint.h"
#include "ui/plots/qcp.h"

#include <QBoxLayout>
#include <QKeyEvent>
#include <QLabel>
#include <QMouseEvent>

#include <algorithm>
#include <cmath>

namespace bitloom::ui {

struct HistogramWidget::Private {
    explicit Private(HistogramWidget* owner) : q(owner) {}

    HistogramWidget* q;
    PaintedCanvas* canvas = nullptr;
    QLabel *heading = nullptr, *total = nullptr;
    std::vector<BitShare> shares, reference;
    std::vector<int> rows{16, 8, 6, 5, 4, 3, 2}; ///< widths shown, widest first
    bool live = false;
    int cursor = 0; ///< width; 0: none
    bool hovering = false;

    static const BitShare* find(const std::vector<BitShare>& list, int bits) {
        const auto at = std::find_if(list.begin(), list.end(),
                                     [&](const BitShare& share) { return share.bits == bits; });
        return at == list.end() ? nullptr : &*at;
    }
    static double sum(const std::vector<BitShare>& list) {
        double weights = 0;
        for (const BitShare& share : list)
            weights += double(share.weights);
        return weights;
    }
    static double shareOf(const std::vector<BitShare>& list, int bits) {
        const BitShare* share = find(list, bits);
        const double all = sum(list);
        return share && all > 0 ? double(share->weights) / all : 0;
    }
    double rowHeight() const { return std::max(20.0, QFontMetricsF(q->font()).height() + 6); }
    void chooseRows();
    void paint(QPainter& painter, const QRectF& rect, const PlotTheme& theme, bool print) const;
    QString shareText(int bits) const;
    int rowAt(double y) const;
    void moveCursor(int bits, bool hover);
};

HistogramWidget::HistogramWidget(QWidget* parent)
    : PlotView(parent), d(std::make_unique<Private>(this)) {
    d->canvas = new PaintedCanvas(this, [this](QPainter& painter) {
        d->paint(painter, QRectF(d->canvas->rect()), theme(), false);
    });
    d->heading = new QLabel(tr("Weights by bit width"), this);
    d->total = new QLabel(this);
    d->total->setForegroundRole(QPalette::PlaceholderText);
    header()->setContentsMargins(16, 6, 16, 6);
    header()->addWidget(d->heading);
    header()->addStretch(1);
    header()->addWidget(d->total);
    setCanvas(d->canvas, tr("Weights by bit width"));
    setTitle(tr("Weights by bit width"));
    setState({PlotState::Kind::Empty, tr("No plan yet."), {}, {}, -1});
    themeChanged();
}

HistogramWidget::~HistogramWidget() = default;

/// The usual widths always have a row; others while they are used. During a drag rows only come.
void HistogramWidget::Private::chooseRows() {
    std::vector<int> wanted{16, 8, 6, 5, 4, 3, 2};
    for (const BitShare& share : shares)
        if (share.weights > 0) wanted.push_back(share.bits);
    if (live) wanted.insert(wanted.end(), rows.begin(), rows.end());
    std::sort(wanted.begin(), wanted.end(), std::greater<>());
    wanted.erase(std::unique(wanted.begin(), wanted.end()), wanted.end());
    if (wanted == rows) return;
    rows = wanted;
    canvas->setMinimumHeight(int(std::ceil(rowHeight() * double(rows.size()))));
    q->updateGeometry();
}

void HistogramWidget::setShares(std::vector<BitShare> shares) {
    d->shares = std::move(shares);
    d->chooseRows();
    const double weights = Private::sum(d->shares);
    d->total->setText(weights > 0 ? tr("of %1").arg(shortCountText(locale(), weights)) : QString());
    if (state().kind == PlotState::Kind::Empty && weights > 0) setState({});
    d->canvas->update();
    if (!d->live) tellTable();
    if (d->cursor) tellReadout();
}

void HistogramWidget::setReference(std::vector<BitShare> shares) {
    d->reference = std::move(shares);
    d->canvas->update();
}

void HistogramWidget::setLive(bool live) {
    if (live == d->live) return;
    d->live = live;
    if (live) return;
    d->chooseRows();
    tellTable();
}

QString HistogramWidget::Private::shareText(int bits) const {
    const BitShare* share = find(shares, bits);
    const QLocale locale = q->locale();
    if (!share || share->weights == 0) return percentText(locale, 0);
    const double part = shareOf(shares, bits);
    // A handful of channels says more than "< 0.1 %".
    if (part < 0.0005 && share->channels > 0 && share->channels < 1000)
        return isolated(HistogramWidget::tr("%1 ch").arg(countText(locale, share->channels)));
    return percentText(locale, part);
}

QString HistogramWidget::readout() const {
    if (!d->cursor) return {};
    const BitShare* share = Private::find(d->shares, d->cursor);
    const int64_t weights = share ? share->weights : 0, channels = share ? share->channels : 0;
    return tr("%1 bits: %2 of the weights, %3 weights in %4 channels")
        .arg(locale().toString(d->cursor),
             percentText(locale(), Private::shareOf(d->shares, d->cursor)),
             countText(locale(), weights), countText(locale(), channels));
}

QString HistogramWidget::summary() const {
    QStringList parts;
    for (const int bits : d->rows)
        if (const BitShare* share = Private::find(d->shares, bits); share && share->weights > 0)
            parts << tr("%1 bits %2").arg(locale().toString(bits), d->shareText(bits));
    return parts.isEmpty() ? state().message
                           : tr("Share of weights: %1").arg(parts.join(QLatin1String(", ")));
}

QStringList HistogramWidget::tableHeader() const {
    return {tr("bits"), tr("weights"), tr("channels"), tr("share, %")};
}

int HistogramWidget::tableRows() const {
    return int(d->rows.size());
}

QVariant HistogramWidget::tableCell(int row, int column) const {
    const int bits = d->rows[size_t(row)];
    const BitShare* share = Private::find(d->shares, bits);
    switch (column) {
    case 0:
        return bits;
    case 1:
        return qlonglong(share ? share->weights : 0);
    case 2:
        return qlonglong(share ? share->channels : 0);
    default:
        return 100 * Private::shareOf(d->shares, bits);
    }
}

int HistogramWidget::tableDecimals(int column) const {
    return column == 3 ? 2 : -1;
}

std::vector<LegendEntry> HistogramWidget::legend(const PlotTheme&) const {
    return {}; // every row says its width
}

QSize HistogramWidget::figureSize() const {
    return {480, 72 + int(d->rowHeight() * double(d->rows.size()))};
}

QSize HistogramWidget::sizeHint() const {
    return {260, int(d->rowHeight() * double(d->rows.size())) + 36};
}

void HistogramWidget::Private::paint(QPainter& painter, const QRectF& rect, const PlotTheme& theme,
                                     bool print) const {
    painter.fillRect(rect, theme.panel);
    const QFont font = q->font(), small = q->smallFont();
    const QFontMetricsF metrics(font);
    const double height = rowHeight();
    const double chip = QFontMetricsF(boldened(small)).horizontalAdvance(QStringLiteral("16")) + 8;
    const double figures = metrics.horizontalAdvance(percentText(q->locale(), 0.999)) + 4;
    const double margin = print ? 0 : 16;
    const double barStart = margin + chip + 10;
    const double barLength = std::max(10.0, rect.width() - barStart - figures - margin - 6);
    // The longest bar takes the whole length, in steps, so that bars do not breathe with the
    // slider.
    double most = 0.001;
    for (const int bits : rows)
        most = std::max({most, shareOf(shares, bits), shareOf(reference, bits)});
    const double full = std::min(1.0, std::ceil(most * 8 - 0.05) / 8);
    const bool mirrored = q->layoutDirection() == Qt::RightToLeft;
    const auto place = [&](double x, double y, double w, double h) {
        return QRectF(mirrored ? rect.right() - x - w : rect.left() + x, y, w, h);
    };
    for (size_t i = 0; i < rows.size(); ++i) {
        const int bits = rows[i];
        const double y = rect.top() + double(i) * height, share = shareOf(shares, bits);
        if (bits == cursor && !print)
            painter.fillRect(place(8, y, rect.width() - 16, height), theme.selectedRow);
        const double chipHeight = std::min(height - 4, QFontMetricsF(small).height() + 3);
        drawBitChip(painter, theme, place(margin, y + (height - chipHeight) / 2, chip, chipHeight),
                    bits, small);
        painter.setRenderHint(QPainter::Antialiasing, false);
        const double length = barLength * share / full;
        if (share > 0)
            painter.fillRect(place(barStart, y + height / 2 - 5, std::max(1.0, length), 10),
                             theme.bits(bits));
        if (!reference.empty() && !print) {
            const double before = barLength * shareOf(reference, bits) / full;
            painter.fillRect(place(barStart + before - 0.75, y + height / 2 - 8, 1.5, 16),
                             theme.text);
        }
        painter.setFont(font);
        painter.setPen(share > 0 ? theme.text : theme.secondary);
        painter.drawText(place(rect.width() - margin - figures, y, figures, height),
                         (mirrored ? Qt::AlignLeft : Qt::AlignRight) | Qt::AlignVCenter |
                             Qt::TextDontClip,
                         shareText(bits));
    }
}

void HistogramWidget::paintPlot(QCPPainter& painter, const QRect& rect, const PlotTheme& theme) {
    d->paint(painter, QRectF(rect), theme, true);
}

int HistogramWidget::Private::rowAt(double y) const {
    const int row = int(std::floor(y / rowHeight()));
    return row >= 0 && row < int(rows.size()) ? rows[size_t(row)] : 0;
}

void HistogramWidget::Private::moveCursor(int bits, bool hover) {
    hovering = hover && bits;
    if (bits == cursor) return;
    cursor = bits;
    canvas->update();
    q->tellReadout();
    emit q->cursorMoved(bits);
}

bool HistogramWidget::canvasEvent(QEvent* event) {
    switch (event->type()) {
    case QEvent::MouseMove:
        d->moveCursor(d->rowAt(static_cast<QMouseEvent*>(event)->position().y()), true);
        return true;
    case QEvent::Leave:
        if (d->hovering) d->moveCursor(0, false);
        return false;
    case QEvent::MouseButtonPress: {
        const auto* mouse = static_cast<QMouseEvent*>(event);
        if (mouse->button() != Qt::LeftButton) return false;
        d->canvas->setFocus(Qt::MouseFocusReason);
        if (const int bits = d->rowAt(mouse->position().y())) emit bitsClicked(bits);
        return true;
    }
    case QEvent::KeyPress:
        break;
    default:
        return false;
    }
    const auto at = std::find(d->rows.begin(), d->rows.end(), d->cursor);
    const ptrdiff_t row = at == d->rows.end() ? -1 : at - d->rows.begin();
    const ptrdiff_t last = ptrdiff_t(d->rows.size()) - 1;
    const auto go = [&](ptrdiff_t to) {
        d->moveCursor(d->rows[size_t(std::clamp<ptrdiff_t>(to, 0, last))], false);
        return true;
    };
    switch (static_cast<QKeyEvent*>(event)->key()) {
    case Qt::Key_Up:
        return go(row < 0 ? last : row - 1);
    case Qt::Key_Down:
        return go(row + 1);
    case Qt::Key_Home:
        return go(0);
    case Qt::Key_End:
        return go(last);
    case Qt::Key_Return:
    case Qt::Key_Enter:
        if (d->cursor) emit bitsClicked(d->cursor);
        return true;
    default:
        return false;
    }
}

void HistogramWidget::themeChanged() {
    d->heading->setFont(boldened(font()));
    d->canvas->setMinimumHeight(int(std::ceil(d->rowHeight() * double(d->rows.size()))));
    d->canvas->setMinimumWidth(200);
    d->canvas->update();
}

} // namespace bitloom::ui
