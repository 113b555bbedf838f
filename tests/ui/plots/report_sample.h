// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "ui/report/plan_report.h"

namespace bitloom::ui::samples {

/// A plan of the bundled sample with everything that a report can hold.
inline PlanReport report() {
    PlanReport report;
    report.model = QStringLiteral("bitloom-tales-4m");
    report.planName = QStringLiteral("Balanced");
    report.bitsPerWeight = 3.0;
    report.totalBytes = 2'214'518;
    report.referenceBytes = 8'390'144;
    report.weights = 3'407'872;
    report.settings = {
        {QStringLiteral("Method"), QStringLiteral("CMPQ+, coordinate descent")},
        {QStringLiteral("Budget"), QStringLiteral("3.00 bits per weight")},
        {QStringLiteral("Calibration"), QStringLiteral("calibration.txt, 753 windows of 256")},
        {QStringLiteral("Damping"), QStringLiteral("0.01")},
        {QStringLiteral("Embedding and head"), QStringLiteral("FP16")}};
    report.shares = {{2, 900'000, 3000}, {3, 1'600'000, 5000}, {4, 800'000, 2200},
                     {5, 90'000, 310},   {6, 15'000, 60},      {8, 2'872, 11}};
    for (const char* name :
         {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"})
        report.groups.push_back({QLatin1String(name), report.shares, 3.07});
    report.parts = {{QStringLiteral("Codes"), 1'210'368, false},
                    {QStringLiteral("Tables"), 52'224, false},
                    {QStringLiteral("Scales"), 14'336, false},
                    {QStringLiteral("Classes"), 1'024, false},
                    {QStringLiteral("Block linears"), 1'277'952, true},
                    {QStringLiteral("Embedding, head"), 917'504, false},
                    {QStringLiteral("Norms"), 4'608, false},
                    {QStringLiteral("Tokenizer, config"), 14'454, false},
                    {QStringLiteral("Total"), 2'214'518, true}};
    report.pins = {QStringLiteral("down_proj[0-15]=6"), QStringLiteral("layers\\.0\\.<q>=4")};
    report.fp16 = PlanReport::Quality{13.2711, 0.0};
    report.predicted = PlanReport::Quality{13.71, 0.06};
    report.measured = PlanReport::Quality{13.6943, 0.015};
    report.text = QStringLiteral("tales, 163,840 tokens");
    report.meanKl = 0.0314;
    report.sameTop = 0.912;
    const QString answer = QStringLiteral(
        "Once upon a time there was a little girl named Lily. She loved to play outside in the sun "
        "with her friends & her dog. One day she found a <shiny> stone under the old tree.");
    report.answers = {{QStringLiteral("Once upon a time"), answer, answer, -1},
                      {QStringLiteral("The dog said"), answer, answer.mid(40) + answer, 12}};
    report.made = QDateTime(QDate(2026, 11, 23), QTime(14, 2));
    report.program = QStringLiteral("Bitloom 0.1.0");
    return report;
}

} // namespace bitloom::ui::samples
