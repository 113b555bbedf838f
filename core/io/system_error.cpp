// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/io/system_error.h"

#include "core/base/units.h"
#include "core/io/durable.h"

#include <cerrno>
#include <fcntl.h>
#include <system_error>
#include <unistd.h>

namespace bitloom {

void throwSystemError(const std::string& action, const std::filesystem::path& path, int code) {
    const std::string message =
        "cannot " + action + " '" + path.string() + "': " + std::generic_category().message(code);
    if (code == ENOSPC || code == EDQUOT || code == EFBIG)
        throw Error(ErrorCode::NoSpace, message,
                    formatBytes(static_cast<int64_t>(freeBytes(path))) +
                        " are free there. Make room, or choose a folder on another disk.");
    throw Error(message);
}

void FileDescriptor::close() {
    if (m_fd >= 0) ::close(m_fd);
    m_fd = -1;
}

FileDescriptor FileDescriptor::open(const std::filesystem::path& path, int flags,
                                    const std::string& action, unsigned mode) {
    int fd;
    do
        fd = ::open(path.c_str(), flags | O_CLOEXEC, mode);
    while (fd < 0 && errno == EINTR);
    if (fd < 0) throwSystemError(action, path, errno);
    return FileDescriptor(fd);
}

} // namespace bitloom
