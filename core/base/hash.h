// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace bitloom {

/// XXH3 with 128 bits, written as 32 hexadecimal digits (canonical, big-endian form).
/// Finds damage and tells versions apart; it is no protection against forgery.
class Hasher {
public:
    Hasher();
    ~Hasher();
    Hasher(Hasher&&) noexcept;
    Hasher& operator=(Hasher&&) noexcept;

    void update(std::span<const std::byte> bytes);
    void update(std::string_view text);
    /// Hex digest of all bytes so far; more may follow.
    std::string digest() const;

private:
    struct State;
    std::unique_ptr<State> m_state;
};

std::string hashBytes(std::span<const std::byte> bytes);
std::string hashText(std::string_view text);
/// Reads the file in pieces. Throws Error if it cannot be read.
std::string hashFile(const std::filesystem::path& path);

} // namespace bitloom
