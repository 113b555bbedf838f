// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/base/hash.h"

#include "core/base/error.h"

#include <xxhash.h>

#include <cerrno>
#include <fcntl.h>
#include <new>
#include <system_error>
#include <unistd.h>
#include <vector>

namespace bitloom {

struct Hasher::State {
    XXH3_state_t* xxh = XXH3_createState();
    State() {
        if (!xxh) throw std::bad_alloc();
        XXH3_128bits_reset(xxh);
    }
    ~State() { XXH3_freeState(xxh); }
    State(const State&) = delete;
    State& operator=(const State&) = delete;
};

namespace {

std::string hex(XXH128_hash_t hash) {
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, hash);
    std::string text;
    text.reserve(2 * sizeof canonical.digest);
    for (const unsigned char byte : canonical.digest) {
        text.push_back("0123456789abcdef"[byte >> 4]);
        text.push_back("0123456789abcdef"[byte & 15]);
    }
    return text;
}

} // namespace

Hasher::Hasher() : m_state(std::make_unique<State>()) {}
Hasher::~Hasher() = default;
Hasher::Hasher(Hasher&&) noexcept = default;
Hasher& Hasher::operator=(Hasher&&) noexcept = default;

void Hasher::update(std::span<const std::byte> bytes) {
    if (!bytes.empty()) XXH3_128bits_update(m_state->xxh, bytes.data(), bytes.size());
}

void Hasher::update(std::string_view text) {
    update(std::as_bytes(std::span(text)));
}

std::string Hasher::digest() const {
    return hex(XXH3_128bits_digest(m_state->xxh));
}

std::string hashBytes(std::span<const std::byte> bytes) {
    return hex(XXH3_128bits(bytes.data(), bytes.size()));
}

std::string hashText(std::string_view text) {
    return hashBytes(std::as_bytes(std::span(text)));
}

std::string hashFile(const std::filesystem::path& path) {
    const auto fail = [&](const char* what) {
        throw Error(std::string(what) + " '" + path.string() +
                    "': " + std::generic_category().message(errno));
    };
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) fail("cannot open");
    struct Closer {
        int fd;
        ~Closer() { ::close(fd); }
    } closer{fd};

    Hasher hasher;
    std::vector<std::byte> piece(size_t{1} << 20);
    for (;;) {
        const ssize_t got = ::read(fd, piece.data(), piece.size());
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) fail("cannot read");
        if (got == 0) return hasher.digest();
        hasher.update(std::span(piece).first(static_cast<size_t>(got)));
    }
}

} // namespace bitloom
