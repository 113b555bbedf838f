// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "ui/dialogs/dialog_base.h"
#include "ui/state/workbench.h"

class QLabel;

namespace bitloom::ui {

/// Every setting takes effect at once, so there is nothing to apply.
class PreferencesDialog : public DialogBase {
    Q_OBJECT
public:
    PreferencesDialog(Workbench& workbench, QWidget* parent);

private:
    QWidget* lookPage();
    QWidget* enginePage();
    QWidget* filesPage();
    void countCache();

    Workbench& m_workbench;
    QLabel* m_cacheSize = nullptr;
};

} // namespace bitloom::ui
