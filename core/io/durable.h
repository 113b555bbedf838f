// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include <nlohmann/json.hpp>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace bitloom {

/// Crash-safe files and folders. Everything throws Error with path and the system's reason;
/// ENOSPC, EDQUOT and EFBIG become ErrorCode::NoSpace.

std::string readTextFile(const std::filesystem::path& path, uint64_t maxBytes = 1ull << 32);
/// Parses a JSON file; the message names file, line and column of a mistake.
nlohmann::json readJsonFile(const std::filesystem::path& path);
/// The same for a text; `where` begins the messages. Refuses deep nesting (200 levels), so that
/// copying and printing the value cannot exhaust the stack.
nlohmann::json parseJson(std::string_view text, const std::string& where);

/// Writes path.tmp, flushes it, renames it over `path`, flushes the folder: `path` is old or new,
/// never half.
void writeFileAtomically(const std::filesystem::path& path, std::span<const std::byte> bytes);
void writeFileAtomically(const std::filesystem::path& path, std::string_view text);

/// A file of fixed size that is filled at offsets from several threads.
class OutputFile {
public:
    /// Creates or opens; reserves `bytes` on the disk at once (so a full disk is found here).
    OutputFile(const std::filesystem::path& path, uint64_t bytes);
    ~OutputFile();
    OutputFile(const OutputFile&) = delete;
    OutputFile& operator=(const OutputFile&) = delete;
    void write(uint64_t offset, std::span<const std::byte> bytes);
    void read(uint64_t offset, std::span<std::byte> bytes) const;
    void flush(); ///< fdatasync
    const std::filesystem::path& path() const { return m_path; }

private:
    std::filesystem::path m_path;
    int m_fd = -1;
    uint64_t m_bytes = 0;
};

/// An append-only list of JSON objects, one a line, each with a checksum of its own. A torn last
/// line (the process died while writing it) is dropped on opening.
class Journal {
public:
    /// Opens or creates. Entries already there are given by `entries()`.
    explicit Journal(const std::filesystem::path& path);
    ~Journal();
    Journal(const Journal&) = delete;
    Journal& operator=(const Journal&) = delete;
    const std::vector<nlohmann::json>& entries() const { return m_entries; }
    /// Appends and flushes to disk before it returns.
    void append(const nlohmann::json& entry);

private:
    std::filesystem::path m_path;
    int m_fd = -1;
    std::vector<nlohmann::json> m_entries;
};

/// An exclusive lock on a file of a folder, held while the object lives, so that two processes do
/// not fill the same folder. Throws Error naming the holder's process id. The lock file is removed
/// on release; call `release()` before publishing the folder, so that it is not part of it.
class FolderLock {
public:
    explicit FolderLock(const std::filesystem::path& folder);
    ~FolderLock();
    FolderLock(const FolderLock&) = delete;
    FolderLock& operator=(const FolderLock&) = delete;
    void release();

private:
    std::filesystem::path m_path;
    int m_fd = -1, m_folder = -1;
};

void flushFolder(const std::filesystem::path& folder);
/// rename(2) of a finished folder to its final name, then flushes the parent. Fails if `to` exists.
void publishFolder(const std::filesystem::path& from, const std::filesystem::path& to);
/// Swaps a finished folder with an existing one atomically (renameat2 RENAME_EXCHANGE where the
/// file system has it, else rename aside and back), then removes the old one.
void exchangeFolder(const std::filesystem::path& from, const std::filesystem::path& to);
/// Free bytes for this user on the file system of `path` or its nearest existing parent.
uint64_t freeBytes(const std::filesystem::path& path);

/// $XDG_CACHE_HOME/bitloom or ~/.cache/bitloom.
std::filesystem::path defaultCacheFolder();

} // namespace bitloom
