// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/base/progress.h"
#include "core/engine/model_weights.h"
#include "core/engine/runtime/kv_cache.h"
#include "core/engine/runtime/linear.h"
#include "core/engine/runtime/token_model.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace bitloom::runtime {

struct DecoderOptions {
    int threads = 1;
    int64_t memoryBytes = 0; ///< weights that take more are made anew for every token
    KvType kv = KvType::F16;
};

/// A model that continues a text: weights at the bits they are stored with (KERNELS §4), matrices
/// that share an input multiplied in one go, a KV cache, and a team of threads of its own. The same
/// code runs quantized and original models, so that their speeds compare.
///
/// Norms, attention and activations are float32. A token's logits do not depend on how many tokens
/// run with it where the matrices of all blocks are panels; else as long as there are fewer than
/// kernels::manyVectors. (Asked for all logits at once, a head without panels is such a matrix
/// too.) Thread rule: one thread at a time.
class Decoder final : public TokenModel {
public:
    Decoder(std::shared_ptr<const ModelWeights> weights, const DecoderOptions& options);
    ~Decoder() override;

    std::vector<float> run(std::span<const int32_t> ids, bool all,
                           const Progress* progress) override;
    void rewind(int64_t position) override { m_position = position; }
    int64_t position() const override { return m_position; }

    void loadBlock(int64_t block) override;
    bool resident() const override { return m_resident; }
    int64_t weightBytes() const override;
    int64_t memoryBytes() const override;
    int64_t workingBytes() const override;
    int64_t promptPiece() const override;
    /// Some block's matrix has no panels, or is not loaded yet.
    bool companyMatters() const override;
    /// Weights in memory that are not the file's: what memoryBytes() comes to without a cache.
    static int64_t ownBytes(const ModelWeights& weights);
    const ModelWeights& weights() const { return *m_weights; }

private:
    struct Block;
    struct Buffers;
    const Block& block(int64_t index);
    std::unique_ptr<Block> makeBlock(int64_t index);
    void runBlock(const Block& block, int64_t layer, int64_t count);
    void attention(const Block& block, int64_t layer, int64_t count);
    struct Queries {
        int64_t layer, kvHead;
        int64_t position, step; ///< of the first query's token; from one query to the next
        int64_t count;
        const float* query; ///< and `out`: [count, headDim], `stride` from one to the next
        float* out;
        int64_t stride;
    };
    void attend(const Queries& queries);
    void norm(const float* x, std::span<const float> weight, float* out, int64_t count) const;
    void rotate(float* x, int64_t position) const;
    void product(std::span<const Linear* const> linears, const float* x,
                 std::span<float* const> outputs, int64_t count);
    void growRope(int64_t positions);

    std::shared_ptr<const ModelWeights> m_weights;
    DecoderOptions m_options;
    bool m_resident;
    Team m_team;
    std::vector<float> m_frequencies, m_cos, m_sin; ///< cos, sin: [positions, headDim / 2]
    std::vector<float> m_finalNorm;
    Linear m_head;
    std::vector<std::unique_ptr<Block>> m_blocks; ///< null until loaded
    std::unique_ptr<Block> m_passing;             ///< the one in use where none stays
    KvCache m_cache;
    int64_t m_position = 0;
    std::unique_ptr<Buffers> m_buffers;
};

} // namespace bitloom::runtime
