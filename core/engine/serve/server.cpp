// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
//
// Three threads and the followers. The reader parses lines and answers at once what must not wait
// (hello, cancel, detach, shutdown); all else goes into one of two queues. Computing happens on the
// thread that called run(), because libtorch is set up on it.
//
// A request is open from the moment it is read until its answer is sent; m_open knows it by its id
// all that time, so that cancel finds it wherever it is. The answer takes it out of m_open first,
// so the client may use the id again as soon as it has the answer.
#include "core/engine/serve/server.h"

#include "core/base/log.h"
#include "core/base/stretch.h"
#include "core/engine/serve/params.h"
#include "core/text/interrupt.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

namespace bitloom::serve {

struct Server::Entry {
    Entry(Request request, Output& output, const RpcMethod& what)
        : job(std::move(request), output), method(what) {}

    Job job;
    const RpcMethod& method;
    enum class State { Queued, Running, Detached } state = State::Queued; ///< under m_mutex
    std::unique_ptr<DetachedRecord> record;                               ///< under m_mutex
};

namespace {

sigset_t handledSignals() {
    sigset_t set;
    sigemptyset(&set);
    for (const int signal : {SIGTERM, SIGINT, SIGHUP})
        sigaddset(&set, signal);
    return set;
}

} // namespace

void Server::blockSignals() {
    const sigset_t set = handledSignals();
    ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
    ::signal(SIGPIPE, SIG_IGN);
}

Server::Server(Output& output, std::map<std::string, RpcMethod> methods, Options options)
    : m_output(output), m_methods(std::move(methods)), m_options(std::move(options)) {}

Server::~Server() = default;

Json Server::currentJob() const {
    const std::lock_guard lock(m_currentMutex);
    return m_current;
}

void Server::setCurrent(Json id) {
    const std::lock_guard lock(m_currentMutex);
    m_current = std::move(id);
}

void Server::run(int input) {
    std::thread reader([&] { readInput(input); });
    std::thread quick([&] { work(m_quickQueue, false); });
    work(m_computeQueue, true);
    quick.join();
    for (std::thread& follower : m_followers)
        follower.join();
    {
        const std::lock_guard lock(m_mutex);
        m_finished = true;
    }
    m_changed.notify_all();
    reader.join();
}

void Server::readInput(int input) {
    int signals = -1;
    if (m_options.signals) {
        const sigset_t set = handledSignals();
        signals = ::signalfd(-1, &set, SFD_CLOEXEC);
    }
    LineSplitter splitter;
    std::string buffer(1 << 16, '\0');
    bool stop = false;
    while (!stop) {
        pollfd ready[2] = {{input, POLLIN, 0}, {signals, POLLIN, 0}};
        if (::poll(ready, 2, -1) < 0 && errno != EINTR) break;
        if (ready[1].revents & POLLIN) {
            signalfd_siginfo info{};
            if (::read(signals, &info, sizeof info) == sizeof info) {
                close(/*evenDetached=*/info.ssi_signo == SIGTERM);
                break;
            }
        }
        if (!(ready[0].revents & (POLLIN | POLLHUP | POLLERR | POLLNVAL))) continue;
        const ssize_t got = ::read(input, buffer.data(), buffer.size());
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) break;
        splitter.push(
            {buffer.data(), size_t(got)}, [&](std::string_view line) { take(line); },
            [&] {
                m_output.send(errorMessage(
                    {},
                    RpcError(RpcCode::LineTooLong,
                             fmt::format("a line of more than {} bytes was skipped", maxLineBytes),
                             "Send large texts as files.")));
            });
        const std::lock_guard lock(m_mutex);
        stop = m_closing;
    }
    close(false);
    // Whoever does not end in time is not waited for: what is finished is on the disk.
    bool term = false;
    std::unique_lock lock(m_mutex);
    while (!m_finished) {
        if (m_detached) {
            m_changed.wait_for(lock, std::chrono::milliseconds(200));
            signalfd_siginfo info{};
            pollfd ready{signals, POLLIN, 0};
            if (signals >= 0 && ::poll(&ready, 1, 0) > 0 &&
                ::read(signals, &info, sizeof info) == sizeof info && info.ssi_signo == SIGTERM &&
                !term) {
                term = true;
                lock.unlock();
                close(true);
                lock.lock();
            }
        } else if (!m_changed.wait_for(lock, m_options.patience, [&] { return m_finished; })) {
            if (m_options.abandon) m_options.abandon();
            m_changed.wait(lock, [&] { return m_finished; });
        }
    }
    if (signals >= 0) ::close(signals);
}

