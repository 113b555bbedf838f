// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors

#include "core/engine/detail/hidden_store.h"

#include "core/base/hash.h"

#include <algorithm>
#include <cstring>

namespace bitloom::detail {

HiddenStore HiddenStore::inMemory(const Shape& shape) {
    HiddenStore store(shape);
    store.m_memory.resize(size_t(shape.bytes()) / sizeof(float));
    return store;
}

HiddenStore HiddenStore::inFile(const Shape& shape, const std::filesystem::path& path) {
    HiddenStore store(shape);
    store.m_file = std::make_unique<OutputFile>(path, uint64_t(shape.bytes()));
    return store;
}

at::Tensor HiddenStore::read(int64_t first, int64_t count) const {
    at::Tensor out = at::empty({count, m_shape.length, m_shape.width}, at::kFloat);
    const size_t row = size_t(m_shape.length * m_shape.width);
    if (m_file) {
        m_file->read(uint64_t(first) * row * sizeof(float),
                     std::as_writable_bytes(std::span(out.data_ptr<float>(), size_t(out.numel()))));
    } else {
        std::memcpy(out.data_ptr<float>(), m_memory.data() + size_t(first) * row,
                    size_t(count) * row * sizeof(float));
    }
    return out;
}

void HiddenStore::write(int64_t first, const at::Tensor& hidden) {
    const at::Tensor dense = hidden.contiguous();
    const size_t row = size_t(m_shape.length * m_shape.width);
    const std::span<const float> values(dense.data_ptr<float>(), size_t(dense.numel()));
    if (m_file) {
        m_file->write(uint64_t(first) * row * sizeof(float), std::as_bytes(values));
    } else {
        std::memcpy(m_memory.data() + size_t(first) * row, values.data(), values.size_bytes());
    }
}

std::string HiddenStore::hash() const {
    if (!m_file) return hashBytes(std::as_bytes(std::span(m_memory)));
    Hasher hasher;
    std::vector<std::byte> buffer(4 << 20);
    const uint64_t total = uint64_t(m_shape.bytes());
    for (uint64_t offset = 0; offset < total; offset += buffer.size()) {
        const std::span part(buffer.data(),
                             size_t(std::min<uint64_t>(buffer.size(), total - offset)));
        m_file->read(offset, part);
        hasher.update(part);
    }
    return hasher.digest();
}

} // namespace bitloom::detail
