// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "ui/compare/measure.h"

#include "ui/dialogs/place_dialog.h"
#include "ui/export/export_request.h"
#include "ui/models/texts.h"
#include "ui/state/jobs.h"
#include "ui/theme/icons.h"
#include "ui/theme/theme.h"

#include <QClipboard>
#include <QComboBox>
#include <QDateTime>
#include <QDialogButtonBox>
#include <QFileInfo>
#include <QFormLayout>
#include <QGuiApplication>
#include <QHBoxLayout>
#include <QJsonArray>
#include <QLabel>
#include <QLineEdit>
#include <QPushButton>
#include <QSpinBox>

#include <cmath>

namespace bitloom::ui {

namespace {
constexpr double tryShare = 0.7; // of the job's progress, where a plan must be carried out first
}

QJsonObject MeasureRequest::evaluateParams() const {
    QJsonObject params;
    if (!texts.isEmpty()) params[QLatin1String("text")] = QJsonArray::fromStringList(texts);
    if (!protocol.isEmpty()) params[QLatin1String("protocol")] = protocol;
    if (windows > 0) params[QLatin1String("windows")] = windows;
    return params;
}

QString MeasureRequest::command(const QString& folder, const QString& original) const {
    if (folder.isEmpty()) return {};
    QString line = QStringLiteral("bitloom eval ") % shellQuoted(folder);
    if (folder != original) line += QStringLiteral(" --against ") % shellQuoted(original);
    for (const QString& text : texts)
        line += QStringLiteral(" --text ") % shellQuoted(text);
    if (!protocol.isEmpty()) line += QStringLiteral(" --protocol ") % protocol;
    return line;
}

void fillMeasurement(Measurement& m, const QJsonObject& v) {
    const auto number = [&](const char* key) { return v[QLatin1String(key)].toDouble(); };
    m.text = QFileInfo(v[QLatin1String("text")].toString()).fileName();
    m.textHash = v[QLatin1String("text_hash")].toString().toStdString();
    m.protocol = v[QLatin1String("protocol")].toString();
    m.nll = number("nll");
    m.standardError = number("stderr");
    m.fp16Nll = number("reference_nll");
    m.deltaStandardError = number("delta_stderr");
    m.klMean = number("kl_mean");
    m.klP99 = number("kl_p99");
    m.topAgreement = number("top1_agreement");
    m.tokens = qint64(number("tokens"));
    m.when = QDateTime::currentDateTime().toString(Qt::ISODate);
}

MeasureRuns::MeasureRuns(Workbench& workbench, SubjectModels& models, QObject* parent)
    : QObject(parent), m_workbench(workbench), m_models(models) {}

bool MeasureRuns::canMeasure() const {
    return m_workbench.engineHasModel() && !m_workbench.jobs().isActive(QStringLiteral("measure"));
}

bool MeasureRuns::canMeasure(const MeasureRequest& request) const {
    const bool planned = request.subject.kind == Subject::Kind::Plan ||
                         request.subject.kind == Subject::Kind::Preset;
    return canMeasure() && (!planned || (m_workbench.hasPlan() && m_workbench.model()->source &&
                                         !m_workbench.applyingPins()));
}

void MeasureRuns::start(const MeasureRequest& request) {
    if (!canMeasure(request)) return;
    m_last = request;
    m_started = true;
    JobList& jobs = m_workbench.jobs();
    const auto model = m_workbench.model();
    Measurement measurement;
    measurement.plan = request.subject.kind == Subject::Kind::Plan
                           ? planName(m_workbench)
                           : subjectTitle(request.subject, m_workbench);
    double predictedDelta = 0;
    if (request.subject.kind == Subject::Kind::Plan && m_workbench.hasPlan()) {
        const PlanFigures& figures = m_workbench.figures();
        measurement.bitsPerWeight = figures.bitsPerWeight;
        measurement.bytes = figures.size.totalBytes;
        measurement.distortion = figures.distortion;
        measurement.planHash = Workbench::planHash(m_workbench.plan().allocation());
        predictedDelta = figures.prediction.deltaNll;
    } else if (request.subject.kind == Subject::Kind::Preset) {
        for (const Preset& preset : m_workbench.presets()) {
            if (preset.name != request.subject.name) continue;
            const PlanSummary summary = m_workbench.summary(preset);
            measurement.bitsPerWeight = summary.bitsPerWeight;
            measurement.bytes = summary.bytes;
            measurement.distortion = summary.distortion;
            measurement.planHash = summary.hash;
            predictedDelta = summary.prediction.deltaNll;
        }
    }
    const QuantizeOptions& options = m_workbench.options();
    if (!measurement.planHash.empty())
        measurement.stage = int(stageOf(options.descentPasses, options.polishSteps));
    const int job = jobs.begin(tr("Measuring perplexity of %1").arg(measurement.plan),
                               QStringLiteral("measure"));
    jobs.setResumable(job, [this, request] { start(request); });
    const bool planned = request.subject.kind == Subject::Kind::Plan ||
                         request.subject.kind == Subject::Kind::Preset;
    const double from = planned ? tryShare : 0;
    m_models.resolve(job, request.subject, SubjectModels::Method::Full, 0, from,
                     [=, this](const SubjectModels::Ready& ready) {
                         QJsonObject params = request.evaluateParams();
                         params[QLatin1String("model")] = ready.model;
                         if (request.subject.kind != Subject::Kind::Original)
                             params[QLatin1String("against")] = model->folder;
                         m_workbench.jobs().call(
                             job, QStringLiteral("evaluate"), params, from, 1,
                             [=, this](const EngineResult& result) {
                                 // The user may have opened another model meanwhile.
                                 if (!m_workbench.model() ||
                                     m_workbench.model()->fingerprint != model->fingerprint) {
                                     m_workbench.jobs().finish(job,
                                                               tr("of a model that is closed"));
                                     return;
                                 }
                                 evaluated(job, request, measurement, predictedDelta, result);
                             });
                     });
}

void MeasureRuns::evaluated(int job, const MeasureRequest& request, Measurement m,
                            double predictedDelta, const EngineResult& result) {
    fillMeasurement(m, result.value);
    if (!m.planHash.empty()) m.predictedNll = m.fp16Nll + predictedDelta;
    if (request.subject.kind == Subject::Kind::Original) {
        m.bitsPerWeight = 16;
        m.bytes = m_workbench.model()->fp16Bytes;
        m.fp16Nll = m.nll;
    }
    const QString text =
        m.planHash.empty()
            ? tr("perplexity %1 on %2").arg(perplexityText(m.nll), m.text)
            : tr("perplexity %1 on %2, predicted %3")
                  .arg(perplexityText(m.nll), m.text, perplexityText(m.predictedNll));
    m_workbench.jobs().finish(job, text);
    if (request.subject.kind == Subject::Kind::Folder)
        emit folderMeasured(request.subject.name, m);
    else
        m_workbench.addMeasurement(m);
}

MeasureDialog::MeasureDialog(Workbench& workbench, SubjectModels&, const QStringList& folders,
                             const MeasureRequest& start, QWidget* parent)
    : DialogBase(tr("Measure perplexity"), parent), m_workbench(workbench) {
    setObjectName(QStringLiteral("measureDialog"));
    auto* about = new QLabel(
        tr("Reads a text with the plan and with FP16, and compares them window by window: "
           "perplexity, KL divergence, and how often both find the same token likeliest. A plan is "
           "carried out in memory first; nothing is written. Predictions are re-fitted by the "
           "result."));
    about->setWordWrap(true);
    about->setMinimumWidth(480);
    content()->addWidget(about);
    QFormLayout* form = addForm();
    m_subject = new QComboBox;
    m_subject->setObjectName(QStringLiteral("measureSubject"));
    m_subject->setAccessibleName(tr("Model to measure"));
    std::vector<Subject> subjects = standardSubjects(workbench);
    for (const QString& folder : folders)
        subjects.push_back({Subject::Kind::Folder, folder});
    for (const Subject& subject : subjects)
        m_subject->addItem(subject.kind == Subject::Kind::Plan
                               ? tr("This plan, %1").arg(subjectTitle(subject, workbench))
                               : tr("%1, %2").arg(subjectTitle(subject, workbench),
                                                  subjectDetail(subject, workbench)),
                           subject.key());
    m_subject->setCurrentIndex(std::max(0, m_subject->findData(start.subject.key())));
    form->addRow(tr("&Model"), m_subject);
    m_source = new QComboBox;
    m_source->setObjectName(QStringLiteral("measureSource"));
    m_source->setAccessibleName(tr("Text to measure on"));
    m_source->addItem(tr("the model's own text, or the bundled one"), false);
    m_source->addItem(tr("a text file"), true);
    m_source->setCurrentIndex(start.texts.isEmpty() ? 0 : 1);
    form->addRow(tr("&Text"), m_source);
    m_file = new QLineEdit(start.texts.value(0));
    m_file->setObjectName(QStringLiteral("measureFile"));
    m_file->setAccessibleName(tr("Path of the text"));
    m_choose = new QPushButton(tr("Choose…"));
    m_choose->setObjectName(QStringLiteral("measureChoose"));
    m_choose->setAccessibleName(tr("Choose a text"));
    auto* fileRow = new QHBoxLayout;
    fileRow->setSpacing(gridStep);
    fileRow->addWidget(m_file, 1);
    fileRow->addWidget(m_choose);
    auto* fileLabel = new QLabel(tr("&File"));
    fileLabel->setBuddy(m_file);
    form->addRow(fileLabel, fileRow);
    m_protocol = new QComboBox;
    m_protocol->setObjectName(QStringLiteral("measureProtocol"));
    m_protocol->setAccessibleName(tr("Protocol"));
    m_protocol->addItem(tr("gptq: windows of 2 048 tokens, as in papers"), QString());
    m_protocol->addItem(tr("ctx4096: windows of 4 096 tokens"), QStringLiteral("ctx4096"));
    m_protocol->addItem(tr("llamacpp: as llama.cpp's perplexity counts"),
                        QStringLiteral("llamacpp"));
    m_protocol->setCurrentIndex(std::max(0, m_protocol->findData(start.protocol)));
    form->addRow(tr("&Protocol"), m_protocol);
    m_windows = new QSpinBox;
    m_windows->setObjectName(QStringLiteral("measureWindows"));
    m_windows->setAccessibleName(tr("Windows at most"));
    m_windows->setRange(0, 1'000'000);
    m_windows->setSpecialValueText(tr("all"));
    m_windows->setValue(start.windows);
    m_windows->setToolTip(tr("Fewer windows are faster, with a larger standard error."));
    form->addRow(tr("&Windows"), m_windows);
    addButtons(tr("Measure"))->setObjectName(QStringLiteral("measureMain"));
    m_copy = buttons()->addButton(tr("Copy as command"), QDialogButtonBox::ResetRole);
    m_copy->setObjectName(QStringLiteral("measureCopy"));
    m_copy->setIcon(symbol("command"));
    m_copy->setAccessibleName(tr("Copy as command"));
    m_copy->setAutoDefault(false);
    connect(m_copy, &QPushButton::clicked, this,
            [this] { QGuiApplication::clipboard()->setText(command()); });
    connect(m_subject, &QComboBox::currentIndexChanged, this, &MeasureDialog::check);
    connect(m_source, &QComboBox::currentIndexChanged, this, &MeasureDialog::check);
    connect(m_file, &QLineEdit::textChanged, this, &MeasureDialog::check);
    connect(m_choose, &QPushButton::clicked, this, [this] {
        choosePlace(this, m_workbench, PlaceDialog::What::File, tr("Text to measure on"),
                    m_file->text(), [this](const QString& path) { m_file->setText(path); });
    });
    check();
}

MeasureRequest MeasureDialog::request() const {
    MeasureRequest request;
    request.subject = Subject::fromKey(m_subject->currentData().toString());
    if (m_source->currentData().toBool())
        request.texts = QStringList{m_workbench.engineIsRemote()
                                        ? m_file->text()
                                        : QFileInfo(m_file->text()).absoluteFilePath()};
    request.protocol = m_protocol->currentData().toString();
    request.windows = m_windows->value();
    return request;
}

QString MeasureDialog::command() const {
    const MeasureRequest now = request();
    const QString original = m_workbench.model()->folder;
    switch (now.subject.kind) {
    case Subject::Kind::Original:
        return now.command(original, original);
    case Subject::Kind::Folder:
        return now.command(now.subject.name, original);
    default:
        return {};
    }
}

void MeasureDialog::check() {
    const bool file = m_source->currentData().toBool();
    m_file->setEnabled(file);
    m_choose->setEnabled(file);
    const bool folder = !command().isEmpty();
    m_copy->setEnabled(folder);
    m_copy->setToolTip(folder ? QString()
                              : tr("A plan has a command once it is exported to a folder."));
    if (file && m_file->text().isEmpty())
        setProblem(tr("Choose a text file."));
    else if (file && !m_workbench.engineIsRemote() && !QFileInfo(m_file->text()).isFile())
        setProblem(tr("There is no file '%1'.").arg(m_file->text()));
    else if (!m_workbench.engine())
        setProblem(tr("The engine is not running. Restart it from the Run menu."));
    else if (!m_workbench.engineHasModel())
        setProblem(otherMachineText());
    else
        setProblem({});
}

} // namespace bitloom::ui
