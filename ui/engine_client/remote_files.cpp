// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "ui/engine_client/remote_files.h"

#include <QCoreApplication>
#include <QDir>
#include <QFileInfo>
#include <QJsonArray>
#include <QMetaObject>

#include <algorithm>

namespace bitloom::ui {

namespace {

constexpr qint64 maxPiece = 1 << 20; // PROTOCOL.md `read`

/// A plain name: a folder's listing must not reach out of the folder.
bool isPlainName(const QString& name) {
    return !name.isEmpty() && !name.contains(u'/') && !name.contains(u'\\') && name != u"." &&
           name != u"..";
}

bool isHex(const QString& text) {
    return !text.isEmpty() && std::all_of(text.begin(), text.end(), [](QChar c) {
        return (c >= u'0' && c <= u'9') || (c >= u'a' && c <= u'f');
    });
}

} // namespace

RemoteCopy::RemoteCopy(EngineClient* engine, const QObject* guard, Done done)
    : QObject(engine), m_engine(engine), m_guarded(guard != nullptr), m_guard(guard),
      m_done(std::move(done)) {}

RemoteCopy* RemoteCopy::file(EngineClient* engine, const QString& remotePath, const QString& target,
                             const QObject* guard, Done done) {
    auto* copy = new RemoteCopy(engine, guard, std::move(done));
    copy->m_final = target;
    copy->m_draft = target + QStringLiteral(".part");
    copy->m_wholeFile = true;
    copy->m_targets.push_back({remotePath, copy->m_draft, 0});
    copy->m_pieces.push_back({0, 0, maxPiece});
    QMetaObject::invokeMethod(
        copy,
        [copy] {
            QDir().mkpath(QFileInfo(copy->m_final).absolutePath());
            if (copy->createTargets()) copy->next();
        },
        Qt::QueuedConnection);
    return copy;
}

RemoteCopy* RemoteCopy::skeleton(EngineClient* engine, const QJsonObject& opened,
                                 const QString& parentFolder, const QObject* guard, Done done) {
    auto* copy = new RemoteCopy(engine, guard, std::move(done));
    const QString fingerprint = opened[QLatin1String("fingerprint")].toString();
    const QString folder = opened[QLatin1String("folder")].toString();
    bool sound = isHex(fingerprint);
    // The name of the folder is that of the model, which people see.
    const QString name = opened[QLatin1String("name")].toString().section(u'/', -1);
    copy->m_final = parentFolder + u'/' + fingerprint + u'/' +
                    (isPlainName(name) ? name : QStringLiteral("model"));
    static int drafts = 0; // two copies of one model at a time must not meet
    copy->m_draft =
        parentFolder + u'/' + fingerprint +
        QStringLiteral(".draft-%1-%2").arg(QCoreApplication::applicationPid()).arg(++drafts);
    for (const QJsonValue& entry : opened[QLatin1String("files")].toArray()) {
        const QJsonObject file = entry.toObject();
        const QString fileName = file[QLatin1String("name")].toString();
        const qint64 bytes = file[QLatin1String("bytes")].toInteger(-1);
        sound = sound && isPlainName(fileName) && bytes >= 0;
        const int index = int(copy->m_targets.size());
        copy->m_targets.push_back(
            {folder + u'/' + fileName, copy->m_draft + u'/' + fileName, bytes});
        for (const QJsonValue& piece : file[QLatin1String("pieces")].toArray()) {
            const QJsonArray range = piece.toArray();
            const qint64 begin = range[0].toInteger(-1), length = range[1].toInteger(-1);
            sound = sound && begin >= 0 && length >= 0 && begin <= bytes && length <= bytes - begin;
            for (qint64 at = 0; sound && at < length; at += maxPiece)
                copy->m_pieces.push_back({index, begin + at, std::min(maxPiece, length - at)});
        }
    }
    sound = sound && !copy->m_targets.empty();
    std::reverse(copy->m_pieces.begin(), copy->m_pieces.end());
    for (const Piece& piece : copy->m_pieces)
        copy->m_total += piece.bytes;
    QMetaObject::invokeMethod(
        copy,
        [copy, sound] {
            if (!sound) {
                copy->finish({EngineError::BadAnswer,
                              tr("The engine's list of the model's files makes no sense."),
                              {}});
            } else if (QFileInfo(copy->m_final).isDir()) {
                copy->finish({});
            } else {
                QDir(copy->m_draft).removeRecursively();
                QDir().mkpath(copy->m_draft);
                if (copy->createTargets()) copy->next();
            }
        },
        Qt::QueuedConnection);
    return copy;
}

EngineError RemoteCopy::diskError(const QFile& file) const {
    return {EngineError::NoSpace,
            tr("“%1” cannot be written: %2").arg(file.fileName(), file.errorString()),
            tr("Check the free space and the permissions of that folder.")};
}

/// All files at their sizes, without taking room on the disk.
bool RemoteCopy::createTargets() {
    for (const Target& target : m_targets) {
        QFile file(target.local);
        if (!file.open(QIODevice::WriteOnly | QIODevice::Truncate) || !file.resize(target.bytes)) {
            finish(diskError(file));
            return false;
        }
    }
    return true;
}

void RemoteCopy::next() {
    if (m_pieces.empty()) {
        m_open.reset();
        QDir().mkpath(QFileInfo(m_final).absolutePath());
        if (m_wholeFile) QFile::remove(m_final);
        const bool there = !m_wholeFile && QFileInfo(m_final).isDir(); // another copy was faster
        if (!there && !QDir().rename(m_draft, m_final)) {
            finish({EngineError::NoSpace, tr("“%1” cannot be written.").arg(m_final),
                    tr("Check the free space and the permissions of that folder.")});
            return;
        }
        finish({});
        return;
    }
    const Piece piece = m_pieces.back();
    m_pieces.pop_back();
    if (!m_engine) return;
    m_engine->call(QStringLiteral("read"),
                   {{QStringLiteral("path"), m_targets[size_t(piece.file)].remote},
                    {QStringLiteral("offset"), piece.offset},
                    {QStringLiteral("bytes"), piece.bytes}},
                   this, [this, piece](const EngineResult& result) { received(piece, result); });
}

void RemoteCopy::received(const Piece& piece, const EngineResult& result) {
    if (m_guarded && !m_guard) // nobody waits for it any more
        return finish({EngineError::Cancelled, tr("Cancelled."), {}});
    if (!result.ok()) return finish(result.error);
    const QByteArray data =
        QByteArray::fromBase64(result.value[QLatin1String("data")].toString().toLatin1());
    if (m_openIndex != piece.file) {
        m_open = std::make_unique<QFile>(m_targets[size_t(piece.file)].local);
        m_openIndex = piece.file;
        if (!m_open->open(QIODevice::ReadWrite)) return finish(diskError(*m_open));
    }
    if (!m_open->seek(piece.offset) || m_open->write(data) != data.size() || !m_open->flush())
        return finish(diskError(*m_open));
    const bool end = result.value[QLatin1String("end")].toBool();
    if (m_wholeFile) {
        m_total = result.value[QLatin1String("size")].toInteger();
        if (!end) m_pieces.push_back({piece.file, piece.offset + data.size(), maxPiece});
        if (!end && data.isEmpty())
            return finish({EngineError::BadAnswer, tr("The engine's file ends too early."), {}});
    } else if (data.size() != piece.bytes) {
        return finish({EngineError::Failed, tr("The model changed while it was read."),
                       tr("Open it again.")});
    }
    m_copied += data.size();
    emit progress(m_total > 0 ? double(m_copied) / double(m_total) : 1);
    next();
}

void RemoteCopy::finish(const EngineError& error) {
    m_open.reset();
    if (error && m_wholeFile) QFile::remove(m_draft);
    if (error && !m_wholeFile) QDir(m_draft).removeRecursively();
    const Done done = std::exchange(m_done, nullptr);
    deleteLater();
    if (done && !(m_guarded && !m_guard)) done(error ? QString() : m_final, error);
}

} // namespace bitloom::ui
