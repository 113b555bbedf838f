// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "ui/export/export_progress.h"

#include "ui/models/texts.h"
#include "ui/plots/plot_paint.h"
#include "ui/theme/icons.h"
#include "ui/theme/theme.h"

#include <QEvent>
#include <QHBoxLayout>
#include <QLabel>
#include <QPainter>
#include <QPainterPath>
#include <QRegularExpression>
#include <QVBoxLayout>

#include <cmath>

namespace bitloom::ui {

ExportBar::ExportBar(QWidget* parent) : QWidget(parent) {
    setObjectName(QStringLiteral("exportBar"));
    setFixedHeight(8);
}

void ExportBar::setShares(double done, double resumed) {
    if (done == m_done && resumed == m_resumed) return;
    m_done = done;
    m_resumed = std::min(resumed, done);
    update();
}

void ExportBar::paintEvent(QPaintEvent*) {
    QPainter painter(this);
    painter.setRenderHint(QPainter::Antialiasing);
    const PlotTheme theme = PlotTheme::of(palette());
    const QRectF all(rect());
    QPainterPath clip;
    clip.addRoundedRect(all, 4, 4);
    painter.setClipPath(clip);
    painter.fillRect(all, theme.groove);
    const bool mirrored = layoutDirection() == Qt::RightToLeft;
    const auto part = [&](double from, double to) {
        const double left = mirrored ? 1 - to : from;
        return QRectF(all.left() + left * all.width(), all.top(), (to - from) * all.width(),
                      all.height());
    };
    painter.fillRect(part(0, m_done), theme.accent);
    if (m_resumed > 0) {
        QColor stripes = theme.panel;
        stripes.setAlphaF(0.45f);
        painter.save();
        painter.setClipRect(part(0, m_resumed), Qt::IntersectClip);
        drawStripes(painter, part(0, m_resumed), stripes, 6, 2);
        painter.restore();
        const double edge = mirrored ? 1 - m_resumed : m_resumed;
        painter.fillRect(
            QRectF(all.left() + edge * all.width() - 0.75, all.top(), 1.5, all.height()),
            theme.panel);
    }
}

StepList::StepList(QWidget* parent) : QWidget(parent) {
    setObjectName(QStringLiteral("exportSteps"));
    setAccessibleName(tr("Steps of the export"));
}

int StepList::rowHeight() const {
    return std::max(27, fontMetrics().height() + 12);
}

QSize StepList::sizeHint() const {
    return {480, rowHeight() * int(m_steps.size()) + 10};
}

void StepList::setSteps(std::vector<ExportRun::Step> steps) {
    if (steps == m_steps) return;
    const bool grown = steps.size() != m_steps.size();
    m_steps = std::move(steps);
    QStringList texts;
    for (const ExportRun::Step& step : m_steps)
        texts << tr("%1: %2").arg(step.text,
                                  step.state == ExportRun::Step::State::Done      ? tr("done")
                                  : step.state == ExportRun::Step::State::Running ? tr("running")
                                  : step.state == ExportRun::Step::State::Failed  ? tr("stopped")
                                                                                  : tr("to come"));
    setAccessibleDescription(texts.join(QStringLiteral("; ")));
    if (grown) setFixedHeight(sizeHint().height());
    update();
}

void StepList::paintEvent(QPaintEvent*) {
    QPainter painter(this);
    painter.setRenderHint(QPainter::Antialiasing);
    const PlotTheme theme = PlotTheme::of(palette());
    painter.setPen(QPen(theme.separator, 1));
    painter.setBrush(theme.panel);
    painter.drawRoundedRect(QRectF(rect()).adjusted(0.5, 0.5, -0.5, -0.5), 4, 4);
    const bool mirrored = layoutDirection() == Qt::RightToLeft;
    const int height = rowHeight();
    int y = 5;
    for (const ExportRun::Step& step : m_steps) {
        using S = ExportRun::Step::State;
        const QRect row(12, y, width() - 24, height);
        const bool running = step.state == S::Running;
        const QString icon = step.state == S::Done     ? QStringLiteral("check")
                             : running                 ? QStringLiteral("running")
                             : step.state == S::Failed ? QStringLiteral("stop")
                                                       : QStringLiteral("waiting");
        const QColor colour = step.state == S::Done      ? theme.accent
                              : step.state == S::Waiting ? theme.secondary
                                                         : theme.text;
        const int x = mirrored ? row.right() - 16 : row.left();
        painter.drawPixmap(QPoint(x, row.center().y() - 7),
                           symbolPixmap(icon, colour, {16, 16}, devicePixelRatioF()));
        painter.setPen(step.state == S::Waiting ? theme.secondary : theme.text);
        painter.setFont(running ? headingFont() : font());
        const int detail =
            step.detail.isEmpty() ? 0 : fontMetrics().horizontalAdvance(step.detail) + 16;
        const QRect text =
            mirrored ? row.adjusted(detail, 0, -28, 0) : row.adjusted(28, 0, -detail, 0);
        painter.drawText(
            text, int(Qt::AlignVCenter) | (mirrored ? Qt::AlignRight : Qt::AlignLeft),
            painter.fontMetrics().elidedText(step.text, Qt::ElideMiddle, text.width()));
        painter.setFont(font());
        painter.setPen(theme.secondary);
        painter.drawText(row, int(Qt::AlignVCenter) | (mirrored ? Qt::AlignLeft : Qt::AlignRight),
                         step.detail);
        y += height;
    }
}

void StepList::changeEvent(QEvent* event) {
    QWidget::changeEvent(event);
    if (event->type() == QEvent::FontChange) setFixedHeight(sizeHint().height());
}

ExportProgress::ExportProgress(QWidget* parent) : QWidget(parent) {
    setObjectName(QStringLiteral("exportProgress"));
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(gridStep);
    auto* top = new QHBoxLayout;
    m_headline = new QLabel;
    m_headline->setObjectName(QStringLiteral("exportHeadline"));
    QFont big = headingFont();
    if (big.pointSizeF() > 0) big.setPointSizeF(big.pointSizeF() * 15 / 13);
    m_headline->setFont(big);
    m_elapsed = new QLabel;
    m_elapsed->setForegroundRole(QPalette::PlaceholderText);
    top->addWidget(m_headline, 1);
    top->addWidget(m_elapsed);
    column->addLayout(top);
    m_bar = new ExportBar;
    m_bar->setAccessibleName(tr("Progress of the export"));
    column->addWidget(m_bar);
    m_figures = new QLabel;
    m_figures->setObjectName(QStringLiteral("exportFigures"));
    m_figures->setWordWrap(true);
    column->addWidget(m_figures);
    m_steps = new StepList;
    column->addWidget(m_steps);
    m_note = new QLabel;
    m_note->setWordWrap(true);
    m_note->setForegroundRole(QPalette::PlaceholderText);
    column->addWidget(m_note);
}

QString ExportProgress::headline() const {
    return m_headline->text();
}

QString ExportProgress::figures() const {
    static const QRegularExpression tags(QStringLiteral("<[^>]*>"));
    return m_figures->text()
        .remove(tags)
        .replace(QLatin1String("&nbsp;"), QLatin1String(" "))
        .simplified();
}

void ExportProgress::show(const ExportRun& run) {
    const Job* job = run.job();
    if (!job) return;
    const QLocale locale;
    const int percent = int(std::floor(run.fraction() * 100));
    QString headline, note;
    switch (run.state()) {
    case ExportRun::State::Running:
        headline = job->stopping ? tr("Stopping at %1 %").arg(percent)
                   : job->etaSeconds > 0
                       ? tr("%1 %, about %2 left").arg(percent).arg(durationText(job->etaSeconds))
                       : tr("%1 %").arg(percent);
        note = tr("Stopping is safe: finished tensors stay in the .partial folder, and a resumed "
                  "export gives the same bytes.");
        break;
    case ExportRun::State::Cancelled:
        headline = tr("Stopped at %1 %").arg(percent);
        note = tr("Finished tensors are kept in %1.partial. Resumed, the export gives the same "
                  "bytes as one that was never stopped.")
                   .arg(run.request().name);
        break;
    case ExportRun::State::Failed:
        headline = tr("The export failed");
        note = run.error().message % QLatin1Char(' ') % run.error().hint;
        break;
    case ExportRun::State::Done:
        headline = run.verifying() ? tr("Verifying…")
                   : !run.damaged().isEmpty()
                       ? tr("Damaged: %1").arg(run.damaged().join(QStringLiteral(", ")))
                   : run.verified() ? tr("Exported and verified")
                                    : tr("Exported");
        note = tr("In %1").arg(run.request().output());
        break;
    case ExportRun::State::Idle:
        break;
    }
    m_headline->setText(headline);
    m_elapsed->setText(tr("elapsed %1").arg(durationText(run.elapsedSeconds())));
    m_bar->setShares(run.fraction(), run.resumedShare());
    m_bar->setAccessibleDescription(headline);
    QStringList figures;
    const auto figure = [&](const QString& value, const QString& words) {
        QString number = value.toHtmlEscaped(), tail = words;
        figures << QStringLiteral("<b>") %
                       number.replace(QLatin1Char(' '), QLatin1String("&nbsp;")) %
                       QStringLiteral("</b>&nbsp;") %
                       tail.replace(QLatin1Char(' '), QLatin1String("&nbsp;"));
    };
    if (run.state() == ExportRun::State::Done) {
        const auto bytes = qint64(run.result()[QLatin1String("bytes")].toDouble());
        figure(locale.toString(bytes),
               bytes == run.totalBytes() ? tr("bytes, as predicted") : tr("bytes"));
    } else {
        const PartialExport& partial = run.partial();
        if (partial.totalTensors > 0)
            figure(
                tr("%1 of %2")
                    .arg(locale.toString(partial.tensors), locale.toString(partial.totalTensors)),
                tr("tensors"));
        if (!run.request().remote || partial.totalTensors > 0)
            figure(tr("%1 of %2")
                       .arg(bytesText(locale, double(run.writtenBytes())),
                            bytesText(locale, double(run.totalBytes()))),
                   tr("written"));
        if (run.bytesPerSecond() > 0)
            figure(tr("%1 MB/s").arg(numberText(locale, run.bytesPerSecond() / 1e6, 2)),
                   tr("written"));
    }
    if (job->peakRss > 0) figure(bytesText(locale, double(job->peakRss)), tr("peak memory"));
    if (job->peakVram > 0)
        figure(bytesText(locale, double(job->peakVram)), tr("of the GPU's memory, at most"));
    m_figures->setText(figures.join(QStringLiteral("&nbsp;&nbsp;&nbsp; ")));
    m_steps->setSteps(run.steps());
    m_note->setText(note);
}

} // namespace bitloom::ui