/// Ends everything but a detached job, and that one too if it must be.
void Server::close(bool evenDetached) {
    {
        const std::lock_guard lock(m_mutex);
        m_closing = true;
        for (const auto& [id, entry] : m_open) {
            if (entry == m_detached && !evenDetached) continue;
            if (entry->method.kind == Kind::Follow) {
                entry->job.abandon();
            } else {
                entry->job.cancel();
            }
        }
        // Nobody is left to read what a detached job says; its record tells.
        if (m_detached && !evenDetached) m_output.close();
    }
    m_changed.notify_all();
}

void Server::take(std::string_view line) {
    Json id;
    try {
        Request request = parseRequest(line);
        id = request.id;
        dispatch(std::move(request));
    } catch (...) {
        const RpcError error = rpcErrorOf(std::current_exception());
        const bool malformed =
            error.code() == RpcCode::ParseError || error.code() == RpcCode::InvalidRequest;
        if (malformed || !id.is_null()) m_output.send(errorMessage(malformed ? Json() : id, error));
    }
}

void Server::dispatch(Request request) {
    const auto reply = [&](Json result) {
        if (!request.notification()) m_output.send(resultMessage(request.id, std::move(result)));
    };
    if (request.method == "hello") return reply(greet(request));
    if (!m_greeted)
        throw RpcError(RpcCode::HelloFirst, "'" + request.method + "' came before hello",
                       "Begin with {\"method\":\"hello\",\"params\":{\"protocol\":1}}.");
    if (request.method == "cancel") return reply(cancel(request.params));
    if (request.method == "detach") return reply(detach(request.params));
    if (request.method == "shutdown") {
        Params(request.params, "shutdown").finish();
        reply(Json::object());
        return close(true);
    }
    const auto method = m_methods.find(request.method);
    if (method == m_methods.end())
        throw RpcError(RpcCode::MethodNotFound, "there is no method '" + request.method + "'",
                       "The answer to hello lists the methods.");
    enqueue(std::move(request), method->second);
}

Json Server::greet(const Request& request) {
    Params params(request.params, "hello");
    if (!params.has("protocol")) params.refuse("'protocol' is missing");
    const int64_t wanted = params.integer("protocol", 0, 0, INT32_MAX);
    params.object("client");
    params.finish();
    if (wanted != protocolVersion)
        throw RpcError(RpcCode::VersionMismatch,
                       fmt::format("this engine speaks protocol {}, the application protocol {}",
                                   protocolVersion, wanted),
                       "Install the same version of bitloom on both sides.");
    m_greeted = true;
    Json answer = m_options.hello();
    Json methods = {"cancel", "detach", "hello", "shutdown"};
    for (const auto& [name, method] : m_methods)
        methods.push_back(name);
    std::sort(methods.begin(), methods.end());
    answer.update(Json{{"protocol", protocolVersion},
                       {"pid", ::getpid()},
                       {"methods", std::move(methods)},
                       {"detached", detachedJobs(m_options.cache)}});
    return answer;
}

Server::EntryPtr Server::entryOf(const Json& object, const char* method) {
    Params params(object, method);
    if (!params.has("job")) params.refuse("'job' is missing");
    params.finish();
    const Json& job = object["job"];
    if (!job.is_number_integer() && !job.is_string())
        params.refuse("'job' must be the id of a request");
    const std::lock_guard lock(m_mutex);
    const auto found = m_open.find(job.dump());
    return found == m_open.end() ? nullptr : found->second;
}

Json Server::cancel(const Json& params) {
    const EntryPtr entry = entryOf(params, "cancel");
    if (!entry) return {{"known", false}, {"state", "unknown"}};
    entry->job.cancel();
    bool waiting = false;
    const char* state = "running";
    {
        const std::lock_guard lock(m_mutex);
        if (entry == m_detached) state = "detached";
        if (entry->state == Entry::State::Queued) {
            state = "queued";
            waiting = std::erase(m_computeQueue, entry) + std::erase(m_quickQueue, entry) > 0;
        }
    }
    // One that waits need not wait for the end of another to hear of it.
    if (waiting)
        answer(entry,
               []() -> Json { throw RpcError(RpcCode::Cancelled, "cancelled before it began"); });
    // Before the answer to the job itself, so that a client knows how long to wait for that.
    const bool computes = entry->method.kind == Kind::Compute;
    const double silence =
        waiting ? 0 : std::max(entry->job.longestSilence(), computes ? Stretch::left() : 0);
    return {{"known", true}, {"state", state}, {"unbreakable_s", silence}};
}

