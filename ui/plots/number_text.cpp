// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "ui/plots/number_text.h"

#include <QGuiApplication>

#include <algorithm>
#include <cmath>

namespace bitloom::ui {

namespace {

constexpr QChar kNoBreakSpace(0x00A0);
// Embedding, its end, and a mark that keeps what follows apart. Fonts know these; isolates, which
// say the same, are newer, and a font that has none changes the height of the line.
constexpr QChar kEmbed(0x202A), kPop(0x202C), kMark(0x200F);

QString superscript(int value) {
    static constexpr char16_t digits[] = u"⁰¹²³⁴⁵⁶⁷⁸⁹";
    QString text = QString::number(std::abs(value));
    for (QChar& c : text)
        c = QChar(digits[c.digitValue()]);
    return value < 0 ? QString(QChar(0x207B) + text) : text;
}

/// Fixed notation without zeros that say nothing.
QString fixedText(const QLocale& locale, double value, int decimals) {
    QString text = locale.toString(value, 'f', std::max(decimals, 0));
    if (decimals <= 0) return text;
    const QString zero = locale.zeroDigit();
    while (text.endsWith(zero))
        text.chop(zero.size());
    if (text.endsWith(locale.decimalPoint())) text.chop(locale.decimalPoint().size());
    return text;
}

/// The sign that is as wide as a digit, within its embedding.
QString withMinus(QString positive) {
    return positive.insert(positive.startsWith(kEmbed) ? 1 : 0, QChar(0x2212));
}

} // namespace

QString isolated(const QString& figures) {
    if (QGuiApplication::layoutDirection() != Qt::RightToLeft || figures.isEmpty()) return figures;
    // Words of that language order a line as they should.
    const auto letter = std::find_if(figures.begin(), figures.end(),
                                     [](QChar c) { return c.isLetter() && c != kMark; });
    if (letter != figures.end() &&
        (letter->direction() == QChar::DirR || letter->direction() == QChar::DirAL))
        return figures;
    if (figures.front() == kEmbed && figures.indexOf(kMark) == figures.size() - 1)
        return figures; // it has been here
    return kEmbed + figures + kPop + kMark;
}

QString numberText(const QLocale& locale, double value, int digits) {
    if (!std::isfinite(value)) return QStringLiteral("–");
    if (value < 0) return withMinus(numberText(locale, -value, digits));
    if (value == 0) return locale.toString(0);
    const int exponent = int(std::floor(std::log10(std::abs(value)) + 1e-12));
    if (exponent >= -3 && exponent < 7)
        return isolated(fixedText(locale, value, digits - 1 - exponent));
    const double mantissa = value / std::pow(10.0, exponent);
    const QString power = QStringLiteral("10") + superscript(exponent);
    const QString factor = fixedText(locale, mantissa, std::min(digits, 3) - 1);
    return isolated(factor == locale.toString(1) ? power : QString(factor + QChar(0x00B7) + power));
}

QString tickText(const QLocale& locale, double value, double step) {
    if (std::abs(value) < step * 1e-9) return locale.toString(0);
    if (value < 0) return withMinus(tickText(locale, -value, step));
    const double exponent = std::floor(std::log10(step) + 1e-9);
    if (!std::isfinite(exponent) || exponent < -4 || std::abs(value) >= 1e7)
        return numberText(locale, value, 3);
    // A step of 0.25 needs one decimal more than its size tells.
    int decimals = std::max(0, int(-exponent));
    if (std::abs(std::remainder(step * std::pow(10, decimals), 1)) > 1e-6) ++decimals;
    return isolated(locale.toString(value, 'f', decimals));
}

QString shortCountText(const QLocale& locale, double value) {
    static constexpr char units[] = {' ', 'k', 'M', 'G', 'T'};
    size_t unit = 0;
    while (std::abs(value) >= 999.5 && unit < 4) {
        value /= 1000;
        ++unit;
    }
    const QString text = numberText(locale, value, 3);
    return unit == 0 ? text : isolated(text + kNoBreakSpace + QLatin1Char(units[unit]));
}

QString countText(const QLocale& locale, int64_t value) {
    return locale.toString(qlonglong(value));
}

QString bytesText(const QLocale& locale, double bytes) {
    QString text = locale.formattedDataSize(qint64(std::llround(bytes)), 2);
    return isolated(text.replace(QLatin1Char(' '), kNoBreakSpace));
}

QString percentText(const QLocale& locale, double share) {
    if (!std::isfinite(share)) return QStringLiteral("–");
    const QString percent = QString(kNoBreakSpace) + locale.percent();
    if (share > 0 && share < 0.0005)
        return isolated(QStringLiteral("<") + kNoBreakSpace + locale.toString(0.1, 'f', 1) +
                        percent);
    return isolated(locale.toString(100 * share, 'f', 1) + percent);
}

} // namespace bitloom::ui
