// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/base/error.h"
#include "core/base/log.h"
#include "core/io/durable.h"
#include "core/io/system_error.h"

#include <cerrno>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace bitloom {

namespace {

constexpr const char* lockName = ".bitloom.lock";

std::string holder(int fd) {
    char text[32] = {};
    const ssize_t got = ::pread(fd, text, sizeof text - 1, 0);
    std::string pid;
    for (ssize_t i = 0; i < got && text[i] >= '0' && text[i] <= '9'; ++i)
        pid.push_back(text[i]);
    return pid.empty() ? "another process" : "process " + pid;
}

/// True while `fd` is still the file that the folder lists: not one that its last holder removed.
bool isListed(int folder, int fd) {
    struct stat mine, listed;
    return ::fstat(fd, &mine) == 0 && ::fstatat(folder, lockName, &listed, 0) == 0 &&
           mine.st_dev == listed.st_dev && mine.st_ino == listed.st_ino;
}

} // namespace

FolderLock::FolderLock(const std::filesystem::path& folder) : m_path(folder / lockName) {
    FileDescriptor place = FileDescriptor::open(folder, O_RDONLY | O_DIRECTORY);
    for (;;) {
        FileDescriptor fd = FileDescriptor::open(m_path, O_RDWR | O_CREAT | O_NOFOLLOW, "lock");
        int code;
        do
            code = ::flock(fd.get(), LOCK_EX | LOCK_NB) == 0 ? 0 : errno;
        while (code == EINTR);
        if (code == EWOULDBLOCK)
            throw Error("'" + folder.string() + "' is in use by " + holder(fd.get()),
                        "Wait until it is done, or end it.");
        if (code == ENOLCK || code == ENOSYS || code == EOPNOTSUPP)
            logger("core")->warn("'{}' is on a file system without locks: do not start two "
                                 "processes that write to it",
                                 folder.string());
        else if (code != 0)
            throwSystemError("lock", m_path, code);
        if (!isListed(place.get(), fd.get())) continue; // its holder removed it just now
        const std::string pid = std::to_string(::getpid()) + "\n";
        if (::ftruncate(fd.get(), 0) != 0 ||
            ::pwrite(fd.get(), pid.data(), pid.size(), 0) != static_cast<ssize_t>(pid.size()))
            throwSystemError("write", m_path, errno);
        m_fd = fd.take();
        m_folder = place.take();
        return;
    }
}

FolderLock::~FolderLock() {
    release();
}

void FolderLock::release() {
    if (m_fd < 0) return;
    // By folder descriptor: the folder may have been renamed meanwhile.
    ::unlinkat(m_folder, lockName, 0);
    ::close(m_fd);
    ::close(m_folder);
    m_fd = m_folder = -1;
}

} // namespace bitloom
