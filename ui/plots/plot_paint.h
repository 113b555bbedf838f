// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "ui/plots/plot_theme.h"
#include "ui/plots/plot_view.h"

#include <QPainter>
#include <QPainterPath>
#include <QStringList>

namespace bitloom::ui {

/// Small pieces of drawing that several plots share. All sizes in logical pixels.

/// Read-out beside `anchor`: a first line in bold, the rest below; stays inside `bounds`.
void drawReadoutBox(QPainter& painter, const PlotTheme& theme, const QFont& font,
                    const QStringList& lines, const QPointF& anchor, const QRectF& bounds);

/// A pushpin of about 10 × 12 px whose needle ends at `tip`.
void drawPin(QPainter& painter, const QPointF& tip, const QColor& colour);

/// Number on a rounded field of a width's colour.
void drawBitChip(QPainter& painter, const PlotTheme& theme, const QRectF& rect, int bits,
                 const QFont& font);

/// Diagonal stripes as lines, for vector output and for areas without data.
void drawStripes(QPainter& painter, const QRectF& rect, const QColor& colour, double spacing = 6,
                 double width = 1);

/// Marks of a legend and of Pareto points, centred.
void drawMark(QPainter& painter, LegendEntry::Mark mark, const QPointF& centre,
              const QColor& colour, const QColor& panel);

/// True for painters that write PDF or SVG.
bool isVector(const QPainter& painter);

/// About `count` round numbers that cover [low, high]; empty for a range that is none.
std::vector<double> roundTicks(double low, double high, int count);

/// What a plot needs left of its data: labels as wide as `widest` and the turned title, at least
/// `least`.
double leftAxisRoom(const QFont& font, const QString& widest, double least);
/// The turned title at the outer edge of that room, shortened to the height of `inner`.
void drawLeftTitle(QPainter& painter, const QRectF& inner, double room, const QString& title);

QFont boldened(QFont font);

} // namespace bitloom::ui
