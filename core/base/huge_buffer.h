// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

namespace bitloom {

/// Bytes that are read from end to end again and again: zeros at first, on pages of 2 MiB where the
/// system gives them, so that reading does not stop at every 4 KiB to find the next page. A page
/// belongs to the memory of the core that first writes to it (NUMA). Throws std::bad_alloc.
class HugeBuffer {
public:
    HugeBuffer() = default;
    explicit HugeBuffer(size_t bytes);
    ~HugeBuffer();
    HugeBuffer(const HugeBuffer& other); ///< copies the bytes
    HugeBuffer& operator=(const HugeBuffer&) = delete;
    HugeBuffer(HugeBuffer&& other) noexcept { swap(other); }
    HugeBuffer& operator=(HugeBuffer&& other) noexcept {
        swap(other);
        return *this;
    }

    uint8_t* data() { return m_data; }
    const uint8_t* data() const { return m_data; }
    size_t size() const { return m_size; }

private:
    void swap(HugeBuffer& other) noexcept {
        std::swap(m_data, other.m_data);
        std::swap(m_size, other.m_size);
        std::swap(m_mapping, other.m_mapping);
        std::swap(m_mapped, other.m_mapped);
    }
    uint8_t* m_data = nullptr; ///< aligned to 2 MiB, or to 64 bytes where it is smaller
    size_t m_size = 0;
    void* m_mapping = nullptr;
    size_t m_mapped = 0;
};

} // namespace bitloom
