// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "ui/state/workbench.h"

#include <QJsonObject>
#include <QObject>

#include <memory>

namespace bitloom::ui {

/// Brings the kernel times of the engine's machine to the workbench: those that are known by
/// themselves, new ones when asked for.
class SpeedJobs : public QObject {
    Q_OBJECT
public:
    explicit SpeedJobs(Workbench& workbench, QObject* parent = nullptr);

    bool canMeasure() const;
    /// Some seconds, as a job. Measures again what is known.
    void measure();

private:
    void lookUp();
    void take(const QJsonObject& value);

    Workbench& m_workbench;
    std::shared_ptr<const ModelData>
        m_asked; ///< the model that this life of the engine was asked about
};

} // namespace bitloom::ui
