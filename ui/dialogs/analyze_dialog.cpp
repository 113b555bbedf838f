// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "ui/dialogs/analyze_dialog.h"

#include "ui/dialogs/place_dialog.h"
#include "ui/theme/icons.h"
#include "ui/theme/theme.h"

#include <QApplication>
#include <QClipboard>
#include <QComboBox>
#include <QDialogButtonBox>
#include <QFileInfo>
#include <QFormLayout>
#include <QHBoxLayout>
#include <QJsonArray>
#include <QLabel>
#include <QLineEdit>
#include <QPushButton>
#include <QSpinBox>

namespace bitloom::ui {

AnalyzeDialog::AnalyzeDialog(Workbench& workbench, QWidget* parent)
    : DialogBase(tr("Analyze %1").arg(workbench.model()->title), parent), m_workbench(workbench) {
    setObjectName(QStringLiteral("analyzeDialog"));
    auto* about =
        new QLabel(tr("Runs the model once over a text and measures how much every input "
                      "channel of every layer matters. The result is kept and serves every "
                      "budget; a run that was stopped goes on where it was."));
    about->setWordWrap(true);
    about->setMinimumWidth(460);
    content()->addWidget(about);
    QFormLayout* form = addForm();
    m_source = new QComboBox;
    m_source->setObjectName(QStringLiteral("analyzeSource"));
    m_source->setAccessibleName(tr("Calibration text"));
    m_source->addItem(tr("the model's own text, or the bundled one"), QStringLiteral("default"));
    m_source->addItem(tr("the bundled text"), QStringLiteral("bundled"));
    m_source->addItem(tr("a text file"), QStringLiteral("file"));
    form->addRow(tr("&Text"), m_source);
    auto* fileRow = new QHBoxLayout;
    fileRow->setSpacing(gridStep);
    m_file = new QLineEdit;
    m_file->setObjectName(QStringLiteral("analyzeFile"));
    m_file->setAccessibleName(tr("Path of the calibration text"));
    m_choose = new QPushButton(tr("Choose…"));
    m_choose->setObjectName(QStringLiteral("analyzeChoose"));
    m_choose->setAccessibleName(tr("Choose a calibration text"));
    fileRow->addWidget(m_file, 1);
    fileRow->addWidget(m_choose);
    auto* fileLabel = new QLabel(tr("&File"));
    fileLabel->setBuddy(m_file);
    form->addRow(fileLabel, fileRow);
    m_sequences = new QSpinBox;
    m_sequences->setObjectName(QStringLiteral("analyzeSequences"));
    m_sequences->setAccessibleName(tr("Number of windows"));
    m_sequences->setRange(0, 1'000'000);
    m_sequences->setSpecialValueText(tr("automatic"));
    m_sequences->setToolTip(
        tr("Automatic takes 128 windows of 2 048 tokens, or as many shorter ones "
           "where the model holds fewer tokens."));
    form->addRow(tr("&Windows"), m_sequences);
    m_length = new QSpinBox;
    m_length->setObjectName(QStringLiteral("analyzeLength"));
    m_length->setAccessibleName(tr("Tokens in a window"));
    const int holds = workbench.model()->checkpoint
                          ? int(std::min<int64_t>(
                                workbench.model()->checkpoint->config().maxPositions, 1'000'000))
                          : 1'000'000;
    m_length->setRange(0, holds);
    m_length->setSpecialValueText(tr("automatic"));
    form->addRow(tr("To&kens in a window"), m_length);
    addButtons(tr("Analyze"));
    auto* copy = buttons()->addButton(tr("Copy as command"), QDialogButtonBox::ResetRole);
    copy->setIcon(symbol("command"));
    copy->setAccessibleName(tr("Copy as command"));
    connect(copy, &QPushButton::clicked, this,
            [this] { QApplication::clipboard()->setText(command()); });
    connect(m_source, &QComboBox::currentIndexChanged, this, &AnalyzeDialog::update);
    connect(m_file, &QLineEdit::textChanged, this, &AnalyzeDialog::update);
    connect(m_choose, &QPushButton::clicked, this, [this] {
        choosePlace(this, m_workbench, PlaceDialog::What::File, tr("Calibration text"),
                    m_file->text(), [this](const QString& path) { m_file->setText(path); });
    });
    update();
}

void AnalyzeDialog::update() {
    const bool file = m_source->currentData().toString() == QLatin1String("file");
    m_file->setEnabled(file);
    m_choose->setEnabled(file);
    if (file && m_file->text().isEmpty())
        setProblem(tr("Choose a text file."));
    else if (file && !m_workbench.engineIsRemote() && !QFileInfo(m_file->text()).isFile())
        setProblem(tr("There is no file '%1'.").arg(m_file->text()));
    else
        setProblem({});
}

QJsonObject AnalyzeDialog::parameters() const {
    QJsonObject out;
    const QString source = m_source->currentData().toString();
    if (source == QLatin1String("bundled")) out[QLatin1String("bundled")] = true;
    if (source == QLatin1String("file"))
        out[QLatin1String("text")] =
            QJsonArray{m_workbench.engineIsRemote() ? m_file->text()
                                                    : QFileInfo(m_file->text()).absoluteFilePath()};
    if (m_sequences->value() > 0) out[QLatin1String("sequences")] = m_sequences->value();
    if (m_length->value() > 0) out[QLatin1String("length")] = m_length->value();
    return out;
}

QString AnalyzeDialog::command() const {
    const auto quoted = [](const QString& text) {
        QString escaped = text;
        return QString(QLatin1Char('\'') %
                       escaped.replace(QLatin1Char('\''), QLatin1String("'\\''")) %
                       QLatin1Char('\''));
    };
    QString line = QStringLiteral("bitloom calibrate ") % quoted(m_workbench.model()->folder);
    if (m_source->currentData().toString() == QLatin1String("file"))
        line += QStringLiteral(" --text ") % quoted(m_file->text());
    if (m_sequences->value() > 0)
        line += QStringLiteral(" --sequences %1").arg(m_sequences->value());
    if (m_length->value() > 0) line += QStringLiteral(" --length %1").arg(m_length->value());
    return line;
}

} // namespace bitloom::ui
