// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/engine/serve/job.h"

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace bitloom::serve {

/// The trace of a job that outlives its client, in CACHE/serve: KEY.json says what it does and, in
/// the end, what came of it; KEY.lock is locked while its process lives, however that ends.
class DetachedRecord {
public:
    /// Creates both files. `output` is what the job writes; may be empty.
    DetachedRecord(const std::filesystem::path& cache, const Job& job, const std::string& output);
    ~DetachedRecord();
    DetachedRecord(const DetachedRecord&) = delete;
    DetachedRecord& operator=(const DetachedRecord&) = delete;

    const std::string& key() const { return m_key; }
    std::filesystem::path lockPath() const;
    /// Not more than about once a second reaches the disk. From any thread, one at a time.
    void progress(const Json& fields);
    /// The last word: {"result": …} or {"error": …}.
    void finished(const Json& outcome);

private:
    void save();
    std::filesystem::path m_folder;
    std::string m_key;
    Json m_record;
    int m_lock = -1;
    std::chrono::steady_clock::time_point m_saved{};
};

/// Records of other processes: the record's fields with `key` and `state` ("running", "done",
/// "failed", "dead").
std::vector<Json> detachedJobs(const std::filesystem::path& cache);

/// Follows a detached job to its end: progress goes to `job`, a cancelled `job` stops the other
/// process. Returns its result or throws its error; the record is removed then. Throws
/// RpcError(Failed) for a key that is not there, and for a process that was killed.
Json followDetached(const std::filesystem::path& cache, const std::string& key, Job& job);

} // namespace bitloom::serve
