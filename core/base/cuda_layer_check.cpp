// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors

// What a device computes between products, against plain sums in double.

#include "core/base/cuda_matrix.h"
#include "core/base/error.h"
#include "kernels/half.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <numeric>
#include <random>
#include <span>
#include <utility>

namespace bitloom {

namespace {

using Random = std::mt19937_64;
using Floats = std::vector<float>;

Floats normals(size_t count, Random& random, float scale = 1) {
    std::normal_distribution<float> normal(0, scale);
    Floats out(count);
    for (float& value : out)
        value = normal(random);
    return out;
}

/// Vectors of a device.
struct Side {
    const CudaDevice& device;

    template<class T>
    CudaMemory put(const std::vector<T>& values) const {
        CudaMemory memory(device, std::max<size_t>(values.size() * sizeof(T), 1));
        if (!values.empty()) memory.upload(values.data(), values.size() * sizeof(T));
        return memory;
    }
    /// Numbers that are none: every result must be written.
    CudaMemory unwritten(size_t floats) const {
        return put(Floats(floats, std::numeric_limits<float>::quiet_NaN()));
    }
    template<class T>
    std::vector<T> get(const CudaMemory& memory, size_t count) const {
        device.check(device.api().synchronize(device.context()));
        std::vector<T> out(count);
        memory.download(out.data(), count * sizeof(T));
        return out;
    }
};

/// Remembers the largest share of what is allowed.
struct Worst {
    CudaCheck& check;
    double most = 0;

