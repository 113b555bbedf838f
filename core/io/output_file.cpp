// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/base/error.h"
#include "core/base/units.h"
#include "core/io/durable.h"
#include "core/io/system_error.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <limits>
#include <sys/stat.h>
#include <unistd.h>

namespace bitloom {

namespace {

[[noreturn]] void throwNoSpace(const std::filesystem::path& path, uint64_t needed, uint64_t free) {
    throw Error(ErrorCode::NoSpace,
                "not enough disk space for '" + path.string() +
                    "': " + formatBytes(int64_t(needed)) + " (" + std::to_string(needed) +
                    " bytes) are needed, " + formatBytes(int64_t(free)) + " (" +
                    std::to_string(free) + " bytes) are free",
                "Make room, or choose a folder on another disk.");
}

/// Claims the blocks of [0, bytes). Returns 0 or the errno value.
int reserve(int fd, const std::filesystem::path& path, uint64_t bytes) {
    if (bytes == 0) return 0;
    // fallocate(2), not posix_fallocate(3): glibc makes up for a missing one by writing to every
    // block, which takes as long as the whole export.
    int code;
    do
        code = ::fallocate(fd, 0, 0, static_cast<off_t>(bytes)) == 0 ? 0 : errno;
    while (code == EINTR);
    if (code != EOPNOTSUPP && code != ENOSYS) return code;
    struct stat status;
    const uint64_t have =
        ::fstat(fd, &status) == 0 ? static_cast<uint64_t>(status.st_blocks) * 512 : 0;
    return bytes > have && bytes - have > freeBytes(path) ? ENOSPC : 0;
}

} // namespace

OutputFile::OutputFile(const std::filesystem::path& path, uint64_t bytes)
    : m_path(path), m_bytes(bytes) {
    if (bytes > static_cast<uint64_t>(std::numeric_limits<off_t>::max()))
        throw Error("cannot create '" + path.string() + "' with " + std::to_string(bytes) +
                    " bytes: no file can be that large");
    struct stat before;
    const bool existed = ::stat(path.c_str(), &before) == 0;
    FileDescriptor fd = FileDescriptor::open(path, O_RDWR | O_CREAT, "create");
    int code = reserve(fd.get(), path, bytes);
    if (code == 0 && ::ftruncate(fd.get(), static_cast<off_t>(bytes)) != 0) code = errno;
    if (code != 0) {
        // Give back what was claimed, so that the figure below and the disk are as before.
        if (existed)
            static_cast<void>(::ftruncate(fd.get(), before.st_size) == 0);
        else
            ::unlink(path.c_str());
        fd.close();
        if (code == ENOSPC || code == EDQUOT) throwNoSpace(path, bytes, freeBytes(path));
        throwSystemError("reserve " + formatBytes(static_cast<int64_t>(bytes)) + " for", path,
                         code);
    }
    m_fd = fd.take();
}

OutputFile::~OutputFile() {
    if (m_fd >= 0) ::close(m_fd);
}

void OutputFile::write(uint64_t offset, std::span<const std::byte> bytes) {
    if (offset > m_bytes || bytes.size() > m_bytes - offset)
        throw Error("cannot write '" + m_path.string() + "' beyond its " + std::to_string(m_bytes) +
                    " bytes");
    while (!bytes.empty()) {
        const ssize_t put = ::pwrite(m_fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) throwSystemError("write", m_path, errno);
        bytes = bytes.subspan(static_cast<size_t>(put));
        offset += static_cast<uint64_t>(put);
    }
}

void OutputFile::read(uint64_t offset, std::span<std::byte> bytes) const {
    if (offset > m_bytes || bytes.size() > m_bytes - offset)
        throw Error("cannot read '" + m_path.string() + "' beyond its " + std::to_string(m_bytes) +
                    " bytes");
    while (!bytes.empty()) {
        const ssize_t got = ::pread(m_fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) throwSystemError("read", m_path, errno);
        if (got == 0) throw Error("'" + m_path.string() + "' became shorter while in use");
        bytes = bytes.subspan(static_cast<size_t>(got));
        offset += static_cast<uint64_t>(got);
    }
}

void OutputFile::flush() {
    if (::fdatasync(m_fd) != 0) throwSystemError("flush", m_path, errno);
}

} // namespace bitloom
