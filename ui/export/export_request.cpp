// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "ui/export/export_request.h"

#include "core/base/error.h"
#include "ui/chat/subject.h"
#include "ui/models/texts.h"
#include "ui/state/settings.h"

#include <QCoreApplication>
#include <QCryptographicHash>
#include <QDir>
#include <QFile>
#include <QFileInfo>
#include <QJsonArray>
#include <QJsonDocument>
#include <QStorageInfo>
#include <QtEndian>

namespace bitloom::ui {

namespace {

QString tr(const char* text) {
    return QCoreApplication::translate("ExportRequest", text);
}

/// The nearest folder that is there: what decides about space and rights.
QString existingAncestor(QString path) {
    while (!path.isEmpty() && !QFileInfo::exists(path)) {
        const QString up = QFileInfo(path).path();
        if (up == path) return {};
        path = up;
    }
    return path;
}

} // namespace

QString ExportRequest::output() const {
    return QDir(folder).filePath(name);
}

QString ExportRequest::unpacked() const {
    return output() % QStringLiteral("-hf");
}

QString ExportRequest::partial() const {
    return output() % QStringLiteral(".partial");
}

QJsonObject ExportRequest::quantizeParams() const {
    QJsonObject params = optionParams(options);
    params[QLatin1String("model")] = model;
    params[QLatin1String("output")] = output();
    if (!statistics.isEmpty()) params[QLatin1String("statistics")] = statistics;
    params[QLatin1String("plan")] = jsonObject(plan->toJson());
    params[QLatin1String("verify")] = verify;
    if (resume) params[QLatin1String("resume")] = true;
    if (replace) params[QLatin1String("force")] = true;
    if (format == Format::Both) params[QLatin1String("export_to")] = unpacked();
    return params;
}

QJsonObject ExportRequest::exportParams() const {
    QJsonObject params{{QStringLiteral("model"), output()},
                       {QStringLiteral("to"), QStringLiteral("hf")},
                       {QStringLiteral("dtype"), dtype},
                       {QStringLiteral("output"), unpacked()}};
    if (replace) params[QLatin1String("force")] = true;
    return params;
}

QString ExportRequest::command(const QString& planFile) const {
    QString line = QStringLiteral("bitloom quantize ") % shellQuoted(model) %
                   QStringLiteral(" -o ") % shellQuoted(output()) % QStringLiteral(" --plan ") %
                   shellQuoted(planFile);
    if (!statistics.isEmpty()) line += QStringLiteral(" --stats ") % shellQuoted(statistics);
    line += QStringLiteral(" --head %1 --passes %2")
                .arg(options.head == HeadStorage::Rows8 ? 8 : 16)
                .arg(options.descentPasses);
    if (options.polishSteps > 0) line += QStringLiteral(" --polish %1").arg(options.polishSteps);
    if (cuda) line += QStringLiteral(" --device cuda");
    if (verify) line += QStringLiteral(" --verify");
    if (resume) line += QStringLiteral(" --resume");
    if (replace) line += QStringLiteral(" --force");
    if (format == Format::Both)
        line += QStringLiteral(" && bitloom export ") % shellQuoted(output()) %
                QStringLiteral(" --to hf --dtype ") % dtype % QStringLiteral(" -o ") %
                shellQuoted(unpacked()) % (replace ? QStringLiteral(" --force") : QString());
    return line;
}

ExportPlace ExportPlace::of(const ExportRequest& request) {
    ExportPlace place;
    const QString there = existingAncestor(request.folder);
    place.made = there != request.folder;
    place.exists = !there.isEmpty() && QFileInfo(there).isDir();
    place.writable = place.exists && QFileInfo(there).isWritable();
    if (place.exists) {
        const QStorageInfo disk(there);
        if (disk.isValid()) place.freeBytes = disk.bytesAvailable();
    }
    place.outputExists =
        QFileInfo::exists(request.output()) ||
        (request.format == ExportRequest::Format::Both && QFileInfo::exists(request.unpacked()));
    place.partialExists = QFileInfo(request.partial()).isDir();
    if (place.partialExists)
        place.partialBytes = PartialExport::read(request.partial()).claimedBytes;
    return place;
}

QString exportProblem(const ExportRequest& request, const ExportPlace& place, qint64 bytes) {
    const QString name = request.name.trimmed();
    if (name.isEmpty()) return tr("Give the export a name.");
    if (name.contains(QLatin1Char('/')) || name == QLatin1String(".") ||
        name == QLatin1String("..") || name.endsWith(QLatin1String(".partial")))
        return tr("\"%1\" cannot be the name of a folder.").arg(name);
    if (request.folder.isEmpty() || !QDir::isAbsolutePath(request.folder))
        return tr("Choose the folder that the export goes into.");
    if (!place.exists) return tr("There is no folder '%1'.").arg(request.folder);
    if (!place.writable) return tr("'%1' cannot be written to.").arg(request.folder);
    if (place.outputExists && !request.replace && !place.partialExists)
        return tr("'%1' is there already. Choose another name, or tick Replace.").arg(name);
    const qint64 needed = bytes - (request.resume ? place.partialBytes : 0);
    if (place.freeBytes >= 0 && needed > place.freeBytes)
        return tr("%1 more are needed on this disk. Free some space or choose another folder.")
            .arg(bytesText(QLocale(), double(needed - place.freeBytes)));
    return {};
}

QString shellQuoted(const QString& text) {
    QString escaped = text;
    return QString(QLatin1Char('\'') % escaped.replace(QLatin1Char('\''), QLatin1String("'\\''")) %
                   QLatin1Char('\''));
}

PartialExport PartialExport::read(const QString& partialFolder) {
    PartialExport out;
    Pieces pieces;
    for (const QFileInfo& shard :
         QDir(partialFolder).entryInfoList({QStringLiteral("*.safetensors")}, QDir::Files)) {
        out.claimedBytes += shard.size();
        QFile file(shard.filePath());
        constexpr qint64 lengthBytes = 8, mostHeader = 100'000'000;
        if (!file.open(QIODevice::ReadOnly)) continue;
        const QByteArray prefix = file.read(lengthBytes);
        if (prefix.size() < lengthBytes) continue;
        const auto length = qFromLittleEndian<quint64>(prefix.constData());
        if (length > quint64(mostHeader)) continue;
        pieces.addHeader(file.read(qint64(length)));
    }
    QFile journal(partialFolder % QStringLiteral("/work/journal"));
    if (journal.open(QIODevice::ReadOnly))
        while (!journal.atEnd())
            pieces.addJournalLine(journal.readLine());
    const qint64 claimed = out.claimedBytes;
    out = pieces.sum();
    out.claimedBytes = claimed;
    return out;
}

void PartialExport::Pieces::addHeader(const QByteArray& json) {
    const QJsonObject header = QJsonDocument::fromJson(json).object();
    for (auto tensor = header.begin(); tensor != header.end(); ++tensor) {
        const QJsonArray range = tensor.value().toObject()[QLatin1String("data_offsets")].toArray();
        if (range.size() == 2)
            m_sizes.insert(tensor.key(), qint64(range[1].toDouble() - range[0].toDouble()));
    }
}

void PartialExport::Pieces::addJournalLine(const QByteArray& line) {
    // A checksum, a blank, JSON; the last line may be half written.
    const QJsonObject put = QJsonDocument::fromJson(line.mid(line.indexOf(' ') + 1))
                                .object()[QLatin1String("put")]
                                .toObject();
    for (auto tensor = put.begin(); tensor != put.end(); ++tensor)
        m_there.insert(tensor.key());
}

PartialExport PartialExport::Pieces::sum() const {
    PartialExport out;
    out.totalTensors = int(m_sizes.size());
    out.tensors = int(m_there.size());
    for (const QString& name : m_there)
        out.writtenBytes += m_sizes.value(name);
    return out;
}

QString keepPlanFile(const Plan& plan, const QString& name) {
    const QString folder = Settings::stateFolder() % QStringLiteral("/plans");
    if (!QDir().mkpath(folder))
        throw Error(tr("The folder '%1' could not be made.").arg(folder).toStdString(),
                    tr("Check the rights of the folder above it.").toStdString());
    // Named by its content: the command of an earlier export stays what it was.
    const QByteArray text = QByteArray::fromStdString(plan.toJson().dump());
    const QString hash = QString::fromLatin1(
        QCryptographicHash::hash(text, QCryptographicHash::Sha256).toHex().left(8));
    const QString path =
        folder % QLatin1Char('/') % name % QLatin1Char('-') % hash % QStringLiteral(".plan.json");
    if (!QFileInfo::exists(path)) plan.save(path.toStdString());
    return path;
}

} // namespace bitloom::ui
