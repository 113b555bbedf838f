// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "ui/dialogs/dialog_base.h"

#include <QJsonObject>
#include <QPointer>
#include <QString>

#include <functional>

class QLineEdit;
class QToolButton;
class QTreeWidget;
class QTreeWidgetItem;

namespace bitloom::ui {

class EngineClient;
class Workbench;

/// A folder or file on the engine's machine, by its list_dir: what a file dialog is for this one.
class PlaceDialog : public DialogBase {
    Q_OBJECT
public:
    enum class What {
        Folder, ///< any folder, to write into
        Model,  ///< a folder with a model in it, original or quantized
        File,   ///< a text
    };
    /// `start`: where to begin; a path that is not there begins in the home folder.
    PlaceDialog(EngineClient* engine, What what, const QString& title, const QString& start,
                QWidget* parent);

    QString path() const; ///< what was chosen; absolute, of the engine's machine
    QString folder() const { return m_folder; }
    void accept() override;

private:
    void go(const QString& path, bool orHome = false);
    void fill(const QJsonObject& listing);
    void check();
    QTreeWidgetItem* selected() const;

    QPointer<EngineClient> m_engine;
    What m_what;
    QLineEdit* m_path = nullptr;
    QToolButton* m_up = nullptr;
    QTreeWidget* m_list = nullptr;
    QLabel* m_note = nullptr;
    QString m_folder, m_parent, m_problem;
    bool m_isModel = false; ///< the folder that is shown
    int m_serial = 0;       ///< of the newest question
};

/// Asks for a place on the machine whose paths the engine takes: the system's dialog for this one,
/// a PlaceDialog for another. `none` is called instead where the user thinks better of it.
void choosePlace(QWidget* parent, const Workbench& workbench, PlaceDialog::What what,
                 const QString& title, const QString& start,
                 std::function<void(const QString& path)> chosen, std::function<void()> none = {});

} // namespace bitloom::ui
