// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/base/cuda_library.h"
#include "core/engine/model_weights.h"
#include "core/engine/runtime/kv_cache.h"
#include "core/engine/runtime/token_model.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace bitloom::runtime {

/// A model on a GPU: what Decoder is on the processor. Weights at the bits they are stored with,
/// activations rounded to 15 bits for column tables (kernels/gpu_columns.h) and in float32 for
/// plain rows, a cache of fp16 or int8. A token is one graph of about nine kernels a block; its
/// position and what it is lie in the device's memory, so that one graph serves all of them, and
/// tokens that the device chooses itself follow each other without the processor.
///
/// Up to 16 tokens are multiplied by the kernels that one token is; more by cuBLASLt with weights
/// unpacked to fp16, or, where it cannot be loaded, 16 by 16.
class GpuDecoder final : public TokenModel {
public:
    /// Why a model cannot run on any device; empty: it can.
    static std::string whyNot(const ModelWeights& weights, KvType kv);
    /// The same of one device as it is now. Asks for sizes, not for memory: weights may still turn
    /// out to be too large.
    static std::string whyNot(const ModelWeights& weights, KvType kv, const CudaDevice& device);
    /// About what it takes of a device's memory, with a text of some thousand tokens.
    static int64_t neededBytes(const ModelWeights& weights, KvType kv);
    /// Loads what stands around the blocks. Throws Error, also NoSpace where the device's memory
    /// does not suffice; so do loadBlock and whatever runs tokens, and what was there stays usable.
    /// After an error that the device does not survive, all further work is refused (NoDevice).
    GpuDecoder(std::shared_ptr<const ModelWeights> weights, std::shared_ptr<CudaDevice> device,
               KvType kv, int threads);
    ~GpuDecoder() override;
    /// What it may take of the device's memory from now on; 0 = what there is.
    void limitMemory(int64_t bytes) { m_mostBytes = bytes; }

    std::vector<float> run(std::span<const int32_t> ids, bool all,
                           const Progress* progress) override;
    void rewind(int64_t position) override;
    int64_t position() const override { return m_position; }
    void loadBlock(int64_t block) override;
    bool resident() const override { return true; }
    int64_t weightBytes() const override;
    int64_t memoryBytes() const override;
    int64_t promptPiece() const override;
    bool companyMatters() const override { return true; }
    std::string deviceName() const override;

    bool chooses(const SamplingOptions& options) const override;
    void startChoosing(const SamplingOptions& options, Sampler& sampler, int32_t id,
                       int64_t most) override;
    ChosenToken chooseNext() override;

private:
    struct Product;
    struct Block;
    struct Cache;
    struct Buffers;
    struct Choosing;
    struct Graphs;
    struct Source;

    void loadAll();
    void loadEmbedding();
    std::unique_ptr<Block> makeBlock(int64_t index) const;
    std::unique_ptr<Product> makeProduct(std::span<const LinearInfo* const> linears) const;
    void addUnit(Product& product, std::span<const Source> sources) const;
    std::unique_ptr<Product> makeHead() const;

    void reserve(int64_t positions);
    int64_t roomFor(int64_t positions) const; ///< of the cache, within m_mostBytes
    void resizeCache(int64_t layer, int64_t positions);
    void growBuffers(int64_t tokens);
    void multiply(const Product& product, BitloomCudaInput input, int64_t tokens, float* y);
    void begin(int64_t tokens);
    void attention(int64_t layer, int64_t tokens);
    void runBlock(int64_t layer, int64_t tokens);
    BitloomCudaInput residualNorm(const float* weight, bool adds);
    void head(int64_t first, int64_t count);
    void choose();
    void runToken(bool chooses); ///< one token: its graph, once there is one
    void runPiece(std::span<const int32_t> ids, bool all, bool last, const Progress* progress,
                  std::vector<float>& logits);
    void endChoosing();

    std::shared_ptr<const ModelWeights> m_weights;
    std::shared_ptr<CudaDevice> m_device;
    KvType m_kv;
    int m_threads;
    int64_t m_mostBytes = 0;
    std::vector<std::unique_ptr<Block>> m_blocks; ///< null until loaded
    std::unique_ptr<Product> m_head;
    std::unique_ptr<Cache> m_cache;
    std::unique_ptr<Buffers> m_buffers;
    std::unique_ptr<Graphs> m_graphs; ///< behind what they point to
    std::unique_ptr<Choosing> m_choosing;
    int64_t m_position = 0;
    bool m_gemm = true; ///< cuBLASLt can be used, as far as is known
    int m_hidden = 0;   ///< which of the two buffers holds the residual now
};

} // namespace bitloom::runtime
