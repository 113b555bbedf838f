// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/engine/serve/params.h"

#include <cstdint>
#include <filesystem>
#include <map>
#include <mutex>
#include <set>
#include <utility>
#include <vector>

namespace bitloom::serve {

inline constexpr int64_t maxReadBytes = 1 << 20;

/// [offset, length) of a file, in bytes.
using FilePiece = std::pair<uint64_t, uint64_t>;

/// What a client on another machine may see of this one's disks: names everywhere, bytes only of
/// what it has a use for (PROTOCOL.md, list_dir and read). Thread-safe.
class FileAccess {
public:
    /// All files below may be read from now on.
    void allowFolder(const std::filesystem::path& folder);
    /// These pieces of this file may be read.
    void allowPieces(const std::filesystem::path& file, const std::vector<FilePiece>& pieces);

    Json listFolder(const Json& params) const;
    Json read(const Json& params) const;

private:
    bool mayRead(const std::filesystem::path& canonical, uint64_t offset, uint64_t bytes) const;

    mutable std::mutex m_mutex;
    std::set<std::filesystem::path> m_folders; ///< canonical
    std::map<std::filesystem::path, std::vector<FilePiece>> m_pieces;
};

/// `~/x` with the home folder in place of ~.
std::filesystem::path expandHome(const std::string& path);
std::filesystem::path homeFolder();

std::string encodeBase64(std::span<const std::byte> bytes);

} // namespace bitloom::serve
