// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "ui/plots/heat_map_private.h"
#include "ui/plots/number_text.h"
#include "ui/plots/plot_paint.h"
#include "ui/plots/qcp.h"

#include <QBoxLayout>
#include <QKeyEvent>
#include <QMouseEvent>

namespace bitloom::ui {

HeatMap::HeatMap(QWidget* parent) : PlotView(parent), d(std::make_unique<Private>(this)) {
    d->canvas = new PaintedCanvas(this, [this](QPainter& painter) {
        d->paintMap(painter, QRectF(d->canvas->rect()), theme(), false);
    });
    d->canvas->setMinimumSize(160, 80);
    d->heading = new QLabel(tr("Heat map"), this);
    d->quantities = new QComboBox(this);
    d->quantities->setObjectName(QStringLiteral("heatMapQuantity"));
    d->quantities->setAccessibleName(tr("Quantity of the heat map"));
    d->quantities->hide();
    d->columnTitle = new ElidedLabel(this);
    d->columnTitle->setForegroundRole(QPalette::PlaceholderText);
    d->scale = new PaintedCanvas(this, [this](QPainter& painter) {
        d->paintScale(painter, QRectF(d->scale->rect()), theme());
    });
    d->scale->setAccessibleName(tr("Colour scale of the heat map"));
    header()->setContentsMargins(16, 6, 16, 6);
    header()->addWidget(d->heading);
    header()->addWidget(d->quantities);
    header()->addWidget(d->columnTitle, 1);
    d->columnTitle->setMinimumWidth(1); // rather cut than a window that cannot be made smaller
    header()->addWidget(d->scale);
    connect(d->quantities, &QComboBox::activated, this, &HeatMap::quantityChosen);
    setCanvas(d->canvas, tr("Heat map"));
    setTitle(tr("Heat map"));
    setState({PlotState::Kind::Empty,
              tr("No statistics yet."),
              tr("Analyze the model to see which channels of which layers matter."),
              {},
              -1});
    themeChanged();
}

HeatMap::~HeatMap() = default;

void HeatMap::Private::invalidate() {
    images.clear();
    canvas->update();
    scale->update();
}

void HeatMap::Private::range() {
    double least = HUGE_VAL, most = -HUGE_VAL;
    if (valid())
        for (const float v : data.values)
            if (std::isfinite(v) && (!data.logarithmic || v > 0)) {
                least = std::min(least, double(v));
                most = std::max(most, double(v));
            }
    empty = !(most >= least);
    if (empty) {
        low = 0;
        high = 1;
        return;
    }
    if (std::isfinite(data.low)) least = data.low;
    if (std::isfinite(data.high)) most = data.high;
    // Six decades are as much as colours can tell apart.
    if (data.logarithmic) least = std::max(least, most * 1e-6);
    low = scaled(least);
    high = scaled(most);
    if (!(high > low)) high = low + 1;
}

void HeatMap::setData(HeatMapData data) {
    d->data = std::move(data);
    if (!d->valid()) d->data.values.clear();
    d->range();
    d->columnTitle->setFullText(d->data.columnTitle);
    // Up to the comma where there is room for that alone.
    d->columnTitle->setShortText(d->data.columnTitle.section(QLatin1Char(','), 0, 0));
    d->cursorKind = d->cursorRow = d->cursorColumn = -1;
    if (d->selectedKind >= d->kinds() || d->selectedRow >= d->rows())
        d->selectedKind = d->selectedRow = -1;
    setTitle(d->data.unit.isEmpty()
                 ? d->data.quantity
                 : QString(d->data.quantity + QLatin1String(", ") + d->data.unit));
    if (state().kind == PlotState::Kind::Empty && d->valid()) setState({});
    d->invalidate();
    themeChanged();
    tellTable();
    tellReadout();
}

void HeatMap::setRow(int kind, int row, std::span<const float> values) {
    if (!d->valid() || kind < 0 || kind >= d->kinds() || row < 0 || row >= d->rows() ||
        int(values.size()) != d->data.columns)
        return;
    std::copy(values.begin(), values.end(),
              d->data.values.begin() + ptrdiff_t(d->offset(kind, row)));
    if (!d->live) d->range();
    d->invalidate();
    tellTable();
}

void HeatMap::setValues(std::span<const float> values) {
    if (!d->valid() || values.size() != d->data.values.size()) return;
    std::copy(values.begin(), values.end(), d->data.values.begin());
    if (!d->live) d->range();
    d->invalidate();
    tellTable();
}

void HeatMap::setLive(bool live) {
    if (live == d->live) return;
    d->live = live;
    if (live) return;
    d->range();
    d->invalidate();
}

const HeatMapData& HeatMap::data() const {
    return d->data;
}

void HeatMap::setQuantities(const QStringList& names, int current) {
    d->quantities->clear();
    d->quantities->addItems(names);
    d->quantities->setCurrentIndex(current);
    d->quantities->setVisible(!names.isEmpty());
}

void HeatMap::setSelected(int kind, int row) {
    d->selectedKind = kind;
    d->selectedRow = row;
    d->canvas->update();
}

std::pair<int, int> HeatMap::selected() const {
    return {d->selectedKind, d->selectedRow};
}

QString HeatMap::readout() const {
    return d->readoutLines().join(QLatin1String(", "));
}

QString HeatMap::summary() const {
    if (!d->valid()) return state().message;
    int known = 0;
    for (int kind = 0; kind < d->kinds(); ++kind)
        for (int row = 0; row < d->rows(); ++row)
            known += d->rowKnown(kind, row);
    return tr("%1 of %2 rows in %3 kinds of matrices; %4 are known. Arrow keys move a cursor, "
              "Enter chooses the layer.")
        .arg(d->data.quantity, countText(locale(), d->rows()), countText(locale(), d->kinds()),
             countText(locale(), known));
}

QStringList HeatMap::tableHeader() const {
    QStringList header{d->data.rowTitle.isEmpty() ? tr("layer") : d->data.rowTitle, tr("kind")};
    for (int column = 0; column < d->data.columns; ++column)
        header
            << tr("quantile %1").arg(locale().toString((column + 1.0) / d->data.columns, 'f', 3));
    return header;
}

int HeatMap::tableRows() const {
    return d->valid() ? d->kinds() * d->rows() : 0;
}

QVariant HeatMap::tableCell(int row, int column) const {
    const int kind = row % d->kinds(), line = row / d->kinds();
    if (column == 0) return d->data.rows[line];
    if (column == 1) return d->data.kinds[kind];
    return d->value(kind, line, column - 2);
}

std::vector<LegendEntry> HeatMap::legend(const PlotTheme&) const {
    return {}; // the colour scale, which paintPlot draws
}

bool HeatMap::Private::hit(const QPointF& at, int& kind, int& row, int& column) const {
    if (!valid()) return false;
    const Layout layout = layoutFor(QRectF(canvas->rect()));
    for (kind = 0; kind < kinds(); ++kind) {
        const QRectF block = layout.block(kind);
        if (!block.contains(at)) continue;
        row = std::min(int((at.y() - block.top()) / block.height() * rows()), rows() - 1);
        column =
            std::min(int((at.x() - block.left()) / block.width() * data.columns), data.columns - 1);
        return true;
    }
    return false;
}

void HeatMap::Private::moveCursor(int kind, int row, int column, bool hover) {
    hovering = hover && kind >= 0;
    if (kind == cursorKind && row == cursorRow && column == cursorColumn) return;
    cursorKind = kind;
    cursorRow = row;
    cursorColumn = column;
    canvas->update();
    q->tellReadout();
    emit q->cursorMoved(kind, row, column);
}

void HeatMap::Private::stepCursor(int columns, int rowsDown) {
    if (cursorKind < 0) {
        moveCursor(std::max(selectedKind, 0), std::max(selectedRow, 0), 0, false);
        return;
    }
    int column = cursorKind * data.columns + cursorColumn + columns;
    column = std::clamp(column, 0, kinds() * data.columns - 1);
    moveCursor(column / data.columns, std::clamp(cursorRow + rowsDown, 0, rows() - 1),
               column % data.columns, false);
}

bool HeatMap::canvasEvent(QEvent* event) {
    if (!d->valid()) return false;
    int kind = -1, row = -1, column = -1;
    switch (event->type()) {
    case QEvent::MouseMove:
        if (d->hit(static_cast<QMouseEvent*>(event)->position(), kind, row, column))
            d->moveCursor(kind, row, column, true);
        else if (d->hovering)
            d->moveCursor(-1, -1, -1, false);
        return true;
    case QEvent::Leave:
        if (d->hovering) d->moveCursor(-1, -1, -1, false);
        return false;
    case QEvent::MouseButtonPress: {
        const auto* mouse = static_cast<QMouseEvent*>(event);
        if (mouse->button() != Qt::LeftButton) return false;
        d->canvas->setFocus(Qt::MouseFocusReason);
        if (!d->hit(mouse->position(), kind, row, column)) return true;
        setSelected(kind, row);
        emit layerClicked(kind, row);
        return true;
    }
    case QEvent::KeyPress:
        break;
    default:
        return false;
    }
    const auto* key = static_cast<QKeyEvent*>(event);
    const int far = key->modifiers() & Qt::ControlModifier ? d->data.columns : 1;
    switch (key->key()) {
    case Qt::Key_Left:
        d->stepCursor(-far, 0);
        return true;
    case Qt::Key_Right:
        d->stepCursor(far, 0);
        return true;
    case Qt::Key_Up:
        d->stepCursor(0, -1);
        return true;
    case Qt::Key_Down:
        d->stepCursor(0, 1);
        return true;
    case Qt::Key_PageUp:
        d->stepCursor(0, -8);
        return true;
    case Qt::Key_PageDown:
        d->stepCursor(0, 8);
        return true;
    case Qt::Key_Home:
        d->stepCursor(0, -d->rows());
        return true;
    case Qt::Key_End:
        d->stepCursor(0, d->rows());
        return true;
    case Qt::Key_Escape:
        if (d->cursorKind < 0) return false;
        d->moveCursor(-1, -1, -1, false);
        return true;
    case Qt::Key_Return:
    case Qt::Key_Enter:
    case Qt::Key_Space:
        if (d->cursorKind < 0) return true;
        setSelected(d->cursorKind, d->cursorRow);
        emit layerClicked(d->cursorKind, d->cursorRow);
        return true;
    default:
        return false;
    }
}

void HeatMap::themeChanged() {
    d->heading->setFont(boldened(font()));
    const QFontMetrics metrics(smallFont());
    const int ends = 2 * metrics.horizontalAdvance(QStringLiteral("3.2·10⁻⁹")) + 24;
    d->scale->setFixedSize(metrics.horizontalAdvance(d->data.unit) + ends + d->scaleBar + 20,
                           metrics.height() + 6);
    d->invalidate();
}

void HeatMap::paintPlot(QCPPainter& painter, const QRect& rect, const PlotTheme& theme) {
    const double line = QFontMetricsF(smallFont()).height() + 6;
    d->images.clear();
    d->paintMap(painter, QRectF(rect).adjusted(0, 0, 0, -line - 18), theme, true);
    painter.setFont(smallFont());
    painter.setPen(theme.secondary);
    painter.drawText(QRectF(rect.left(), rect.bottom() - 2 * line, rect.width(), line),
                     Qt::AlignCenter, d->data.columnTitle);
    d->paintScale(painter, QRectF(rect.left(), rect.bottom() - line, rect.width() - 16, line),
                  theme);
    d->images.clear();
}

} // namespace bitloom::ui
