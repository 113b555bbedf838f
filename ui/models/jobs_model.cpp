// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "ui/models/jobs_model.h"

#include "ui/models/texts.h"

namespace bitloom::ui {

JobsModel::JobsModel(JobList& jobs, QObject* parent)
    : QAbstractListModel(parent), m_jobs(jobs), m_rows(int(jobs.jobs().size())) {
    connect(&jobs, &JobList::added, this, [this](int) {
        beginInsertRows({}, 0, 0);
        ++m_rows;
        endInsertRows();
    });
    connect(&jobs, &JobList::changed, this,
            [this](int job) { emit dataChanged(index(rowOf(job)), index(rowOf(job))); });
    connect(&jobs, &JobList::aboutToReset, this, &JobsModel::beginResetModel);
    connect(&jobs, &JobList::wasReset, this, [this] {
        m_rows = int(m_jobs.jobs().size());
        endResetModel();
    });
}

int JobsModel::rowCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : m_rows;
}

QString JobsModel::statusText(const Job& job) {
    switch (job.state) {
    case Job::State::Queued:
        return tr("waiting");
    case Job::State::Running: {
        QString text = percentText(QLocale(), std::floor(job.fraction * 100) / 100);
        if (job.fraction <= 0) text.clear();
        const auto add = [&](const QString& part) {
            if (part.isEmpty()) return;
            text += (text.isEmpty() ? QString() : QStringLiteral(", ")) % part;
        };
        if (const QString left = durationText(job.etaSeconds); !left.isEmpty())
            add(tr("%1 left").arg(left));
        add(job.what);
        return text.isEmpty() ? tr("starting") : text;
    }
    case Job::State::Done:
        return job.result;
    case Job::State::Failed:
        return job.error.hint.isEmpty() ? job.error.message
                                        : job.error.message % QLatin1Char(' ') % job.error.hint;
    case Job::State::Cancelled:
        return job.resumable ? tr("cancelled; finished parts are kept") : tr("cancelled");
    }
    return {};
}

QString JobsModel::report(const Job& job) {
    QStringList lines{
        QStringLiteral("Bitloom %1").arg(QStringLiteral(BITLOOM_VERSION)),
        QStringLiteral("%1 (%2)").arg(job.title, job.kind),
        statusText(job),
    };
    if (job.error) lines.append(QStringLiteral("code %1").arg(job.error.code));
    if (!job.what.isEmpty()) lines.append(QStringLiteral("step: ") % job.what);
    if (job.started.isValid())
        lines.append(QStringLiteral("started %1, ended %2")
                         .arg(job.started.toString(Qt::ISODate), job.ended.toString(Qt::ISODate)));
    if (job.peakRss > 0) lines.append(QStringLiteral("peak memory %1 bytes").arg(job.peakRss));
    if (job.peakVram > 0)
        lines.append(QStringLiteral("peak memory of the GPU %1 bytes").arg(job.peakVram));
    if (!job.details.isEmpty()) lines.append(QStringLiteral("\n") % job.details);
    return lines.join(QLatin1Char('\n'));
}

QVariant JobsModel::data(const QModelIndex& index, int role) const {
    if (!index.isValid()) return {};
    const Job& job = m_jobs.jobs()[size_t(rowOf(index.row()))];
    switch (role) {
    case Qt::DisplayRole:
        return job.title;
    case Qt::AccessibleTextRole:
        return QString(job.title % QStringLiteral(", ") % statusText(job));
    case Qt::ToolTipRole:
        return job.state == Job::State::Failed ? statusText(job) : QString();
    case IdRole:
        return job.id;
    case StateRole:
        return int(job.state);
    case FractionRole:
        return job.fraction;
    case StatusRole:
        return statusText(job);
    case KindRole:
        return job.kind;
    case ResultPathRole:
        return job.resultPath;
    case ResumableRole:
        return job.resumable && !job.active() && job.state != Job::State::Done;
    default:
        return {};
    }
}

} // namespace bitloom::ui