    /// False, and says where, for a difference beyond `allowed`.
    bool near(double got, double right, double allowed, const std::string& where) {
        const double share = std::abs(got - right) / allowed;
        if (share <= 1) {
            most = std::max(most, share);
            return true;
        }
        check.ok = false;
        check.detail =
            fmt::format("{}: {} in place of {}, {:.1e} is allowed", where, got, right, allowed);
        return false;
    }
    void done(const std::string& what) const {
        check.ok = true;
        check.detail = fmt::format("{}, within {:.2f} of what is allowed", what, most);
    }
};

/// x + add, normed, in double.
std::vector<double> normed(const float* x, const float* add, const float* weight, int64_t n,
                           double epsilon) {
    std::vector<double> out;
    double square = 0;
    for (int64_t i = 0; i < n; ++i) {
        out.push_back(double(x[i]) + (add ? double(add[i]) : 0));
        square += out.back() * out.back();
    }
    for (int64_t i = 0; i < n; ++i)
        out[size_t(i)] *= double(weight[i]) / std::sqrt(square / double(n) + epsilon);
    return out;
}

double activated(int activation, double x) {
    switch (activation) {
    case BITLOOM_CUDA_SILU:
        return x / (1 + std::exp(-x));
    case BITLOOM_CUDA_RELU:
        return std::max(x, 0.0);
    case BITLOOM_CUDA_GELU:
        return 0.5 * x * (1 + std::erf(x / std::sqrt(2.0)));
    default:
        return 0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
    }
}

/// A matrix of all kinds whose columns are as many as asked for; with outliers and raw columns.
kernels::GpuMatrix someMatrix(int64_t rows, int64_t cols, Random& random) {
    std::vector<kernels::GpuColumn> columns;
    std::vector<std::vector<uint8_t>> codes;
    std::vector<kernels::GpuOutlier> outliers;
    for (int64_t k = 0; k + 1 < cols; ++k) {
        kernels::GpuColumn c;
        c.source = int32_t(k);
        c.kind = kernels::PanelKind(random() % 6);
        for (size_t e = 0; e < 16; ++e)
            c.entries[e] = uint8_t(e * 7);
        c.scale = 0.001f * float(1 + random() % 9);
        c.offset = -50;
        c.remainder = k % 5 ? 0.f : 0.001f;
        codes.emplace_back();
        for (int64_t n = 0; n < rows; ++n)
            codes.back().push_back(uint8_t(random() % (1u << kernels::panelBits(c.kind))));
        if (k % 3 == 0)
            outliers.push_back(
                {uint32_t(random() % uint64_t(rows)), uint32_t(k), kernels::floatToHalf(0.3f)});
        columns.push_back(c);
    }
    for (size_t i = 0; i < columns.size(); ++i)
        columns[i].codes = codes[i].data();
    kernels::GpuMatrix m = kernels::buildGpuMatrix(rows, cols, columns, outliers);
    m.rawColumn.push_back(int32_t(cols - 1));
    for (int64_t n = 0; n < rows; ++n)
        m.raw.push_back(kernels::floatToHalf(0.02f * float(n % 7)));
    m.bias = normals(size_t(rows), random);
    return m;
}

/// Inputs of one kind: as floats near what they should be, and rounded for products to the bit.
bool checkInput(const Side& side, int kind, int activation, int64_t cols, int tokens,
                Random& random, Worst& worst) {
    const BitloomCudaApi& api = side.device.api();
    const int64_t width = kind == BITLOOM_CUDA_GATED ? 2 * cols : cols;
    const auto size = size_t(tokens * width);
    const Floats x = normals(size, random), add = normals(size, random);
    const Floats weight = normals(size_t(cols), random);
    const CudaMemory deviceX = side.put(x), deviceAdd = side.put(add),
                     deviceWeight = side.put(weight);
    CudaMemory sum = side.unwritten(size), staged = side.unwritten(size_t(tokens * cols));
    BitloomCudaInput input{};
    input.kind = kind;
    input.activation = activation;
    input.cols = cols;
    input.stride = width;
    input.x = deviceX.as<float>();
    input.epsilon = 1e-5f;
    if (kind == BITLOOM_CUDA_NORM) {
        input.add = deviceAdd.as<float>();
        input.sum = sum.as<float>();
        input.weight = deviceWeight.as<float>();
    }
    side.device.check(api.stage(side.device.context(), &input, tokens, staged.as<float>(), cols));
    const Floats floats = side.get<float>(staged, size_t(tokens * cols));
    for (int t = 0; t < tokens; ++t) {
        const float* own = x.data() + t * width;
        std::vector<double> right(own, own + cols);
        if (kind == BITLOOM_CUDA_NORM)
            right = normed(own, add.data() + t * width, weight.data(), cols, 1e-5);
        for (int64_t c = 0; kind == BITLOOM_CUDA_GATED && c < cols; ++c)
            right[size_t(c)] = activated(activation, own[c]) * own[cols + c];
        for (int64_t c = 0; c < cols; ++c)
            if (!worst.near(floats[size_t(t * cols + c)], right[size_t(c)],
                            4e-6 * (1 + std::abs(right[size_t(c)])),
                            fmt::format("input of kind {}, {} columns", kind, cols)))
                return false;
    }

    std::vector<kernels::GpuMatrix> matrices;
    matrices.push_back(someMatrix(70, cols, random));
    matrices.push_back(someMatrix(300, cols, random));
    const CudaMatrix matrix(side.device, std::span<const kernels::GpuMatrix>(matrices));
    CudaMemory y = side.unwritten(size_t(tokens) * 370);
    side.device.check(api.prepare(matrix.get(), &input, tokens));
    side.device.check(api.product(matrix.get(), y.as<float>(), 370));
    const Floats got = side.get<float>(y, size_t(tokens) * 370);
    for (int t = 0; t < tokens; ++t) {
        Floats right(370);
        const std::span<const float> own(floats.data() + t * cols, size_t(cols));
        for (size_t i = 0; i < 2; ++i) {
            kernels::GpuToken token;
            kernels::roundGpuInput(matrices[i], own, token);
            kernels::gpuProduct(matrices[i], token, own,
                                std::span(right).subspan(i ? 70 : 0, i ? 300 : 70));
        }
        if (std::memcmp(right.data(), got.data() + t * 370, 370 * sizeof(float)) == 0) continue;
        worst.check.detail = fmt::format("products with an input of kind {} and {} columns differ "
                                         "from those with the same as floats",
                                         kind, cols);
        return false;
    }
    if (kind != BITLOOM_CUDA_NORM) return true;
    const Floats sums = side.get<float>(sum, size);
    for (size_t i = 0; i < size; ++i)
        if (sums[i] != x[i] + add[i]) {
            worst.check.detail = "a sum of residuals is wrong";
            return false;
        }
    return true;
}

void checkInputs(const Side& side, CudaCheck& check) {
    Random random(1);
    Worst worst{check};
    for (const int64_t cols : {65, 1000, 4096})
        for (const int tokens : {1, 2, 5, 16}) {
            if (!checkInput(side, BITLOOM_CUDA_PLAIN, 0, cols, tokens, random, worst)) return;
            if (!checkInput(side, BITLOOM_CUDA_NORM, 0, cols, tokens, random, worst)) return;
            if (!checkInput(side, BITLOOM_CUDA_GATED, tokens % 4, cols, tokens, random, worst))
                return;
        }
    worst.done("12 shapes");
}

bool checkRowsOf(const Side& side, int32_t type, int64_t cols, bool many, Random& random,
                 Worst& worst) {
    const std::array<int64_t, 3> rows{37, 1, 130};
    const int64_t all = 168;
    std::vector<std::vector<uint16_t>> halves;
    std::vector<Floats> values, biases;
    BitloomCudaRowsSpec spec{};
    spec.type = type;
    spec.parts = 3;
    spec.cols = cols;
    Floats weights, bias;
    for (size_t p = 0; p < 3; ++p) {
        values.push_back(normals(size_t(rows[p] * cols), random, 0.05f));
        halves.emplace_back();
        for (float& value : values.back()) {
            const bool half = type == BITLOOM_CUDA_F16;
            if (type == BITLOOM_CUDA_F32) continue;
            halves.back().push_back(half ? kernels::floatToHalf(value)
                                         : kernels::floatToBfloat16(value));
            value = half ? kernels::halfToFloat(halves.back().back())
                         : kernels::bfloat16ToFloat(halves.back().back());
        }
        biases.push_back(p == 1 ? Floats(1, 0.f) : normals(size_t(rows[p]), random));
        weights.insert(weights.end(), values.back().begin(), values.back().end());
        bias.insert(bias.end(), biases.back().begin(), biases.back().end());
        spec.rows[p] = rows[p];
        spec.hostBias[p] = p == 1 ? nullptr : biases.back().data();
    }
    for (size_t p = 0; p < 3; ++p)
        spec.hostRows[p] = type == BITLOOM_CUDA_F32 ? static_cast<const void*>(values[p].data())
                                                    : halves[p].data();
    const CudaMatrix matrix(side.device, spec);
    const BitloomCudaApi& api = side.device.api();
    for (const int tokens : many ? std::vector{1, 33} : std::vector{1, 2, 3, 8, 13, 16}) {
        const Floats x = normals(size_t(tokens * cols), random);
        const CudaMemory deviceX = side.put(x);
        CudaMemory y = side.unwritten(size_t(tokens * all));
        const int code = (many ? api.multiplyMany : api.multiply)(matrix.get(), deviceX.as<float>(),
                                                                  cols, tokens, y.as<float>(), all);
        if (many && code == BITLOOM_CUDA_NO_GEMM) {
            worst.check.ok = true;
            worst.check.detail = fmt::format("not checked: {}", api.message());
            return false;
        }
        side.device.check(code);
        const Floats got = side.get<float>(y, size_t(tokens * all));
        for (int t = 0; t < tokens; ++t)
            for (int64_t n = 0; n < all; ++n) {
                double sum = bias[size_t(n)], size = std::abs(sum);
                for (int64_t k = 0; k < cols; ++k) {
                    const double product =
                        double(weights[size_t(n * cols + k)]) * double(x[size_t(t * cols + k)]);
                    sum += product;
                    size += std::abs(product);
                }
                // Many tokens are rounded to fp16 first.
                if (!worst.near(got[size_t(t * all + n)], sum, (many ? 1e-3 : 2e-6) * size,
                                fmt::format("row {} of {} columns, {} tokens", n, cols, tokens)))
                    return false;
            }
    }
    return true;
}

void checkRows(const Side& side, bool many, CudaCheck& check) {
    Random random(2);
    Worst worst{check};
    for (const int32_t type : {BITLOOM_CUDA_F32, BITLOOM_CUDA_F16, BITLOOM_CUDA_BF16})
        for (const int64_t cols : {1, 9, 256, 1031})
            if (!checkRowsOf(side, type, cols, many, random, worst)) return;
    worst.done("3 types, 4 widths");
}

/// One layer's attention, as it should be.
struct Attending {
    int heads, kvHeads, headDim, window;
    int32_t cacheType;
    bool norms;
};

class AttentionCheck {
public:
    AttentionCheck(const Side& side, const Attending& what, Random& random, Worst& worst)
        : m_side(side), m_what(what), m_random(random), m_worst(worst),
          m_rows(size_t(what.kvHeads * capacity)),
          m_keys(side.put(std::vector<uint8_t>(m_rows * size_t(what.headDim) * 2, 0xFF))),
          m_values(side.put(std::vector<uint8_t>(m_rows * size_t(what.headDim) * 2, 0xFF))),
          m_keyScale(side.unwritten(m_rows)), m_valueScale(side.unwritten(m_rows)) {
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
        const CudaMemory scratch = m_side.put(
            std::vector<uint8_t>(api.attentionScratch(m_side.device.context(), &args) + 1, 0));
        args.scratch = scratch.data();
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
    CudaMemory m_keys, m_values, m_keyScale, m_valueScale;
    Floats m_queryNorm, m_keyNorm;
    int32_t m_past = 0;
};

void checkAttention(const Side& side, CudaCheck& check) {
    Random random(3);
    Worst worst{check};
    const Attending cases[] = {
        {4, 4, 64, 0, BITLOOM_CUDA_F16, false},  {8, 2, 128, 0, BITLOOM_CUDA_F16, true},
        {6, 1, 80, 50, BITLOOM_CUDA_F16, false}, {3, 3, 2, 0, BITLOOM_CUDA_F16, true},
        {4, 2, 14, 7, BITLOOM_CUDA_I8, true},    {2, 1, 256, 0, BITLOOM_CUDA_I8, false},
        {9, 1, 96, 0, BITLOOM_CUDA_I8, false}};
    for (const Attending& what : cases) {
        AttentionCheck one(side, what, random, worst);
        // Up to, on and behind borders of tiles; few, many, and one.
        for (const int tokens : {1, 16, 46, 1, 1, 5, 120, 1, 2, 300, 1, 3, 1})
            if (!one.run(tokens)) return;
    }
    worst.done(fmt::format("{} shapes, contexts of up to 498 positions", std::size(cases)));
}

void checkBegin(const Side& side, CudaCheck& check) {
    Random random(4);
    Worst worst{check};
    constexpr int64_t vocab = 50, hidden = 70, half = 33;
    const Floats values = normals(size_t(vocab * hidden), random);
    Floats frequency, scale;
    for (int64_t i = 0; i < half; ++i)
        frequency.push_back(float(std::pow(1e-5, double(i) / double(half))));
    std::vector<uint16_t> halves, bfloats;
    std::vector<int8_t> bytes;
    for (const float value : values) {
        halves.push_back(kernels::floatToHalf(value));
        bfloats.push_back(kernels::floatToBfloat16(value));
        bytes.push_back(int8_t(std::lround(std::clamp(value * 30, -127.f, 127.f))));
    }
    for (int64_t i = 0; i < vocab; ++i)
        scale.push_back(0.01f * float(i + 1));
    const CudaMemory rows[] = {side.put(values), side.put(halves), side.put(bfloats),
                               side.put(bytes)};
    const CudaMemory deviceScale = side.put(scale), deviceFrequency = side.put(frequency);
    const std::vector<int32_t> ids{3, 49, 0, 49, 17};
    const CudaMemory deviceIds = side.put(ids);
    for (int32_t type = 0; type < 4; ++type)
        for (const int32_t past : {0, 1, 777, 131000}) {
            const CudaMemory position = side.put(std::vector<int32_t>{past});
            const size_t count = ids.size();
            CudaMemory out = side.unwritten(count * size_t(hidden)),
                       cosine = side.unwritten(count * size_t(half)),
                       sine = side.unwritten(count * size_t(half));
            BitloomCudaBegin args{};
            args.tokens = int32_t(count);
            args.type = type;
            args.hidden = args.stride = args.embeddingStride = hidden;
            args.vocab = vocab;
            args.ids = deviceIds.as<int32_t>();
            args.position = position.as<int32_t>();
            args.embedding = rows[type].data();
            args.rowScale = deviceScale.as<float>();
            args.out = out.as<float>();
            args.half = half;
            args.frequency = deviceFrequency.as<float>();
            args.cosine = cosine.as<float>();
            args.sine = sine.as<float>();
            side.device.check(side.device.api().begin(side.device.context(), &args));
            const Floats got = side.get<float>(out, count * size_t(hidden));
            const Floats cosines = side.get<float>(cosine, count * size_t(half)),
                         sines = side.get<float>(sine, count * size_t(half));
            for (size_t t = 0; t < count; ++t) {
                for (size_t c = 0; c < size_t(hidden); ++c) {
                    const size_t at = size_t(ids[t]) * size_t(hidden) + c;
                    const float right = type == 0   ? values[at]
                                        : type == 1 ? kernels::halfToFloat(halves[at])
                                        : type == 2 ? kernels::bfloat16ToFloat(bfloats[at])
                                                    : float(bytes[at]) * scale[size_t(ids[t])];
                    if (!worst.near(got[t * size_t(hidden) + c], right, 1e-30, "an embedding"))
                        return;
                }
                for (size_t i = 0; i < size_t(half); ++i) {
                    // The angle is a float32, as in the reference.
                    const double angle = float(past + int(t)) * frequency[i];
                    const size_t at = t * size_t(half) + i;
                    if (!worst.near(cosines[at], std::cos(angle), 1.2e-7, "a cosine") ||
                        !worst.near(sines[at], std::sin(angle), 1.2e-7, "a sine"))
                        return;
                }
            }
        }
    worst.done("4 types, positions up to 131,004");
}

class ChoiceCheck {
public:
    ChoiceCheck(const Side& side, Worst& worst) : m_side(side), m_worst(worst) {}

