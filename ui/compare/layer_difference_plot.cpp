// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "ui/compare/layer_difference_plot.h"

#include "ui/models/texts.h"
#include "ui/plots/painted_canvas.h"
#include "ui/plots/plot_paint.h"
#include "ui/plots/qcp.h"

#include <QKeyEvent>

#include <algorithm>
#include <cmath>

namespace bitloom::ui {

namespace {

/// Blue where bits are saved, red where they are spent; the ends of the scale of widths.
QColor differenceColour(const PlotTheme& theme, float difference, double top) {
    QColor colour = theme.bits(difference > 0 ? 8 : 2);
    const double share = top > 0 ? std::min(1.0, std::abs(double(difference)) / top) : 0;
    colour.setAlphaF(float(0.55 + 0.45 * share));
    return colour;
}

} // namespace

LayerDifferencePlot::LayerDifferencePlot(QWidget* parent) : PlotView(parent) {
    m_plotCanvas = new PaintedCanvas(this, [this](QPainter& painter) {
        paint(painter, QRectF(m_plotCanvas->rect()), theme(), false);
    });
    m_plotCanvas->setMinimumHeight(60);
    setCanvas(m_plotCanvas, tr("Difference of bits per layer"));
    setTitle(tr("Difference of mean bits per layer"));
    setState({PlotState::Kind::Empty, tr("Choose two plans to compare their layers."), {}, {}, -1});
}

void LayerDifferencePlot::setData(LayerDifferences data) {
    const bool same = data.layers == m_data.layers;
    m_data = std::move(data);
    if (!same || m_current >= m_data.size()) m_current = -1;
    double most = 0;
    for (int layer = 0; layer < m_data.size(); ++layer)
        most = std::max(most, std::abs(double(m_data.difference(layer))));
    // Room for half a bit at least, so that rounding does not look like a decision.
    m_top = std::max(0.5, most * 1.1);
    m_plotCanvas->update();
    tellTable();
    tellReadout();
}

void LayerDifferencePlot::setCurrentLayer(int layer) {
    if (layer >= m_data.size()) layer = -1;
    if (layer == m_current) return;
    m_current = layer;
    m_plotCanvas->update();
    tellReadout();
}

QStringList LayerDifferencePlot::readoutLines() const {
    if (m_current < 0 || m_current >= m_data.size()) return {};
    return {m_data.layers[m_current],
            tr("%1: %2 bits")
                .arg(m_data.left, fixedText(double(m_data.leftBits[size_t(m_current)]), 2)),
            tr("%1: %2 bits, %3")
                .arg(m_data.right, fixedText(double(m_data.rightBits[size_t(m_current)]), 2),
                     signedText(double(m_data.difference(m_current)), 2))};
}

QString LayerDifferencePlot::readout() const {
    return readoutLines().join(QStringLiteral(", "));
}

QString LayerDifferencePlot::summary() const {
    if (m_data.size() == 0) return state().message;
    int more = 0, fewer = 0;
    for (int layer = 0; layer < m_data.size(); ++layer) {
        more += m_data.difference(layer) > 0.005f;
        fewer += m_data.difference(layer) < -0.005f;
    }
    return tr("%1 against %2: more bits in %3 layers, fewer in %4 of %5. Arrow keys move a cursor.")
        .arg(m_data.right, m_data.left)
        .arg(more)
        .arg(fewer)
        .arg(m_data.size());
}

QStringList LayerDifferencePlot::tableHeader() const {
    return {tr("layer"), m_data.left, m_data.right, tr("difference, bits")};
}

QVariant LayerDifferencePlot::tableCell(int row, int column) const {
    switch (column) {
    case 0:
        return m_data.layers[row];
    case 1:
        return double(m_data.leftBits[size_t(row)]);
    case 2:
        return double(m_data.rightBits[size_t(row)]);
    default:
        return double(m_data.difference(row));
    }
}

std::vector<LegendEntry> LayerDifferencePlot::legend(const PlotTheme& theme) const {
    return {{LegendEntry::Mark::Box, theme.bits(8), tr("%1 spends more").arg(m_data.right)},
            {LegendEntry::Mark::Box, theme.bits(2), tr("%1 spends fewer").arg(m_data.right)}};
}

double LayerDifferencePlot::leftRoom() const {
    return leftAxisRoom(smallFont(), signedText(-2, 1), 60);
}

QRectF LayerDifferencePlot::area(const QRectF& rect) const {
    const double line = QFontMetricsF(smallFont()).height();
    const QRectF inner = rect.adjusted(leftRoom(), 10, -16, -line - 10);
    return kindsThatFit(inner.width()).isEmpty() ? inner : inner.adjusted(0, 0, 0, -line - 2);
}

int LayerDifferencePlot::layerAt(double x) const {
    const QRectF inner = area(QRectF(m_plotCanvas->rect()));
    if (m_data.size() == 0 || inner.width() <= 0) return -1;
    const int layer = int(std::floor((x - inner.left()) / inner.width() * m_data.size()));
    return layer < 0 || layer >= m_data.size() ? -1 : layer;
}

void LayerDifferencePlot::paintAxes(QPainter& painter, const QRectF& inner,
                                    const PlotTheme& theme) const {
    const QFont small = smallFont();
    const QFontMetricsF metrics(small);
    painter.setFont(small);
    painter.setRenderHint(QPainter::Antialiasing, false);
    const std::vector<double> ticks =
        roundTicks(-m_top, m_top, std::clamp(int(inner.height() / (2.3 * metrics.height())), 2, 7));
    const int decimals = ticks.size() > 1 && ticks[1] - ticks[0] < 0.1 ? 2 : 1;
    for (const double tick : ticks) {
        const double y = std::round(inner.center().y() - tick / m_top * inner.height() / 2);
        painter.fillRect(QRectF(inner.left(), y, inner.width(), 1),
                         std::abs(tick) < 1e-9 ? theme.secondary : theme.grid);
        painter.setPen(theme.secondary);
        painter.drawText(QRectF(inner.left() - 46, y - metrics.height() / 2, 40, metrics.height()),
                         Qt::AlignRight | Qt::AlignVCenter | Qt::TextDontClip,
                         signedText(tick, decimals));
    }
    const double slot = inner.width() / m_data.size();
    double bottom = inner.bottom() + 4;
    const QStringList kinds = kindsThatFit(inner.width());
    painter.setPen(theme.secondary);
    for (int layer = 0; layer < int(kinds.size()); ++layer)
        painter.drawText(
            QRectF(inner.left() + layer * slot - 4, bottom, slot + 8, metrics.height()),
            Qt::AlignCenter | Qt::TextDontClip, kinds[layer]);
    if (!kinds.isEmpty()) bottom += metrics.height() + 2;
    // Blocks: a tick where one begins, with its number where there is room.
    double free = inner.left() - 1;
    const QString unit = tr("block");
    const double last = inner.right() - metrics.horizontalAdvance(unit) - 10;
    for (int layer = 0; layer < m_data.size(); ++layer) {
        if (layer > 0 && m_data.blocks[size_t(layer)] == m_data.blocks[size_t(layer) - 1]) continue;
        const double x = std::round(inner.left() + layer * slot);
        if (layer > 0) painter.fillRect(QRectF(x, inner.top(), 1, inner.height()), theme.grid);
        const QString number = QLocale().toString(m_data.blocks[size_t(layer)]);
        const double width = metrics.horizontalAdvance(number);
        if (x < free || x + width > last) continue;
        painter.setPen(theme.secondary);
        painter.drawText(QPointF(x + 3, bottom + metrics.ascent()), number);
        free = x + width + 14;
    }
    painter.drawText(QRectF(last, bottom, inner.right() - last, metrics.height()),
                     Qt::AlignRight | Qt::AlignTop | Qt::TextDontClip, unit);
    drawLeftTitle(painter, inner, leftRoom(), tr("Δ mean bits"));
}

/// "q", "k", … "down": the kinds of matrices, where every bar of a model this wide has room for its
/// own; else nothing.
QStringList LayerDifferencePlot::kindsThatFit(double width) const {
    const QFontMetricsF metrics(smallFont());
    const double slot = width / std::max(1, m_data.size());
    QStringList kinds;
    for (const QString& layer : m_data.layers) {
        kinds << layer.section(QLatin1Char('.'), -1).section(QLatin1Char('_'), 0, 0);
        if (metrics.horizontalAdvance(kinds.last()) + 2 > slot) return {};
    }
    return kinds;
}

void LayerDifferencePlot::paint(QPainter& painter, const QRectF& rect, const PlotTheme& theme,
                                bool print) const {
    painter.fillRect(rect, theme.panel);
    const QRectF inner = area(rect);
    if (inner.width() < 8 || inner.height() < 8 || m_data.size() == 0) return;
    paintAxes(painter, inner, theme);
    const double slot = inner.width() / m_data.size();
    const double width = std::max(1.0, std::min(18.0, slot * 0.72));
    painter.setRenderHint(QPainter::Antialiasing, slot < 2 || isVector(painter));
    for (int layer = 0; layer < m_data.size(); ++layer) {
        const float difference = m_data.difference(layer);
        if (!std::isfinite(difference)) continue;
        const double height = std::abs(double(difference)) / m_top * inner.height() / 2;
        const double x = inner.left() + (layer + 0.5) * slot - width / 2;
        const double y = difference > 0 ? inner.center().y() - height : inner.center().y() + 1;
        painter.fillRect(QRectF(slot >= 3 ? std::round(x) : x, y, width, std::max(height, 0.6)),
                         differenceColour(theme, difference, m_top));
    }
    if (print || m_current < 0) return;
    const double x = inner.left() + (m_current + 0.5) * slot;
    painter.fillRect(QRectF(x - slot / 2, inner.top(), slot, inner.height()), theme.accentFill);
    drawReadoutBox(painter, theme, smallFont(), readoutLines(), {x, inner.top()},
                   rect.adjusted(2, 2, -2, -2));
}

void LayerDifferencePlot::paintPlot(QCPPainter& painter, const QRect& rect,
                                    const PlotTheme& theme) {
    paint(painter, QRectF(rect), theme, true);
}

void LayerDifferencePlot::moveTo(int layer) {
    setCurrentLayer(layer);
}

bool LayerDifferencePlot::canvasEvent(QEvent* event) {
    if (m_data.size() == 0) return false;
    switch (event->type()) {
    case QEvent::MouseMove:
        m_hovering = true;
        moveTo(layerAt(static_cast<QMouseEvent*>(event)->position().x()));
        return true;
    case QEvent::Leave:
        if (m_hovering) moveTo(-1);
        m_hovering = false;
        return false;
    case QEvent::MouseButtonPress: {
        const auto* mouse = static_cast<QMouseEvent*>(event);
        if (mouse->button() != Qt::LeftButton) return false;
        m_plotCanvas->setFocus(Qt::MouseFocusReason);
        const int layer = layerAt(mouse->position().x());
        moveTo(layer);
        if (layer >= 0) emit layerClicked(layer);
        return true;
    }
    case QEvent::KeyPress:
        break;
    default:
        return false;
    }
    const auto* key = static_cast<QKeyEvent*>(event);
    const int last = m_data.size() - 1;
    const int far = key->modifiers() & Qt::ControlModifier ? 7 : 1; // about a block
    m_hovering = false;
    switch (key->key()) {
    case Qt::Key_Left:
        moveTo(std::clamp(m_current - far, 0, last));
        return true;
    case Qt::Key_Right:
        moveTo(std::clamp(m_current + far, 0, last));
        return true;
    case Qt::Key_Home:
        moveTo(0);
        return true;
    case Qt::Key_End:
        moveTo(last);
        return true;
    case Qt::Key_Return:
    case Qt::Key_Enter:
        if (m_current >= 0) emit layerClicked(m_current);
        return true;
    default:
        return false;
    }
}

void LayerDifferencePlot::themeChanged() {
    m_plotCanvas->update();
}

} // namespace bitloom::ui
