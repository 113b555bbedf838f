// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "ui/state/workbench.h"

#include <QObject>
#include <QPointer>
#include <QSet>

namespace bitloom::ui {

/// Jobs that were left to themselves by an earlier run of the program: takes them into the job list
/// again as soon as the engine says that there are any.
class DetachedJobs : public QObject {
    Q_OBJECT
public:
    explicit DetachedJobs(Workbench& workbench, QObject* parent = nullptr);

signals:
    void found(int job); ///< of the list

private:
    void rewire();
    void look();
    void attach(const QJsonObject& entry);

    Workbench& m_workbench;
    QPointer<EngineClient> m_engine;
    QSet<QString> m_known;
};

} // namespace bitloom::ui
