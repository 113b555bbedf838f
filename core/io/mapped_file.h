// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>

namespace bitloom {

/// A whole file mapped read-only. Shared by everything that points into it; unmapped with the last.
/// Thread-safe: all members are const.
class MappedFile {
public:
    /// Throws Error naming the path and the system's reason. An empty file maps to no bytes.
    static std::shared_ptr<const MappedFile> open(const std::filesystem::path& path);
    ~MappedFile();
    MappedFile(const MappedFile&) = delete;
    MappedFile& operator=(const MappedFile&) = delete;

    std::span<const std::byte> bytes() const { return {m_data, m_size}; }
    const std::filesystem::path& path() const { return m_path; }

    /// Tells the kernel that these bytes will not be needed soon, so that they stop counting as
    /// resident memory of this process; up to 2 MiB around them go as well. All stays readable.
    void release(std::span<const std::byte> part) const;

private:
    MappedFile() = default;
    std::filesystem::path m_path;
    const std::byte* m_data = nullptr;
    size_t m_size = 0;
};

} // namespace bitloom
