// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/engine/serve/transport.h"

#include <cerrno>
#include <climits>
#include <poll.h>
#include <unistd.h>

namespace bitloom::serve {

void LineSplitter::push(std::string_view bytes, const std::function<void(std::string_view)>& line,
                        const std::function<void()>& tooLong) {
    while (!bytes.empty()) {
        const size_t end = bytes.find('\n');
        const std::string_view part = bytes.substr(0, end);
        if (!m_skipping && m_pending.size() + part.size() > m_limit) {
            m_skipping = true;
            m_pending = {}; // gives the memory back
        }
        if (!m_skipping) m_pending += part;
        if (end == std::string_view::npos) return;
        bytes.remove_prefix(end + 1);
        if (m_skipping) {
            m_skipping = false;
            tooLong();
            continue;
        }
        std::string whole;
        whole.swap(m_pending);
        if (whole.ends_with('\r')) whole.pop_back();
        if (!whole.empty()) line(whole);
    }
}

void Output::send(const Json& message) {
    if (m_closed) return;
    // Texts may hold broken UTF-8, from file names or byte tokens: replaced rather than refused.
    std::string line = message.dump(-1, ' ', false, Json::error_handler_t::replace);
    line += '\n';
    const std::lock_guard lock(m_mutex);
    write(line);
}

void Output::write(std::string_view bytes) {
    while (!bytes.empty() && !m_closed) {
        pollfd ready{m_fd, POLLOUT, 0};
        const int found = ::poll(&ready, 1, 100);
        if (found < 0 && errno != EINTR) break;
        if (found <= 0) continue;
        // A pipe that is ready takes PIPE_BUF bytes without blocking, so that close() is heard.
        const ssize_t done = ::write(m_fd, bytes.data(), std::min<size_t>(bytes.size(), PIPE_BUF));
        if (done < 0) {
            if (errno == EINTR || errno == EAGAIN) continue;
            break;
        }
        bytes.remove_prefix(size_t(done));
    }
    if (!bytes.empty()) m_closed = true; // half a message is out: nothing sensible can follow
}

} // namespace bitloom::serve
