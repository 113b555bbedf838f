// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "ui/state/jobs.h"

#include <QAbstractListModel>

namespace bitloom::ui {

/// The job list for views: newest first.
class JobsModel : public QAbstractListModel {
    Q_OBJECT
public:
    enum Role {
        IdRole = Qt::UserRole,
        StateRole,    ///< int(Job::State)
        FractionRole, ///< [0, 1]
        StatusRole,   ///< second line: step and time left, result, or what went wrong
        KindRole,
        ResultPathRole,
        ResumableRole,
    };

    explicit JobsModel(JobList& jobs, QObject* parent = nullptr);
    int rowCount(const QModelIndex& parent = {}) const override;
    QVariant data(const QModelIndex& index, int role) const override;
    static QString statusText(const Job& job);
    /// Everything about a job for a bug report.
    static QString report(const Job& job);

private:
    int rowOf(int index) const { return m_rows - 1 - index; }
    JobList& m_jobs;
    int m_rows = 0;
};

} // namespace bitloom::ui
