// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors

// A model's weights on their way to a GPU.

#include "core/base/error.h"
#include "core/base/units.h"
#include "core/engine/runtime/gpu_decoder_parts.h"
#include "core/format/gpu_weights.h"
#include "core/model/rope.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>

namespace bitloom::runtime {

namespace {

std::vector<float> tensorOf(const ModelWeights& weights, const std::string& name,
                            int64_t elements) {
    std::vector<float> out(static_cast<size_t>(elements));
    weights.readTensor(name, out);
    return out;
}

constexpr int64_t expectedContext = 4096;

/// What a prompt's piece takes, and the library for it: activations in float32, and as fp16 for
/// cuBLASLt with a piece of the weights and its own 32 MiB; what products share; logits.
int64_t workBytes(const ModelConfig& config) {
    const int64_t heads = config.heads * config.headDim;
    const int64_t widest = std::max({config.hidden, config.intermediate, heads});
    const int64_t rows = std::max(config.vocab, 2 * config.intermediate);
    const int64_t floats = 3 * config.hidden + 2 * heads + 2 * config.kvHeads * config.headDim +
                           2 * config.intermediate + widest + config.headDim;
    const int64_t mebibyte = int64_t(1) << 20;
    return pieceTokens * (4 * floats + 2 * widest) + logitTokens * config.vocab * 4 + 128 * rows +
           256 * widest + 96 * mebibyte;
}

/// Of plain rows, as makeProduct gives them to the device: bytes become floats.
int64_t plainBytes(const LinearInfo& info, const std::optional<StoredRows>& stored) {
    const bool asStored =
        stored && stored->matrix.type != kernels::RowType::I8 && stored->matrix.stride == info.cols;
    return info.rows * info.cols * (asStored ? kernels::rowTypeBytes(stored->matrix.type) : 4);
}

/// Of embedding or head: bytes stay such.
int64_t tableBytes(const ModelWeights& weights, const std::string& name) {
    const ModelConfig& config = weights.config();
    const auto stored = weights.storedRows(name);
    return config.vocab * config.hidden * (stored ? kernels::rowTypeBytes(stored->matrix.type) : 4);
}

int64_t deviceBytes(const ModelWeights& weights) {
    const Catalogue& catalogue = weights.catalogue();
    int64_t bytes = tableBytes(weights, catalogue.embedding), fromStored = 0;
    if (catalogue.head != catalogue.embedding) bytes += tableBytes(weights, catalogue.head);
    fromStored += bytes;
    bool columns = false;
    for (const LinearInfo& info : catalogue.linears) {
        if (const auto stored = weights.storedRows(info.name + ".weight")) {
            bytes += plainBytes(info, stored);
            fromStored += info.rows * info.cols * kernels::rowTypeBytes(stored->matrix.type);
        } else if (columns || weights.columns(info.name)) {
            columns = true; // all quantized layers of a checkpoint have one layout
        } else {
            bytes += plainBytes(info, {});
        }
    }
    // Columns: what is stored beside the rest, padded to whole steps of their width.
    const int64_t others = std::max<int64_t>(weights.storedBytes() - fromStored, 0);
    return bytes + (columns ? others / 20 * 21 : 0);
}

/// What rows of weights are where no file has them as they are needed.
struct PlainRows {
    StoredRows stored;
    std::vector<float> made;
};
PlainRows plainRows(const ModelWeights& weights, const LinearInfo& info, int threads) {
    PlainRows out;
    const std::string tensor = info.name + ".weight";
    if (auto stored = weights.storedRows(tensor); stored &&
                                                  stored->matrix.type != kernels::RowType::I8 &&
                                                  stored->matrix.stride == info.cols) {
        out.stored = std::move(*stored);
        return out;
    }
    out.made.resize(size_t(info.rows * info.cols));
    weights.readLinear(info.name, out.made, threads);
    out.stored.matrix = {out.made.data(), kernels::RowType::F32, info.rows, info.cols, info.cols};
    return out;
}

/// Some column is not raw: else nothing is left to look up.
bool hasCodes(const ColumnWeights& w) {
    return std::ranges::any_of(w.classes,
                               [](const ColumnClass& c) { return c.kind != PointKind::Raw; });
}

std::vector<float> biasOf(const ModelWeights& weights, const LinearInfo& info) {
    return info.bias ? tensorOf(weights, info.name + ".bias", info.rows) : std::vector<float>();
}

} // namespace

int64_t cacheBytes(const ModelConfig& config, KvType kv, int64_t positions) {
    const int64_t row = kv == KvType::F16 ? 2 * config.headDim : config.headDim + 4;
    return 2 * config.layers * config.kvHeads * positions * row;
}

std::unique_ptr<CudaMemory> onDevice(const CudaDevice& device, std::span<const float> values) {
    auto memory = std::make_unique<CudaMemory>(device, values.size_bytes());
    memory->upload(values.data(), values.size_bytes());
    return memory;
}

std::string GpuDecoder::whyNot(const ModelWeights& weights, KvType kv) {
    const ModelConfig& config = weights.config();
    if (kv == KvType::F32) return "a cache of float32 is the processor's";
    if (config.headDim > 256 || config.headDim % 2 != 0)
        return "its heads have " + std::to_string(config.headDim) +
               " columns; the GPU kernels take an even number up to 256";
    for (const LinearInfo& info : weights.catalogue().linears)
        if (info.cols > 65536)
            return "'" + info.name + "' has " + formatCount(info.cols) +
                   " inputs; the GPU kernels take 65,536";
    return {};
}

int64_t GpuDecoder::neededBytes(const ModelWeights& weights, KvType kv) {
    const ModelConfig& config = weights.config();
    return deviceBytes(weights) +
           cacheBytes(config, kv, std::min(config.maxPositions, expectedContext)) +
           workBytes(config);
}

std::string GpuDecoder::whyNot(const ModelWeights& weights, KvType kv, const CudaDevice& device) {
    if (std::string why = whyNot(weights, kv); !why.empty()) return why;
    const int64_t needed = neededBytes(weights, kv), free = device.freeBytes();
    if (needed > free)
        return "it needs about " + formatBytes(needed) + " of memory; " + device.properties().name +
               " has " + formatBytes(free) + " free of " +
               formatBytes(int64_t(device.properties().memoryBytes));
    return {};
}

/// A linear as it is stored.
struct GpuDecoder::Source {
    const LinearInfo* info;
    std::optional<ColumnWeights> columns; ///< else rows
    int rowType = -1;
};

void GpuDecoder::addUnit(Product& product, std::span<const Source> sources) const {
    const int64_t first = product.rows;
    for (const Source& source : sources)
        product.rows += source.info->rows;
    product.cols = sources[0].info->cols;
    if (sources[0].columns) {
        std::vector<kernels::GpuMatrix> matrices;
        for (const Source& source : sources) {
            matrices.push_back(gpuMatrixOf(*source.columns, m_threads));
            matrices.back().bias = biasOf(*m_weights, *source.info);
        }
        product.units.push_back({CudaMatrix(*m_device, std::span(matrices)), first});
        return;
    }
    BitloomCudaRowsSpec spec{};
    std::vector<PlainRows> rows;
    std::vector<std::vector<float>> biases;
    spec.cols = product.cols;
    for (const Source& source : sources) {
        rows.push_back(plainRows(*m_weights, *source.info, m_threads));
        biases.push_back(biasOf(*m_weights, *source.info));
        spec.type = int32_t(rows.back().stored.matrix.type);
        spec.rows[spec.parts] = source.info->rows;
        spec.hostRows[spec.parts] = rows.back().stored.matrix.data;
        spec.hostBias[spec.parts] = biases.back().empty() ? nullptr : biases.back().data();
        ++spec.parts;
    }
    product.units.push_back({CudaMatrix(*m_device, spec), first});
}

std::unique_ptr<GpuDecoder::Product>
GpuDecoder::makeProduct(std::span<const LinearInfo* const> linears) const {
    std::vector<Source> sources;
    for (const LinearInfo* info : linears) {
        Source source{info, m_weights->columns(info->name)};
        if (source.columns && !hasCodes(*source.columns)) source.columns.reset();
        if (!source.columns) {
            const auto stored = m_weights->storedRows(info->name + ".weight");
            source.rowType = stored && stored->matrix.type != kernels::RowType::I8
                                 ? int(stored->matrix.type)
                                 : int(kernels::RowType::F32);
        }
        sources.push_back(std::move(source));
    }
    auto product = std::make_unique<Product>();
    for (size_t begin = 0; begin < sources.size();) {
        size_t end = begin + 1;
        while (end < sources.size() && sources[end].rowType == sources[begin].rowType)
            ++end;
        addUnit(*product, std::span(sources).subspan(begin, end - begin));
        begin = end;
    }
    return product;
}

std::unique_ptr<GpuDecoder::Block> GpuDecoder::makeBlock(int64_t index) const {
    const Catalogue& catalogue = m_weights->catalogue();
    const ModelConfig& config = m_weights->config();
    const std::string prefix = catalogue.block(index);
    const auto vector = [&](const std::string& name, int64_t size) {
        return onDevice(*m_device, tensorOf(*m_weights, prefix + name + ".weight", size));
    };
    std::array<const LinearInfo*, 7> by{};
    for (const int64_t i : catalogue.linearsOfBlock(index))
        by[size_t(catalogue.linears[size_t(i)].role)] = &catalogue.linears[size_t(i)];
    const auto product = [&](std::initializer_list<LinearRole> roles) {
        std::vector<const LinearInfo*> linears;
        for (const LinearRole role : roles)
            linears.push_back(by[size_t(role)]);
        return makeProduct(linears);
    };
    auto block = std::make_unique<Block>();
    block->inputNorm = vector(catalogue.inputNorm, config.hidden);
    block->postNorm = vector(catalogue.postNorm, config.hidden);
    if (!catalogue.queryNorm.empty()) {
        block->queryNorm = vector(catalogue.queryNorm, config.headDim);
        block->keyNorm = vector(catalogue.keyNorm, config.headDim);
    }
    block->qkv = product({LinearRole::Query, LinearRole::Key, LinearRole::Value});
    block->attentionOut = product({LinearRole::AttentionOut});
    block->gateUp = product({LinearRole::Gate, LinearRole::Up});
    block->down = product({LinearRole::Down});
    return block;
}

std::unique_ptr<GpuDecoder::Product> GpuDecoder::makeHead() const {
    const ModelConfig& config = m_weights->config();
    const std::string& name = m_weights->catalogue().head;
    auto product = std::make_unique<Product>();
    product->rows = config.vocab;
    product->cols = config.hidden;
    const auto stored = m_weights->storedRows(name);
    if (stored && stored->matrix.type == kernels::RowType::I8) {
        const auto* codes = static_cast<const int8_t*>(stored->matrix.data);
        const kernels::GpuMatrix matrix =
            gpuMatrixOf(std::span(codes, size_t(config.vocab * config.hidden)), stored->rowScale,
                        config.hidden, m_threads);
        product->units.push_back({CudaMatrix(*m_device, matrix), 0});
        return product;
    }
    BitloomCudaRowsSpec spec{};
    std::vector<float> made;
    spec.parts = 1;
    spec.cols = config.hidden;
    spec.rows[0] = config.vocab;
    if (stored && stored->matrix.stride == config.hidden) {
        spec.type = int32_t(stored->matrix.type);
        spec.hostRows[0] = stored->matrix.data;
    } else {
        made = tensorOf(*m_weights, name, config.vocab * config.hidden);
        spec.type = BITLOOM_CUDA_F32;
        spec.hostRows[0] = made.data();
    }
    product->units.push_back({CudaMatrix(*m_device, spec), 0});
    return product;
}

void GpuDecoder::loadEmbedding() {
    const ModelConfig& config = m_weights->config();
    const Catalogue& catalogue = m_weights->catalogue();
    Buffers& b = *m_buffers;
    auto stored = m_weights->storedRows(catalogue.embedding);
    std::vector<float> made;
    if (!stored) {
        made = tensorOf(*m_weights, catalogue.embedding, config.vocab * config.hidden);
        stored = StoredRows{
            {made.data(), kernels::RowType::F32, config.vocab, config.hidden, config.hidden},
            {},
            {}};
    }
    b.embeddingType = int32_t(stored->matrix.type);
    // What is made up on the device is made up once.
    const bool shared = catalogue.head == catalogue.embedding || !stored->matrix.data;
    if (shared && stored->matrix.type != kernels::RowType::I8) {
        m_device->check(m_device->api().matrixRows(m_head->units[0].matrix.get(), &b.embeddingRows,
                                                   &b.embeddingStride));
        return;
    }
    const auto bytes =
        size_t(config.vocab * stored->matrix.stride * kernels::rowTypeBytes(stored->matrix.type));
    b.embedding = std::make_unique<CudaMemory>(*m_device, bytes);
    b.embedding->upload(stored->matrix.data, bytes);
    b.embeddingRows = b.embedding->data();
    b.embeddingStride = stored->matrix.stride;
    if (stored->matrix.type == kernels::RowType::I8)
        b.rowScale = onDevice(*m_device, stored->rowScale);
}

void GpuDecoder::loadAll() {
    const ModelConfig& config = m_weights->config();
    Buffers& b = *m_buffers;
    m_head = makeHead();
    loadEmbedding();
    const auto memory = [&](uint64_t bytes) {
        return std::make_unique<CudaMemory>(*m_device, size_t(bytes));
    };
    const auto cleared = [&](uint64_t bytes) {
        auto out = memory(bytes);
        const std::vector<std::byte> zeros(static_cast<size_t>(bytes));
        out->upload(zeros.data(), zeros.size());
        return out;
    };
    b.position = memory(sizeof(int32_t));
    b.frequency = onDevice(*m_device, inverseFrequencies(config));
    b.finalNorm =
        onDevice(*m_device,
                 tensorOf(*m_weights, m_weights->catalogue().finalNorm + ".weight", config.hidden));
    b.sampling = memory(sizeof(BitloomCudaSampling));
    b.draws = memory(Choosing::drawsAhead * sizeof(double));
    b.chosen = memory(sizeof(BitloomCudaChosen));
    b.choice = cleared(m_device->api().choiceScratch(config.vocab));
}

int64_t GpuDecoder::weightBytes() const {
    int64_t bytes = m_head->readBytes();
    for (const auto& block : m_blocks)
        for (const Product* product : block ? block->products() : std::array<const Product*, 4>{})
            bytes += product ? product->readBytes() : 0;
    return bytes;
}

int64_t GpuDecoder::memoryBytes() const {
    int64_t bytes = m_head->memoryBytes() + m_buffers->memoryBytes() + m_cache->memoryBytes() +
                    int64_t(m_device->api().contextMemory(m_device->context()));
    for (const auto& block : m_blocks)
        if (block) bytes += block->memoryBytes();
    return bytes;
}

std::string GpuDecoder::deviceName() const {
    return m_device->properties().name;
}

} // namespace bitloom::runtime
