// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "ui/export/report_source.h"

#include "core/base/error.h"
#include "ui/chat/chat_session.h"
#include "ui/models/texts.h"

#include <QCoreApplication>
#include <QFileDialog>
#include <QMessageBox>

#include <cmath>

namespace bitloom::ui {

namespace {

QString tr(const char* text) {
    return QCoreApplication::translate("ReportSource", text);
}

std::vector<BitShare> sharesOf(const WidthShares& shares) {
    std::vector<BitShare> list;
    for (size_t i = 0; i < planWidths.size(); ++i)
        if (shares.columns[i] > 0)
            list.push_back({planWidths[i], shares.weights[i], shares.columns[i]});
    return list;
}

void addGroups(PlanReport& report, const ModelData& model, const PlanState& plan) {
    std::vector<WidthShares> shares(model.kinds.size());
    std::vector<double> bits(model.kinds.size()), weights(model.kinds.size());
    for (size_t i = 0; i < model.entries.size(); ++i) {
        const LayerEntry& entry = model.entries[i];
        const auto kind = size_t(entry.kind);
        shares[kind].add(plan.shares(int(i)));
        const double count = double(entry.rows) * double(entry.cols);
        bits[kind] += plan.meanBits(int(i)) * count;
        weights[kind] += count;
    }
    for (size_t kind = 0; kind < model.kinds.size(); ++kind)
        if (weights[kind] > 0)
            report.groups.push_back(
                {model.kinds[kind], sharesOf(shares[kind]), bits[kind] / weights[kind]});
}

void addParts(PlanReport& report, const SizeParts& size) {
    const auto part = [&](const char* name, int64_t bytes, bool total = false) {
        if (bytes > 0) report.parts.push_back({tr(name), bytes, total});
    };
    part(QT_TRANSLATE_NOOP("ReportSource", "Codes"), size.codes + size.padding);
    part(QT_TRANSLATE_NOOP("ReportSource", "Tables"), size.tables);
    part(QT_TRANSLATE_NOOP("ReportSource", "Scales"), size.scales);
    part(QT_TRANSLATE_NOOP("ReportSource", "Classes of the columns"), size.classes);
    part(QT_TRANSLATE_NOOP("ReportSource", "Outliers"), size.outliers);
    part(QT_TRANSLATE_NOOP("ReportSource", "Raw columns"), size.raw);
    part(QT_TRANSLATE_NOOP("ReportSource", "Block linears"), size.linearBytes, true);
    part(QT_TRANSLATE_NOOP("ReportSource", "Embedding and head"), size.embeddingAndHead);
    part(QT_TRANSLATE_NOOP("ReportSource", "Norms and others"), size.otherTensors);
    part(QT_TRANSLATE_NOOP("ReportSource", "Tokenizer, configuration, headers"),
         size.headersAndFiles);
    part(QT_TRANSLATE_NOOP("ReportSource", "Total"), size.totalBytes, true);
}

void addQuality(PlanReport& report, const Workbench& workbench) {
    const Workbench::Reference reference = workbench.reference();
    const Prediction& predicted = workbench.figures().prediction;
    const Measurement* measured = workbench.measurementOfPlan();
    const auto quality = [](double nll, double error) {
        const double ppl = std::exp(nll);
        return PlanReport::Quality{ppl, ppl * error};
    };
    report.text = reference.text;
    if (reference.nll > 0) {
        report.fp16 = quality(reference.nll, reference.standardError);
        report.predicted =
            quality(reference.nll + predicted.deltaNll, (predicted.high - predicted.low) / 2);
    }
    if (!measured) return;
    report.measured = quality(measured->nll, measured->standardError);
    if (measured->fp16Nll > 0) report.fp16 = quality(measured->fp16Nll, measured->standardError);
    report.text = tr("%1, %2 tokens").arg(measured->text, QLocale().toString(measured->tokens));
    if (measured->klMean > 0) report.meanKl = measured->klMean;
    if (measured->topAgreement > 0) report.sameTop = measured->topAgreement;
}

} // namespace

PlanReport reportOf(const Workbench& workbench, const ChatSession* chat) {
    PlanReport report;
    const ModelData& model = *workbench.model();
    const PlanState& plan = workbench.plan();
    const PlanFigures& figures = workbench.figures();
    const QuantizeOptions& options = workbench.options();
    report.model = model.title;
    report.planName = planName(workbench);
    report.bitsPerWeight = figures.bitsPerWeight;
    report.totalBytes = figures.size.totalBytes;
    report.referenceBytes = model.fp16Bytes;
    report.weights = model.weights;
    report.settings = {
        {tr("Budget"), budgetText(workbench.decision())},
        {tr("Method"),
         options.polishSteps > 0
             ? tr("CMPQ+, %1 passes of coordinate descent, %2 polish steps")
                   .arg(options.descentPasses)
                   .arg(options.polishSteps)
             : tr("CMPQ+, %1 passes of coordinate descent").arg(options.descentPasses)},
        {tr("Embedding and head"),
         options.head == HeadStorage::Keep ? tr("as stored") : tr("8 bits a row")},
        {tr("Calibrated on"), model.calibratedOn},
        {tr("Model fingerprint"), QString::fromStdString(model.fingerprint)}};
    report.shares = sharesOf(plan.total());
    addGroups(report, model, plan);
    addParts(report, figures.size);
    for (const PinEntry& pin : workbench.decision().pins)
        if (pin.enabled)
            report.pins.push_back(
                tr("%1: %2 bits")
                    .arg(pinText(pin.pin, &model), QString::fromStdString(pin.pin.choice)));
    addQuality(report, workbench);
    if (chat && chat->comparing() && chat->side(0).kind == Subject::Kind::Original &&
        chat->side(1).kind == Subject::Kind::Plan && !chat->isStale(1) && !chat->busy())
        for (const ChatTurn& turn : chat->turns())
            if (!turn.streams[0].empty())
                report.answers.push_back({turn.prompt, turn.streams[0].text(),
                                          turn.streams[1].text(),
                                          firstDifference(turn.streams[0], turn.streams[1])});
    report.made = QDateTime::currentDateTime();
    report.program = QStringLiteral("Bitloom " BITLOOM_VERSION);
    return report;
}

bool saveReport(Workbench& workbench, const ChatSession* chat, QWidget* parent) {
    if (!workbench.hasPlan()) return false;
    const QString name = QStringLiteral("%1-%2.html")
                             .arg(workbench.model()->title)
                             .arg(workbench.figures().bitsPerWeight, 0, 'f', 2);
    QString chosen;
    QString path = QFileDialog::getSaveFileName(parent, tr("Save a report of the plan"), name,
                                                tr("Web page (*.html);;PDF (*.pdf)"), &chosen);
    if (path.isEmpty()) return false;
    if (!path.endsWith(QLatin1String(".html")) && !path.endsWith(QLatin1String(".pdf")))
        path +=
            chosen.contains(QLatin1String("pdf")) ? QLatin1String(".pdf") : QLatin1String(".html");
    try {
        writePlanReport(reportOf(workbench, chat), path);
    } catch (const Error& error) {
        QMessageBox box(QMessageBox::Warning, tr("Report"), QString::fromStdString(error.what()),
                        QMessageBox::Close, parent);
        box.setInformativeText(QString::fromStdString(error.hint()));
        box.exec();
        return false;
    }
    emit workbench.message(tr("Report saved to %1").arg(path));
    return true;
}

} // namespace bitloom::ui
