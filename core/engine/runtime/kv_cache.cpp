// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/engine/runtime/kv_cache.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace bitloom::runtime {

const char* kvTypeName(KvType type) {
    return type == KvType::F32 ? "f32" : type == KvType::F16 ? "f16" : "int8";
}

KvCache::KvCache(const ModelConfig& config, KvType type)
    : m_layers(config.layers), m_heads(config.kvHeads), m_headDim(config.headDim),
      m_maxPositions(config.maxPositions), m_type(type),
      m_rowType(type == KvType::F32   ? kernels::RowType::F32
                : type == KvType::F16 ? kernels::RowType::F16
                                      : kernels::RowType::I8),
      m_keys(size_t(m_layers * m_heads)), m_values(size_t(m_layers * m_heads)) {}

void KvCache::reserve(int64_t positions, int64_t kept) {
    if (positions <= m_capacity) return;
    const int64_t grown =
        std::min(m_maxPositions, std::max<int64_t>({positions, 2 * m_capacity, 256}));
    const int64_t rowBytes = m_headDim * kernels::rowTypeBytes(m_rowType);
    const auto grow = [&](Store& store) {
        // Not resize(): what is behind `kept` need not be copied.
        std::vector<std::byte> rows(size_t(grown * rowBytes));
        if (kept > 0) std::memcpy(rows.data(), store.rows.data(), size_t(kept * rowBytes));
        store.rows = std::move(rows);
        if (m_type == KvType::Int8) store.scale.resize(size_t(grown));
    };
    std::ranges::for_each(m_keys, grow);
    std::ranges::for_each(m_values, grow);
    m_capacity = grown;
}

int64_t KvCache::bytes() const {
    const int64_t row = m_headDim * kernels::rowTypeBytes(m_rowType) +
                        (m_type == KvType::Int8 ? int64_t(sizeof(float)) : 0);
    return 2 * m_layers * m_heads * m_capacity * row;
}

void KvCache::write(Store& store, int64_t position, const float* x) const {
    std::byte* row = store.rows.data() + position * m_headDim * kernels::rowTypeBytes(m_rowType);
    switch (m_type) {
    case KvType::F32:
        std::memcpy(row, x, size_t(m_headDim) * sizeof(float));
        return;
    case KvType::F16:
        kernels::denseRowKernels().toHalf(x, reinterpret_cast<uint16_t*>(row), m_headDim);
        return;
    case KvType::Int8:
        break;
    }
    float largest = 0;
    for (int64_t i = 0; i < m_headDim; ++i)
        largest = std::max(largest, std::abs(x[i]));
    const float scale = largest / 127.f;
    const float inverse = scale > 0 ? 1.f / scale : 0.f;
    auto* codes = reinterpret_cast<int8_t*>(row);
    for (int64_t i = 0; i < m_headDim; ++i)
        codes[i] = int8_t(std::clamp(std::nearbyint(x[i] * inverse), -127.f, 127.f));
    store.scale[size_t(position)] = scale;
}

void KvCache::append(int64_t layer, int64_t head, int64_t position, const float* key,
                     const float* value) {
    write(m_keys[index(layer, head)], position, key);
    write(m_values[index(layer, head)], position, value);
}

KvCache::View KvCache::view(const Store& store, int64_t first, int64_t count) const {
    const int64_t rowBytes = m_headDim * kernels::rowTypeBytes(m_rowType);
    return {{store.rows.data() + first * rowBytes, m_rowType, count, m_headDim, m_headDim},
            m_type == KvType::Int8 ? store.scale.data() + first : nullptr};
}

KvCache::View KvCache::keys(int64_t layer, int64_t head, int64_t first, int64_t count) const {
    return view(m_keys[index(layer, head)], first, count);
}

KvCache::View KvCache::values(int64_t layer, int64_t head, int64_t first, int64_t count) const {
    return view(m_values[index(layer, head)], first, count);
}

} // namespace bitloom::runtime
