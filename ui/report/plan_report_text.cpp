// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "ui/report/plan_report_text.h"

#include "ui/plots/number_text.h"

#include <algorithm>
#include <cmath>

namespace bitloom::ui {

namespace {
constexpr QChar kSpace(0x00A0);
}

PlanReportText::PlanReportText(const PlanReport& report, const QLocale& locale)
    : m_report(report), m_locale(locale) {}

QString PlanReportText::fixed(double value, int decimals) const {
    return std::isfinite(value) ? m_locale.toString(value, 'f', decimals) : QStringLiteral("–");
}

QString PlanReportText::title() const {
    return m_report.planName.isEmpty() ? m_report.model
                                       : tr("%1, %2").arg(m_report.model, m_report.planName);
}

QString PlanReportText::footer() const {
    QStringList parts;
    if (!m_report.program.isEmpty()) parts << m_report.program;
    if (m_report.made.isValid()) parts << m_locale.toString(m_report.made, QLocale::ShortFormat);
    return parts.join(QLatin1String(", "));
}

QString PlanReportText::perplexity(const PlanReport::Quality& quality, bool predicted) const {
    QString text = fixed(quality.perplexity, 2);
    if (predicted) text.prepend(QStringLiteral("≈") + kSpace);
    if (quality.sigma > 0)
        text += kSpace + QStringLiteral("±") + kSpace + numberText(m_locale, quality.sigma, 2);
    return text;
}

std::vector<PlanReportText::Figure> PlanReportText::figures() const {
    std::vector<Figure> figures;
    figures.push_back({fixed(m_report.bitsPerWeight, 2), tr("bits per weight"),
                       tr("scales, tables and classes included")});
    const QString ratio = m_report.referenceBytes > 0
                              ? tr("%1 of FP16")
                                    .arg(percentText(m_locale, double(m_report.totalBytes) /
                                                                   double(m_report.referenceBytes)))
                              : QString();
    QStringList size = bytesText(m_locale, double(m_report.totalBytes)).split(kSpace);
    figures.push_back({size[0], size.size() > 1 ? size[1] : QString(), ratio});
    const QString fp16 =
        m_report.fp16 ? tr("FP16 %1").arg(perplexity(*m_report.fp16, false)) : QString();
    if (m_report.measured)
        figures.push_back(
            {fixed(m_report.measured->perplexity, 2), tr("perplexity, measured"), fp16});
    else if (m_report.predicted)
        figures.push_back({QStringLiteral("≈") + kSpace + fixed(m_report.predicted->perplexity, 2),
                           tr("perplexity, predicted"), fp16});
    return figures;
}

std::vector<PlanReport::Fact> PlanReportText::quality() const {
    std::vector<PlanReport::Fact> rows;
    if (m_report.predicted)
        rows.push_back({tr("Predicted perplexity"), perplexity(*m_report.predicted, true)});
    rows.push_back({tr("Measured perplexity"), m_report.measured
                                                   ? perplexity(*m_report.measured, false)
                                                   : tr("not measured")});
    if (m_report.predicted && m_report.measured && m_report.measured->perplexity > 0) {
        const double off =
            100 * (m_report.predicted->perplexity / m_report.measured->perplexity - 1);
        rows.push_back({tr("Prediction off by"), (std::abs(off) < 0.05 ? QString()
                                                  : off < 0            ? QString(QChar(0x2212))
                                                                       : QStringLiteral("+")) +
                                                     fixed(std::abs(off), 1) + kSpace +
                                                     QLatin1Char('%')});
    }
    if (m_report.fp16) rows.push_back({tr("FP16 perplexity"), perplexity(*m_report.fp16, false)});
    if (m_report.meanKl)
        rows.push_back({tr("Mean KL divergence"),
                        tr("%1 nats per token").arg(numberText(m_locale, *m_report.meanKl, 3))});
    if (m_report.sameTop)
        rows.push_back({tr("Same top token"), percentText(m_locale, *m_report.sameTop)});
    if (!m_report.text.isEmpty()) rows.push_back({tr("On"), m_report.text});
    return rows;
}

std::vector<BitShare> PlanReportText::widths() const {
    std::vector<BitShare> list;
    for (const BitShare& share : m_report.shares)
        if (share.weights > 0) list.push_back(share);
    std::sort(list.begin(), list.end(),
              [](const BitShare& a, const BitShare& b) { return a.bits > b.bits; });
    return list;
}

double PlanReportText::share(const std::vector<BitShare>& shares, int bits) const {
    double all = 0, mine = 0;
    for (const BitShare& share : shares) {
        all += double(share.weights);
        if (share.bits == bits) mine += double(share.weights);
    }
    return all > 0 ? mine / all : 0;
}

QString PlanReportText::bytes(int64_t bytes) const {
    return countText(m_locale, bytes);
}

QString PlanReportText::bitsPerWeight(int64_t bytes) const {
    return m_report.weights > 0 ? fixed(8.0 * double(bytes) / double(m_report.weights), 4)
                                : QStringLiteral("–");
}

QString PlanReportText::differs(const PlanReport::Answer& answer) const {
    return answer.firstDifference < 0
               ? tr("same answer")
               : tr("same for %1 tokens").arg(countText(m_locale, answer.firstDifference));
}

} // namespace bitloom::ui
