// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/engine/serve/detached.h"
#include "core/engine/serve/job.h"
#include "core/engine/serve/transport.h"

#include <condition_variable>
#include <deque>
#include <filesystem>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace bitloom::serve {

/// Who carries a method out.
enum class Kind {
    Quick,   ///< a thread of its own for all of them, one after another
    Compute, ///< the thread that called Server::run, one after another
    Follow,  ///< a thread for each: waits for another process
};

/// A method beyond those that the server itself answers (hello, cancel, detach, shutdown).
struct RpcMethod {
    Kind kind = Kind::Quick;
    std::function<Json(Job&)> run;
    /// What a detached job writes, from its params; unset = cannot be detached.
    std::function<std::string(const Json& params)> output = {};
};

/// Takes requests from a file descriptor and answers them, until the input ends. Torch-free: what
/// the methods do is given to it.
class Server {
public:
    struct Options {
        std::filesystem::path cache;
        /// Fields of hello's answer besides protocol, pid, methods and detached.
        std::function<Json()> hello = [] { return Json::object(); };
        /// SIGTERM stops everything, SIGINT and SIGHUP are an end of input. The caller has blocked
        /// them (blockSignals) before any thread was made.
        bool signals = false;
        /// Called where a job does not end in time after the end of input; ends the process.
        std::function<void()> abandon;
        std::chrono::milliseconds patience{500};
    };

    Server(Output& output, std::map<std::string, RpcMethod> methods, Options options);
    ~Server();

    /// Blocks until the input has ended or shutdown was asked for, and every job is over. Compute
    /// methods run on the calling thread.
    void run(int input);

    /// The id of the compute job that runs, or null; for log messages. From any thread.
    Json currentJob() const;

    static void blockSignals();

private:
    struct Entry;
    using EntryPtr = std::shared_ptr<Entry>;

    void readInput(int input);
    void take(std::string_view line);
    void dispatch(Request request);
    Json greet(const Request& request);
    Json cancel(const Json& params);
    Json detach(const Json& params);
    EntryPtr entryOf(const Json& params, const char* method);
    void enqueue(Request request, const RpcMethod& method);
    void work(std::deque<EntryPtr>& queue, bool compute);
    void carryOut(const EntryPtr& entry);
    void answer(const EntryPtr& entry, const std::function<Json()>& job);
    void close(bool evenDetached);
    void setCurrent(Json id);

    Output& m_output;
    const std::map<std::string, RpcMethod> m_methods;
    const Options m_options;
    bool m_greeted = false; ///< reader thread only

    mutable std::mutex m_mutex; ///< guards what follows
    std::condition_variable m_changed;
    std::map<std::string, EntryPtr> m_open; ///< by id as JSON text
    std::deque<EntryPtr> m_computeQueue, m_quickQueue;
    EntryPtr m_detached;
    bool m_closing = false, m_finished = false;
    std::list<std::thread> m_followers;

    mutable std::mutex m_currentMutex; ///< a lock of its own: log messages come from anywhere
    Json m_current;
};

} // namespace bitloom::serve
