// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/base/error.h"

#include <string_view>

namespace bitloom {

/// Receives the progress of a long job and carries the wish to stop back to it.
/// `report` is called from the thread that runs the job; `cancelled` may become true at any time
/// and is safe to ask from any thread. Long functions take a `Progress&` last and call `check()`
/// at least every 50 ms of work.
class Progress {
public:
    virtual ~Progress() = default;
    /// fraction in [0, 1]; `what` names the present step ("calibrating block 3 of 32").
    virtual void report(double fraction, std::string_view what) = 0;
    virtual bool cancelled() const = 0;

    /// Throws Error(Cancelled) once the user asked to stop.
    void check() const {
        if (cancelled()) throw Error(ErrorCode::Cancelled, "cancelled");
    }
};

/// For callers that neither watch nor cancel.
class NoProgress final : public Progress {
public:
    void report(double, std::string_view) override {}
    bool cancelled() const override { return false; }
};

/// Maps the [0, 1] of a part of a job onto [begin, end] of the whole.
class ProgressSlice final : public Progress {
public:
    ProgressSlice(Progress& whole, double begin, double end)
        : m_whole(whole), m_begin(begin), m_end(end) {}
    void report(double fraction, std::string_view what) override {
        m_whole.report(m_begin + (m_end - m_begin) * fraction, what);
    }
    bool cancelled() const override { return m_whole.cancelled(); }

private:
    Progress& m_whole;
    double m_begin, m_end;
};

} // namespace bitloom
