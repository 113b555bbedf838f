// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "ui/plots/figure_dialog.h"

#include "ui/plots/number_text.h"
#include "ui/plots/plot_view.h"

#include <QComboBox>
#include <QDialogButtonBox>
#include <QDir>
#include <QFileDialog>
#include <QFileInfo>
#include <QFormLayout>
#include <QLabel>
#include <QLineEdit>
#include <QMessageBox>
#include <QPushButton>
#include <QRegularExpression>
#include <QSettings>
#include <QStandardPaths>
#include <QToolButton>

namespace bitloom::ui {

namespace {

constexpr int kPreviewWidth = 560;
const QString kFolderKey = QStringLiteral("figures/folder");

/// A file name that every system takes.
QString fileNameOf(const QString& title) {
    static const QRegularExpression unsafe(QStringLiteral("[^\\p{L}\\p{N}._-]+"));
    QString name = title;
    name.replace(unsafe, QStringLiteral("-"));
    while (name.startsWith(QLatin1Char('-')) || name.startsWith(QLatin1Char('.')))
        name.remove(0, 1);
    name.truncate(80);
    return name.isEmpty() ? QStringLiteral("figure") : name;
}

} // namespace

FigureDialog::FigureDialog(PlotView& view, QWidget* parent) : QDialog(parent), m_view(view) {
    setWindowTitle(tr("Save figure or data"));
    m_format = new QComboBox(this);
    m_format->addItem(tr("PNG image"), int(FigureFormat::Png));
    m_format->addItem(tr("PDF, vector"), int(FigureFormat::Pdf));
    m_format->addItem(tr("SVG, vector"), int(FigureFormat::Svg));
    m_format->addItem(tr("CSV, all data"), int(FigureFormat::Csv));
    m_scale = new QComboBox(this);
    for (int scale = 1; scale <= 4; ++scale)
        m_scale->addItem(tr("%1× · %2 × %3 px")
                             .arg(locale().toString(scale),
                                  locale().toString(scale * view.figureSize().width()),
                                  locale().toString(scale * view.figureSize().height())),
                         scale);
    m_scale->setCurrentIndex(1);
    m_path = new QLineEdit(this);
    const QString folder =
        QSettings()
            .value(kFolderKey, QStandardPaths::writableLocation(QStandardPaths::PicturesLocation))
            .toString();
    m_path->setText(QDir::toNativeSeparators(
        QDir(folder.isEmpty() ? QDir::homePath() : folder).filePath(fileNameOf(view.title()))));
    auto* choose = new QToolButton(this);
    choose->setText(tr("Choose…"));
    choose->setAccessibleName(tr("Choose a file"));
    m_preview = new QLabel(this);
    m_preview->setAccessibleName(tr("Preview of the figure"));
    m_preview->setFrameShape(QFrame::StyledPanel);
    m_note = new QLabel(this);
    m_note->setWordWrap(true);
    m_note->setForegroundRole(QPalette::PlaceholderText);
    m_buttons = new QDialogButtonBox(QDialogButtonBox::Save | QDialogButtonBox::Cancel, this);

    auto* file = new QHBoxLayout;
    file->addWidget(m_path, 1);
    file->addWidget(choose);
    auto* form = new QFormLayout;
    form->addRow(tr("&Format"), m_format);
    form->addRow(tr("&Resolution"), m_scale);
    auto* fileLabel = new QLabel(tr("File &name"), this);
    fileLabel->setBuddy(m_path);
    form->addRow(fileLabel, file);
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(24, 24, 24, 16);
    column->setSpacing(16);
    column->addWidget(m_preview, 0, Qt::AlignHCenter);
    column->addWidget(m_note);
    column->addLayout(form);
    column->addWidget(m_buttons);
    m_format->setAccessibleName(tr("Figure format"));
    m_scale->setAccessibleName(tr("Figure resolution"));
    m_path->setAccessibleName(tr("Figure file name"));

    m_picture = figureImage(view, int(std::ceil(devicePixelRatioF())));
    const double ratio = devicePixelRatioF();
    QImage picture = m_picture.scaledToWidth(int(kPreviewWidth * ratio), Qt::SmoothTransformation);
    picture.setDevicePixelRatio(ratio);
    m_preview->setPixmap(QPixmap::fromImage(picture));

    connect(m_format, &QComboBox::currentIndexChanged, this, &FigureDialog::adapt);
    connect(choose, &QToolButton::clicked, this, &FigureDialog::browse);
    connect(m_buttons, &QDialogButtonBox::accepted, this, &FigureDialog::accept);
    connect(m_buttons, &QDialogButtonBox::rejected, this, &FigureDialog::reject);
    adapt();
}

FigureFormat FigureDialog::format() const {
    return FigureFormat(m_format->currentData().toInt());
}

int FigureDialog::scale() const {
    return m_scale->currentData().toInt();
}

QString FigureDialog::path() const {
    return QDir::fromNativeSeparators(m_path->text().trimmed());
}

QString FigureDialog::suffix() const {
    static const QString names[] = {QStringLiteral(".png"), QStringLiteral(".svg"),
                                    QStringLiteral(".pdf"), QStringLiteral(".csv")};
    return names[int(format())];
}

void FigureDialog::adapt() {
    m_scale->setEnabled(format() == FigureFormat::Png);
    QString path = m_path->text();
    for (const char* known : {".png", ".svg", ".pdf", ".csv"})
        if (path.endsWith(QLatin1String(known), Qt::CaseInsensitive)) path.chop(4);
    m_path->setText(path + suffix());
    m_note->setText(
        format() == FigureFormat::Csv
            ? tr("All %1 rows of the data, not only what the figure shows. Numbers with "
                 "a decimal point, columns separated by commas.")
                  .arg(countText(locale(), m_view.tableRows()))
            : tr("Light colours for print, with title, units, legend and caption."));
}

void FigureDialog::browse() {
    const QString chosen =
        QFileDialog::getSaveFileName(this, windowTitle(), path(), QStringLiteral("*") + suffix(),
                                     nullptr, QFileDialog::DontConfirmOverwrite);
    if (!chosen.isEmpty()) {
        m_path->setText(QDir::toNativeSeparators(chosen));
        adapt();
    }
}

void FigureDialog::accept() {
    const QFileInfo file(path());
    if (file.fileName().isEmpty() || file.isDir()) {
        m_path->setFocus();
        return;
    }
    if (file.exists() &&
        QMessageBox::question(this, windowTitle(),
                              tr("“%1” exists. Replace it?").arg(file.fileName())) !=
            QMessageBox::Yes)
        return;
    QSettings().setValue(kFolderKey, file.absolutePath());
    QDialog::accept();
}

} // namespace bitloom::ui
