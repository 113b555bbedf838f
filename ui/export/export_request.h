// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/plan/plan.h"
#include "core/recipe/quantize_options.h"

#include <QByteArray>
#include <QHash>
#include <QJsonObject>
#include <QSet>
#include <QString>

#include <memory>

namespace bitloom::ui {

/// Everything that an export is made from; a value. Knows no widgets.
struct ExportRequest {
    enum class Format {
        Bitloom, ///< a Bitloom checkpoint alone
        Both,    ///< that, and a plain Hugging Face folder with the weights unpacked beside it
    };
    QString model, title; ///< folder of the original, and its name
    QString statistics;   ///< file
    std::shared_ptr<const Plan> plan;
    QuantizeOptions options; ///< head, passes, polish
    QString name, folder;    ///< of the checkpoint; the folder that it goes into
    Format format = Format::Bitloom;
    QString dtype = QStringLiteral("f16"); ///< of the Hugging Face folder
    bool verify = true, replace = false, resume = false;
    bool remote = false; ///< all paths are of the engine's machine
    bool cuda = false;   ///< the engine quantizes on a GPU

    QString output() const;   ///< folder/name
    QString unpacked() const; ///< folder/name-hf
    QString partial() const;  ///< what an unfinished export leaves

    QJsonObject quantizeParams() const;
    QJsonObject exportParams() const;
    /// The command that makes the same bytes from a plan file that holds `plan`.
    QString command(const QString& planFile) const;
};

/// What is on the disk that an export goes to.
struct ExportPlace {
    bool exists = false; ///< the parent folder, or one that it can be made in
    bool writable = false;
    bool made = false;          ///< the parent folder is not there and will be made
    bool outputExists = false;  ///< something of that name is there
    bool partialExists = false; ///< an export of that name was not finished
    qint64 freeBytes = -1;      ///< −1: unknown
    qint64 partialBytes = 0;    ///< room that it has taken on the disk already
    static ExportPlace of(const ExportRequest& request);
};

/// Why the export cannot begin, in one sentence; empty if it can. `bytes`: of everything that it
/// will write.
QString exportProblem(const ExportRequest& request, const ExportPlace& place, qint64 bytes);

/// For a shell: in single quotes.
QString shellQuoted(const QString& text);
/// How far an unfinished export is, by its journal and the headers of its shards. Files have their
/// full size from the beginning, so sizes alone would not tell.
struct PartialExport {
    int tensors = 0, totalTensors = 0;
    qint64 writtenBytes = 0, claimedBytes = 0;
    static PartialExport read(const QString& partialFolder); ///< zeros for what is none

    /// Put together from what lies in the folder.
    class Pieces {
    public:
        void addHeader(const QByteArray& json); ///< of a shard
        void addJournalLine(const QByteArray& line);
        PartialExport sum() const; ///< without claimedBytes

    private:
        QHash<QString, qint64> m_sizes; ///< of every tensor
        QSet<QString> m_there;
    };
};
/// Writes the plan for a copied command into the state folder and returns the path. Throws Error.
QString keepPlanFile(const Plan& plan, const QString& name);

} // namespace bitloom::ui
