// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "ui/docks/jobs_panel.h"

#include "ui/models/delegates.h"
#include "ui/models/jobs_model.h"
#include "ui/plots/state_overlay.h"
#include "ui/theme/icons.h"
#include "ui/theme/theme.h"

#include <QApplication>
#include <QClipboard>
#include <QDesktopServices>
#include <QHBoxLayout>
#include <QListView>
#include <QMessageBox>
#include <QPushButton>
#include <QUrl>
#include <QVBoxLayout>

namespace bitloom::ui {

JobsPanel::JobsPanel(JobList& jobs, QWidget* parent) : QWidget(parent), m_jobs(jobs) {
    setObjectName(QStringLiteral("jobsPanel"));
    setAutoFillBackground(true);
    setBackgroundRole(QPalette::Base);
    m_model = new JobsModel(jobs, this);
    m_list = new QListView;
    m_list->setObjectName(QStringLiteral("jobsList"));
    m_list->setAccessibleName(tr("Jobs"));
    m_list->setProperty("flat-panel", true);
    m_list->setFrameShape(QFrame::NoFrame);
    m_list->setModel(m_model);
    m_list->setItemDelegate(new JobDelegate(m_list));
    m_empty = new StateOverlay(this, false);
    m_empty->setState({PlotState::Kind::Empty,
                       tr("No jobs yet"),
                       tr("Analyses, measurements and exports of this run are listed here."),
                       {},
                       -1});

    const auto button = [this](const char* icon, const QString& text, const QString& name) {
        auto* made = new QPushButton(symbol(icon), text);
        made->setObjectName(name);
        made->setAccessibleName(tr("%1: the selected job").arg(text));
        return made;
    };
    m_cancel = button("stop", tr("Cancel"), QStringLiteral("jobCancel"));
    m_resume = button("resume", tr("Resume"), QStringLiteral("jobResume"));
    m_open = button("open", tr("Open folder"), QStringLiteral("jobOpen"));
    m_details = button("info", tr("Details"), QStringLiteral("jobDetails"));
    m_copy = button("copy", tr("Copy report"), QStringLiteral("jobCopy"));
    m_clear = button("delete", tr("Clear ended"), QStringLiteral("jobClear"));
    m_clear->setAccessibleName(tr("Clear ended jobs"));

    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(0);
    column->addWidget(m_list, 1);
    column->addWidget(m_empty, 1);
    m_buttons = new QWidget;
    auto* row = new QHBoxLayout(m_buttons);
    row->setContentsMargins(16, 8, 16, 8);
    row->setSpacing(gridStep);
    for (QPushButton* b : {m_cancel, m_resume, m_open, m_details, m_copy})
        row->addWidget(b);
    row->addStretch(1);
    row->addWidget(m_clear);
    column->addWidget(m_buttons);

    connect(m_cancel, &QPushButton::clicked, this, [this] { m_jobs.cancel(selectedJob()); });
    connect(m_resume, &QPushButton::clicked, this, [this] { m_jobs.resume(selectedJob()); });
    connect(m_open, &QPushButton::clicked, this, [this] {
        if (const Job* job = m_jobs.find(selectedJob()))
            QDesktopServices::openUrl(QUrl::fromLocalFile(job->resultPath));
    });
    connect(m_details, &QPushButton::clicked, this, [this] {
        const Job* job = m_jobs.find(selectedJob());
        if (!job) return;
        QMessageBox box(QMessageBox::NoIcon, tr("Job"), job->title, QMessageBox::Close, window());
        box.setInformativeText(JobsModel::statusText(*job));
        box.setDetailedText(JobsModel::report(*job));
        box.exec();
    });
    connect(m_copy, &QPushButton::clicked, this, [this] {
        if (const Job* job = m_jobs.find(selectedJob()))
            QApplication::clipboard()->setText(JobsModel::report(*job));
    });
    connect(m_clear, &QPushButton::clicked, &m_jobs, &JobList::clearEnded);
    connect(m_list->selectionModel(), &QItemSelectionModel::currentChanged, this,
            &JobsPanel::updateButtons);
    connect(&jobs, &JobList::added, this, [this] {
        m_list->setCurrentIndex(m_model->index(0));
        updateButtons();
    });
    connect(&jobs, &JobList::changed, this, &JobsPanel::updateButtons);
    connect(&jobs, &JobList::wasReset, this, &JobsPanel::updateButtons);
    updateButtons();
}

int JobsPanel::selectedJob() const {
    return m_list->currentIndex().data(JobsModel::IdRole).toInt();
}

void JobsPanel::updateButtons() {
    const Job* job = m_jobs.find(selectedJob());
    m_list->setVisible(m_model->rowCount() > 0);
    m_empty->setVisible(m_model->rowCount() == 0);
    m_buttons->setVisible(m_model->rowCount() > 0);
    m_cancel->setEnabled(job && job->active());
    m_resume->setEnabled(job && job->resumable && !job->active() && job->state != Job::State::Done);
    // A folder on another machine cannot be opened here.
    m_open->setVisible(!m_jobs.engine() || !m_jobs.engine()->remote());
    m_open->setEnabled(job && !job->resultPath.isEmpty());
    m_details->setEnabled(job);
    m_copy->setEnabled(job);
    m_clear->setEnabled(m_model->rowCount() > m_jobs.activeCount());
}

} // namespace bitloom::ui
