// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "ui/state/jobs.h"

#include <QWidget>

class QListView;
class QPushButton;

namespace bitloom::ui {

class JobsModel;
class StateOverlay;

/// All jobs with what can be done about the selected one.
class JobsPanel : public QWidget {
    Q_OBJECT
public:
    explicit JobsPanel(JobList& jobs, QWidget* parent = nullptr);
    JobsModel* model() const { return m_model; }

private:
    int selectedJob() const;
    void updateButtons();

    JobList& m_jobs;
    JobsModel* m_model = nullptr;
    QListView* m_list = nullptr;
    StateOverlay* m_empty = nullptr;
    QWidget* m_buttons = nullptr;
    QPushButton *m_cancel = nullptr, *m_resume = nullptr, *m_open = nullptr, *m_details = nullptr,
                *m_copy = nullptr, *m_clear = nullptr;
};

} // namespace bitloom::ui
