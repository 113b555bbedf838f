// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/base/progress.h"
#include "core/engine/detail/resident_model.h"
#include "core/engine/runtime/token_model.h"

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace bitloom::detail {

/// The reference forward pass token by token: float32 weights, float32 KV cache. What the fast one
/// (runtime/decoder.h) is held against. One thread at a time.
class ExactDecoder final : public runtime::TokenModel {
public:
    ExactDecoder(std::shared_ptr<const ModelWeights> weights, int64_t memoryBytes, int threads);

    std::vector<float> run(std::span<const int32_t> ids, bool all,
                           const Progress* progress) override;
    void rewind(int64_t position) override { m_position = position; }
    int64_t position() const override { return m_position; }
    void loadBlock(int64_t block) override { m_model.block(block); }
    bool resident() const override { return m_model.resident(); }
    int64_t weightBytes() const override { return m_model.bytes(); }
    int64_t memoryBytes() const override; ///< weights and cache
    int64_t promptPiece() const override;
    bool companyMatters() const override { return true; }

private:
    void reserve(int64_t positions);

    ResidentModel m_model;
    std::vector<KvLayer> m_cache;
    int64_t m_position = 0, m_capacity = 0;
};

} // namespace bitloom::detail
