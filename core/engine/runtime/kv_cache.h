// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/model/config.h"
#include "kernels/dense_rows.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace bitloom::runtime {

enum class KvType {
    F32,
    F16,
    Int8, ///< with one scale for each head and position
};
const char* kvTypeName(KvType type);

/// Keys and values of one conversation, all layers: for every layer and key/value head, rows
/// [positions, headDim] in one piece. Grows as needed.
/// Thread rule: reserve() alone; append() and the views for different heads side by side.
class KvCache {
public:
    KvCache(const ModelConfig& config, KvType type);

    KvType type() const { return m_type; }
    /// Room for `positions`; grows by doubling, up to the model's context. What the first `kept`
    /// positions hold stays.
    void reserve(int64_t positions, int64_t kept);
    int64_t capacity() const { return m_capacity; }
    int64_t bytes() const;

    /// Key and value [headDim] of a head at a position.
    void append(int64_t layer, int64_t head, int64_t position, const float* key,
                const float* value);

    struct View {
        kernels::RowMatrix rows;      ///< [count, headDim]
        const float* scale = nullptr; ///< [count] for Int8
    };
    View keys(int64_t layer, int64_t head, int64_t first, int64_t count) const;
    View values(int64_t layer, int64_t head, int64_t first, int64_t count) const;

private:
    struct Store {
        std::vector<std::byte> rows;
        std::vector<float> scale;
    };
    void write(Store& store, int64_t position, const float* x) const;
    View view(const Store& store, int64_t first, int64_t count) const;
    size_t index(int64_t layer, int64_t head) const { return size_t(layer * m_heads + head); }

    int64_t m_layers, m_heads, m_headDim, m_maxPositions;
    KvType m_type;
    kernels::RowType m_rowType;
    int64_t m_capacity = 0;
    std::vector<Store> m_keys, m_values; ///< [layers · heads]
};

} // namespace bitloom::runtime
