// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "ui/dialogs/dialog_base.h"
#include "ui/state/workbench.h"

class QLabel;
class QSpinBox;
class QTableWidget;

namespace bitloom::ui {

/// "Why these bits?": the threshold λ, and how much every further step of a channel would gain per
/// bit.
class WhyDialog : public DialogBase {
    Q_OBJECT
public:
    WhyDialog(Workbench& workbench, int layer, int channel, QWidget* parent);

private:
    void update();

    Workbench& m_workbench;
    int m_layer;
    QSpinBox* m_channel = nullptr;
    QLabel* m_text = nullptr;
    QTableWidget* m_steps = nullptr;
};

} // namespace bitloom::ui
