// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/base/progress.h"
#include "core/engine/detail/resident_model.h"

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace bitloom::detail {

/// The reference forward pass token by token: float32 weights, float32 KV cache. What the fast one
/// (runtime/decoder.h) is held against. One thread at a time.
class ExactDecoder {
public:
    ExactDecoder(std::shared_ptr<const ModelWeights> weights, int64_t memoryBytes, int threads);

    /// As runtime::Decoder::run.
    std::vector<float> run(std::span<const int32_t> ids, bool all, const Progress* progress);
    void rewind(int64_t position) { m_position = position; }
    int64_t position() const { return m_position; }
    void loadBlock(int64_t block) { m_model.block(block); }
    bool resident() const { return m_model.resident(); }
    int64_t weightBytes() const { return m_model.bytes(); }
    int64_t memoryBytes() const; ///< weights and cache

private:
    void reserve(int64_t positions);

    ResidentModel m_model;
    std::vector<KvLayer> m_cache;
    int64_t m_position = 0, m_capacity = 0;
};

} // namespace bitloom::detail
