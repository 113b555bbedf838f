// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/engine/detail/polish_training.h"

#include "core/base/error.h"

#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numbers>
#include <numeric>
#include <random>

namespace bitloom::detail {

namespace {

std::span<float> valuesOf(const at::Tensor& tensor) {
    return {tensor.data_ptr<float>(), size_t(tensor.numel())};
}

} // namespace

void PolishedPart::Adam::update(std::span<float> values, std::span<const float> gradient,
                                std::span<const float> sizes, double rate, int64_t step) {
    constexpr double beta1 = 0.9, beta2 = 0.99, epsilon = 1e-12;
    const double correction1 = 1 - std::pow(beta1, double(step + 1));
    const double correction2 = 1 - std::pow(beta2, double(step + 1));
    for (size_t i = 0; i < values.size(); ++i) {
        const double g = double(gradient[i]);
        first[i] = float(beta1 * double(first[i]) + (1 - beta1) * g);
        second[i] = float(beta2 * double(second[i]) + (1 - beta2) * g * g);
        const double m = double(first[i]) / correction1, v = double(second[i]) / correction2;
        values[i] -= float(rate * double(sizes[i]) * m / (std::sqrt(v) + epsilon));
    }
}

void PolishedPart::addLayer(const LinearInfo& info, ColumnWeights& layer, const at::Tensor& exact) {
    const at::Tensor byColumn = exact.t().contiguous();
    LayerParameters parameters(layer, valuesOf(byColumn));
    const size_t n = parameters.values().size();
    m_layers.push_back({&info, &layer, std::move(parameters), Adam(n), at::Tensor(), nullptr,
                        std::vector<float>(n), std::vector<float>(n)});
}

void PolishedPart::addNorm(const std::string& name, at::Tensor& slot) {
    slot = slot.clone();
    const size_t n = size_t(slot.numel());
    const float size = float(slot.abs().mean().item<double>());
    m_norms.push_back(
        {name, slot, Adam(n), std::vector<float>(n, size), std::vector<float>(n, 0.0f)});
}

void PolishedPart::openLeaves(const Place& place, int threads) {
    at::AutoGradMode grad(true);
    m_leaves.clear();
    for (Layer& layer : m_layers) {
        if (place.onDevice()) {
            at::NoGradGuard noGrad;
            if (!layer.there)
                layer.there =
                    std::make_unique<DeviceParameters>(layer.parameters, *layer.layer, place);
            m_leaves.push_back(layer.there->dequantize());
        } else {
            if (!layer.weights.defined())
                layer.weights = at::empty({layer.info->cols, layer.info->rows}, at::kFloat);
            layer.parameters.dequantize(valuesOf(layer.weights), threads);
            m_leaves.push_back(layer.weights.detach());
        }
        m_leaves.back().requires_grad_(true);
    }
    for (Norm& norm : m_norms) {
        m_leaves.push_back(place.onDevice() ? place.in(norm.weight) : norm.weight);
        m_leaves.back().requires_grad_(true);
    }
}

void PolishedPart::accumulate(const Place& place, const std::vector<at::Tensor>& gradients,
                              int threads) {
    const auto add = [](std::vector<float>& sum, std::span<const float> part) {
        std::transform(part.begin(), part.end(), sum.begin(), sum.begin(), std::plus<>());
    };
    for (size_t i = 0; i < m_layers.size(); ++i) {
        if (m_layers[i].there) {
            m_layers[i].there->reduce(gradients[i], m_layers[i].scratch);
        } else {
            const at::Tensor dense = gradients[i].contiguous();
            m_layers[i].parameters.reduce(valuesOf(dense), m_layers[i].scratch, threads);
        }
        add(m_layers[i].gradient, m_layers[i].scratch);
    }
    for (size_t i = 0; i < m_norms.size(); ++i) {
        const at::Tensor dense = place.out(gradients[m_layers.size() + i]).contiguous();
        add(m_norms[i].gradient, valuesOf(dense));
    }
}

void PolishedPart::update(const Rates& rates, int64_t step) {
    m_leaves.clear();
    for (Layer& layer : m_layers) {
        layer.adam.update(layer.parameters.values(), layer.gradient, layer.parameters.stepSizes(),
                          rates.layers, step);
    }
    for (Norm& norm : m_norms) {
        norm.weight.requires_grad_(false);
        norm.adam.update(valuesOf(norm.weight), norm.gradient, norm.sizes, rates.norms, step);
    }
    forget();
}

void PolishedPart::leave() {
    forget();
    for (Layer& layer : m_layers)
        layer.there.reset();
}

void PolishedPart::forget() {
    m_leaves.clear();
    for (Layer& layer : m_layers)
        std::ranges::fill(layer.gradient, 0.0f);
    for (Norm& norm : m_norms)
        std::ranges::fill(norm.gradient, 0.0f);
}

void PolishedPart::collect(std::vector<TensorBytes>& tensors) const {
    const auto add = [&](const std::string& name, std::span<const float> values) {
        tensors.push_back({{name, DType::F32, {int64_t(values.size())}}, std::as_bytes(values)});
    };
    for (const Layer& layer : m_layers) {
        add(layer.info->name + ".values", layer.parameters.values());
        add(layer.info->name + ".first", layer.adam.first);
        add(layer.info->name + ".second", layer.adam.second);
    }
    for (const Norm& norm : m_norms) {
        add(norm.name + ".values", valuesOf(norm.weight));
        add(norm.name + ".first", norm.adam.first);
        add(norm.name + ".second", norm.adam.second);
    }
}

void PolishedPart::restore(const SafetensorsFile& file) {
    const auto take = [&](const std::string& name, std::span<float> out) {
        const std::span bytes = file.data(file.require(name));
        if (bytes.size() != out.size_bytes())
            throw Error("the polish checkpoint " + file.path().string() + " does not fit this plan",
                        "Remove the .partial folder and start again.");
        std::memcpy(out.data(), bytes.data(), bytes.size());
    };
    for (Layer& layer : m_layers) {
        take(layer.info->name + ".values", layer.parameters.values());
        take(layer.info->name + ".first", layer.adam.first);
        take(layer.info->name + ".second", layer.adam.second);
    }
    for (Norm& norm : m_norms) {
        take(norm.name + ".values", valuesOf(norm.weight));
        take(norm.name + ".first", norm.adam.first);
        take(norm.name + ".second", norm.adam.second);
    }
}

void PolishedPart::store() {
    for (Layer& layer : m_layers)
        layer.parameters.store(*layer.layer);
}

std::map<std::string, std::vector<float>, std::less<>> PolishedPart::norms() const {
    std::map<std::string, std::vector<float>, std::less<>> out;
    for (const Norm& norm : m_norms) {
        const std::span values = valuesOf(norm.weight);
        out[norm.name] = {values.begin(), values.end()};
    }
    return out;
}

std::vector<int64_t> sequencesOfStep(int64_t step, int64_t perStep, int64_t count, uint64_t seed) {
    std::vector<int64_t> out;
    std::vector<int64_t> order(static_cast<size_t>(count));
    int64_t shuffled = -1;
    for (int64_t i = step * perStep; i < (step + 1) * perStep; ++i) {
        const int64_t pass = i / count;
        if (pass != shuffled) {
            std::iota(order.begin(), order.end(), 0);
            std::mt19937_64 random(seed * 0x9E3779B97F4A7C15ull + uint64_t(pass) + 1);
            for (int64_t j = count - 1; j > 0; --j) // Fisher–Yates, the same on every library
                std::swap(order[size_t(j)], order[size_t(random() % uint64_t(j + 1))]);
            shuffled = pass;
        }
        out.push_back(order[size_t(i % count)]);
    }
    return out;
}

double polishDecay(int64_t step, int64_t steps) {
    return 0.5 * (1 + std::cos(std::numbers::pi * double(step) / double(steps)));
}

std::pair<double, double> endsOf(std::span<const float> losses) {
    if (losses.empty()) return {};
    const size_t tenth = std::max<size_t>(1, losses.size() / 10);
    const auto mean = [&](std::span<const float> part) {
        return std::accumulate(part.begin(), part.end(), 0.0) / double(part.size());
    };
    return {mean(losses.first(tenth)), mean(losses.last(tenth))};
}

} // namespace bitloom::detail
