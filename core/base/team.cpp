// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/base/team.h"

#include <algorithm>
#include <system_error>

namespace bitloom {

namespace {

void pauseCpu() {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
}

// About 50 µs: longer than the serial work between two steps, shorter than anyone notices.
constexpr int spins = 1500;

/// Until `value` is no longer `old`: spinning first, then asleep.
template<class T>
void waitWhile(const std::atomic<T>& value, T old) {
    for (int i = 0; i < spins; ++i) {
        if (value.load(std::memory_order_acquire) != old) return;
        pauseCpu();
    }
    value.wait(old, std::memory_order_acquire);
}

} // namespace

Team::Team(int threads) {
    for (int i = 1; i < threads; ++i) {
        try {
            m_members.emplace_back([this] { serve(); });
        } catch (const std::system_error&) {
            break; // no more threads to be had: those that exist do the work
        }
    }
}

Team::~Team() {
    m_stop.store(true, std::memory_order_relaxed);
    m_round.fetch_add(1, std::memory_order_release);
    m_round.notify_all();
    for (std::thread& member : m_members)
        member.join();
}

void Team::takeItems() {
    for (;;) {
        const int64_t left = m_left.fetch_sub(1, std::memory_order_acquire);
        if (left <= 0) return;
        if (!m_failed.load(std::memory_order_relaxed)) {
            try {
                m_call(m_work, m_count - left);
            } catch (...) {
                if (!m_failed.exchange(true)) m_error = std::current_exception();
            }
        }
        if (m_undone.fetch_sub(1, std::memory_order_acq_rel) == 1) m_undone.notify_one();
    }
}

void Team::serve() {
    uint32_t seen = 0;
    for (;;) {
        waitWhile(m_round, seen);
        seen = m_round.load(std::memory_order_acquire);
        if (m_stop.load(std::memory_order_relaxed)) return;
        takeItems();
    }
}

void Team::run(int64_t n, const void* work, Call call) {
    m_count = n;
    m_work = work;
    m_call = call;
    m_failed.store(false, std::memory_order_relaxed);
    m_undone.store(n, std::memory_order_relaxed);
    m_left.store(n, std::memory_order_release);
    m_round.fetch_add(1, std::memory_order_release);
    m_round.notify_all();
    takeItems();
    for (int64_t undone; (undone = m_undone.load(std::memory_order_acquire)) != 0;)
        waitWhile(m_undone, undone);
    if (m_error) {
        const std::exception_ptr error = m_error;
        m_error = nullptr;
        std::rethrow_exception(error);
    }
}

} // namespace bitloom
