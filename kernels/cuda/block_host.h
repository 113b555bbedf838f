// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

/// A thread block on the processor: phase after phase, in each of them thread after thread, from
/// the first or from the last on by turns: what a phase does must not depend on it. The bodies of
/// kernels (…_body.h) run on it unchanged, which is how tests hold them to what they should compute
/// without a GPU.
namespace bitloom::cuda {

template<int count>
struct HostBlock {
    static constexpr int threads = count;

    /// A register of every thread.
    template<class T>
    struct Register {
        std::array<T, size_t(count)> value{};
        T& operator[](int thread) { return value[size_t(thread)]; }
    };

    /// A phase: what threads wrote is seen by all behind it.
    template<class F>
    void each(F&& run) {
        m_backwards = !m_backwards;
        for (int i = 0; i < count; ++i)
            run(m_backwards ? count - 1 - i : i);
    }
    /// A phase whose writes only their own thread reads before the next each().
    template<class F>
    void own(F&& run) {
        each(run);
    }

    // Of the threads that share all but the lowest bits of their number: `width` of them, a power
    // of two up to 32; every one gets the result. Halves are combined from the farthest on.
    template<int width = 32, class T>
    void sum(Register<T>& of) {
        combine<width>(of, [](T a, T b) { return T(a + b); });
    }
    template<int width = 32, class T>
    void largest(Register<T>& of) {
        combine<width>(of, [](T a, T b) { return a > b ? a : b; });
    }
    template<class T, class F>
    void combine32(Register<T>& of, F&& choose) {
        combine<32>(of, choose);
    }

    /// Counts up `counter`; true for the last of `all` thread blocks, which sees what the others
    /// have written, and which sets it back to 0.
    bool last(uint32_t* counter, uint32_t all) {
        if (++*counter < all) return false;
        *counter = 0;
        return true;
    }

private:
    bool m_backwards = false;

    template<int width, class T, class F>
    void combine(Register<T>& of, F&& choose) {
        for (int away = width / 2; away > 0; away /= 2) {
            const auto before = of.value;
            for (int thread = 0; thread < count; ++thread)
                of[thread] = choose(before[size_t(thread)], before[size_t(thread ^ away)]);
        }
    }
};

} // namespace bitloom::cuda
