// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "ui/export/remote_place.h"

#include <QFileInfo>
#include <QJsonArray>

#include <algorithm>

namespace bitloom::ui {

RemotePlace::RemotePlace(EngineClient* engine, QObject* parent)
    : QObject(parent), m_engine(engine) {}

void RemotePlace::forget() {
    ++m_serial;
    m_looking = 0;
    m_folder.clear();
    m_known = false;
    m_partials.clear();
}

ExportPlace RemotePlace::of(const ExportRequest& request) {
    ExportPlace place;
    if (request.folder.isEmpty() || !request.folder.startsWith(QLatin1Char('/'))) return place;
    if (request.folder != m_folder) {
        forget();
        m_folder = request.folder;
        ask(m_folder, m_folder);
    }
    if (!m_known) {
        place.exists = place.writable = true; // nothing against it yet
        return place;
    }
    // Folders that are not there are made by the engine, in the nearest one that is. Whether it may
    // it says when it begins, before any work.
    place.exists = place.writable = !m_listing.isEmpty();
    place.made = place.exists && !m_there;
    const QJsonValue free = m_listing[QLatin1String("free_bytes")];
    if (free.isDouble()) place.freeBytes = qint64(free.toDouble());
    if (!m_there) return place;
    const auto has = [&](const QString& path) {
        const QString name = QFileInfo(path).fileName();
        const QJsonArray entries = m_listing[QLatin1String("entries")].toArray();
        return std::any_of(entries.begin(), entries.end(), [&](const QJsonValue& entry) {
            return entry[QLatin1String("name")].toString() == name;
        });
    };
    place.outputExists = has(request.output()) ||
                         (request.format == ExportRequest::Format::Both && has(request.unpacked()));
    place.partialExists = has(request.partial());
    if (place.partialExists) {
        if (!m_partials.contains(request.partial())) askPartial(request.partial());
        place.partialBytes = std::max<qint64>(m_partials.value(request.partial()), 0);
    }
    return place;
}

/// The listing of `folder`, or of the nearest folder above it that is there.
void RemotePlace::ask(const QString& folder, const QString& at) {
    if (!m_engine) return;
    ++m_looking;
    m_engine->call(QStringLiteral("list_dir"), {{QStringLiteral("path"), at}}, this,
                   [this, folder, at, serial = m_serial](const EngineResult& result) {
                       if (serial != m_serial) return;
                       --m_looking;
                       const QString above = QFileInfo(at).path();
                       const bool gone = result.error.code == EngineError::EngineDied ||
                                         result.error.code == EngineError::NotRunning;
                       if (!result.ok() && !gone && above != at) return ask(folder, above);
                       m_known = true;
                       m_there = result.ok() && at == folder;
                       m_listing = result.value;
                       // What would have to be a folder is a file, or may not be looked into.
                       const QString next =
                           folder.mid(at.size()).section(u'/', 0, 0, QString::SectionSkipEmpty);
                       for (const QJsonValue& entry : m_listing[QLatin1String("entries")].toArray())
                           if (!m_there && entry[QLatin1String("name")].toString() == next)
                               m_listing = {};
                       emit changed();
                   });
}

void RemotePlace::askPartial(const QString& folder) {
    if (!m_engine) return;
    m_partials.insert(folder, -1);
    ++m_looking;
    m_engine->call(
        QStringLiteral("list_dir"), {{QStringLiteral("path"), folder}}, this,
        [this, folder, serial = m_serial](const EngineResult& result) {
            if (serial != m_serial) return;
            --m_looking;
            qint64 bytes = 0;
            for (const QJsonValue& entry : result.value[QLatin1String("entries")].toArray())
                if (entry[QLatin1String("name")].toString().endsWith(QLatin1String(".safetensors")))
                    bytes += qint64(entry[QLatin1String("bytes")].toDouble());
            m_partials.insert(folder, bytes);
            emit changed();
        });
}

} // namespace bitloom::ui
