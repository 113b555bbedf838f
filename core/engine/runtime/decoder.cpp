// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/engine/runtime/decoder.h"

#include "core/engine/runtime/check_ids.h"
#include "core/model/rope.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

namespace bitloom::runtime {

namespace {

constexpr size_t roles = 7;
constexpr size_t at(LinearRole role) {
    return static_cast<size_t>(role);
}

/// Tokens that go through the model at once; longer prompts go in pieces.
constexpr int64_t pieceTokens = 512;
/// Queries of one head that share a walk over keys.
constexpr int64_t queryTile = 8;

std::vector<float> vectorOf(const ModelWeights& weights, const std::string& name,
                            int64_t elements) {
    std::vector<float> out(static_cast<size_t>(elements));
    weights.readTensor(name, out);
    return out;
}

/// gate = activation(gate)·up
void activateProduct(Activation activation, float* gate, const float* up, int64_t n) {
    switch (activation) {
    case Activation::Silu:
        kernels::denseRowKernels().siluProduct(gate, up, n);
        return;
    case Activation::Relu:
        for (int64_t i = 0; i < n; ++i)
            gate[i] = std::max(gate[i], 0.f) * up[i];
        return;
    case Activation::Gelu:
        for (int64_t i = 0; i < n; ++i)
            gate[i] *= 0.5f * (1 + std::erf(gate[i] * float(std::numbers::sqrt2 / 2))) * up[i];
        return;
    case Activation::GeluTanh:
        for (int64_t i = 0; i < n; ++i) {
            const float x = gate[i];
            const float inner =
                float(std::numbers::inv_sqrtpi * std::numbers::sqrt2) * (x + 0.044715f * x * x * x);
            gate[i] = 0.5f * x * (1 + std::tanh(inner)) * up[i];
        }
        return;
    }
}

} // namespace

struct Decoder::Block {
    std::vector<float> inputNorm, postNorm, queryNorm, keyNorm;
    std::array<Linear, roles> linears; ///< by role
};

/// Row-major, `pieceTokens` rows at most; they grow with what is asked for and stay.
struct Decoder::Buffers {
    std::vector<float> hidden, normed, query, key, value, mixed, gate, up, added;
    std::array<Linear::Input, 3> inputs;
};

Decoder::Decoder(std::shared_ptr<const ModelWeights> weights, const DecoderOptions& options)
    : m_weights(std::move(weights)), m_options(options),
      m_resident(ownBytes(*m_weights) <= options.memoryBytes), m_team(options.threads),
      m_frequencies(inverseFrequencies(m_weights->config())),
      m_finalNorm(vectorOf(*m_weights, m_weights->catalogue().finalNorm + ".weight",
                           m_weights->config().hidden)),
      m_head(Linear::rows(*m_weights, m_weights->catalogue().head, m_weights->config().vocab,
                          m_weights->config().hidden, m_team)),
      m_blocks(size_t(m_weights->config().layers)), m_cache(m_weights->config(), options.kv),
      m_buffers(std::make_unique<Buffers>()) {}

Decoder::~Decoder() = default;

std::unique_ptr<Decoder::Block> Decoder::makeBlock(int64_t index) {
    const Catalogue& catalogue = m_weights->catalogue();
    const ModelConfig& config = m_weights->config();
    const std::string prefix = catalogue.block(index);
    auto block = std::make_unique<Block>();
    block->inputNorm =
        vectorOf(*m_weights, prefix + catalogue.inputNorm + ".weight", config.hidden);
    block->postNorm = vectorOf(*m_weights, prefix + catalogue.postNorm + ".weight", config.hidden);
    if (!catalogue.queryNorm.empty()) {
        block->queryNorm =
            vectorOf(*m_weights, prefix + catalogue.queryNorm + ".weight", config.headDim);
        block->keyNorm =
            vectorOf(*m_weights, prefix + catalogue.keyNorm + ".weight", config.headDim);
    }
    for (const int64_t i : catalogue.linearsOfBlock(index)) {
        const LinearInfo& info = catalogue.linears[size_t(i)];
        block->linears[at(info.role)] = Linear::layer(*m_weights, info, m_team);
    }
    return block;
}

const Decoder::Block& Decoder::block(int64_t index) {
    if (!m_resident) {
        m_passing.reset(); // before the next one is made: two need not fit
        m_passing = makeBlock(index);
        return *m_passing;
    }
    loadBlock(index);
    return *m_blocks[size_t(index)];
}

void Decoder::loadBlock(int64_t index) {
    if (m_resident && !m_blocks[size_t(index)]) m_blocks[size_t(index)] = makeBlock(index);
}

int64_t Decoder::ownBytes(const ModelWeights& weights) {
    const Catalogue& catalogue = weights.catalogue();
    int64_t bytes = 0;
    bool panels = false;
    for (const LinearInfo& info : catalogue.linears) {
        if (weights.storedRows(info.name + ".weight")) continue;
        // All quantized layers of a checkpoint have one layout.
        if (panels || weights.columns(info.name)) {
            panels = true;
            continue;
        }
        bytes += info.rows * info.cols * int64_t(sizeof(float));
    }
    // Panels take what the file takes, padding and tables included.
    return bytes + (panels ? weights.storedBytes() : 0);
}

bool Decoder::companyMatters() const {
    for (const auto& block : m_blocks)
        if (!block || std::ranges::any_of(block->linears, [](const Linear& linear) {
                return linear.panels() == nullptr;
            }))
            return true;
    return false;
}

int64_t Decoder::promptPiece() const {
    // Small where weights are ready, so that a wish to stop is heard soon; all of it where they
    // must be made anew.
    if (!m_resident) return m_weights->config().maxPositions;
    return companyMatters() ? 64 : 512;
}

int64_t Decoder::weightBytes() const {
    int64_t bytes = m_head.bytes();
    for (const auto& block : m_blocks)
        if (block)
            for (const Linear& linear : block->linears)
                bytes += linear.bytes();
    return bytes;
}

int64_t Decoder::memoryBytes() const {
    return (m_resident ? ownBytes(*m_weights) : 0) + m_cache.bytes();
}

int64_t Decoder::workingBytes() const {
    return weightBytes() + m_cache.bytes();
}

void Decoder::growRope(int64_t positions) {
    const size_t half = m_frequencies.size();
    for (auto p = int64_t(m_cos.size() / half); p < positions; ++p)
        for (const float frequency : m_frequencies) {
            const float angle = float(p) * frequency;
            m_cos.push_back(std::cos(angle));
            m_sin.push_back(std::sin(angle));
        }
}

void Decoder::norm(const float* x, std::span<const float> weight, float* out, int64_t count) const {
    const auto width = int64_t(weight.size());
    for (int64_t t = 0; t < count; ++t, x += width, out += width) {
        // Eight sums side by side, always in the same order.
        std::array<float, 8> sums{};
        int64_t i = 0;
        for (; i + 8 <= width; i += 8)
            for (size_t j = 0; j < 8; ++j)
                sums[j] += x[i + int64_t(j)] * x[i + int64_t(j)];
        float square = 0;
        for (; i < width; ++i)
            square += x[i] * x[i];
        for (const float sum : sums)
            square += sum;
        const float factor =
            1.f / std::sqrt(square / float(width) + float(m_weights->config().normEps));
        for (i = 0; i < width; ++i)
            out[i] = x[i] * factor * weight[size_t(i)];
    }
}

void Decoder::rotate(float* x, int64_t position) const {
    const size_t half = m_frequencies.size();
    const float* cos = m_cos.data() + size_t(position) * half;
    const float* sin = m_sin.data() + size_t(position) * half;
    for (size_t i = 0; i < half; ++i) {
        const float a = x[i], b = x[i + half];
        x[i] = a * cos[i] - b * sin[i];
        x[i + half] = b * cos[i] + a * sin[i];
    }
}

/// Matrices that read the same input, with their biases.
void Decoder::product(std::span<const Linear* const> linears, const float* x,
                      std::span<float* const> outputs, int64_t count) {
    std::array<Product, 3> products;
    for (size_t i = 0; i < linears.size(); ++i) {
        const Linear& linear = *linears[i];
        Linear::Input& input = m_buffers->inputs[i];
        linear.begin({x, count, linear.colCount()}, input);
        products[i] = {&linear, &input, outputs[i], linear.rowCount()};
    }
    multiplyAll(m_team, std::span(products).first(linears.size()));
    for (size_t i = 0; i < linears.size(); ++i) {
        const std::span bias = linears[i]->bias();
        if (bias.empty()) continue;
        float* y = outputs[i];
        for (int64_t t = 0; t < count; ++t)
            for (const float b : bias)
                *y++ += b;
    }
}

/// Queries that share keys and values: of some tokens, or of one token's heads. The results do not
/// depend on how many go together.
void Decoder::attend(const Queries& q) {
    const ModelConfig& config = m_weights->config();
    const kernels::DenseRowKernels& kernels = kernels::denseRowKernels();
    const int64_t dim = config.headDim;
    const int64_t window =
        size_t(q.layer) < config.slidingWindow.size() ? config.slidingWindow[size_t(q.layer)] : 0;
    const auto firstSeen = [&](int64_t position) {
        return window > 0 ? std::max<int64_t>(0, position - window + 1) : 0;
    };
    const int64_t last = q.position + (q.count - 1) * q.step;
    const int64_t low = firstSeen(q.position), total = last + 1 - low;
    thread_local std::vector<float> scores;
    scores.resize(size_t(q.count * total));
    const KvCache::View keys = m_cache.keys(q.layer, q.kvHead, low, total);
    kernels.multiply(keys.rows, {q.query, q.count, q.stride}, scores.data(), total);
    const KvCache::View values = m_cache.values(q.layer, q.kvHead, low, total);
    const float scale = 1.f / std::sqrt(float(dim));
    for (int64_t i = 0; i < q.count; ++i) {
        const int64_t position = q.position + i * q.step;
        const int64_t begin = firstSeen(position) - low, n = position + 1 - low - begin;
        float* all = scores.data() + i * total;
        float* s = all + begin;
        for (int64_t k = 0; k < n; ++k)
            s[k] *= keys.scale ? scale * keys.scale[begin + k] : scale;
        const double sum = kernels.exponentiate(s, n, *std::max_element(s, s + n));
        const auto inverse = float(1.0 / sum);
        for (int64_t k = 0; k < n; ++k)
            s[k] *= values.scale ? inverse * values.scale[begin + k] : inverse;
        // What others see and this one does not.
        std::fill(all, s, 0.f);
        std::fill(s + n, all + total, 0.f);
        std::fill_n(q.out + i * q.stride, dim, 0.f);
    }
    kernels.combine(values.rows, {scores.data(), q.count, total}, q.out, q.stride);
}

void Decoder::attention(const Block& w, int64_t layer, int64_t count) {
    const ModelConfig& config = m_weights->config();
    Buffers& b = *m_buffers;
    const int64_t dim = config.headDim, past = m_position;
    // Keys and values of all tokens, then every head's queries: heads of a group share keys.
    m_team.forEach(config.kvHeads, [&](int64_t head) {
        for (int64_t t = 0; t < count; ++t) {
            float* key = b.key.data() + (t * config.kvHeads + head) * dim;
            if (!w.keyNorm.empty()) norm(key, w.keyNorm, key, 1);
            rotate(key, past + t);
            m_cache.append(layer, head, past + t, key,
                           b.value.data() + (t * config.kvHeads + head) * dim);
        }
    });
    const int64_t width = config.heads * dim, group = config.heads / config.kvHeads;
    const auto ready = [&](int64_t t, int64_t head) {
        float* query = b.query.data() + t * width + head * dim;
        if (!w.queryNorm.empty()) norm(query, w.queryNorm, query, 1);
        rotate(query, past + t);
        return query;
    };
    if (count == 1) {
        // A group's heads together, if that leaves every thread something.
        const int64_t least = (config.heads + m_team.threads() - 1) / m_team.threads();
        const int64_t share = std::clamp<int64_t>(std::min(group, least), 1, queryTile);
        const int64_t shares = (group + share - 1) / share;
        m_team.forEach(config.kvHeads * shares, [&](int64_t item) {
            const int64_t kvHead = item / shares, first = item % shares * share;
            const int64_t n = std::min(share, group - first), head = kvHead * group + first;
            for (int64_t i = 0; i < n; ++i)
                ready(0, head + i);
            attend({layer, kvHead, past, 0, n, b.query.data() + head * dim,
                    b.mixed.data() + head * dim, dim});
        });
        return;
    }
    const int64_t tiles = (count + queryTile - 1) / queryTile;
    m_team.forEach(config.heads * tiles, [&](int64_t item) {
        const int64_t head = item / tiles, first = item % tiles * queryTile;
        const int64_t n = std::min(queryTile, count - first), at = first * width + head * dim;
        for (int64_t t = first; t < first + n; ++t)
            ready(t, head);
        attend({layer, head / group, past + first, 1, n, b.query.data() + at, b.mixed.data() + at,
                width});
    });
}

void Decoder::runBlock(const Block& w, int64_t layer, int64_t count) {
    const ModelConfig& config = m_weights->config();
    Buffers& b = *m_buffers;
    const auto of = [&](LinearRole role) { return &w.linears[at(role)]; };
    const int64_t width = config.hidden, middle = config.intermediate;
    const auto add = [&] {
        for (int64_t i = 0; i < count * width; ++i)
            b.hidden[size_t(i)] += b.added[size_t(i)];
    };

    norm(b.hidden.data(), w.inputNorm, b.normed.data(), count);
    product(std::array<const Linear*, 3>{of(LinearRole::Query), of(LinearRole::Key),
                                         of(LinearRole::Value)},
            b.normed.data(), std::array{b.query.data(), b.key.data(), b.value.data()}, count);
    attention(w, layer, count);
    product(std::array<const Linear*, 1>{of(LinearRole::AttentionOut)}, b.mixed.data(),
            std::array{b.added.data()}, count);
    add();

    norm(b.hidden.data(), w.postNorm, b.normed.data(), count);
    product(std::array<const Linear*, 2>{of(LinearRole::Gate), of(LinearRole::Up)}, b.normed.data(),
            std::array{b.gate.data(), b.up.data()}, count);
    constexpr int64_t strip = 2048; // numbers of one work item
    m_team.forEach((count * middle + strip - 1) / strip, [&](int64_t i) {
        activateProduct(config.activation, b.gate.data() + i * strip, b.up.data() + i * strip,
                        std::min(strip, count * middle - i * strip));
    });
    product(std::array<const Linear*, 1>{of(LinearRole::Down)}, b.gate.data(),
            std::array{b.added.data()}, count);
    add();
}

std::vector<float> Decoder::run(std::span<const int32_t> ids, bool all, const Progress* progress) {
    const ModelConfig& config = m_weights->config();
    const Catalogue& catalogue = m_weights->catalogue();
    const auto total = int64_t(ids.size());
    checkIds(config, ids, m_position);
    const int64_t before = m_position;
    m_cache.reserve(before + total, before);
    growRope(before + total);
    Buffers& b = *m_buffers;
    std::vector<float> logits(size_t(config.vocab * (all ? total : 1)));
    try {
        for (int64_t done = 0; done < total;) {
            const int64_t count = std::min(pieceTokens, total - done);
            const auto grow = [&](std::vector<float>& buffer, int64_t width) {
                if (int64_t(buffer.size()) < count * width) buffer.resize(size_t(count * width));
            };
            for (std::vector<float>* buffer : {&b.hidden, &b.normed, &b.added})
                grow(*buffer, config.hidden);
            for (std::vector<float>* buffer : {&b.query, &b.mixed})
                grow(*buffer, config.heads * config.headDim);
            for (std::vector<float>* buffer : {&b.key, &b.value})
                grow(*buffer, config.kvHeads * config.headDim);
            for (std::vector<float>* buffer : {&b.gate, &b.up})
                grow(*buffer, config.intermediate);
            for (int64_t t = 0; t < count; ++t)
                m_weights->readRows(
                    catalogue.embedding, ids[size_t(done + t)],
                    std::span(b.hidden).subspan(size_t(t * config.hidden), size_t(config.hidden)));
            for (int64_t layer = 0; layer < config.layers; ++layer) {
                if (progress) progress->check();
                runBlock(block(layer), layer, count);
            }
            m_position += count;
            done += count;
            if (!all && done < total) continue;
            const int64_t wanted = all ? count : 1;
            norm(b.hidden.data() + (count - wanted) * config.hidden, m_finalNorm, b.normed.data(),
                 wanted);
            product(std::array<const Linear*, 1>{&m_head}, b.normed.data(),
                    std::array{logits.data() + (all ? (done - count) * config.vocab : 0)}, wanted);
        }
    } catch (...) {
        m_position = before;
        throw;
    }
    return logits;
}

} // namespace bitloom::runtime
