// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "ui/plots/figure_export.h"

#include "core/base/error.h"
#include "ui/plots/plot_paint.h"
#include "ui/plots/plot_view.h"
#include "ui/plots/qcp.h"

#include <QBuffer>
#include <QFileInfo>
#include <QFontMetricsF>
#include <QPdfWriter>
#include <QSaveFile>
#include <QSvgGenerator>

#include <cmath>

namespace bitloom::ui {

namespace {

constexpr int kMargin = 16;

QFont figureFont(double size, bool bold = false) {
    QFont font(QGuiApplication::font().family());
    font.setPixelSize(int(size));
    return bold ? boldened(font) : font;
}

/// Legend in as many lines as it needs; returns the height. Measures only where `painter` is null.
int layLegend(QPainter* painter, const std::vector<LegendEntry>& legend, const QRect& area,
              const PlotTheme& theme) {
    if (legend.empty()) return 0;
    const QFont font = figureFont(11);
    const QFontMetricsF metrics(font);
    double x = area.left(), y = area.top();
    constexpr double line = 18;
    for (const LegendEntry& entry : legend) {
        const bool stroke = entry.mark == LegendEntry::Mark::Line ||
                            entry.mark == LegendEntry::Mark::DashedLine ||
                            entry.mark == LegendEntry::Mark::DottedLine;
        const double mark = entry.mark == LegendEntry::Mark::None ? -6 : stroke ? 18 : 12;
        const double width = mark + 6 + metrics.horizontalAdvance(entry.text);
        if (x > area.left() && x + width > area.right()) {
            x = area.left();
            y += line;
        }
        if (painter) {
            drawMark(*painter, entry.mark, {x + mark / 2, y + line / 2}, entry.colour, theme.panel);
            painter->setFont(font);
            painter->setPen(theme.text);
            painter->drawText(QRectF(x + mark + 6, y, width, line),
                              Qt::AlignLeft | Qt::AlignVCenter | Qt::TextDontClip, entry.text);
        }
        x += width + 16;
    }
    return int(y - area.top() + line);
}

void paintFigure(PlotView& view, QCPPainter& painter, QSize size) {
    const PlotTheme& theme = PlotTheme::light();
    QRect area = QRect({0, 0}, size);
    painter.fillRect(area, theme.panel);
    area.adjust(kMargin, kMargin - 4, -kMargin, -kMargin + 4);
    painter.setRenderHint(QPainter::Antialiasing);
    if (!view.title().isEmpty()) {
        painter.setFont(figureFont(15, true));
        painter.setPen(theme.text);
        const QFontMetricsF metrics(painter.font());
        painter.drawText(QRect(area.topLeft(), QSize(area.width(), 22)),
                         Qt::AlignLeft | Qt::AlignVCenter | Qt::TextDontClip,
                         metrics.elidedText(view.title(), Qt::ElideMiddle, area.width()));
        area.setTop(area.top() + 26);
    }
    if (!view.caption().isEmpty()) {
        const QFont font = figureFont(11);
        const QRect bounds =
            QFontMetrics(font).boundingRect(area, Qt::AlignLeft | Qt::TextWordWrap, view.caption());
        const int height = std::min(bounds.height(), area.height() / 3);
        painter.setFont(font);
        painter.setPen(theme.secondary);
        painter.drawText(QRect(area.left(), area.bottom() - height + 1, area.width(), height),
                         Qt::AlignLeft | Qt::TextWordWrap, view.caption());
        area.setBottom(area.bottom() - height - 8);
    }
    const int legend = layLegend(&painter, view.legend(theme), area, theme);
    if (legend) area.setTop(area.top() + legend + 6);
    view.paintPlot(painter, area, theme);
}

QByteArray svgBytes(PlotView& view, QSize size) {
    QByteArray bytes;
    QBuffer buffer(&bytes);
    buffer.open(QIODevice::WriteOnly);
    QSvgGenerator generator;
    generator.setOutputDevice(&buffer);
    generator.setSize(size);
    generator.setViewBox(QRect({0, 0}, size));
    generator.setResolution(96);
    generator.setTitle(view.title());
    generator.setDescription(view.caption());
    QCPPainter painter;
    painter.begin(&generator);
    painter.setMode(QCPPainter::pmVectorized);
    painter.setMode(QCPPainter::pmNoCaching);
    painter.setMode(QCPPainter::pmNonCosmetic);
    paintFigure(view, painter, size);
    painter.end();
    return bytes;
}

QByteArray pdfBytes(PlotView& view, QSize size) {
    QByteArray bytes;
    QBuffer buffer(&bytes);
    buffer.open(QIODevice::WriteOnly);
    QPdfWriter writer(&buffer);
    writer.setTitle(view.title());
    writer.setCreator(QStringLiteral("Bitloom"));
    writer.setResolution(96);
    writer.setPageLayout(QPageLayout(QPageSize(QSizeF(size) * 72.0 / 96.0, QPageSize::Point),
                                     QPageLayout::Portrait, QMarginsF()));
    QCPPainter painter;
    painter.begin(&writer);
    painter.setMode(QCPPainter::pmVectorized);
    painter.setMode(QCPPainter::pmNoCaching);
    painter.setMode(QCPPainter::pmNonCosmetic);
    paintFigure(view, painter, size);
    painter.end();
    return bytes;
}

QString csvField(const QVariant& value) {
    switch (value.typeId()) {
    // Nine digits bring a float back exactly, seventeen a double.
    case QMetaType::Float: {
        const float number = value.toFloat();
        return std::isfinite(number) ? QString::number(double(number), 'g', 9) : QString();
    }
    case QMetaType::Double: {
        const double number = value.toDouble();
        return std::isfinite(number) ? QString::number(number, 'g', 17) : QString();
    }
    default:
        break;
    }
    QString text = value.toString();
    if (text.contains(QLatin1Char(',')) || text.contains(QLatin1Char('"')) ||
        text.contains(QLatin1Char('\n')) || text.contains(QLatin1Char('\r'))) {
        text.replace(QLatin1Char('"'), QLatin1String("\"\""));
        return QLatin1Char('"') + text + QLatin1Char('"');
    }
    return text;
}

QByteArray csvBytes(const PlotView& view) {
    QString text;
    const QStringList header = view.tableHeader();
    for (int column = 0; column < header.size(); ++column)
        text += (column ? QStringLiteral(",") : QString()) + csvField(header[column]);
    text += QLatin1Char('\n');
    const int rows = view.tableRows();
    for (int row = 0; row < rows; ++row) {
        for (int column = 0; column < header.size(); ++column) {
            if (column) text += QLatin1Char(',');
            text += csvField(view.tableCell(row, column));
        }
        text += QLatin1Char('\n');
    }
    return text.toUtf8();
}

} // namespace

QImage figureImage(PlotView& view, int scale, QSize size) {
    if (size.isEmpty()) size = view.figureSize();
    scale = std::clamp(scale, 1, 4);
    QImage image(size * scale, QImage::Format_RGB32);
    image.setDevicePixelRatio(scale);
    image.fill(PlotTheme::light().panel);
    QCPPainter painter;
    painter.begin(&image);
    painter.setMode(QCPPainter::pmNoCaching);
    paintFigure(view, painter, size);
    painter.end();
    return image;
}

QByteArray figureBytes(PlotView& view, FigureFormat format, int scale, QSize size) {
    if (size.isEmpty()) size = view.figureSize();
    switch (format) {
    case FigureFormat::Svg:
        return svgBytes(view, size);
    case FigureFormat::Pdf:
        return pdfBytes(view, size);
    case FigureFormat::Csv:
        return csvBytes(view);
    case FigureFormat::Png:
        break;
    }
    QImage image = figureImage(view, scale, size);
    image.setText(QStringLiteral("Title"), view.title());
    image.setText(QStringLiteral("Description"), view.caption());
    image.setDotsPerMeterX(int(std::lround(96 * scale / 0.0254)));
    image.setDotsPerMeterY(image.dotsPerMeterX());
    QByteArray bytes;
    QBuffer buffer(&bytes);
    buffer.open(QIODevice::WriteOnly);
    image.save(&buffer, "PNG");
    return bytes;
}

void writeFigure(PlotView& view, const QString& path, FigureFormat format, int scale, QSize size) {
    const QByteArray bytes = figureBytes(view, format, scale, size);
    QSaveFile file(path);
    if (!file.open(QIODevice::WriteOnly) || file.write(bytes) != bytes.size() || !file.commit())
        throw Error(PlotView::tr("“%1” could not be written: %2.")
                        .arg(path, file.errorString())
                        .toStdString(),
                    PlotView::tr("Choose a folder that you may write to.").toStdString());
}

FigureFormat figureFormatOf(const QString& path) {
    const QString suffix = QFileInfo(path).suffix().toLower();
    if (suffix == QLatin1String("png")) return FigureFormat::Png;
    if (suffix == QLatin1String("svg")) return FigureFormat::Svg;
    if (suffix == QLatin1String("pdf")) return FigureFormat::Pdf;
    if (suffix == QLatin1String("csv")) return FigureFormat::Csv;
    throw Error(
        PlotView::tr("“%1”: figures are written as png, svg, pdf or csv.").arg(path).toStdString());
}

} // namespace bitloom::ui