Json Server::detach(const Json& params) {
    const EntryPtr entry = entryOf(params, "detach");
    if (!entry)
        throw RpcError(RpcCode::Failed, "there is no such job any more",
                       "It has ended; nothing is left to detach.");
    if (!entry->method.output)
        throw RpcError(RpcCode::Usage, "a job of '" + entry->job.method() + "' cannot be detached",
                       "calibrate, quantize and export can.");
    const std::string output = entry->method.output(entry->job.params());
    const std::lock_guard lock(m_mutex);
    if (m_detached && m_detached != entry)
        throw RpcError(RpcCode::Usage, "another job is detached already",
                       "One job at a time can be detached.");
    if (!m_open.contains(entry->job.id().dump()))
        throw RpcError(RpcCode::Failed, "there is no such job any more",
                       "It has ended; nothing is left to detach.");
    if (!entry->record) {
        entry->record = std::make_unique<DetachedRecord>(m_options.cache, entry->job, output);
        m_detached = entry;
        entry->job.watch(
            [record = entry->record.get()](const Json& fields) { record->progress(fields); });
    }
    return {{"key", entry->record->key()}, {"lock", entry->record->lockPath().string()}};
}

void Server::enqueue(Request request, const RpcMethod& method) {
    const auto entry = std::make_shared<Entry>(std::move(request), m_output, method);
    const std::lock_guard lock(m_mutex);
    if (m_closing) return;
    const std::string id = entry->job.id().is_null() ? fmt::format("~{}", fmt::ptr(entry.get()))
                                                     : entry->job.id().dump();
    if (!m_open.try_emplace(id, entry).second)
        throw RpcError(RpcCode::InvalidRequest, "the id " + id + " is that of an open request",
                       "Give every request an id of its own.");
    switch (method.kind) {
    case Kind::Compute:
        m_computeQueue.push_back(entry);
        break;
    case Kind::Quick:
        m_quickQueue.push_back(entry);
        break;
    case Kind::Follow:
        entry->state = Entry::State::Running;
        m_followers.emplace_back([this, entry] { carryOut(entry); });
        break;
    }
    m_changed.notify_all();
}

/// Takes jobs from a queue until the server closes and the queue is empty.
void Server::work(std::deque<EntryPtr>& queue, bool compute) {
    for (;;) {
        EntryPtr entry;
        {
            std::unique_lock lock(m_mutex);
            m_changed.wait(lock, [&] { return m_closing || !queue.empty(); });
            if (queue.empty()) return;
            entry = queue.front();
            queue.pop_front();
            entry->state = Entry::State::Running;
        }
        if (compute) setCurrent(entry->job.id());
        entry->job.begin();
        if (compute && !entry->job.cancelled())
            entry->job.notify("started", {{"method", entry->job.method()}});
        carryOut(entry);
        if (compute) setCurrent({});
    }
}

void Server::carryOut(const EntryPtr& entry) {
    answer(entry, [&] {
        entry->job.check();
        const TokenizingScope scope(entry->job);
        return entry->method.run(entry->job);
    });
}

/// Runs `job`, closes the request, and sends what came of it.
void Server::answer(const EntryPtr& entry, const std::function<Json()>& job) {
    Json message, outcome;
    try {
        Json result = job();
        outcome = {{"result", result}};
        message = resultMessage(entry->job.id(), std::move(result));
    } catch (...) {
        const RpcError error = rpcErrorOf(std::current_exception());
        outcome = {{"error", error.toJson()}};
        message = errorMessage(entry->job.id(), error);
    }
    entry->job.close();
    std::unique_ptr<DetachedRecord> record;
    {
        const std::lock_guard lock(m_mutex);
        std::erase_if(m_open, [&](const auto& open) { return open.second == entry; });
        record = std::move(entry->record);
    }
    if (record) record->finished(outcome);
    record.reset();
    if (!entry->job.id().is_null()) m_output.send(message);
    {
        const std::lock_guard lock(m_mutex);
        if (m_detached == entry) m_detached = nullptr;
    }
    m_changed.notify_all();
}

} // namespace bitloom::serve
