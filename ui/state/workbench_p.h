// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

// What workbench*.cpp share; nobody else includes this.

#include "ui/state/background.h"
#include "ui/state/jobs.h"
#include "ui/state/plan_service.h"
#include "ui/state/remote_model.h"
#include "ui/state/settings.h"
#include "ui/state/workbench.h"

#include <QElapsedTimer>
#include <QThreadPool>
#include <QTimer>

namespace bitloom::ui {

/// A model with everything that the slider needs, made in the background.
struct Workbench::Opened {
    std::shared_ptr<const ModelData> model;
    std::shared_ptr<PlanContext> context; ///< nullptr without complete statistics
    PlanFrame frame;
    Predictor predictor;
    Problem problem;
    QString pinProblem; ///< pins of a session that do not fit

    void prepare(const Decision& decision, const QuantizeOptions& options);
};

struct Workbench::Place {
    QString folder;                     ///< here: the model, or the skeleton of one elsewhere
    QString engineFolder, machine;      ///< of a model elsewhere; empty: it is here
    QString statistics, statisticsFile; ///< likewise
};

struct Workbench::Private {
    Private()
        : opening(slow), statistics(slow), pins(quick), settling(quick), curve(slow),
          summaries(slow) {
        quick.setMaxThreadCount(1);
        slow.setMaxThreadCount(1);
    }

    QThreadPool quick, slow;
    JobSlot opening, statistics, pins, settling, curve, summaries;
    std::unique_ptr<RemoteOpening> remote;
    bool copyingPartial = false; ///< statistics that are not complete are on their way here
    QTimer settleTimer;
    QElapsedTimer lastBudget;
    int budgetSerial = 0;
    Phase phaseBefore = Phase::Empty; ///< of the present model, while another is being opened

    std::shared_ptr<PlanContext> context;
    PlanFrame frame;
    std::shared_ptr<const SpeedTable> speed;
    Predictor basePredictor, predictor; ///< base: of the statistics file, without this session
    std::optional<Restored> restored;
    std::string planHash; ///< of the settled plan; empty while it changes
    std::shared_ptr<OtherPlans> others = std::make_shared<OtherPlans>();
    std::vector<std::pair<Decision, OtherPlan>> summaryCache;

    int64_t overhead() const { return frame.fixed.totalBytes - frame.fixed.linearBytes; }
};

} // namespace bitloom::ui
