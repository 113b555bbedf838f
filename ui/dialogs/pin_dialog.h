// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "ui/dialogs/dialog_base.h"
#include "ui/state/workbench.h"

class QComboBox;
class QLabel;
class QLineEdit;

namespace bitloom::ui {

/// Pins channels, a layer, a kind of layers, or whatever a pattern matches, to a width.
class PinDialog : public DialogBase {
    Q_OBJECT
public:
    /// `layers`: selected in the tree; of a single one the selected channels count.
    PinDialog(Workbench& workbench, const QList<int>& layers, QWidget* parent);

    /// One pin, or one per layer where several layers are selected.
    std::vector<Pin> pins() const;
    void accept() override;

private:
    enum Scope { Channels, Layers, Kind, Pattern };
    void update();

    Workbench& m_workbench;
    QList<int> m_layers;
    QComboBox *m_scope = nullptr, *m_choice = nullptr;
    QLineEdit* m_pattern = nullptr;
    QLabel *m_patternLabel = nullptr, *m_effect = nullptr;
};

} // namespace bitloom::ui
