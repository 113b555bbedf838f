// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

namespace bitloom {

/// A fixed team of threads for work that comes in many short steps, each of which needs the one
/// before: a token of a language model is some hundred of them, microseconds apart. Handing a step
/// out and waiting for its end costs about a microsecond while steps follow each other; a member
/// that has had nothing to do for a short while sleeps, and costs nothing.
///
/// parallelFor (threads.h) is for everything else. Thread rule: one caller at a time; the work must
/// not call the same team.
class Team {
public:
    explicit Team(int threads); ///< the caller counts as one of them
    ~Team();
    Team(const Team&) = delete;
    Team& operator=(const Team&) = delete;

    int threads() const { return int(m_members.size()) + 1; }

    /// Calls work(i) for i in [0, n), each once, and returns when all are done. Whoever is free
    /// takes the next. The first exception is rethrown here.
    template<class Work>
    void forEach(int64_t n, const Work& work) {
        if (n <= 1 || m_members.empty()) {
            for (int64_t i = 0; i < n; ++i)
                work(i);
            return;
        }
        run(n, &work, [](const void* w, int64_t i) { (*static_cast<const Work*>(w))(i); });
    }

private:
    using Call = void (*)(const void* work, int64_t i);
    void run(int64_t n, const void* work, Call call);
    void serve();
    void takeItems();

    // Whoever takes an item of a round sees what the round is about: it was written before
    // m_left, and is not written again before the item is done. Nobody waits for a member that has
    // not come: on a busy machine that may take milliseconds.
    std::atomic<uint32_t> m_round{0};
    alignas(64) std::atomic<int64_t> m_left{0}; ///< items that nobody has taken; may be negative
    alignas(64) std::atomic<int64_t> m_undone{0};
    int64_t m_count = 0;
    const void* m_work = nullptr;
    Call m_call = nullptr;
    std::atomic<bool> m_failed{false}, m_stop{false};
    std::exception_ptr m_error;
    std::vector<std::thread> m_members;
};

} // namespace bitloom
