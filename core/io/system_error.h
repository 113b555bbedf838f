// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/base/error.h"

#include <filesystem>
#include <string>
#include <utility>

namespace bitloom {

/// Throws Error "cannot <action> '<path>': <reason of errno value `code`>"; a full disk or quota
/// (ENOSPC, EDQUOT, EFBIG) becomes ErrorCode::NoSpace and says how much is free there.
[[noreturn]] void throwSystemError(const std::string& action, const std::filesystem::path& path,
                                   int code);

/// Owns a file descriptor.
class FileDescriptor {
public:
    FileDescriptor() = default;
    explicit FileDescriptor(int fd) : m_fd(fd) {}
    FileDescriptor(FileDescriptor&& other) noexcept : m_fd(std::exchange(other.m_fd, -1)) {}
    FileDescriptor& operator=(FileDescriptor&& other) noexcept {
        if (this != &other) {
            close();
            m_fd = std::exchange(other.m_fd, -1);
        }
        return *this;
    }
    ~FileDescriptor() { close(); }

    int get() const { return m_fd; }
    int take() { return std::exchange(m_fd, -1); }
    void close();

    /// open(2) with O_CLOEXEC; throws Error "cannot <action> '<path>': …".
    static FileDescriptor open(const std::filesystem::path& path, int flags,
                               const std::string& action = "open", unsigned mode = 0666);

private:
    int m_fd = -1;
};

} // namespace bitloom
