// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/engine/serve/rpc.h"

#include <atomic>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>

namespace bitloom::serve {

/// Cuts a stream of bytes into lines. Never holds more than `limit` bytes of one.
class LineSplitter {
public:
    explicit LineSplitter(size_t limit = maxLineBytes) : m_limit(limit) {}
    /// Calls `line` for every line that ends in `bytes` (without its end; empty ones are left out),
    /// and `tooLong` once, at its end, for one of more than `limit` bytes.
    void push(std::string_view bytes, const std::function<void(std::string_view)>& line,
              const std::function<void()>& tooLong);

private:
    size_t m_limit;
    std::string m_pending;
    bool m_skipping = false;
};

/// The way out: whole messages, one a line, from any thread. Once the reader is gone, or after
/// close(), messages vanish.
class Output {
public:
    /// `fd` stays the caller's.
    explicit Output(int fd) : m_fd(fd) {}
    void send(const Json& message);
    /// Lets go even of a message that is being written and that nobody reads.
    void close() { m_closed = true; }
    bool closed() const { return m_closed; }

private:
    void write(std::string_view bytes);
    const int m_fd;
    std::mutex m_mutex;
    std::atomic<bool> m_closed = false;
};

} // namespace bitloom::serve
