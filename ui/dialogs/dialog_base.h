// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include <QDialog>

class QDialogButtonBox;
class QFormLayout;
class QLabel;
class QPushButton;
class QVBoxLayout;

namespace bitloom::ui {

/// What all dialogs share: a title of 16/13, 24 px of margin, a place for one sentence that says
/// why the main button is off, and buttons with the verb of the action.
class DialogBase : public QDialog {
    Q_OBJECT
public:
    DialogBase(const QString& title, QWidget* parent);

protected:
    QVBoxLayout* content() const { return m_content; }
    /// A form in the content; labels are buddies of their fields.
    QFormLayout* addForm();
    /// The main button with a verb, and Cancel; `verb` empty: Close alone.
    QPushButton* addButtons(const QString& verb);
    QDialogButtonBox* buttons() const { return m_buttons; }
    /// Switches the main button off and says why; empty: on.
    void setProblem(const QString& problem);

private:
    QVBoxLayout* m_content = nullptr;
    QLabel* m_problem = nullptr;
    QDialogButtonBox* m_buttons = nullptr;
    QPushButton* m_main = nullptr;
};

} // namespace bitloom::ui
