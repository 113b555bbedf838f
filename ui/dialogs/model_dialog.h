// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "ui/dialogs/dialog_base.h"
#include "ui/state/workbench.h"

namespace bitloom::ui {

/// What is known about the open model from its headers, and the memory that work with it takes.
class ModelDialog : public DialogBase {
    Q_OBJECT
public:
    ModelDialog(Workbench& workbench, QWidget* parent);
};

} // namespace bitloom::ui
