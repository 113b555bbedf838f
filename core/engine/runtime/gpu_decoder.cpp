// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/engine/runtime/gpu_decoder.h"

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/base/units.h"
#include "core/engine/runtime/check_ids.h"
#include "core/engine/runtime/gpu_decoder_parts.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>

namespace bitloom::runtime {

GpuDecoder::GpuDecoder(std::shared_ptr<const ModelWeights> weights,
                       std::shared_ptr<CudaDevice> device, KvType kv, int threads)
    : m_weights(std::move(weights)), m_device(std::move(device)), m_kv(kv), m_threads(threads),
      m_blocks(size_t(m_weights->config().layers)), m_cache(std::make_unique<Cache>()),
      m_buffers(std::make_unique<Buffers>()), m_graphs(std::make_unique<Graphs>()) {
    m_cache->layers.resize(m_blocks.size());
    loadAll();
}

GpuDecoder::~GpuDecoder() = default;

void GpuDecoder::loadBlock(int64_t index) {
    m_device->requireWorking();
    if (!m_blocks[size_t(index)]) m_blocks[size_t(index)] = makeBlock(index);
}

int64_t GpuDecoder::promptPiece() const {
    return pieceTokens;
}

void GpuDecoder::endChoosing() {
    m_choosing.reset(); // what was launched ahead writes behind the position: nobody reads it
}

void GpuDecoder::rewind(int64_t position) {
    endChoosing();
    m_position = position;
}

int64_t GpuDecoder::roomFor(int64_t positions) const {
    const ModelConfig& config = m_weights->config();
    const int64_t roomy = std::min(config.maxPositions,
                                   std::max<int64_t>({positions, 2 * m_cache->capacity(), 1024}));
    if (m_mostBytes == 0) return roomy;
    const int64_t left = m_mostBytes - memoryBytes();
    // Layers grow one after the other: one of them is there twice.
    const auto more = [&](int64_t wanted) {
        const int64_t all = cacheBytes(config, m_kv, wanted);
        return all + all / config.layers - m_cache->memoryBytes();
    };
    for (const int64_t wanted : {roomy, positions})
        if (more(wanted) <= left) return wanted;
    throw Error(ErrorCode::NoSpace,
                "a text of " + formatCount(positions) + " tokens takes " +
                    formatBytes(more(positions)) + " more of the GPU's memory; " +
                    formatBytes(std::max<int64_t>(left, 0)) + " may be used",
                "Allow more of it, or compute on the processor.");
}

void GpuDecoder::reserve(int64_t positions) {
    Cache& cache = *m_cache;
    if (positions <= cache.capacity()) return;
    const int64_t grown = roomFor(positions), layers = m_weights->config().layers;
    m_graphs = std::make_unique<Graphs>(); // they know where the cache was
    try {
        for (int64_t layer = 0; layer < layers; ++layer)
            resizeCache(layer, grown);
    } catch (const Error& error) {
        if (error.code() != ErrorCode::NoSpace || grown == positions) throw;
        // No more than is needed; what has grown gives the rest back first.
        for (const bool grows : {false, true})
            for (int64_t layer = 0; layer < layers; ++layer)
                if ((cache.layers[size_t(layer)].capacity < positions) == grows)
                    resizeCache(layer, positions);
    }
}

/// One layer at a time: only its own memory is there twice.
void GpuDecoder::resizeCache(int64_t layer, int64_t positions) {
    Cache::Layer& present = m_cache->layers[size_t(layer)];
    if (present.capacity == positions) return;
    const ModelConfig& config = m_weights->config();
    const BitloomCudaApi& api = m_device->api();
    const auto resized = [&](const std::unique_ptr<CudaMemory>& memory, int64_t bytes) {
        auto made =
            std::make_unique<CudaMemory>(*m_device, size_t(config.kvHeads * positions * bytes));
        for (int64_t head = 0; memory && m_position > 0 && head < config.kvHeads; ++head)
            m_device->check(api.copy(m_device->context(),
                                     made->as<char>() + head * positions * bytes,
                                     memory->as<char>() + head * present.capacity * bytes,
                                     uint64_t(m_position * bytes)));
        return made;
    };
    const int64_t rowBytes = config.headDim * (m_kv == KvType::F16 ? 2 : 1);
    Cache::Layer made{
        resized(present.keys, rowBytes), resized(present.values, rowBytes), {}, {}, positions};
    if (m_kv == KvType::Int8) {
        made.keyScale = resized(present.keyScale, 4);
        made.valueScale = resized(present.valueScale, 4);
    }
    m_device->check(api.synchronize(m_device->context()));
    present = std::move(made);
}

void GpuDecoder::growBuffers(int64_t tokens) {
    const ModelConfig& config = m_weights->config();
    Buffers& b = *m_buffers;
    const auto floats = [&](int64_t count) {
        return std::make_unique<CudaMemory>(*m_device, size_t(count) * sizeof(float));
    };
    const int64_t staged =
        std::max({config.hidden, config.intermediate, config.heads * config.headDim});
    if (b.tokens < tokens) {
        m_graphs = std::make_unique<Graphs>();
        const int64_t room = tokens <= fewTokens ? fewTokens : pieceTokens;
        const int64_t half = config.headDim / 2;
        for (auto& hidden : b.hidden)
            hidden = floats(room * config.hidden);
        b.added = floats(room * config.hidden);
        b.qkv = floats(room * (config.heads + 2 * config.kvHeads) * config.headDim);
        b.mixed = floats(room * config.heads * config.headDim);
        b.gateUp = floats(room * 2 * config.intermediate);
        b.staged = floats(room * staged);
        b.cosine = floats(room * half);
        b.sine = floats(room * half);
        b.ids = std::make_unique<CudaMemory>(*m_device, size_t(room) * sizeof(int32_t));
        b.tokens = room;
    }
    if (b.logitTokens == 0) {
        b.logits = floats(config.vocab);
        b.logitTokens = 1;
    }
    // Of whatever number of tokens it takes most for: few ones are split most.
    if (!b.attention) {
        BitloomCudaAttention args{};
        args.heads = int32_t(config.heads);
        args.kvHeads = int32_t(config.kvHeads);
        args.headDim = int32_t(config.headDim);
        for (args.tokens = 1; args.tokens <= fewTokens; ++args.tokens)
            b.attentionBytes = std::max(
                b.attentionBytes, m_device->api().attentionScratch(m_device->context(), &args));
        b.attentionBytes = std::max<uint64_t>(b.attentionBytes, 16);
        b.attention = std::make_unique<CudaMemory>(*m_device, b.attentionBytes);
        const std::vector<std::byte> zeros(b.attentionBytes);
        b.attention->upload(zeros.data(), zeros.size());
    }
}

/// y [tokens, product's rows].
void GpuDecoder::multiply(const Product& product, BitloomCudaInput input, int64_t tokens,
                          float* y) {
    const BitloomCudaApi& api = m_device->api();
    if (tokens > fewTokens && m_gemm) {
        float* staged = m_buffers->staged->as<float>();
        m_device->check(
            api.stage(m_device->context(), &input, int32_t(tokens), staged, product.cols));
        for (const Product::Unit& unit : product.units) {
            const int code = api.multiplyMany(unit.matrix.get(), staged, product.cols,
                                              int32_t(tokens), y + unit.firstRow, product.rows);
            if (code == BITLOOM_CUDA_NO_GEMM) {
                m_gemm = false;
                logger("gpu")->warn("prompts run {} tokens at a time, which is slower: {}",
                                    fewTokens, api.message());
                break;
            }
            m_device->check(code);
        }
        if (m_gemm) return;
    }
    for (int64_t first = 0; first < tokens; first += fewTokens) {
        const auto count = int32_t(std::min(fewTokens, tokens - first));
        BitloomCudaInput part = input;
        const int64_t away = first * input.stride;
        part.x += away;
        if (part.add) part.add += away;
        if (part.sum) part.sum += away;
        for (const Product::Unit& unit : product.units) {
            m_device->check(api.prepare(unit.matrix.get(), &part, count));
            m_device->check(api.product(unit.matrix.get(), y + first * product.rows + unit.firstRow,
                                        product.rows));
            part.sum = nullptr; // once is enough
        }
    }
}

void GpuDecoder::begin(int64_t tokens) {
    const ModelConfig& config = m_weights->config();
    Buffers& b = *m_buffers;
    m_hidden = 0;
    BitloomCudaBegin args{};
    args.tokens = int32_t(tokens);
    args.type = b.embeddingType;
    args.hidden = args.stride = config.hidden;
    args.vocab = config.vocab;
    args.embeddingStride = b.embeddingStride;
    args.ids = b.ids->as<int32_t>();
    args.position = b.position->as<int32_t>();
    args.embedding = b.embeddingRows;
    args.rowScale = b.rowScale ? b.rowScale->as<float>() : nullptr;
    args.out = b.hidden[0]->as<float>();
    args.half = config.headDim / 2;
    args.frequency = b.frequency->as<float>();
    args.cosine = b.cosine->as<float>();
    args.sine = b.sine->as<float>();
    m_device->check(m_device->api().begin(m_device->context(), &args));
}

/// The residual, with what the last product added to it, normed; it moves to the other buffer.
BitloomCudaInput GpuDecoder::residualNorm(const float* weight, bool adds) {
    const ModelConfig& config = m_weights->config();
    Buffers& b = *m_buffers;
    BitloomCudaInput input{};
    input.kind = BITLOOM_CUDA_NORM;
    input.cols = input.stride = config.hidden;
    input.x = b.hidden[size_t(m_hidden)]->as<float>();
    input.weight = weight;
    input.epsilon = float(config.normEps);
    if (adds) {
        m_hidden = 1 - m_hidden;
        input.add = b.added->as<float>();
        input.sum = b.hidden[size_t(m_hidden)]->as<float>();
    }
    return input;
}

void GpuDecoder::attention(int64_t layer, int64_t tokens) {
    const ModelConfig& config = m_weights->config();
    const Buffers& b = *m_buffers;
    const Block& block = *m_blocks[size_t(layer)];
    const Cache::Layer& cache = m_cache->layers[size_t(layer)];
    BitloomCudaAttention args{};
    args.tokens = int32_t(tokens);
    args.heads = int32_t(config.heads);
    args.kvHeads = int32_t(config.kvHeads);
    args.headDim = int32_t(config.headDim);
    if (size_t(layer) < config.slidingWindow.size())
        args.window = int32_t(std::min<int64_t>(config.slidingWindow[size_t(layer)],
                                                std::numeric_limits<int32_t>::max()));
    args.cacheType = m_kv == KvType::F16 ? BITLOOM_CUDA_F16 : BITLOOM_CUDA_I8;
    args.capacity = cache.capacity;
    args.epsilon = float(config.normEps);
    args.position = b.position->as<int32_t>();
    args.qkv = b.qkv->as<float>();
    args.stride = block.qkv->rows;
    args.cosine = b.cosine->as<float>();
    args.sine = b.sine->as<float>();
    args.queryNorm = block.queryNorm ? block.queryNorm->as<float>() : nullptr;
    args.keyNorm = block.keyNorm ? block.keyNorm->as<float>() : nullptr;
    args.keys = cache.keys->data();
    args.values = cache.values->data();
    args.keyScale = cache.keyScale ? cache.keyScale->as<float>() : nullptr;
    args.valueScale = cache.valueScale ? cache.valueScale->as<float>() : nullptr;
    args.out = b.mixed->as<float>();
    args.outStride = config.heads * config.headDim;
    args.scratch = b.attention->data();
    m_device->check(m_device->api().attention(m_device->context(), &args));
}

void GpuDecoder::runBlock(int64_t layer, int64_t tokens) {
    loadBlock(layer);
    const ModelConfig& config = m_weights->config();
    const Block& block = *m_blocks[size_t(layer)];
    Buffers& b = *m_buffers;
    multiply(*block.qkv, residualNorm(block.inputNorm->as<float>(), layer > 0), tokens,
             b.qkv->as<float>());
    attention(layer, tokens);
    BitloomCudaInput mixed{};
    mixed.cols = mixed.stride = config.heads * config.headDim;
    mixed.x = b.mixed->as<float>();
    multiply(*block.attentionOut, mixed, tokens, b.added->as<float>());
    multiply(*block.gateUp, residualNorm(block.postNorm->as<float>(), true), tokens,
             b.gateUp->as<float>());
    BitloomCudaInput gated{};
    gated.kind = BITLOOM_CUDA_GATED;
    gated.activation = int32_t(config.activation);
    gated.cols = config.intermediate;
    gated.stride = 2 * config.intermediate;
    gated.x = b.gateUp->as<float>();
    multiply(*block.down, gated, tokens, b.added->as<float>());
}

/// Logits of tokens [first, first + count) of those that went through the blocks.
void GpuDecoder::head(int64_t first, int64_t count) {
    Buffers& b = *m_buffers;
    const int now = m_hidden;
    BitloomCudaInput input = residualNorm(b.finalNorm->as<float>(), true);
    m_hidden = now;
    input.x += first * input.stride;
    input.add += first * input.stride;
    input.sum = nullptr;
    multiply(*m_head, input, count, b.logits->as<float>());
}

void GpuDecoder::choose() {
    Buffers& b = *m_buffers;
    BitloomCudaChoice args{};
    args.vocab = m_weights->config().vocab;
    args.logits = b.logits->as<float>();
    args.sampling = b.sampling->as<BitloomCudaSampling>();
    args.draws = b.draws->as<double>();
    args.id = b.ids->as<int32_t>();
    args.position = b.position->as<int32_t>();
    args.chosen = b.chosen->as<BitloomCudaChosen>();
    args.scratch = b.choice->data();
    m_device->check(m_device->api().choose(m_device->context(), &args));
}

void GpuDecoder::runToken(bool chooses) {
    const auto record = [&] {
        begin(1);
        for (int64_t layer = 0; layer < m_weights->config().layers; ++layer)
            runBlock(layer, 1);
        head(0, 1);
        if (chooses) choose();
    };
    auto& graph = m_graphs->graph[size_t(chooses)];
    bool& ran = m_graphs->ran[size_t(chooses)];
    if (!ran) {
        record(); // what is loaded or allocated late must not be so in a graph
        ran = true;
        return;
    }
    if (!graph) graph = std::make_unique<CudaGraph>(*m_device, record);
    graph->launch();
}

void GpuDecoder::runPiece(std::span<const int32_t> ids, bool all, bool last,
                          const Progress* progress, std::vector<float>& logits) {
    const auto count = int64_t(ids.size()), vocab = m_weights->config().vocab;
    Buffers& b = *m_buffers;
    const auto position = int32_t(m_position);
    b.ids->upload(ids.data(), ids.size_bytes());
    b.position->upload(&position, sizeof position);
    const auto fetch = [&](int64_t n) {
        const size_t before = logits.size();
        logits.resize(before + size_t(n * vocab));
        b.logits->download(logits.data() + before, size_t(n * vocab) * sizeof(float));
    };
    if (count == 1) {
        if (progress) progress->check();
        runToken(false);
        return fetch(1);
    }
    begin(count);
    for (int64_t layer = 0; layer < m_weights->config().layers; ++layer) {
        if (progress) progress->check();
        runBlock(layer, count);
    }
    if (!all) {
        if (!last) return;
        head(count - 1, 1);
        return fetch(1);
    }
    if (b.logitTokens < std::min(count, logitTokens)) {
        m_graphs = std::make_unique<Graphs>();
        b.logitTokens = logitTokens;
        b.logits = std::make_unique<CudaMemory>(*m_device, size_t(logitTokens * vocab) * 4);
    }
    for (int64_t first = 0; first < count; first += logitTokens) {
        const int64_t n = std::min(logitTokens, count - first);
        head(first, n);
        fetch(n);
    }
}

std::vector<float> GpuDecoder::run(std::span<const int32_t> ids, bool all,
                                   const Progress* progress) {
    m_device->requireWorking();
    checkIds(m_weights->config(), ids, m_position);
    endChoosing();
    const int64_t before = m_position;
    const auto total = int64_t(ids.size());
    std::vector<float> logits;
    try {
        reserve(before + total);
        growBuffers(std::min(total, pieceTokens));
        for (int64_t done = 0; done < total;) {
            const int64_t count = std::min(pieceTokens, total - done);
            runPiece(ids.subspan(size_t(done), size_t(count)), all, done + count == total, progress,
                     logits);
            m_position += count;
            done += count;
        }
    } catch (...) {
        m_position = before;
        throw;
    }
    return logits;
}

bool GpuDecoder::chooses(const SamplingOptions& options) const {
    // The others sort the vocabulary or look at the text: logits are fetched for them.
    return options.topK == 0 && options.topP == 1 && options.repetitionPenalty == 1;
}

void GpuDecoder::startChoosing(const SamplingOptions& options, Sampler& sampler, int32_t id,
                               int64_t most) {
    const ModelConfig& config = m_weights->config();
    m_device->requireWorking();
    checkIds(config, {&id, 1}, m_position);
    most = std::min(most, config.maxPositions - m_position);
    try {
        reserve(std::min(m_position + most, std::max(m_cache->capacity(), m_position + 1024)));
    } catch (const Error& error) {
        // Only ahead of its time: a short answer may do without.
        if (error.code() != ErrorCode::NoSpace) throw;
    }
    growBuffers(1);
    Buffers& b = *m_buffers;
    const auto position = int32_t(m_position);
    const BitloomCudaSampling sampling{options.temperature, options.minP, 0};
    b.ids->upload(&id, sizeof id);
    b.position->upload(&position, sizeof position);
    b.sampling->upload(&sampling, sizeof sampling);
    m_choosing = std::make_unique<Choosing>();
    m_choosing->sampler = &sampler;
    m_choosing->draws = options.temperature > 0;
    m_choosing->left = most;
}

ChosenToken GpuDecoder::chooseNext() {
    m_device->requireWorking();
    if (!m_choosing) throw Error("something else has run since the choice of tokens began");
    Choosing& c = *m_choosing;
    const BitloomCudaApi& api = m_device->api();
    Buffers& b = *m_buffers;
    while (c.left > 0 && c.launched - c.read < Choosing::ahead) {
        if (m_position + (c.launched - c.read) >= m_cache->capacity()) {
            if (c.launched > c.read) break; // what was launched must be read first
            reserve(m_position + 1);
        }
        if (c.draws && c.drawn == Choosing::drawsAhead) {
            if (c.launched > c.read) break;
            std::vector<double> draws;
            for (int64_t i = 0; i < Choosing::drawsAhead; ++i)
                draws.push_back(c.sampler->draw());
            b.draws->upload(draws.data(), draws.size() * sizeof(double));
            const int64_t none = 0;
            m_device->check(api.upload(
                m_device->context(), b.sampling->as<char>() + offsetof(BitloomCudaSampling, drawn),
                &none, sizeof none));
            c.drawn = 0;
        }
        runToken(true);
        m_device->check(api.readLater(m_device->context(), int32_t(c.launched % Choosing::ahead),
                                      b.chosen->data(), sizeof(BitloomCudaChosen)));
        ++c.drawn;
        ++c.launched;
        --c.left;
    }
    if (c.launched == c.read) throw Error("no more tokens were to be chosen");
    BitloomCudaChosen chosen{};
    m_device->check(api.readNow(m_device->context(), int32_t(c.read % Choosing::ahead), &chosen,
                                sizeof chosen));
    ++c.read;
    ++m_position;
    if (chosen.state != BITLOOM_CUDA_CHOSEN) {
        endChoosing();
        if (chosen.state == BITLOOM_CUDA_NO_NUMBER) throwLogit(chosen.id, chosen.logit);
        throwNoToken();
    }
    return {chosen.id, float(double(chosen.logit - chosen.top) - std::log(chosen.sum))};
}

} // namespace bitloom::runtime
