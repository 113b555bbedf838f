// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "ui/report/plan_report.h"

#include <QCoreApplication>

namespace bitloom::ui {

/// The sentences that both forms of the report share.
class PlanReportText {
    Q_DECLARE_TR_FUNCTIONS(PlanReport)
public:
    PlanReportText(const PlanReport& report, const QLocale& locale);

    struct Figure { ///< one of the large numbers on top
        QString value, unit, note;
    };
    QString title() const;
    QString footer() const;
    std::vector<Figure> figures() const;
    std::vector<PlanReport::Fact> quality() const; ///< rows "predicted", "measured", …
    std::vector<BitShare> widths() const;          ///< widest first, without empty ones
    double share(const std::vector<BitShare>& shares, int bits) const; ///< of the weights
    QString bytes(int64_t bytes) const;
    QString bitsPerWeight(int64_t bytes) const; ///< "–" for parts that are no weights' own
    QString fixed(double value, int decimals) const;
    QString differs(const PlanReport::Answer& answer) const;

private:
    QString perplexity(const PlanReport::Quality& quality, bool predicted) const;
    const PlanReport& m_report;
    const QLocale& m_locale;
};

} // namespace bitloom::ui
