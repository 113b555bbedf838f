// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
//
// A line is the first 16 digits of the hash of the JSON text, a space, the text, a newline.
#include "core/base/error.h"
#include "core/base/hash.h"
#include "core/base/log.h"
#include "core/io/durable.h"
#include "core/io/system_error.h"

#include <cerrno>
#include <fcntl.h>
#include <optional>
#include <unistd.h>

namespace bitloom {

namespace {

constexpr size_t hashDigits = 16;

std::optional<nlohmann::json> readLine(std::string_view line) {
    if (line.size() <= hashDigits || line[hashDigits] != ' ') return std::nullopt;
    const std::string_view text = line.substr(hashDigits + 1);
    if (hashText(text).substr(0, hashDigits) != line.substr(0, hashDigits)) return std::nullopt;
    try {
        return parseJson(text, "journal");
    } catch (const Error&) {
        return std::nullopt;
    }
}

} // namespace

Journal::Journal(const std::filesystem::path& path) : m_path(path) {
    FileDescriptor fd = FileDescriptor::open(path, O_RDWR | O_CREAT | O_APPEND);
    const std::string text = readTextFile(path);
    size_t valid = 0; // bytes of intact lines
    for (size_t begin = 0, number = 1; begin < text.size(); ++number) {
        const size_t end = text.find('\n', begin);
        auto entry = end == std::string::npos
                         ? std::nullopt
                         : readLine(std::string_view(text).substr(begin, end - begin));
        if (!entry) {
            // Every append is flushed before the next begins, so only the last can be torn.
            if (end != std::string::npos && end + 1 < text.size())
                throw Error("'" + path.string() + "', line " + std::to_string(number) +
                                ": damaged (its checksum is wrong)",
                            "The disk or another program changed it. Remove the folder it lies in "
                            "and start again.");
            logger("core")->info("'{}': dropped an unfinished last line", path.string());
            break;
        }
        m_entries.push_back(std::move(*entry));
        valid = begin = end + 1;
    }
    if (valid < text.size() && ::ftruncate(fd.get(), static_cast<off_t>(valid)) != 0)
        throwSystemError("truncate", path, errno);
    if (::fsync(fd.get()) != 0) throwSystemError("flush", path, errno);
    const auto parent = path.parent_path();
    flushFolder(parent.empty() ? std::filesystem::path(".") : parent);
    m_fd = fd.take();
}

Journal::~Journal() {
    if (m_fd >= 0) ::close(m_fd);
}

void Journal::append(const nlohmann::json& entry) {
    const std::string text = entry.dump();
    const std::string line = hashText(text).substr(0, hashDigits) + " " + text + "\n";
    const off_t before = ::lseek(m_fd, 0, SEEK_END);
    for (size_t done = 0; done < line.size();) {
        const ssize_t put = ::write(m_fd, line.data() + done, line.size() - done);
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) {
            const int code = errno;
            // Take back the half line, so that a later append does not follow it.
            if (before >= 0 && ::ftruncate(m_fd, before) != 0)
                logger("core")->warn("'{}' ends in half a line", m_path.string());
            throwSystemError("write", m_path, code);
        }
        done += static_cast<size_t>(put);
    }
    if (::fdatasync(m_fd) != 0) throwSystemError("flush", m_path, errno);
    m_entries.push_back(entry);
}

} // namespace bitloom
