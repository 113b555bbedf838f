// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors

// What a device computes between products, against plain sums in double.

#include "core/base/cuda_check_parts.h"
#include "core/base/error.h"
#include "kernels/half.h"

#include <array>
#include <cstring>
#include <functional>
#include <span>
#include <utility>

namespace bitloom {

namespace cudaCheck {

namespace {

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

} // namespace

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

void checkRows(const Side& side, bool many, CudaCheck& check) {
    Random random(2);
    Worst worst{check};
    for (const int32_t type : {BITLOOM_CUDA_F32, BITLOOM_CUDA_F16, BITLOOM_CUDA_BF16})
        for (const int64_t cols : {1, 9, 256, 1031})
            if (!checkRowsOf(side, type, cols, many, random, worst)) return;
    worst.done("3 types, 4 widths");
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

} // namespace cudaCheck

std::vector<CudaCheck> checkCudaLayers(const CudaDevice& device, const std::string& only) {
    using namespace cudaCheck;
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
