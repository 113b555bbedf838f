// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "ui/plots/plot_theme.h"
#include "ui/report/plan_report_text.h"

#include <algorithm>

namespace bitloom::ui {

namespace {

/// Assembles the page. All text from outside goes through escaped().
class HtmlReport {
public:
    HtmlReport(const PlanReport& report, const QLocale& locale)
        : m_report(report), m_locale(locale), m_text(report, locale) {}

    QString page() {
        const QString direction = m_locale.textDirection() == Qt::RightToLeft
                                      ? QStringLiteral("rtl")
                                      : QStringLiteral("ltr");
        m_html += QStringLiteral("<!DOCTYPE html>\n<html lang=\"") + m_locale.bcp47Name() +
                  QStringLiteral("\" dir=\"") + direction +
                  QStringLiteral("\">\n<head><meta charset=\"utf-8\">"
                                 "<meta name=\"viewport\" content=\"width=device-width\">"
                                 "<title>") +
                  escaped(m_text.title()) + QStringLiteral("</title>\n<style>\n") + style() +
                  QStringLiteral("</style></head>\n<body><main>\n<h1>") + escaped(m_report.model) +
                  QStringLiteral("</h1>\n");
        if (!m_report.planName.isEmpty()) line("p class=\"plan\"", m_report.planName);
        figures();
        m_html += QStringLiteral("<div class=\"columns\">\n<div>\n");
        shares();
        groups();
        answers();
        m_html += QStringLiteral("</div>\n<div>\n");
        facts(PlanReportText::tr("Quality"), m_text.quality());
        parts();
        facts(PlanReportText::tr("Settings"), m_report.settings);
        pins();
        m_html += QStringLiteral("</div>\n</div>\n");
        line("footer", m_text.footer());
        m_html += QStringLiteral("</main></body></html>\n");
        return m_html;
    }

private:
    static QString escaped(const QString& text) { return text.toHtmlEscaped(); }

    void line(const char* tag, const QString& text) {
        const QString open = QLatin1String(tag), close = open.section(QLatin1Char(' '), 0, 0);
        m_html += QStringLiteral("<") + open + QStringLiteral(">") + escaped(text) +
                  QStringLiteral("</") + close + QStringLiteral(">\n");
    }

    static QString tokens(const PlotTheme& theme) {
        QString css =
            QStringLiteral("--panel:%1;--window:%2;--text:%3;--secondary:%4;--line:%5;--accent:%6;")
                .arg(theme.panel.name(), theme.window.name(), theme.text.name(),
                     theme.secondary.name(), theme.separator.name(), theme.accent.name());
        for (const int bits : bitWidths)
            css +=
                QStringLiteral("--b%1:%2;--o%1:%3;")
                    .arg(QString::number(bits), theme.bits(bits).name(), theme.onBits(bits).name());
        return css;
    }

    static QString style() {
        return QStringLiteral(":root{color-scheme:light dark;") + tokens(PlotTheme::light()) +
               QStringLiteral("}\n@media (prefers-color-scheme:dark){:root{") +
               tokens(PlotTheme::darkTheme()) + QStringLiteral("}}\n@media print{:root{") +
               tokens(PlotTheme::light()) +
               QStringLiteral(
                   "}}\n"
                   "body{margin:0;background:var(--window);color:var(--text);"
                   "font:14px/1.45 system-ui,'Noto Sans','DejaVu Sans',sans-serif;"
                   "font-variant-numeric:tabular-nums}\n"
                   "main{max-width:960px;margin:0 auto;padding:32px;background:var(--panel)}\n"
                   "h1{font-size:26px;font-weight:600;margin:0}h2{font-size:15px;font-weight:600;"
                   "margin:24px 0 8px}\n"
                   ".plan,.note,footer,th,.bar b{color:var(--secondary);font-weight:400}\n"
                   ".figures{display:flex;flex-wrap:wrap;gap:16px 48px;margin:24px 0;padding:16px "
                   "0;"
                   "border-block:1px solid var(--line)}\n"
                   ".figures strong{font-size:26px;font-weight:600}.figures p{margin:0}\n"
                   ".columns{display:grid;grid-template-columns:1fr 1fr;gap:0 48px}\n"
                   "@media(max-width:720px){.columns{grid-template-columns:1fr}}\n"
                   "table{border-collapse:collapse;width:100%}td,th{padding:3px "
                   "0;text-align:start}\n"
                   "td+td,th+th{text-align:end}tr.total td{font-weight:600;border-top:1px solid "
                   "var(--line)}\n"
                   ".chip{display:inline-block;min-width:24px;border-radius:3px;text-align:center;"
                   "font-size:12px;font-weight:600}\n"
                   ".bar{display:flex;align-items:center;gap:10px;height:24px}.bar i{height:10px}"
                   ".bar span:last-child{margin-inline-start:auto}\n"
                   ".stack{display:flex;height:10px;width:150px}.stack i{height:10px}\n"
                   "blockquote{margin:4px 0 8px;padding:0 0 0 12px;border-inline-start:2px solid "
                   "var(--line);white-space:pre-wrap}\n"
                   "blockquote.plan-answer{border-color:var(--accent);color:inherit}\n"
                   "footer{margin-top:32px;font-size:12px}\n");
    }

