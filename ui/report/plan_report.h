// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "ui/plots/plot_data.h"

#include <QDateTime>
#include <QLocale>
#include <QSizeF>
#include <QString>
#include <optional>
#include <vector>

class QPainter;

namespace bitloom::ui {

/// Everything that one page says about a plan. Plain values: the host fills them in.
struct PlanReport {
    struct Fact { ///< one setting: "Method", "CMPQ+, coordinate descent"
        QString name, value;
    };
    struct Part { ///< one row of the accounting
        QString name;
        int64_t bytes = 0;
        bool total = false; ///< a sum: set apart
    };
    struct Group { ///< bits of one kind of matrix over all layers: "down_proj"
        QString name;
        std::vector<BitShare> shares;
        double meanBits = 0; ///< true bits per weight
    };
    struct Quality { ///< perplexity with its one-sigma error
        double perplexity = 0, sigma = 0;
    };
    struct Answer {
        QString prompt, reference, plan; ///< reference: FP16
        int firstDifference = -1;        ///< first token that differs; −1: none
    };

    QString model, planName;
    double bitsPerWeight = 0;
    int64_t totalBytes = 0, referenceBytes = 0; ///< of the folder; as FP16
    int64_t weights = 0;                        ///< of the block linears
    std::vector<Fact> settings;
    std::vector<BitShare> shares;
    std::vector<Group> groups;
    std::vector<Part> parts;
    std::vector<QString> pins; ///< as text
    std::optional<Quality> fp16, predicted, measured;
    QString text; ///< what perplexities refer to: "wikitext-2, 163 840 tokens"
    std::optional<double> meanKl, sameTop; ///< nats; share of tokens
    std::vector<Answer> answers;
    QDateTime made;
    QString program; ///< "Bitloom 0.1.0"
};

/// A complete page without external files, light and dark by the reader's setting.
QString planReportHtml(const PlanReport& report, const QLocale& locale = QLocale());
/// One A4 (or Letter, by the locale) page with vectors and text. Answers and pins that do not fit
/// are cut, with a word on how many were.
QByteArray planReportPdf(const PlanReport& report, const QLocale& locale = QLocale());
/// The page itself, for printers and previews: into (0, 0, page) of `painter`, in 1/96 inch.
void paintPlanReport(QPainter& painter, const QSizeF& page, const PlanReport& report,
                     const QLocale& locale = QLocale());
/// Writes either by the suffix of `path` (.pdf, .html), atomically. Throws Error naming the path.
void writePlanReport(const PlanReport& report, const QString& path,
                     const QLocale& locale = QLocale());

} // namespace bitloom::ui