    /// The token that a draw of `share` gives, by plain sums.
    static int32_t expected(const Floats& logits, double temperature, double minP, double share) {
        const auto best = std::max_element(logits.begin(), logits.end());
        if (temperature == 0) return int32_t(best - logits.begin());
        std::vector<double> weight;
        double total = 0;
        for (const float logit : logits) {
            const double own = std::exp((double(logit) - double(*best)) / temperature);
            weight.push_back(own < minP ? 0 : own);
            total += weight.back();
        }
        double reached = 0;
        int32_t last = 0;
        for (size_t i = 0; i < weight.size(); ++i) {
            if (weight[i] > 0) last = int32_t(i);
            reached += weight[i];
            if (share * total < reached) return last;
        }
        return last;
    }
    BitloomCudaChosen run(const Floats& logits, double temperature, double minP, double share) {
        const BitloomCudaApi& api = m_side.device.api();
        const CudaMemory deviceLogits = m_side.put(logits),
                         draws = m_side.put(std::vector<double>{0.5, 0.5, share}),
                         sampling =
                             m_side.put(std::vector<BitloomCudaSampling>{{temperature, minP, 2}}),
                         id = m_side.put(std::vector<int32_t>{-5}),
                         position = m_side.put(std::vector<int32_t>{41}),
                         chosen = m_side.put(std::vector<BitloomCudaChosen>(1)),
                         scratch = m_side.put(
                             std::vector<uint8_t>(api.choiceScratch(int64_t(logits.size())), 0));
        BitloomCudaChoice args{};
        args.vocab = int64_t(logits.size());
        args.logits = deviceLogits.as<float>();
        args.sampling = sampling.as<BitloomCudaSampling>();
        args.draws = draws.as<double>();
        args.id = id.as<int32_t>();
        args.position = position.as<int32_t>();
        args.chosen = chosen.as<BitloomCudaChosen>();
        args.scratch = scratch.data();
        BitloomCudaChosen out{};
        // Twice: scratch memory is left as it was found.
        for (int i = 0; i < 2; ++i) {
            const BitloomCudaSampling again{temperature, minP, 2};
            m_side.device.check(
                api.upload(m_side.device.context(), sampling.data(), &again, sizeof again));
            m_side.device.check(api.choose(m_side.device.context(), &args));
            out = m_side.get<BitloomCudaChosen>(chosen, 1)[0];
        }
        m_fine = m_side.get<int32_t>(id, 1)[0] == out.id &&
                 m_side.get<int32_t>(position, 1)[0] == 43 &&
                 m_side.get<BitloomCudaSampling>(sampling, 1)[0].drawn == (temperature > 0 ? 3 : 2);
        return out;
    }
    bool check(const Floats& logits, double temperature, double minP, double share) {
        const BitloomCudaChosen got = run(logits, temperature, minP, share);
        const int32_t right = expected(logits, temperature, minP, share);
        const float most = *std::max_element(logits.begin(), logits.end());
        double sum = 0;
        for (const float logit : logits)
            sum += std::exp(double(logit) - double(most));
        if (!m_fine || got.id != right || got.state != BITLOOM_CUDA_CHOSEN ||
            got.logit != logits[size_t(right)] || got.top != most) {
            m_worst.check.detail =
                fmt::format("token {} in place of {} among {}, temperature {}, min-p {}, draw {}",
                            got.id, right, logits.size(), temperature, minP, share);
            return false;
        }
        return m_worst.near(got.sum, sum, 1e-6 * sum, "a sum of probabilities");
    }
    /// Logits that are no numbers, and none that is possible.
    bool checkWrong(Floats logits) {
        const float infinity = std::numeric_limits<float>::infinity();
        const size_t at = logits.size() / 2;
        for (const float wrong : {infinity, std::nanf("")}) {
            Floats own = logits;
            own[at] = wrong;
            own[logits.size() - 1] = wrong;
            const BitloomCudaChosen got = run(own, 0.7, 0, 0.3);
            if (got.state != BITLOOM_CUDA_NO_NUMBER || got.id != int32_t(at)) {
                m_worst.check.detail = "a logit that is no number is not found";
                return false;
            }
        }
        std::ranges::fill(logits, -infinity);
        if (run(logits, 0.7, 0, 0.3).state == BITLOOM_CUDA_NO_TOKEN) return true;
        m_worst.check.detail = "that no token is possible is not found";
        return false;
    }

private:
    const Side& m_side;
    Worst& m_worst;
    bool m_fine = false;
};

void checkChoice(const Side& side, CudaCheck& check) {
    Random random(5);
    Worst worst{check};
    ChoiceCheck choice(side, worst);
    std::uniform_real_distribution<double> uniform;
    for (const size_t vocab : {1u, 5u, 1024u, 1025u, 32000u}) {
        Floats logits = normals(vocab, random, 3);
        if (vocab > 5) { // equal ones, and impossible ones
            logits[700] = logits[200] = 20;
            logits[0] = logits[vocab - 1] = -std::numeric_limits<float>::infinity();
        }
        if (!choice.check(logits, 0, 0, 0.5)) return;
        for (int i = 0; i < 6; ++i)
            for (const double minP : {0.0, 0.02}) {
                const double share = i == 0 ? 0 : i == 1 ? 1 - 0x1p-53 : uniform(random);
                if (!choice.check(logits, i % 2 ? 4.0 : 0.6, minP, share)) return;
            }
        if (vocab > 2 && !choice.checkWrong(logits)) return;
    }
    worst.done("5 vocabularies, 65 choices");
}

} // namespace

std::vector<CudaCheck> checkCudaLayers(const CudaDevice& device, const std::string& only) {
    const Side side{device};
    const std::pair<const char*, std::function<void(CudaCheck&)>> checks[] = {
        {"norms and gates, rounded", [&](CudaCheck& c) { checkInputs(side, c); }},
        {"products with plain rows", [&](CudaCheck& c) { checkRows(side, false, c); }},
        {"plain rows, many tokens", [&](CudaCheck& c) { checkRows(side, true, c); }},
        {"attention and its cache", [&](CudaCheck& c) { checkAttention(side, c); }},
        {"embeddings and angles", [&](CudaCheck& c) { checkBegin(side, c); }},
        {"choice of tokens", [&](CudaCheck& c) { checkChoice(side, c); }}};
    std::vector<CudaCheck> out;
    for (const auto& [name, check] : checks)
        if (only.empty() || only == name) out.push_back(runCudaCheck(name, check));
    return out;
}

} // namespace bitloom
