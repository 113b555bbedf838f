// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "ui/dialogs/dialog_base.h"
#include "ui/export/export_run.h"

class QCheckBox;
class QComboBox;
class QLabel;
class QLineEdit;
class QToolButton;

namespace bitloom::ui {

class ElidedLabel;
class ExportProgress;
class RemotePlace;

/// Name, place, exact size and options of an export of the present plan; then its progress; then
/// what can be done with the result. The run itself goes on when the dialog is closed.
class ExportDialog : public DialogBase {
    Q_OBJECT
public:
    /// `run` outlives the dialog; one that is under way is shown as it is.
    ExportDialog(Workbench& workbench, ExportRun& run, QWidget* parent = nullptr);

    /// As the fields have it now.
    ExportRequest request() const;
    qint64 exactBytes() const { return m_bytes; }
    QString problem() const { return m_problemText; }
    /// For the terminal; writes the plan file that it names. Throws Error.
    QString command() const;
    /// Space on the disk as a test wants it; −1: what the disk says.
    void setFreeBytes(qint64 bytes);

signals:
    void testInChat(const QString& folder);

public slots:
    void reject() override;

private:
    void makeForm();
    void makeButtons();
    void updateSize();
    void check();
    void showRun();
    void makeRoom();
    void setFieldsEnabled(bool enabled);
    void start(bool resume);
    void mainPressed();
    void otherPressed();
    bool elsewhere() const { return m_base.remote; }
    QString homeFolder() const; ///< on the machine of the export
    void showDevice();

    Workbench& m_workbench;
    ExportRun& m_run;
    ExportRequest m_base; ///< what the fields do not say
    qint64 m_bytes = 0, m_keepBytes = 0, m_rows8Bytes = 0, m_freeOverride = -1;
    QString m_problemText;
    ExportPlace m_place;
    RemotePlace* m_remotePlace = nullptr; ///< only for another machine
    QString m_folderKey;                  ///< of the settings
    QLineEdit *m_name = nullptr, *m_folder = nullptr;
    QPushButton *m_choose = nullptr, *m_main = nullptr, *m_other = nullptr, *m_copy = nullptr,
                *m_open = nullptr, *m_test = nullptr;
    QComboBox* m_format = nullptr;
    QLabel *m_shards = nullptr, *m_size = nullptr, *m_share = nullptr, *m_space = nullptr,
           *m_spaceIcon = nullptr, *m_found = nullptr, *m_device = nullptr;
    ElidedLabel *m_time = nullptr, *m_deviceReason = nullptr, *m_made = nullptr;
    QCheckBox *m_verify = nullptr, *m_keepHead = nullptr, *m_replace = nullptr;
    QWidget* m_foundRow = nullptr;
    QFormLayout* m_form = nullptr;
    ExportProgress* m_progress = nullptr;
};

} // namespace bitloom::ui
