// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/io/durable.h"

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/io/system_error.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <pwd.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#if defined(__linux__)
#include <linux/fs.h>
#include <sys/syscall.h>
#endif

namespace bitloom {

namespace fs = std::filesystem;

namespace {

/// The folder that holds `path`; "." for a bare name.
fs::path parentOf(const fs::path& path) {
    fs::path clean = path;
    if (!clean.has_filename()) clean = clean.parent_path(); // "folder/"
    const fs::path parent = clean.parent_path();
    return parent.empty() ? fs::path(".") : parent;
}

/// "out/" and "out" name the same folder, but only the second can be renamed or given a suffix.
fs::path withoutSlash(const fs::path& path) {
    return path.has_filename() ? path : path.parent_path();
}

enum class RenameMode { NoReplace, Exchange };

/// renameat2(2). Returns 0, or the errno value; EINVAL and ENOSYS mean that it cannot be had here.
int renameWith(RenameMode mode, const fs::path& from, const fs::path& to) {
#if defined(SYS_renameat2)
    const unsigned flags = mode == RenameMode::Exchange ? RENAME_EXCHANGE : RENAME_NOREPLACE;
    if (::syscall(SYS_renameat2, AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), flags) == 0)
        return 0;
    return errno;
#else
    static_cast<void>(mode), static_cast<void>(from), static_cast<void>(to);
    return ENOSYS;
#endif
}

bool isMissingFeature(int code) {
    return code == EINVAL || code == ENOSYS || code == EOPNOTSUPP;
}

void renameOrThrow(const fs::path& from, const fs::path& to) {
    if (::rename(from.c_str(), to.c_str()) != 0)
        throwSystemError("rename to '" + to.string() + "' the folder or file", from, errno);
}

void flushParents(const fs::path& a, const fs::path& b) {
    flushFolder(parentOf(b));
    if (parentOf(a) != parentOf(b)) flushFolder(parentOf(a));
}

/// Depth of nesting beyond which a JSON text is refused: copying and printing a value recurse.
constexpr size_t maxJsonDepth = 200;

void checkJsonDepth(std::string_view text, const std::string& where) {
    size_t depth = 0;
    bool quoted = false;
    for (size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (quoted) {
            if (c == '\\')
                ++i;
            else if (c == '"')
                quoted = false;
        } else if (c == '"') {
            quoted = true;
        } else if (c == '[' || c == '{') {
            if (++depth > maxJsonDepth)
                throw Error(where + ": JSON is nested more than " + std::to_string(maxJsonDepth) +
                            " levels deep");
        } else if ((c == ']' || c == '}') && depth > 0) {
            --depth;
        }
    }
}

} // namespace

std::string readTextFile(const fs::path& path, uint64_t maxBytes) {
    const FileDescriptor fd = FileDescriptor::open(path, O_RDONLY);
    std::string text;
    struct stat status;
    if (::fstat(fd.get(), &status) == 0 && S_ISREG(status.st_mode))
        text.reserve(static_cast<size_t>(
            std::min<uint64_t>(static_cast<uint64_t>(status.st_size), maxBytes) + 1));
    // One byte more than allowed is asked for, to notice that there is more.
    for (;;) {
        const size_t have = text.size();
        const uint64_t room = maxBytes - have;
        const size_t piece = std::max<size_t>(text.capacity() - have, 65536);
        const size_t want = room < piece ? static_cast<size_t>(room) + 1 : piece;
        text.resize(have + want);
        const ssize_t got = ::read(fd.get(), text.data() + have, want);
        text.resize(have + static_cast<size_t>(std::max<ssize_t>(got, 0)));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) throwSystemError("read", path, errno);
        if (got == 0) return text;
        if (text.size() > maxBytes)
            throw Error("'" + path.string() + "' is larger than the " + std::to_string(maxBytes) +
                        " bytes allowed here");
    }
}

nlohmann::json parseJson(std::string_view text, const std::string& where) {
    checkJsonDepth(text, where);
    // The parser takes a NUL for the end and would not look at what follows.
    if (text.find('\0') != text.npos) throw Error(where + ": not valid JSON: it holds a NUL byte");
    try {
        return nlohmann::json::parse(text);
    } catch (const nlohmann::json::parse_error& error) {
        const size_t at = std::min<size_t>(error.byte > 0 ? error.byte - 1 : 0, text.size());
        const std::string_view before = text.substr(0, at);
        const size_t line = 1 + static_cast<size_t>(std::ranges::count(before, '\n'));
        const size_t lineStart = before.rfind('\n') == before.npos ? 0 : before.rfind('\n') + 1;
        // "[json.exception.parse_error.101] parse error at line 1, column 2: syntax error …"
        std::string_view reason = error.what();
        if (const size_t colon = reason.find(": "); colon != reason.npos)
            reason.remove_prefix(colon + 2);
        throw Error(where + ": line " + std::to_string(line) + ", column " +
                    std::to_string(at - lineStart + 1) +
                    ": not valid JSON: " + std::string(reason));
    } catch (const nlohmann::json::exception& error) { // a number out of range
        throw Error(where + ": not valid JSON: " + error.what());
    }
}