    void figures() {
        m_html += QStringLiteral("<section class=\"figures\">\n");
        for (const auto& figure : m_text.figures())
            m_html += QStringLiteral("<div><p><strong>") + escaped(figure.value) +
                      QStringLiteral("</strong> ") + escaped(figure.unit) +
                      QStringLiteral("</p><p class=\"note\">") + escaped(figure.note) +
                      QStringLiteral("</p></div>\n");
        m_html += QStringLiteral("</section>\n");
    }

    static QString colour(int bits) {
        const bool known = std::find(bitWidths.begin(), bitWidths.end(), bits) != bitWidths.end();
        return known ? QStringLiteral("var(--b%1)").arg(bits) : QStringLiteral("var(--secondary)");
    }

    void shares() {
        line("h2", PlanReportText::tr("Weights by bit width"));
        double most = 0;
        for (const BitShare& width : m_text.widths())
            most = std::max(most, m_text.share(m_report.shares, width.bits));
        for (const BitShare& width : m_text.widths()) {
            const double share = m_text.share(m_report.shares, width.bits);
            m_html +=
                QStringLiteral("<div class=\"bar\"><span class=\"chip\" style=\"background:%1;"
                               "color:var(--o%2)\">%3</span><i style=\"width:%4%;background:%1\">"
                               "</i><span>%5</span></div>\n")
                    .arg(colour(width.bits), QString::number(width.bits),
                         m_locale.toString(width.bits),
                         QString::number(70 * share / std::max(most, 1e-9), 'f', 2),
                         escaped(m_text.fixed(100 * share, 1) + QStringLiteral("\u00A0%")));
        }
    }

    void groups() {
        if (m_report.groups.empty()) return;
        line("h2", PlanReportText::tr("By kind of matrix"));
        m_html += QStringLiteral("<table>\n");
        for (const PlanReport::Group& group : m_report.groups) {
            QString bar;
            for (const int bits : bitWidths)
                if (const double share = m_text.share(group.shares, bits); share > 0)
                    bar += QStringLiteral("<i style=\"width:%1%;background:%2\"></i>")
                               .arg(QString::number(100 * share, 'f', 2), colour(bits));
            m_html += QStringLiteral("<tr><td>") + escaped(group.name) +
                      QStringLiteral("</td><td><div class=\"stack\">") + bar +
                      QStringLiteral("</div></td><td>") + m_text.fixed(group.meanBits, 2) +
                      QStringLiteral("</td></tr>\n");
        }
        m_html += QStringLiteral("</table>\n");
    }

    void facts(const QString& heading, const std::vector<PlanReport::Fact>& rows) {
        if (rows.empty()) return;
        line("h2", heading);
        m_html += QStringLiteral("<table>\n");
        for (const PlanReport::Fact& row : rows)
            m_html += QStringLiteral("<tr><td>") + escaped(row.name) + QStringLiteral("</td><td>") +
                      escaped(row.value) + QStringLiteral("</td></tr>\n");
        m_html += QStringLiteral("</table>\n");
    }

    void parts() {
        if (m_report.parts.empty()) return;
        line("h2", PlanReportText::tr("Size, to the byte"));
        m_html += QStringLiteral("<table><tr><th>") + escaped(PlanReportText::tr("part")) +
                  QStringLiteral("</th><th>") + escaped(PlanReportText::tr("bytes")) +
                  QStringLiteral("</th></tr>\n");
        for (const PlanReport::Part& part : m_report.parts)
            m_html += QLatin1String(part.total ? "<tr class=\"total\"><td>" : "<tr><td>") +
                      escaped(part.name) + QStringLiteral("</td><td>") + m_text.bytes(part.bytes) +
                      QStringLiteral("</td></tr>\n");
        m_html += QStringLiteral("</table>\n");
    }

    void pins() {
        if (m_report.pins.empty()) return;
        line("h2", PlanReportText::tr("Pins"));
        m_html += QStringLiteral("<table>\n");
        for (const QString& pin : m_report.pins)
            m_html += QStringLiteral("<tr><td><code>") + escaped(pin) +
                      QStringLiteral("</code></td></tr>\n");
        m_html += QStringLiteral("</table>\n");
    }

    void answers() {
        if (m_report.answers.empty()) return;
        line("h2", PlanReportText::tr("Sample answers"));
        for (const PlanReport::Answer& answer : m_report.answers) {
            line("p", answer.prompt);
            line("p class=\"note\"", PlanReportText::tr("FP16"));
            line("blockquote", answer.reference);
            line("p class=\"note\"",
                 PlanReportText::tr("This plan, %1").arg(m_text.differs(answer)));
            line("blockquote class=\"plan-answer\"", answer.plan);
        }
    }

    const PlanReport& m_report;
    const QLocale& m_locale;
    PlanReportText m_text;
    QString m_html;
};

} // namespace

QString planReportHtml(const PlanReport& report, const QLocale& locale) {
    return HtmlReport(report, locale).page();
}

} // namespace bitloom::ui
