// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "ui/chat/subject.h"
#include "ui/state/background.h"

#include <QAbstractTableModel>

#include <map>
#include <optional>

namespace bitloom::ui {

/// Everything the comparison knows of one model. NaN: not known.
struct CompareRow {
    Subject subject;
    QString name, detail, problem;
    bool known = false, current = false; ///< current: the present plan
    double bits = 0;                     ///< mean, per weight of the block linears
    int64_t bytes = 0;
    std::optional<double> predictedPpl, predictedError;
    std::optional<double> measuredPpl, measuredError;
    QString measuredOn;     ///< name of the text
    QString measurementKey; ///< text and protocol: figures of one key may be compared
    std::optional<double> kl, sameTop;
    std::vector<float> layerBits; ///< in the order of the model's layers; empty: not known
};

/// FP16, the present plan, presets, and folders that were added, in a table; the row of the present
/// plan follows the slider.
class CompareModel : public QAbstractTableModel {
    Q_OBJECT
public:
    enum Column { Name, Size, Bits, Predicted, Measured, Kl, SameTop, ColumnCount };
    enum Role { SortRole = Qt::UserRole, CurrentRole, KeyRole };

    CompareModel(Workbench& workbench, SubjectModels& models, QObject* parent = nullptr);
    ~CompareModel() override;

    const std::vector<CompareRow>& rows() const { return m_rows; }
    int rowOf(const Subject& subject) const; ///< −1
    /// Adds an exported folder; reads its headers in the background.
    void addFolder(const QString& folder);
    void removeFolder(const QString& folder);
    /// Another model was written there: its headers are read anew, measurements were the old one's.
    void forget(const QString& folder);
    QStringList folders() const { return m_folders; }
    std::optional<double> originalPplFor(const CompareRow& row) const;
    /// A measurement of a folder; those of plans and presets come from the workbench.
    void setFolderMeasurement(const QString& folder, const Measurement& measurement);

    int rowCount(const QModelIndex& parent = {}) const override;
    int columnCount(const QModelIndex& parent = {}) const override;
    QVariant data(const QModelIndex& index, int role) const override;
    QVariant headerData(int section, Qt::Orientation orientation, int role) const override;

    /// The table as tab-separated text, header first.
    QString text() const;

signals:
    void rowsChanged();
    void failed(const QString& message);

private:
    struct Folder {
        QString problem;
        double bits = 0;
        int64_t bytes = 0;
        std::vector<float> layerBits;
    };
    void takeFolders();
    void read(const QString& folder);
    void readRemote(const QString& folder);
    Folder folderOf(const QJsonObject& opened) const;
    void setRead(const QString& folder, const Folder& read);
    void rebuild();
    void updateCurrent();
    CompareRow originalRow() const;
    CompareRow planRow() const;
    CompareRow presetRow(const Preset& preset) const;
    CompareRow folderRow(const QString& path) const;
    void setMeasured(CompareRow& row, const std::string& hash) const;
    static QString keyOf(const Measurement& measurement);
    static void take(CompareRow& row, const Measurement& measurement);
    QString cell(const CompareRow& row, int column) const;

    Workbench& m_workbench;
    SubjectModels& m_models;
    std::vector<CompareRow> m_rows;
    QStringList m_folders;
    QString m_key; ///< of the settings, for m_folders
    std::map<QString, Folder> m_read;
    std::map<QString, Measurement> m_measured;
    Mailbox m_mailbox;
    QThreadPool m_pool;
};

/// Bits of every layer of an exported checkpoint, in the order of `names`. Throws Error.
std::vector<float> checkpointLayerBits(const QString& folder, const std::vector<std::string>& names,
                                       double& bits, int64_t& bytes);

} // namespace bitloom::ui