nlohmann::json readJsonFile(const fs::path& path) {
    return parseJson(readTextFile(path), "'" + path.string() + "'");
}

void writeFileAtomically(const fs::path& path, std::span<const std::byte> bytes) {
    fs::path temporary = path;
    temporary += ".tmp";
    try {
        FileDescriptor fd = FileDescriptor::open(temporary, O_WRONLY | O_CREAT | O_TRUNC, "create");
        for (std::span<const std::byte> rest = bytes; !rest.empty();) {
            const ssize_t put = ::write(fd.get(), rest.data(), rest.size());
            if (put < 0 && errno == EINTR) continue;
            if (put < 0) throwSystemError("write", temporary, errno);
            rest = rest.subspan(static_cast<size_t>(put));
        }
        if (::fsync(fd.get()) != 0) throwSystemError("flush", temporary, errno);
        fd.close();
        renameOrThrow(temporary, path);
    } catch (...) {
        ::unlink(temporary.c_str());
        throw;
    }
    flushFolder(parentOf(path));
}

void writeFileAtomically(const fs::path& path, std::string_view text) {
    writeFileAtomically(path, std::as_bytes(std::span(text)));
}

void flushFolder(const fs::path& folder) {
    const FileDescriptor fd = FileDescriptor::open(folder, O_RDONLY | O_DIRECTORY);
    // Some network file systems have no fsync on folders.
    if (::fsync(fd.get()) != 0 && errno != EINVAL && errno != EROFS)
        throwSystemError("flush", folder, errno);
}

void publishFolder(const fs::path& fromPath, const fs::path& toPath) {
    const fs::path from = withoutSlash(fromPath), to = withoutSlash(toPath);
    int code = renameWith(RenameMode::NoReplace, from, to);
    if (isMissingFeature(code)) {
        if (fs::symlink_status(to).type() != fs::file_type::not_found)
            code = EEXIST;
        else
            code = ::rename(from.c_str(), to.c_str()) == 0 ? 0 : errno;
    }
    if (code == EEXIST || code == ENOTEMPTY)
        throw Error("'" + to.string() + "' exists already",
                    "Choose another name, or remove it first.");
    if (code != 0) throwSystemError("rename to '" + to.string() + "' the folder", from, code);
    flushParents(from, to);
}

void exchangeFolder(const fs::path& fromPath, const fs::path& toPath) {
    const fs::path from = withoutSlash(fromPath), to = withoutSlash(toPath);
    fs::path old = from;
    const int code = renameWith(RenameMode::Exchange, from, to);
    if (isMissingFeature(code)) {
        old = to;
        old += ".old." + std::to_string(::getpid());
        renameOrThrow(to, old);
        if (::rename(from.c_str(), to.c_str()) != 0) {
            const int reason = errno;
            renameOrThrow(old, to);
            throwSystemError("rename to '" + to.string() + "' the folder", from, reason);
        }
    } else if (code != 0) {
        throwSystemError("exchange with '" + to.string() + "' the folder", from, code);
    }
    flushParents(from, to); // the new one is safe before the old one goes
    std::error_code failed;
    fs::remove_all(old, failed);
    if (failed)
        logger("core")->warn("'{}' was replaced, but its old content at '{}' cannot be removed: {}",
                             to.string(), old.string(), failed.message());
}

uint64_t freeBytes(const fs::path& path) {
    std::error_code ignored;
    fs::path place = fs::absolute(path, ignored);
    for (;;) {
        struct statvfs status;
        if (::statvfs(place.c_str(), &status) == 0)
            return static_cast<uint64_t>(status.f_bavail) * status.f_frsize;
        if (!place.has_relative_path()) return 0;
        place = place.parent_path();
    }
}

fs::path defaultCacheFolder() {
    const char* cache = std::getenv("XDG_CACHE_HOME");
    if (cache && cache[0] == '/') return fs::path(cache) / "bitloom"; // relative: to be ignored
    const char* home = std::getenv("HOME");
    if (home && home[0] != '\0') return fs::path(home) / ".cache" / "bitloom";
    if (const passwd* user = ::getpwuid(::getuid()); user && user->pw_dir && user->pw_dir[0] == '/')
        return fs::path(user->pw_dir) / ".cache" / "bitloom";
    throw Error("no cache folder: neither XDG_CACHE_HOME nor HOME is set",
                "Set one of them, or give --cache DIR.");
}

} // namespace bitloom
