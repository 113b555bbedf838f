// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/base/stretch.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>

namespace bitloom {

namespace {

constexpr double nanosecond = 1e-9;
constexpr double shortest = 0.05; // seconds; shorter ones tell little about a rate
constexpr double slack = 1.5;     // machines are shared

/// Operations a second before anything was measured: of a slow core that others use too, and of a
/// small GPU.
constexpr double slowThread = 4e9, slowGpu = 1e12;

std::atomic<int64_t> begin{0}, end{0}; // nanoseconds; 0: no stretch
std::array<std::atomic<double>, 2> learnt{0.0, 0.0};

int64_t now() {
    return std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count();
}

} // namespace

Stretch::Stretch(On on, double operations, int threads) : m_on(on), m_operations(operations) {
    const int64_t start = now();
    int64_t none = 0;
    if (!begin.compare_exchange_strong(none, start)) return;
    m_start = start;
    const double known = learnt[size_t(on)];
    const double rate = known > 0             ? known
                        : on == On::Processor ? slowThread * std::max(threads, 1)
                                              : slowGpu;
    end = start + int64_t(slack * operations / rate / nanosecond);
}

Stretch::~Stretch() {
    if (m_start == 0) return;
    const double seconds = double(now() - m_start) * nanosecond;
    if (seconds >= shortest) learnt[size_t(m_on)] = m_operations / seconds;
    end = 0;
    begin = 0;
}

double Stretch::left() {
    const int64_t started = begin, expected = end, at = now();
    if (started == 0 || expected == 0) return 0;
    // One that takes longer than was thought may take as long again.
    const int64_t nanoseconds = expected > at ? expected - at : at - started;
    return double(nanoseconds) * nanosecond;
}

} // namespace bitloom
