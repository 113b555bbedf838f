// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors

// Attention of a device against sums in double over what its cache holds.

#include "core/base/cuda_check_parts.h"
#include "kernels/half.h"

#include <numeric>

namespace bitloom::cudaCheck {

namespace {

/// One layer's attention, as it should be.
struct Attending {
    int heads, kvHeads, headDim, window;
    int32_t cacheType;
    bool norms;
};

/// Tokens of runs, one behind the other: up to, on and behind borders of tiles; few, many, and one.
constexpr int runs[] = {1, 16, 46, 1, 1, 5, 120, 1, 2, 300, 1, 3, 16, 1};

class AttentionCheck {
public:
    AttentionCheck(const Side& side, const Attending& what, Random& random, Worst& worst)
        : m_side(side), m_what(what), m_random(random), m_worst(worst),
          m_rows(size_t(what.kvHeads * capacity)),
          m_keys(side.put(std::vector<uint8_t>(m_rows * size_t(what.headDim) * 2, 0xFF))),
          m_values(side.put(std::vector<uint8_t>(m_rows * size_t(what.headDim) * 2, 0xFF))),
          m_keyScale(side.unwritten(m_rows)), m_valueScale(side.unwritten(m_rows)),
          m_scratch(side.put(std::vector<uint8_t>(scratchBytes(), 0))) {
        m_queryNorm = normals(size_t(what.headDim), random);
        m_keyNorm = normals(size_t(what.headDim), random);
    }

    /// Runs tokens behind those that ran before.
    bool run(int tokens) {
        const int dim = m_what.headDim, half = dim / 2;
        const int64_t stride = (m_what.heads + 2 * m_what.kvHeads) * dim;
        const Floats qkv = normals(size_t(tokens * stride), m_random);
        Floats cosine, sine;
        for (int t = 0; t < tokens; ++t)
            for (int i = 0; i < half; ++i) {
                const double angle = double(m_past + t) / std::pow(100.0, double(i) / half);
                cosine.push_back(float(std::cos(angle)));
                sine.push_back(float(std::sin(angle)));
            }
        const CudaMemory deviceQkv = m_side.put(qkv), deviceCosine = m_side.put(cosine),
                         deviceSine = m_side.put(sine), queryNorm = m_side.put(m_queryNorm),
                         keyNorm = m_side.put(m_keyNorm),
                         position = m_side.put(std::vector<int32_t>{m_past});
        CudaMemory out = m_side.unwritten(size_t(tokens * m_what.heads * dim));
        BitloomCudaAttention args{};
        args.tokens = tokens;
        args.heads = m_what.heads;
        args.kvHeads = m_what.kvHeads;
        args.headDim = dim;
        args.window = m_what.window;
        args.cacheType = m_what.cacheType;
        args.capacity = capacity;
        args.epsilon = 1e-6f;
        args.position = position.as<int32_t>();
        args.qkv = deviceQkv.as<float>();
        args.stride = stride;
        args.cosine = deviceCosine.as<float>();
        args.sine = deviceSine.as<float>();
        args.queryNorm = m_what.norms ? queryNorm.as<float>() : nullptr;
        args.keyNorm = m_what.norms ? keyNorm.as<float>() : nullptr;
        args.keys = m_keys.data();
        args.values = m_values.data();
        args.keyScale = m_keyScale.as<float>();
        args.valueScale = m_valueScale.as<float>();
        args.out = out.as<float>();
        args.outStride = m_what.heads * dim;
        const BitloomCudaApi& api = m_side.device.api();
        args.scratch = m_scratch.data();
        m_side.device.check(api.attention(m_side.device.context(), &args));
        const Floats got = m_side.get<float>(out, size_t(tokens * m_what.heads * dim));
        const std::vector<Row> keys = fetch(m_keys, m_keyScale),
                               values = fetch(m_values, m_valueScale);
        for (int t = 0; t < tokens; ++t) {
            const float* own = qkv.data() + t * stride;
            const auto turned = [&](const float* x, const Floats& norm) {
                return turn(x, m_what.norms ? norm.data() : nullptr, cosine.data() + t * half,
                            sine.data() + t * half);
            };
            for (int h = 0; h < m_what.kvHeads; ++h) {
                const float* key = own + (m_what.heads + h) * dim;
                const float* value = own + (m_what.heads + m_what.kvHeads + h) * dim;
                const auto at = size_t(h * capacity + m_past + t);
                if (!stored(keys[at], turned(key, m_keyNorm)) ||
                    !stored(values[at], std::vector<double>(value, value + dim)))
                    return false;
            }
            for (int h = 0; h < m_what.heads; ++h)
                if (!attended(turned(own + h * dim, m_queryNorm), keys, values, h, t,
                              got.data() + (t * m_what.heads + h) * dim))
                    return false;
        }
        m_past += tokens;
        return true;
    }

private:
    static constexpr int capacity = 700;
    struct Row {
        std::vector<double> value;
        double unit = 0; ///< what a number may be rounded by, but for its size
    };

