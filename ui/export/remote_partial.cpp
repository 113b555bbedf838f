// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "ui/export/remote_partial.h"

#include <QJsonArray>
#include <QtEndian>

namespace bitloom::ui {

namespace {

constexpr int interval = 1000;
constexpr qint64 lengthBytes = 8;
constexpr quint64 mostHeader = 32 << 20; // not worth more than that of a slow line

QByteArray bytesOf(const EngineResult& result) {
    return QByteArray::fromBase64(result.value[QLatin1String("data")].toString().toLatin1());
}

} // namespace

RemotePartial::RemotePartial(QObject* parent) : QObject(parent) {
    m_poll.setSingleShot(true);
    m_poll.setInterval(interval);
    connect(&m_poll, &QTimer::timeout, this, &RemotePartial::next);
}

void RemotePartial::watch(EngineClient* engine, const QString& folder) {
    stop();
    m_engine = engine;
    m_folder = folder;
    m_listed = false;
    m_shards.clear();
    m_header.clear();
    m_offset = 0;
    m_line.clear();
    m_pieces = {};
    m_now = {};
    m_poll.start();
}

void RemotePartial::stop() {
    ++m_serial;
    m_poll.stop();
}

void RemotePartial::ask(const QString& method, const QJsonObject& params,
                        void (RemotePartial::*then)(const EngineResult&)) {
    if (!m_engine || m_engine->state() != EngineClient::State::Ready) return m_poll.start();
    m_engine->call(method, params, this,
                   [this, then, serial = m_serial](const EngineResult& result) {
                       if (serial == m_serial) (this->*then)(result);
                   });
}

void RemotePartial::next() {
    if (!m_listed)
        return ask(QStringLiteral("list_dir"), {{QStringLiteral("path"), m_folder}},
                   &RemotePartial::listed);
    if (!m_shards.isEmpty())
        return ask(QStringLiteral("read"),
                   {{QStringLiteral("path"), QString(m_folder % u'/' % m_shards.first())},
                    {QStringLiteral("offset"), m_header.size()}},
                   &RemotePartial::headerRead);
    ask(QStringLiteral("read"),
        {{QStringLiteral("path"), QString(m_folder % QStringLiteral("/work/journal"))},
         {QStringLiteral("offset"), m_offset}},
        &RemotePartial::journalRead);
}

void RemotePartial::listed(const EngineResult& result) {
    if (!result.ok()) return m_poll.start(); // not begun yet
    for (const QJsonValue& entry : result.value[QLatin1String("entries")].toArray()) {
        const QString name = entry[QLatin1String("name")].toString();
        if (name.endsWith(QLatin1String(".safetensors"))) m_shards << name;
    }
    m_listed = !m_shards.isEmpty();
    m_listed ? next() : m_poll.start();
}

void RemotePartial::headerRead(const EngineResult& result) {
    if (!result.ok()) return; // it lets nobody read
    m_header += bytesOf(result);
    const bool end = result.value[QLatin1String("end")].toBool();
    const quint64 length =
        m_header.size() < lengthBytes ? 0 : qFromLittleEndian<quint64>(m_header.constData());
    if (length > mostHeader) return;
    const qint64 wanted = lengthBytes + qint64(length);
    if (m_header.size() < wanted && !end) return next();
    if (length == 0) { // the shard is only being made
        m_header.clear();
        return m_poll.start();
    }
    m_pieces.addHeader(m_header.mid(lengthBytes, qsizetype(length)));
    m_header.clear();
    m_shards.removeFirst();
    next();
}

void RemotePartial::journalRead(const EngineResult& result) {
    if (!result.ok()) return m_poll.start(); // gone with the folder, or not there yet
    const QByteArray bytes = bytesOf(result);
    m_offset += bytes.size();
    m_line += bytes;
    for (qsizetype end; (end = m_line.indexOf('\n')) >= 0;) {
        m_pieces.addJournalLine(m_line.left(end));
        m_line.remove(0, end + 1);
    }
    if (!bytes.isEmpty() && !result.value[QLatin1String("end")].toBool()) return next();
    m_now = m_pieces.sum();
    m_poll.start();
    emit changed();
}

} // namespace bitloom::ui
