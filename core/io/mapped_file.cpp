// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/io/mapped_file.h"

#include "core/io/system_error.h"

#include <algorithm>
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
    // A fault maps more than its page: the kernel brings along what lies in the same large folio,
    // up to 2 MiB, neighbours that were given back before included. So the rim goes too; who still
    // reads there finds the bytes in the page cache.
    constexpr size_t folio = 2 << 20; // aligned in the file
    const auto page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
    const auto offset = static_cast<size_t>(part.data() - m_data);
    const size_t begin = offset / folio * folio;
    const size_t end = std::min((m_size + page - 1) / page * page,
                                (offset + part.size() + folio - 1) / folio * folio);
    // Advice: where the kernel does not take it, nothing but memory use changes.
    ::madvise(const_cast<std::byte*>(m_data) + begin, end - begin, MADV_DONTNEED);
}

} // namespace bitloom
