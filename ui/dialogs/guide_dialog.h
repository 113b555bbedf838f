// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "ui/dialogs/dialog_base.h"

class QAction;

namespace bitloom::ui {

/// The guide: what the program does, what every figure means, all shortcuts.
class GuideDialog : public DialogBase {
    Q_OBJECT
public:
    /// `actions`: those whose shortcuts are listed.
    GuideDialog(const QList<QAction*>& actions, QWidget* parent);
};

} // namespace bitloom::ui
