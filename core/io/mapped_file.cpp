// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/io/mapped_file.h"

#include "core/io/system_error.h"

#include <cerrno>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace bitloom {

std::shared_ptr<const MappedFile> MappedFile::open(const std::filesystem::path& path) {
    // O_NONBLOCK: a named pipe must be refused, not waited for.
    const FileDescriptor fd = FileDescriptor::open(path, O_RDONLY | O_NONBLOCK);
    struct stat status;
    if (::fstat(fd.get(), &status) != 0) throwSystemError("read", path, errno);
    if (S_ISDIR(status.st_mode)) throwSystemError("read", path, EISDIR);
    if (!S_ISREG(status.st_mode))
        throw Error("cannot read '" + path.string() + "': it is not a regular file");

    const std::shared_ptr<MappedFile> file(new MappedFile);
    file->m_path = path;
    if (status.st_size == 0) return file;
    const auto size = static_cast<size_t>(status.st_size);
    void* data = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, fd.get(), 0);
    if (data == MAP_FAILED) throwSystemError("map", path, errno);
    file->m_data = static_cast<const std::byte*>(data);
    file->m_size = size;
    return file;
}

MappedFile::~MappedFile() {
    if (m_data) ::munmap(const_cast<std::byte*>(m_data), m_size);
}

void MappedFile::release(std::span<const std::byte> part) const {
    if (part.empty() || part.data() < m_data || part.data() + part.size() > m_data + m_size) return;
    // Only pages that lie wholly inside: a neighbour may still be reading the ones at the rim. The
    // file's last page ends with the file.
    const auto page = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
    const auto begin = (reinterpret_cast<uintptr_t>(part.data()) + page - 1) / page * page;
    auto end = reinterpret_cast<uintptr_t>(part.data() + part.size());
    const bool toTheEnd = part.data() + part.size() == m_data + m_size;
    end = toTheEnd ? (end + page - 1) / page * page : end / page * page;
    // Advice: where the kernel does not take it, nothing but memory use changes.
    if (begin < end) ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
}

} // namespace bitloom
