// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "ui/plots/number_text.h"
#include "ui/plots/plot_paint.h"
#include "ui/report/plan_report_text.h"

#include <QBuffer>
#include <QFontMetricsF>
#include <QGuiApplication>
#include <QPdfWriter>
#include <QTextLayout>

#include <algorithm>
#include <cmath>

namespace bitloom::ui {

namespace {

constexpr double kMargin = 48, kGutter = 32; ///< in units of 1/96 inch, like all sizes here
constexpr double kRow = 16, kHeading = 30;

QFont fontOf(int size, bool bold = false) {
    QFont font(QGuiApplication::font().family());
    font.setPixelSize(size);
    return bold ? boldened(font) : font;
}

/// Draws the page from top to bottom, two columns under the figures. What does not fit at the end
/// of a column is left out with a word on how much.
class PdfReport {
public:
    PdfReport(QPainter& painter, const QSizeF& page, const PlanReport& report,
              const QLocale& locale)
        : m_painter(painter), m_report(report), m_locale(locale), m_text(report, locale),
          m_theme(PlotTheme::light()),
          m_area(kMargin, kMargin, page.width() - 2 * kMargin, page.height() - 2 * kMargin) {}

    void paint() {
        double y = title();
        y = figures(y + 14) + 6;
        m_bottom = m_area.bottom() - 20;
        const double column = (m_area.width() - kGutter) / 2;
        QRectF left(m_area.left(), y, column, 0),
            right(m_area.left() + column + kGutter, y, column, 0);
        if (m_locale.textDirection() == Qt::RightToLeft) std::swap(left, right);
        m_column = left;
        m_y = y;
        shares();
        groups();
        answers();
        m_column = right;
        m_y = y;
        facts(PlanReportText::tr("Quality"), m_text.quality());
        parts();
        facts(PlanReportText::tr("Settings"), m_report.settings);
        pins();
        text(QRectF(m_area.left(), m_area.bottom() - 12, m_area.width(), 14), Qt::AlignLeft,
             m_text.footer(), fontOf(9), m_theme.secondary);
    }

private:
    /// One line, cut with an ellipsis where it is too long.
    void text(const QRectF& rect, int alignment, const QString& words, const QFont& font,
              const QColor& colour) {
        m_painter.setFont(font);
        m_painter.setPen(colour);
        m_painter.drawText(rect, alignment | Qt::AlignVCenter | Qt::TextSingleLine,
                           QFontMetricsF(font).elidedText(words, Qt::ElideMiddle, rect.width()));
    }

    double title() {
        text(QRectF(m_area.left(), m_area.top(), m_area.width(), 30), Qt::AlignLeft, m_report.model,
             fontOf(22, true), m_theme.text);
        if (m_report.planName.isEmpty()) return m_area.top() + 30;
        text(QRectF(m_area.left(), m_area.top() + 30, m_area.width(), 18), Qt::AlignLeft,
             m_report.planName, fontOf(12), m_theme.secondary);
        return m_area.top() + 48;
    }

    double figures(double y) {
        const auto figures = m_text.figures();
        const double width = m_area.width() / double(std::max<size_t>(figures.size(), 1));
        m_painter.fillRect(QRectF(m_area.left(), y, m_area.width(), 0.75), m_theme.separator);
        for (size_t i = 0; i < figures.size(); ++i) {
            const double x = m_area.left() + double(i) * width;
            const QFont large = fontOf(22, true);
            const double advance = QFontMetricsF(large).horizontalAdvance(figures[i].value);
            text(QRectF(x, y + 8, advance + 4, 30), Qt::AlignLeft, figures[i].value, large,
                 m_theme.text);
            text(QRectF(x + advance + 6, y + 13, width - advance - 14, 24), Qt::AlignLeft,
                 figures[i].unit, fontOf(11), m_theme.text);
            text(QRectF(x, y + 38, width - 8, 16), Qt::AlignLeft, figures[i].note, fontOf(10),
                 m_theme.secondary);
        }
        m_painter.fillRect(QRectF(m_area.left(), y + 62, m_area.width(), 0.75), m_theme.separator);
        return y + 62;
    }

