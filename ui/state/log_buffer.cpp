// SPDX-License-Identifier: GPL-3.0-or-later
// SPDX-FileCopyrightText: The Bitloom authors
#include "ui/state/log_buffer.h"

#include <spdlog/sinks/base_sink.h>

namespace bitloom::ui {

namespace {

LogLine::Level levelOf(spdlog::level::level_enum level) {
    switch (level) {
    case spdlog::level::trace:
    case spdlog::level::debug:
        return LogLine::Level::Debug;
    case spdlog::level::warn:
        return LogLine::Level::Warning;
    case spdlog::level::err:
    case spdlog::level::critical:
        return LogLine::Level::Error;
    default:
        return LogLine::Level::Info;
    }
}

} // namespace

class LogBuffer::Sink : public spdlog::sinks::base_sink<std::mutex> {
public:
    explicit Sink(LogBuffer* buffer) : m_buffer(buffer) {}
    void detach() {
        const std::lock_guard lock(mutex_);
        m_buffer = nullptr;
    }

protected:
    void sink_it_(const spdlog::details::log_msg& message) override {
        if (!m_buffer) return;
        LogLine line;
        line.time = QDateTime::currentDateTime();
        line.level = levelOf(message.level);
        line.room =
            QString::fromUtf8(message.logger_name.data(), qsizetype(message.logger_name.size()));
        line.text = QString::fromUtf8(message.payload.data(), qsizetype(message.payload.size()));
        m_buffer->add(std::move(line));
    }
    void flush_() override {}

private:
    LogBuffer* m_buffer;
};

LogBuffer::LogBuffer(QObject* parent) : QObject(parent), m_sink(std::make_shared<Sink>(this)) {}

LogBuffer::~LogBuffer() {
    m_sink->detach();
}

std::shared_ptr<spdlog::sinks::sink> LogBuffer::sink() const {
    return m_sink;
}

void LogBuffer::add(LogLine line) {
    const std::lock_guard lock(m_mutex);
    m_waiting.push_back(std::move(line));
    if (m_notified) return;
    m_notified = true;
    m_mailbox.post([this] { take(); });
}

void LogBuffer::take() {
    std::vector<LogLine> fresh;
    {
        const std::lock_guard lock(m_mutex);
        fresh.swap(m_waiting);
        m_notified = false;
    }
    if (fresh.size() > capacity) {
        m_dropped += int64_t(fresh.size() - capacity);
        fresh.erase(fresh.begin(), fresh.end() - capacity);
    }
    const size_t total = m_lines.size() + fresh.size();
    const size_t removed = total > capacity ? total - capacity : 0;
    m_lines.erase(m_lines.begin(), m_lines.begin() + std::ptrdiff_t(removed));
    m_dropped += int64_t(removed);
    const int before = m_warnings;
    for (LogLine& line : fresh) {
        m_warnings += line.level >= LogLine::Level::Warning;
        m_lines.push_back(std::move(line));
    }
    emit linesAdded(int(fresh.size()), int(removed));
    if (m_warnings != before) emit warningsChanged(m_warnings);
}

void LogBuffer::clear() {
    m_lines.clear();
    emit cleared();
    clearWarnings();
}

void LogBuffer::clearWarnings() {
    if (m_warnings == 0) return;
    m_warnings = 0;
    emit warningsChanged(0);
}

} // namespace bitloom::ui
