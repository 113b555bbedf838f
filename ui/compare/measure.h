// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "ui/chat/subject.h"
#include "ui/dialogs/dialog_base.h"
#include "ui/engine_client/engine_client.h"

#include <QJsonObject>

class QComboBox;
class QLabel;
class QLineEdit;
class QSpinBox;

namespace bitloom::ui {

class CompareModel;

/// What is measured, and on what; a value.
struct MeasureRequest {
    Subject subject{Subject::Kind::Plan, {}};
    QStringList texts; ///< files; empty: the model's own, or the bundled one
    QString protocol;  ///< "gptq", "ctx4096", "llamacpp"; empty: the engine's default
    int windows = 0;   ///< 0: all
    QJsonObject evaluateParams() const;
    /// For the terminal; empty where the subject has no folder (a plan in memory).
    QString command(const QString& folder, const QString& original) const;
};

/// Perplexity and divergence from FP16 of a plan, a preset or a folder, as a job. A plan's result
/// goes into the workbench, where it re-fits predictions; a folder's into the comparison.
class MeasureRuns : public QObject {
    Q_OBJECT
public:
    MeasureRuns(Workbench& workbench, SubjectModels& models, QObject* parent = nullptr);

    bool canMeasure() const; ///< anything
    bool canMeasure(const MeasureRequest& request) const;
    void start(const MeasureRequest& request);
    const MeasureRequest& last() const { return m_last; }
    bool hasMeasured() const { return m_started; } ///< there is something to repeat

signals:
    void folderMeasured(const QString& folder, const bitloom::ui::Measurement& measurement);

private:
    void evaluated(int job, const MeasureRequest& request, Measurement measurement,
                   double predictedDelta, const EngineResult& result);

    Workbench& m_workbench;
    SubjectModels& m_models;
    MeasureRequest m_last;
    bool m_started = false;
};

/// Fields of a measurement from the result of PROTOCOL.md `evaluate`.
void fillMeasurement(Measurement& measurement, const QJsonObject& result);

/// Which model, which text, how.
class MeasureDialog : public DialogBase {
    Q_OBJECT
public:
    MeasureDialog(Workbench& workbench, SubjectModels& models, const QStringList& folders,
                  const MeasureRequest& start, QWidget* parent = nullptr);
    MeasureRequest request() const;
    QString command() const;

private:
    void check();
    Workbench& m_workbench;
    QComboBox *m_subject = nullptr, *m_source = nullptr, *m_protocol = nullptr;
    QLineEdit* m_file = nullptr;
    QPushButton *m_choose = nullptr, *m_copy = nullptr;
    QSpinBox* m_windows = nullptr;
};

} // namespace bitloom::ui