    bool heading(const QString& words, double needed) {
        if (m_y + kHeading + needed > m_bottom) return false;
        text(QRectF(m_column.left(), m_y + 10, m_column.width(), 18), Qt::AlignLeft, words,
             fontOf(12, true), m_theme.text);
        m_y += kHeading;
        return true;
    }

    void shares() {
        const auto widths = m_text.widths();
        if (widths.empty() || !heading(PlanReportText::tr("Weights by bit width"), kRow)) return;
        double most = 0;
        for (const BitShare& width : widths)
            most = std::max(most, m_text.share(m_report.shares, width.bits));
        for (const BitShare& width : widths) {
            const double share = m_text.share(m_report.shares, width.bits);
            drawBitChip(m_painter, m_theme, QRectF(m_column.left(), m_y + 2, 24, 14), width.bits,
                        fontOf(10));
            m_painter.fillRect(QRectF(m_column.left() + 32, m_y + 5,
                                      std::max(0.75, (m_column.width() - 90) * share / most), 8),
                               m_theme.bits(width.bits));
            row(QString(), percentText(m_locale, share), false);
        }
    }

    void groups() {
        if (m_report.groups.empty() ||
            !heading(PlanReportText::tr("By kind of matrix, mean bits per weight"), kRow))
            return;
        const double start = m_column.left() + m_column.width() * 0.34;
        const double length = m_column.width() * 0.66 - 44;
        for (const PlanReport::Group& group : m_report.groups) {
            if (m_y + kRow > m_bottom) return;
            double x = start;
            for (const int bits : bitWidths)
                if (const double share = m_text.share(group.shares, bits); share > 0) {
                    m_painter.fillRect(QRectF(x, m_y + 5, length * share, 8), m_theme.bits(bits));
                    x += length * share;
                }
            row(group.name, m_text.fixed(group.meanBits, 2), false);
        }
    }

    void row(const QString& name, const QString& value, bool bold) {
        const QFont font = fontOf(10, bold);
        const double valueWidth = std::min(QFontMetricsF(font).horizontalAdvance(value) + 4,
                                           m_column.width() * (name.isEmpty() ? 1 : 0.66));
        text(QRectF(m_column.left(), m_y + 1, m_column.width() - valueWidth - 6, kRow),
             Qt::AlignLeft, name, font, m_theme.text);
        text(QRectF(m_column.right() - valueWidth, m_y + 1, valueWidth, kRow), Qt::AlignRight,
             value, font, m_theme.text);
        m_y += kRow;
    }

    void facts(const QString& words, const std::vector<PlanReport::Fact>& rows) {
        if (rows.empty() || !heading(words, kRow)) return;
        for (const PlanReport::Fact& fact : rows) {
            if (m_y + kRow > m_bottom) return;
            row(fact.name, fact.value, false);
        }
    }

    void parts() {
        if (m_report.parts.empty() || !heading(PlanReportText::tr("Size, to the byte"), kRow))
            return;
        for (const PlanReport::Part& part : m_report.parts) {
            if (m_y + kRow > m_bottom) return;
            if (part.total)
                m_painter.fillRect(QRectF(m_column.left(), m_y + 1, m_column.width(), 0.5),
                                   m_theme.border);
            row(part.name, m_text.bytes(part.bytes), part.total);
        }
    }

    void pins() {
        if (m_report.pins.empty() || !heading(PlanReportText::tr("Pins"), 2 * kRow)) return;
        for (size_t i = 0; i < m_report.pins.size(); ++i) {
            if (m_y + 2 * kRow > m_bottom && i + 1 < m_report.pins.size()) {
                row(PlanReportText::tr("and %1 more")
                        .arg(countText(m_locale, int64_t(m_report.pins.size() - i))),
                    {}, false);
                return;
            }
            row(m_report.pins[i], {}, false);
        }
    }

