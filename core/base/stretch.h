// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include <cstdint>

namespace bitloom {

/// A stretch of heavy work within which nobody asks whether to stop: a library call, a batch that
/// goes through a block. Whoever wants the job to stop learns from left() how long that may take.
/// Stretches may nest; the outermost counts. left() is safe from any thread.
class Stretch {
public:
    enum class On : uint8_t { Processor, Gpu };

    /// `operations`: about as many as the stretch takes. Their rate is learnt from one stretch to
    /// the next; the first is taken to be slow.
    Stretch(On on, double operations, int threads);
    ~Stretch();
    Stretch(const Stretch&) = delete;
    Stretch& operator=(const Stretch&) = delete;

    /// Seconds that the present stretch of this process may still take, rather too many than too
    /// few; 0 where there is none.
    static double left();

private:
    On m_on;
    double m_operations;
    int64_t m_start = 0; ///< 0: within another one
};

} // namespace bitloom