    /// One scratch for all runs, however many tokens they have: what one leaves the next must take.
    size_t scratchBytes() const {
        BitloomCudaAttention args{};
        args.heads = m_what.heads;
        args.kvHeads = m_what.kvHeads;
        args.headDim = m_what.headDim;
        uint64_t most = 1;
        for (const int tokens : runs) {
            args.tokens = tokens;
            most = std::max(most,
                            m_side.device.api().attentionScratch(m_side.device.context(), &args));
        }
        return size_t(most);
    }
    std::vector<Row> fetch(const CudaMemory& memory, const CudaMemory& scale) const {
        const auto dim = size_t(m_what.headDim);
        std::vector<Row> out(m_rows);
        if (m_what.cacheType == BITLOOM_CUDA_F16) {
            const auto bits = m_side.get<uint16_t>(memory, m_rows * dim);
            for (size_t i = 0; i < m_rows * dim; ++i)
                out[i / dim].value.push_back(kernels::halfToFloat(bits[i]));
            return out;
        }
        const auto codes = m_side.get<int8_t>(memory, m_rows * dim);
        const Floats scales = m_side.get<float>(scale, m_rows);
        for (size_t i = 0; i < m_rows * dim; ++i) {
            out[i / dim].value.push_back(double(codes[i]) * double(scales[i / dim]));
            out[i / dim].unit = 0.51 * double(scales[i / dim]);
        }
        return out;
    }
    std::vector<double> turn(const float* x, const float* norm, const float* cosine,
                             const float* sine) const {
        const int dim = m_what.headDim, half = dim / 2;
        const std::vector<double> own =
            norm ? normed(x, nullptr, norm, dim, 1e-6) : std::vector<double>(x, x + dim);
        std::vector<double> out(own.size());
        for (size_t i = 0; i < size_t(half); ++i) {
            const double a = own[i], b = own[i + size_t(half)];
            out[i] = a * double(cosine[i]) - b * double(sine[i]);
            out[i + size_t(half)] = b * double(cosine[i]) + a * double(sine[i]);
        }
        return out;
    }
    bool stored(const Row& row, const std::vector<double>& right) {
        for (size_t i = 0; i < right.size(); ++i)
            if (!m_worst.near(row.value[i], right[i], 1e-6 + row.unit + 5e-4 * std::abs(right[i]),
                              "a cached number"))
                return false;
        return true;
    }
    bool attended(const std::vector<double>& query, const std::vector<Row>& keys,
                  const std::vector<Row>& values, int head, int token, const float* got) {
        const int position = m_past + token, dim = m_what.headDim;
        const int first = m_what.window > 0 ? std::max(0, position - m_what.window + 1) : 0;
        const int own = head / (m_what.heads / m_what.kvHeads) * capacity;
        std::vector<double> score;
        for (int p = first; p <= position; ++p)
            score.push_back(std::inner_product(query.begin(), query.end(),
                                               keys[size_t(own + p)].value.begin(), 0.0) /
                            std::sqrt(double(dim)));
        const double most = *std::max_element(score.begin(), score.end());
        double sum = 0;
        std::vector<double> right(size_t(dim), 0.0);
        for (int p = first; p <= position; ++p) {
            const double weight = std::exp(score[size_t(p - first)] - most);
            sum += weight;
            for (size_t c = 0; c < size_t(dim); ++c)
                right[c] += weight * values[size_t(own + p)].value[c];
        }
        for (size_t c = 0; c < size_t(dim); ++c)
            if (!m_worst.near(got[c], right[c] / sum, 3e-5,
                              fmt::format("{} heads of {} columns, position {}", m_what.heads, dim,
                                          position)))
                return false;
        return true;
    }

    const Side& m_side;
    const Attending m_what;
    Random& m_random;
    Worst& m_worst;
    size_t m_rows;
    CudaMemory m_keys, m_values, m_keyScale, m_valueScale, m_scratch;
    Floats m_queryNorm, m_keyNorm;
    int32_t m_past = 0;
};

} // namespace

void checkAttention(const Side& side, CudaCheck& check) {
    Random random(3);
    Worst worst{check};
    const Attending cases[] = {
        {4, 4, 64, 0, BITLOOM_CUDA_F16, false},  {8, 2, 128, 0, BITLOOM_CUDA_F16, true},
        {6, 1, 80, 50, BITLOOM_CUDA_F16, false}, {3, 3, 2, 0, BITLOOM_CUDA_F16, true},
        {4, 2, 14, 7, BITLOOM_CUDA_I8, true},    {2, 1, 256, 0, BITLOOM_CUDA_I8, false},
        {9, 1, 96, 0, BITLOOM_CUDA_I8, false},   {32, 8, 16, 0, BITLOOM_CUDA_F16, false}};
    for (const Attending& what : cases) {
        AttentionCheck one(side, what, random, worst);
        for (const int tokens : runs)
            if (!one.run(tokens)) return;
    }
    worst.done(fmt::format("{} shapes, contexts of up to {} positions", std::size(cases),
                           std::accumulate(std::begin(runs), std::end(runs), 0)));
}

} // namespace bitloom::cudaCheck