    /// A paragraph of at most `most` lines; the last one ends with an ellipsis if there were more.
    void paragraph(const QString& words, const QFont& font, const QColor& colour, double indent,
                   int most) {
        QString flat = words;
        flat.replace(QLatin1Char('\n'), QChar::LineSeparator);
        QTextLayout layout(flat, font, m_painter.device());
        QTextOption option;
        option.setWrapMode(QTextOption::WrapAtWordBoundaryOrAnywhere);
        layout.setTextOption(option);
        layout.beginLayout();
        const double height = std::ceil(QFontMetricsF(font).height()) + 1;
        const double width = m_column.width() - indent;
        for (int i = 0; i < most; ++i) {
            QTextLine line = layout.createLine();
            if (!line.isValid()) break;
            line.setLineWidth(width);
            const bool last = i + 1 == most && line.textStart() + line.textLength() < flat.size();
            QString shown = flat.mid(line.textStart(), line.textLength()).trimmed();
            shown.remove(QChar::LineSeparator);
            if (last) shown += QChar(0x2026);
            text(QRectF(m_column.left() + indent, m_y, width, height), Qt::AlignLeft, shown, font,
                 colour);
            m_y += height;
        }
        layout.endLayout();
    }

    void answers() {
        if (m_report.answers.empty() || !heading(PlanReportText::tr("Sample answers"), 6 * kRow))
            return;
        const QFont font = fontOf(10), small = fontOf(9);
        for (size_t i = 0; i < m_report.answers.size(); ++i) {
            const int rest = int(m_report.answers.size() - i);
            const double share = (m_bottom - m_y) / rest;
            // Head lines, the gap, and two answers of at least one line each.
            const int lines = int((share - 60) / (2 * (QFontMetricsF(font).height() + 2)));
            if (lines < 1) {
                text(QRectF(m_column.left(), m_bottom - kRow, m_column.width(), kRow),
                     Qt::AlignLeft,
                     PlanReportText::tr("and %1 more").arg(countText(m_locale, rest)), small,
                     m_theme.secondary);
                return;
            }
            const PlanReport::Answer& answer = m_report.answers[i];
            paragraph(answer.prompt, fontOf(10, true), m_theme.text, 0, 1);
            for (const bool plan : {false, true}) {
                m_y += 2;
                paragraph(plan ? PlanReportText::tr("This plan, %1").arg(m_text.differs(answer))
                               : PlanReportText::tr("FP16"),
                          small, m_theme.secondary, 8, 1);
                const double top = m_y;
                paragraph(plan ? answer.plan : answer.reference, font, m_theme.text, 8, lines);
                m_painter.fillRect(QRectF(m_column.left(), top + 1, 1.5, m_y - top - 2),
                                   plan ? m_theme.accent : m_theme.border);
            }
            m_y += 10;
        }
    }

    QPainter& m_painter;
    const PlanReport& m_report;
    const QLocale& m_locale;
    PlanReportText m_text;
    const PlotTheme& m_theme;
    QRectF m_area, m_column;
    double m_y = 0, m_bottom = 0;
};

} // namespace

void paintPlanReport(QPainter& painter, const QSizeF& page, const PlanReport& report,
                     const QLocale& locale) {
    painter.setRenderHint(QPainter::Antialiasing);
    PdfReport(painter, page, report, locale).paint();
}

QByteArray planReportPdf(const PlanReport& report, const QLocale& locale) {
    QByteArray bytes;
    QBuffer buffer(&bytes);
    buffer.open(QIODevice::WriteOnly);
    QPdfWriter writer(&buffer);
    const bool letter = locale.measurementSystem() == QLocale::ImperialUSSystem;
    writer.setPageLayout(QPageLayout(QPageSize(letter ? QPageSize::Letter : QPageSize::A4),
                                     QPageLayout::Portrait, QMarginsF()));
    writer.setResolution(96);
    writer.setTitle(PlanReportText(report, locale).title());
    writer.setCreator(report.program);
    QPainter painter(&writer);
    paintPlanReport(painter, QSizeF(writer.width(), writer.height()), report, locale);
    painter.end();
    return bytes;
}

} // namespace bitloom::ui
