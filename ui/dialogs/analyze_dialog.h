// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "ui/dialogs/dialog_base.h"
#include "ui/state/workbench.h"

#include <QJsonObject>

class QComboBox;
class QLineEdit;
class QPushButton;
class QSpinBox;

namespace bitloom::ui {

/// Calibration with other than the usual text and windows.
class AnalyzeDialog : public DialogBase {
    Q_OBJECT
public:
    AnalyzeDialog(Workbench& workbench, QWidget* parent);
    QJsonObject parameters() const; ///< of the engine's calibrate, without the model
    QString command() const;        ///< the same on the command line

private:
    void update();

    Workbench& m_workbench;
    QComboBox* m_source = nullptr;
    QLineEdit* m_file = nullptr;
    QPushButton* m_choose = nullptr;
    QSpinBox *m_sequences = nullptr, *m_length = nullptr;
};

} // namespace bitloom::ui
