// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include <QDeadlineTimer>
#include <QProcess>
#include <QtTest>

#include <nlohmann/json.hpp>

#include <functional>
#include <memory>
#include <string>
#include <vector>

/// The real `bitloom serve` as a child process, spoken to as any client would.
namespace bitloom::testing {

using Json = nlohmann::json;

class ServeClient {
public:
    static constexpr int patience = 60'000; ///< for slow and busy machines

    explicit ServeClient(const QString& cache, const QStringList& options = {}) {
        QProcessEnvironment environment = QProcessEnvironment::systemEnvironment();
        environment.insert("OMP_WAIT_POLICY", "passive");
        m_process.setProcessEnvironment(environment);
        m_process.setProcessChannelMode(QProcess::SeparateChannels);
        m_process.start(QString(BITLOOM_BINARY_DIR "/bin/bitloom"),
                        QStringList{"serve", "--cache", cache, "--threads", "2"} + options);
        m_process.waitForStarted(patience);
    }
    ~ServeClient() {
        m_process.closeWriteChannel();
        if (!m_process.waitForFinished(5000)) {
            m_process.kill();
            m_process.waitForFinished(5000);
        }
    }

    QProcess& process() { return m_process; }
    void send(const QByteArray& line) { m_process.write(line + '\n'); }
    int begin(const std::string& method, const Json& params = Json::object()) {
        const int id = m_next++;
        send(QByteArray::fromStdString(
            Json{{"jsonrpc", "2.0"}, {"id", id}, {"method", method}, {"params", params}}.dump()));
        return id;
    }

    /// The next message; null at the end of output or after `timeout`.
    Json receive(int timeout = patience) {
        QDeadlineTimer deadline(timeout);
        for (;;) {
            if (const qsizetype end = m_input.indexOf('\n'); end >= 0) {
                const std::string line = m_input.left(end).toStdString();
                m_input.remove(0, end + 1);
                return Json::parse(line); // throws: nothing but JSON may come
            }
            if (m_process.bytesAvailable() == 0 &&
                !m_process.waitForReadyRead(int(std::max<qint64>(0, deadline.remainingTime()))))
                return {};
            m_input += m_process.readAllStandardOutput();
        }
    }
    /// The answer to a request. Notifications on the way go to `seen`, other answers to `kept`.
    Json answer(int id) {
        for (size_t i = 0; i < kept.size(); ++i)
            if (kept[i]["id"] == id) {
                Json message = kept[i];
                kept.erase(kept.begin() + ptrdiff_t(i));
                return message;
            }
        for (;;) {
            Json message = receive();
            if (message.is_null()) return message;
            if (message.contains("method")) {
                if (onNotification) onNotification(message["method"], message["params"]);
                seen.push_back(std::move(message));
            } else if (message["id"] == id) {
                return message;
            } else {
                kept.push_back(std::move(message));
            }
        }
    }
    /// Request and result; an error fails the test with its text.
    Json call(const std::string& method, const Json& params = Json::object()) {
        const Json message = answer(begin(method, params));
        if (message.is_null())
            qWarning("the engine ended: %s", m_process.readAllStandardError().constData());
        else if (message.contains("error"))
            qWarning("%s: %s", method.c_str(), message["error"].dump().c_str());
        return message.is_null() ? Json() : message.value("result", Json());
    }
    Json error(const std::string& method, const Json& params = Json::object()) {
        const Json message = answer(begin(method, params));
        return message.is_null() ? Json() : message.value("error", Json());
    }
    Json hello() { return call("hello", {{"protocol", 1}}); }

    /// Waits for a notification that `wanted` likes; false if the answer to `job` comes first.
    bool waitFor(int job, const std::function<bool(const std::string&, const Json&)>& wanted) {
        for (;;) {
            Json message = receive();
            if (message.is_null()) return false;
            if (!message.contains("method")) {
                const bool last = message["id"] == job;
                kept.push_back(std::move(message));
                if (last) return false;
                continue;
            }
            const std::string method = message["method"];
            const Json params = message["params"];
            seen.push_back(std::move(message));
            if (wanted(method, params)) return true;
        }
    }
    std::vector<Json> seenOf(const std::string& method) const {
        std::vector<Json> out;
        for (const Json& message : seen)
            if (message["method"] == method) out.push_back(message["params"]);
        return out;
    }

    std::vector<Json> seen, kept;
    std::function<void(const std::string&, const Json&)> onNotification;

private:
    QProcess m_process;
    QByteArray m_input;
    int m_next = 1;
};

} // namespace bitloom::testing
