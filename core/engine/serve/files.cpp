// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/engine/serve/files.h"

#include "core/io/durable.h"
#include "core/io/system_error.h"
#include "core/model/checkpoint.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

namespace bitloom::serve {

namespace fs = std::filesystem;

namespace {

constexpr size_t maxEntries = 10'000;

/// "source", "quantized", "partial", or null.
Json modelKind(const fs::path& folder) {
    std::error_code ignored;
    if (folder.extension() == ".partial") return "partial";
    if (!fs::is_regular_file(folder / "config.json", ignored)) return nullptr;
    return isBitloomCheckpoint(folder) ? "quantized" : "source";
}

bool isBelow(const fs::path& path, const fs::path& folder) {
    const auto [rest, ignored] =
        std::mismatch(folder.begin(), folder.end(), path.begin(), path.end());
    return rest == folder.end();
}

[[noreturn]] void throwSystem(const std::string& what, int error) {
    throw RpcError(RpcCode::Failed, what + ": " + std::generic_category().message(error),
                   "Check the path and its permissions.");
}

} // namespace

fs::path homeFolder() {
    if (const char* home = std::getenv("HOME"); home && *home) return home;
    if (const passwd* user = ::getpwuid(::getuid()); user && user->pw_dir) return user->pw_dir;
    return "/";
}

fs::path expandHome(const std::string& path) {
    if (path == "~") return homeFolder();
    if (path.starts_with("~/")) return homeFolder() / path.substr(2);
    return path;
}

std::string encodeBase64(std::span<const std::byte> bytes) {
    static constexpr char digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string out;
    out.reserve((bytes.size() + 2) / 3 * 4);
    for (size_t i = 0; i < bytes.size(); i += 3) {
        const size_t n = std::min<size_t>(3, bytes.size() - i);
        uint32_t word = 0;
        for (size_t j = 0; j < 3; ++j)
            word = word << 8 | (j < n ? uint32_t(bytes[i + j]) : 0);
        for (size_t j = 0; j < 4; ++j)
            out += j <= n ? digits[word >> (18 - 6 * j) & 63] : '=';
    }
    return out;
}

void FileAccess::allowFolder(const fs::path& folder) {
    std::error_code error;
    const fs::path canonical = fs::weakly_canonical(fs::absolute(folder), error);
    if (error || canonical == canonical.root_path()) return;
    const std::lock_guard lock(m_mutex);
    m_folders.insert(canonical);
}

void FileAccess::allowPieces(const fs::path& file, const std::vector<FilePiece>& pieces) {
    std::error_code error;
    const fs::path canonical = fs::canonical(file, error);
    if (error) return;
    const std::lock_guard lock(m_mutex);
    m_pieces[canonical] = pieces;
}

bool FileAccess::mayRead(const fs::path& path, uint64_t offset, uint64_t bytes) const {
    {
        const std::lock_guard lock(m_mutex);
        for (const fs::path& folder : m_folders)
            if (isBelow(path, folder)) return true;
        if (const auto known = m_pieces.find(path); known != m_pieces.end())
            for (const auto& [begin, length] : known->second)
                if (offset >= begin && bytes <= length && offset - begin <= length - bytes)
                    return true;
    }
    return isBitloomCheckpoint(path.parent_path());
}

Json FileAccess::listFolder(const Json& object) const {
    Params params(object, "list_dir");
    const std::string given = params.text("path", "~");
    params.finish();
    std::error_code error;
    const fs::path folder = fs::canonical(fs::absolute(expandHome(given)), error);
    if (error) throwSystem("'" + given + "' cannot be opened", error.value());
    if (!fs::is_directory(folder, error))
        throw RpcError(RpcCode::Failed, "'" + folder.string() + "' is not a folder",
                       "Name a folder.");

    struct Entry {
        std::string name;
        bool folder;
        int64_t bytes;
    };
    std::vector<Entry> entries;
    bool truncated = false;
    auto iterator = fs::directory_iterator(folder, error);
    if (error) throwSystem("'" + folder.string() + "' cannot be read", error.value());
    for (; iterator != fs::directory_iterator(); iterator.increment(error)) {
        if (error) break;
        const std::string name = iterator->path().filename().string();
        if (name.starts_with(".")) continue;
        std::error_code ignored;
        const bool isFolder = iterator->is_directory(ignored);
        if (!isFolder && !iterator->is_regular_file(ignored)) continue;
        if (entries.size() == maxEntries) {
            truncated = true;
            break;
        }
        entries.push_back({name, isFolder, isFolder ? 0 : int64_t(iterator->file_size(ignored))});
    }
    std::ranges::sort(entries, [](const Entry& a, const Entry& b) {
        return a.folder != b.folder ? a.folder : a.name < b.name;
    });
    Json list = Json::array();
    for (const Entry& entry : entries)
        list.push_back({{"name", entry.name},
                        {"kind", entry.folder ? "folder" : "file"},
                        {"bytes", entry.bytes},
                        {"model", entry.folder ? modelKind(folder / entry.name) : Json()}});
    return {{"path", folder.string()},
            {"parent", folder == folder.root_path() ? Json() : Json(folder.parent_path().string())},
            {"model", modelKind(folder)},
            {"entries", std::move(list)},
            {"truncated", truncated},
            {"free_bytes", freeBytes(folder)}};
}

Json FileAccess::read(const Json& object) const {
    Params params(object, "read");
    const std::string given = params.requireText("path");
    const auto offset = uint64_t(params.integer("offset", 0, 0, INT64_MAX));
    const auto wanted = uint64_t(params.integer("bytes", maxReadBytes, 1, maxReadBytes));
    params.finish();
    std::error_code error;
    // Links are followed first, so that one cannot lead out of an allowed folder.
    const fs::path path = fs::canonical(fs::absolute(expandHome(given)), error);
    if (error) throwSystem("'" + given + "' cannot be opened", error.value());

    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0) throwSystem("'" + path.string() + "' cannot be opened", errno);
    struct Closer {
        int fd;
        ~Closer() { ::close(fd); }
    } closer{fd};
    struct stat info {};
    if (::fstat(fd, &info) != 0 || !S_ISREG(info.st_mode))
        throw RpcError(RpcCode::Failed, "'" + path.string() + "' is not a plain file",
                       "Name a plain file.");
    const auto size = uint64_t(info.st_size);
    const uint64_t bytes = offset < size ? std::min(wanted, size - offset) : 0;
    if (!mayRead(path, offset, bytes))
        throw RpcError(RpcCode::Failed,
                       "'" + path.string() + "' is none of the files that may be read from here",
                       "Read are results, statistics, and of opened models the pieces that open "
                       "lists.");
    std::vector<std::byte> buffer(bytes);
    size_t done = 0;
    while (done < bytes) {
        const ssize_t got = ::pread(fd, buffer.data() + done, bytes - done, off_t(offset + done));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) throwSystem("'" + path.string() + "' cannot be read", errno);
        if (got == 0) break; // it became shorter
        done += size_t(got);
    }
    buffer.resize(done);
    return {{"data", encodeBase64(buffer)},
            {"offset", offset},
            {"bytes", done},
            {"size", size},
            {"end", offset + done >= size}};
}

} // namespace bitloom::serve
