// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/base/cuda_library.h"
#include "core/base/cuda_matrix.h"
#include "core/engine/runtime/gpu_decoder.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <vector>

/// What a GpuDecoder holds; for its own sources.
namespace bitloom::runtime {

/// Tokens that go through the model at once; longer prompts go in pieces.
constexpr int64_t pieceTokens = 512;
/// Tokens that the products of a single one take.
constexpr int64_t fewTokens = 16;
/// Logits that are made and fetched at once.
constexpr int64_t logitTokens = 64;

/// One matrix to the decoder: units of linears that are stored alike, their rows one behind the
/// other.
struct GpuDecoder::Product {
    struct Unit {
        CudaMatrix matrix;
        int64_t firstRow;
    };
    std::vector<Unit> units;
    int64_t rows = 0, cols = 0;

    int64_t readBytes() const {
        int64_t all = 0;
        for (const Unit& unit : units)
            all += int64_t(unit.matrix.bytes());
        return all;
    }
    int64_t memoryBytes() const {
        int64_t all = 0;
        for (const Unit& unit : units)
            all += int64_t(unit.matrix.memoryBytes());
        return all;
    }
};

/// What is held by those that are there.
inline int64_t bytesOf(std::initializer_list<const std::unique_ptr<CudaMemory>*> all) {
    int64_t bytes = 0;
    for (const auto* memory : all)
        if (*memory) bytes += (*memory)->bytes();
    return bytes;
}

struct GpuDecoder::Block {
    std::unique_ptr<CudaMemory> inputNorm, postNorm, queryNorm, keyNorm; ///< the last two: or null
    std::unique_ptr<Product> qkv, attentionOut, gateUp, down;

    std::array<const Product*, 4> products() const {
        return {qkv.get(), attentionOut.get(), gateUp.get(), down.get()};
    }
    int64_t memoryBytes() const {
        int64_t bytes = bytesOf({&inputNorm, &postNorm, &queryNorm, &keyNorm});
        for (const Product* product : products())
            bytes += product->memoryBytes();
        return bytes;
    }
};

/// Keys and values of all layers: [kvHeads, capacity, headDim], with scales for int8. Layers grow
/// one after the other; where memory ends between them, each still knows its own capacity.
struct GpuDecoder::Cache {
    struct Layer {
        std::unique_ptr<CudaMemory> keys, values, keyScale, valueScale;
        int64_t capacity = 0;
    };
    std::vector<Layer> layers;

    int64_t capacity() const {
        int64_t least = layers.empty() ? 0 : layers.front().capacity;
        for (const Layer& layer : layers)
            least = std::min(least, layer.capacity);
        return least;
    }
    int64_t memoryBytes() const {
        int64_t bytes = 0;
        for (const Layer& layer : layers)
            bytes += bytesOf({&layer.keys, &layer.values, &layer.keyScale, &layer.valueScale});
        return bytes;
    }
};

struct GpuDecoder::Buffers {
    using Memory = std::unique_ptr<CudaMemory>;
    int64_t tokens = 0; ///< that there is room for
    std::array<Memory, 2> hidden;
    Memory qkv, mixed, added, gateUp, staged, cosine, sine;
    Memory logits; ///< [logitTokens, vocab]
    int64_t logitTokens = 0;
    Memory attention; ///< scratch
    uint64_t attentionBytes = 0;
    // Of the model.
    Memory ids, position, frequency, finalNorm;
    Memory embedding, rowScale; ///< null: the head's rows
    const void* embeddingRows = nullptr;
    int64_t embeddingStride = 0;
    int32_t embeddingType = BITLOOM_CUDA_F16;
    // Of the choice.
    Memory sampling, draws, chosen, choice;

    int64_t memoryBytes() const {
        return bytesOf({&hidden[0], &hidden[1], &qkv,       &mixed,     &added, &gateUp,
                        &staged,    &cosine,    &sine,      &logits,    &ids,   &attention,
                        &position,  &frequency, &finalNorm, &embedding, &draws, &rowScale,
                        &sampling,  &chosen,    &choice});
    }
};

/// One token that was recorded: with the choice of the next one, and with logits alone.
struct GpuDecoder::Graphs {
    std::array<std::unique_ptr<CudaGraph>, 2> graph;
    std::array<bool, 2> ran{}; ///< outside of a graph, as must be before
};

/// Tokens that the device chooses.
struct GpuDecoder::Choosing {
    static constexpr int64_t drawsAhead = 256, ahead = 2;
    Sampler* sampler;
    bool draws;
    int64_t left; ///< tokens that may still be launched
    int64_t launched = 0, read = 0;
    int64_t drawn = drawsAhead; ///< of the draws on the device
};

/// Of the cache for so many tokens.
int64_t cacheBytes(const ModelConfig& config, KvType kv, int64_t positions);
/// A vector in the device's memory.
std::unique_ptr<CudaMemory> onDevice(const CudaDevice& device, std::span<const float> values);

} // namespace bitloom::runtime
