// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include <QByteArray>
#include <QImage>
#include <QSize>
#include <QString>

namespace bitloom::ui {

class PlotView;

enum class FigureFormat { Png, Svg, Pdf, Csv };

/// Title, legend, plot and caption of a view in the light theme, whatever the theme of the
/// application. `size` in logical pixels; empty: the view's own figure size. GUI thread.
QImage figureImage(PlotView& view, int scale = 1, QSize size = {});
/// A file's content in that format. PDF and SVG hold vectors and real text; CSV holds the full data
/// (UTF-8, comma, point, header line), not what happens to be visible. `scale` is for PNG, 1 to 4.
QByteArray figureBytes(PlotView& view, FigureFormat format, int scale = 1, QSize size = {});
/// Writes it, atomically. Throws Error naming the path.
void writeFigure(PlotView& view, const QString& path, FigureFormat format, int scale = 1,
                 QSize size = {});
/// By the file name's suffix (png, svg, pdf, csv); throws Error for any other.
FigureFormat figureFormatOf(const QString& path);

} // namespace bitloom::ui
