// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include <QLocale>
#include <QString>

namespace bitloom::ui {

/// Numbers as they stand in plots and read-outs: through the locale, digits as needed.

/// Keeps figures in their order within a line that is read from right to left: "3.76 GiB",
/// "+0.2", "5.9 ± 0.1" (by signs that nobody sees). As given where the program is read from left to
/// right. What the functions here return has been through it.
QString isolated(const QString& figures);

/// "1,415", "0.0035", "3.1·10⁻⁹": `digits` significant ones; "–" for what is not finite.
QString numberText(const QLocale& locale, double value, int digits = 4);
/// A tick of an axis with ticks `step` apart: all of them with the decimals that the step needs.
QString tickText(const QLocale& locale, double value, double step);
QString countText(const QLocale& locale, int64_t value);
/// "6.48 G", "1.14 M", "768": three digits, powers of 1000.
QString shortCountText(const QLocale& locale, double value);
/// "2.51 GiB", with a non-breaking space.
QString bytesText(const QLocale& locale, double bytes);
/// "12.3 %", with a non-breaking space; "< 0.1 %" instead of 0 for a share that is not 0.
QString percentText(const QLocale& locale, double share);

} // namespace bitloom::ui
