// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/base/huge_buffer.h"

#include <cstring>
#include <new>

#include <sys/mman.h>

namespace bitloom {

HugeBuffer::HugeBuffer(size_t bytes) : m_size(bytes) {
    if (bytes == 0) return;
    constexpr size_t huge = 2 << 20;
    // Small ones would spend more on alignment than they have.
    const size_t alignment = bytes >= huge ? huge : 4096;
    m_mapped = bytes + alignment;
    m_mapping =
        ::mmap(nullptr, m_mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (m_mapping == MAP_FAILED) {
        m_mapping = nullptr;
        throw std::bad_alloc();
    }
    const auto address = reinterpret_cast<uintptr_t>(m_mapping);
    m_data = reinterpret_cast<uint8_t*>((address + alignment - 1) / alignment * alignment);
    // A wish: where it is refused, small pages do as well.
    if (bytes >= huge) ::madvise(m_data, bytes, MADV_HUGEPAGE);
}

HugeBuffer::HugeBuffer(const HugeBuffer& other) : HugeBuffer(other.m_size) {
    if (m_size > 0) std::memcpy(m_data, other.m_data, m_size);
}

HugeBuffer::~HugeBuffer() {
    if (m_mapping) ::munmap(m_mapping, m_mapped);
}

} // namespace bitloom
