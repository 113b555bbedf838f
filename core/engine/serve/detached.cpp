// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/engine/serve/detached.h"

#include "core/base/log.h"
#include "core/io/durable.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <sys/file.h>
#include <thread>
#include <unistd.h>

namespace bitloom::serve {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

namespace {

fs::path folderOf(const fs::path& cache) {
    return cache / "serve";
}

std::string hostName() {
    char name[256] = {};
    return ::gethostname(name, sizeof name - 1) == 0 ? name : "";
}

/// Keys are made of digits, letters, '-' and '_' only: they become file names.
bool isKey(const std::string& key) {
    return !key.empty() && key.size() < 128 && std::ranges::all_of(key, [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
               c == '-' || c == '_';
    });
}

/// Somebody holds the lock: the process lives.
bool isLocked(const fs::path& path) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    const bool locked = ::flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    ::close(fd);
    return locked;
}

/// The record with its state, or null where there is none.
Json readRecord(const fs::path& folder, const std::string& key) {
    // Asked before the file is read: one that ends in between has written its last word.
    const bool lives = isLocked(folder / (key + ".lock"));
    Json record;
    try {
        record = readJsonFile(folder / (key + ".json"));
        if (!record.is_object()) return {};
        record["key"] = key;
        record["state"] = record.contains("result")  ? "done"
                          : record.contains("error") ? "failed"
                          : lives                    ? "running"
                                                     : "dead";
    } catch (const Error&) {
        return {};
    }
    return record;
}

void removeRecord(const fs::path& folder, const std::string& key) {
    std::error_code ignored;
    fs::remove(folder / (key + ".json"), ignored);
    fs::remove(folder / (key + ".lock"), ignored);
}

} // namespace

DetachedRecord::DetachedRecord(const fs::path& cache, const Job& job, const std::string& output)
    : m_folder(folderOf(cache)) {
    const std::string id = job.id().is_string() ? "x" : job.id().dump();
    m_key = std::to_string(::getpid()) + "-" + id;
    std::error_code error;
    fs::create_directories(m_folder, error);
    m_lock = ::open(lockPath().c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (m_lock < 0 || ::flock(m_lock, LOCK_EX | LOCK_NB) != 0) {
        if (m_lock >= 0) ::close(m_lock);
        throw Error("cannot lock '" + lockPath().string() + "', so the job cannot be detached",
                    "Check that the cache folder can be written to.");
    }
    m_record = {{"pid", ::getpid()},
                {"host", hostName()},
                {"job", job.id()},
                {"method", job.method()},
                {"model", job.params().value("model", Json(""))},
                {"output", output},
                {"params", job.params()},
                {"fraction", 0},
                {"what", "waiting"}};
    m_record["params"].erase("inline"); // a whole text
    save();
}

DetachedRecord::~DetachedRecord() {
    ::close(m_lock);
}

fs::path DetachedRecord::lockPath() const {
    return m_folder / (m_key + ".lock");
}

void DetachedRecord::save() {
    m_saved = std::chrono::steady_clock::now();
    writeFileAtomically(m_folder / (m_key + ".json"),
                        m_record.dump(2, ' ', false, Json::error_handler_t::replace));
}

void DetachedRecord::progress(const Json& fields) {
    for (const char* name : {"fraction", "what", "eta_s", "seconds", "rss", "peak_rss"})
        m_record[name] = fields.value(name, Json());
    if (std::chrono::steady_clock::now() - m_saved < 800ms) return;
    try {
        save();
    } catch (const Error& error) { // the job matters more than the news of it
        logger("serve")->warn("{}", error.what());
    }
}

void DetachedRecord::finished(const Json& outcome) {
    m_record.update(outcome);
    try {
        save();
    } catch (const Error& error) {
        logger("serve")->error("{}", error.what());
    }
}

std::vector<Json> detachedJobs(const fs::path& cache) {
    std::vector<Json> out;
    std::error_code ignored;
    const fs::path folder = folderOf(cache);
    for (const auto& entry : fs::directory_iterator(folder, ignored)) {
        if (entry.path().extension() != ".json") continue;
        Json record = readRecord(folder, entry.path().stem().string());
        if (!record.is_null() && record.value("pid", 0) != ::getpid())
            out.push_back(std::move(record));
    }
    std::ranges::sort(out, {}, [](const Json& record) { return record.value("key", ""); });
    return out;
}

Json followDetached(const fs::path& cache, const std::string& key, Job& job) {
    const fs::path folder = folderOf(cache);
    bool asked = false;
    for (;;) {
        const Json record = isKey(key) ? readRecord(folder, key) : Json();
        if (record.is_null())
            throw RpcError(RpcCode::Failed, "there is no detached job '" + key + "'",
                           "The answer to hello lists the detached jobs.");
        if (record.contains("result")) {
            removeRecord(folder, key);
            return record["result"];
        }
        if (record.contains("error")) {
            removeRecord(folder, key);
            const Json& error = record["error"];
            throw RpcError(RpcCode(error.value("code", int(RpcCode::Failed))),
                           error.value("message", "the detached job failed"),
                           error.value("data", Json::object()).value("hint", ""));
        }
        if (record["state"] == "dead") {
            removeRecord(folder, key);
            throw RpcError(RpcCode::Failed,
                           "the detached " + record.value("method", "job") +
                               " ended before it was finished: its process is gone",
                           "What it had finished is kept: start it again to go on with it.");
        }
        if (job.abandoned()) throw RpcError(RpcCode::Cancelled, "no longer attached");
        job.report(record.value("fraction", 0.0), record.value("what", ""));
        if (job.cancelled() && !asked) {
            if (record.value("host", "") != hostName())
                throw RpcError(RpcCode::Failed, "the detached job runs on another machine",
                               "Stop it there.");
            // The lock is held, so the process id cannot have been given to another process.
            asked = ::kill(pid_t(record.value("pid", 0)), SIGTERM) == 0;
        }
        std::this_thread::sleep_for(100ms);
    }
}

} // namespace bitloom::serve
