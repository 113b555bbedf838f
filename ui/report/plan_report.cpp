// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "ui/report/plan_report.h"

#include "core/base/error.h"

#include <QCoreApplication>
#include <QFileInfo>
#include <QSaveFile>

namespace bitloom::ui {

void writePlanReport(const PlanReport& report, const QString& path, const QLocale& locale) {
    const auto tr = [](const char* text) {
        return QCoreApplication::translate("PlanReport", text);
    };
    const QString suffix = QFileInfo(path).suffix().toLower();
    QByteArray bytes;
    if (suffix == QLatin1String("pdf"))
        bytes = planReportPdf(report, locale);
    else if (suffix == QLatin1String("html") || suffix == QLatin1String("htm"))
        bytes = planReportHtml(report, locale).toUtf8();
    else
        throw Error(tr("“%1”: reports are written as pdf or html.").arg(path).toStdString());
    QSaveFile file(path);
    if (!file.open(QIODevice::WriteOnly) || file.write(bytes) != bytes.size() || !file.commit())
        throw Error(
            tr("“%1” could not be written: %2.").arg(path, file.errorString()).toStdString(),
            tr("Choose a folder that you may write to.").toStdString());
}

} // namespace bitloom::ui
