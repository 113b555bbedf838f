// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors

// Polish: what quantization has left is mostly a matter of a few thousand table values, so they can
// be trained like any small set of parameters. Codes never change, and the model cannot drift far.
//
// A step costs one forward pass of the FP16 model and a forward and backward pass of the quantized
// one. Weights are leaves of the graph; their gradients are added up per table entry by
// LayerParameters, so that nothing of size (model × entries) is ever made. The loss is not part of
// the graph either: its gradient with respect to the last hidden states is known in closed form.

#include "core/engine/detail/polish.h"

#include "core/base/units.h"
#include "core/engine/detail/polish_parameters.h"
#include "core/engine/detail/scoring.h"
#include "core/engine/detail/transformer.h"
#include "core/io/safetensors.h"

#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/variable.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>
#include <random>

namespace bitloom::detail {

namespace {

/// Adam (Kingma & Ba 2015) on one flat array.
struct Adam {
    std::vector<float> first, second;

    explicit Adam(size_t n) : first(n), second(n) {}
    /// `steps` [n]: the learning rate of each parameter, to be multiplied by `rate`.
    void update(std::span<float> values, std::span<const float> gradient,
                std::span<const float> steps, double rate, int64_t step) {
        constexpr double beta1 = 0.9, beta2 = 0.99, epsilon = 1e-12;
        const double correction1 = 1 - std::pow(beta1, double(step));
        const double correction2 = 1 - std::pow(beta2, double(step));
        for (size_t i = 0; i < values.size(); ++i) {
            const double g = double(gradient[i]);
            first[i] = float(beta1 * double(first[i]) + (1 - beta1) * g);
            second[i] = float(beta2 * double(second[i]) + (1 - beta2) * g * g);
            const double m = double(first[i]) / correction1, v = double(second[i]) / correction2;
            values[i] -= float(rate * double(steps[i]) * m / (std::sqrt(v) + epsilon));
        }
    }
};

struct TrainedLayer {
    const LinearInfo* info;
    ColumnWeights* layer;
    LayerParameters parameters;
    Adam adam;
    at::Tensor weights; ///< [K, N] leaf
    std::vector<float> gradient;
};

struct TrainedNorm {
    std::string name;
    at::Tensor weight; ///< leaf
    Adam adam;
    std::vector<float> steps;
};

/// Sequences of one step: shuffled anew for every pass over the text, so only seed and step matter.
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

class Polisher {
public:
    Polisher(const ModelWeights& teacher,
             std::map<std::string, ColumnWeights, std::less<>>& linears,
             const Statistics& statistics, const PolishOptions& options, Progress& progress)
        : m_teacher(teacher), m_statistics(statistics), m_options(options), m_progress(progress),
          m_transformer(teacher.config(), teacher.catalogue()),
          m_threads(options.compute.threadsOrDefault()), m_head(loadHead(teacher)),
          m_length(statistics.recipe().length),
          m_count(int64_t(statistics.inputIds().size()) / m_length) {
        const int64_t need = 4 * modelBytes(teacher.catalogue(), teacher.config());
        if (need > options.compute.memoryOrDefault())
            throw Error(ErrorCode::NoSpace,
                        "polish keeps both models in memory and needs about " + formatBytes(need) +
                            "; the cap is " + formatBytes(options.compute.memoryOrDefault()),
                        "Raise --memory, or quantize without --polish.");
        for (const LinearInfo& info : teacher.catalogue().linears) {
            const auto found = linears.find(info.name);
            if (found == linears.end()) continue;
            const at::Tensor exact = loadLinear(teacher, info, m_threads).t().contiguous();
            LayerParameters parameters(found->second,
                                       {exact.data_ptr<float>(), size_t(exact.numel())});
            const size_t n = parameters.values().size();
            m_layers.push_back({&info, &found->second, std::move(parameters), Adam(n),
                                at::empty({info.cols, info.rows}, at::kFloat),
                                std::vector<float>(n)});
        }
        for (int64_t block = 0; block < teacher.config().layers; ++block) {
            m_exact.push_back(loadBlock(teacher, block, m_threads));
            m_student.push_back(m_exact.back());
            const std::string prefix = teacher.catalogue().block(block);
            trainNorm(prefix + teacher.catalogue().inputNorm + ".weight",
                      m_student.back().inputNorm);
            trainNorm(prefix + teacher.catalogue().postNorm + ".weight", m_student.back().postNorm);
        }
        m_studentFinal = m_head.finalNorm;
        trainNorm(teacher.catalogue().finalNorm + ".weight", m_studentFinal);
    }

    PolishResult run();

private:
    void trainNorm(const std::string& name, at::Tensor& slot) {
        slot = slot.clone();
        const size_t n = size_t(slot.numel());
        const float size = float(slot.abs().mean().item<double>());
        m_norms.push_back({name, slot, Adam(n), std::vector<float>(n, size)});
    }
    double step(int64_t index);
    at::Tensor batchHidden(const std::vector<int64_t>& sequences) const;
    double lossGradient(const at::Tensor& teacher, const at::Tensor& student,
                        at::Tensor& gradient) const;
    void save(int64_t step) const;
    int64_t restore();

    const ModelWeights& m_teacher;
    const Statistics& m_statistics;
    const PolishOptions& m_options;
    Progress& m_progress;
    Transformer m_transformer;
    int m_threads;
    HeadWeights m_head;
    int64_t m_length, m_count;
    std::vector<BlockWeights> m_exact, m_student;
    at::Tensor m_studentFinal;
    std::vector<TrainedLayer> m_layers;
    std::vector<TrainedNorm> m_norms;
    std::vector<float> m_losses;
};

at::Tensor Polisher::batchHidden(const std::vector<int64_t>& sequences) const {
    std::vector<int32_t> ids;
    for (int64_t s : sequences) {
        const auto row = m_statistics.inputIds().subspan(size_t(s * m_length), size_t(m_length));
        ids.insert(ids.end(), row.begin(), row.end());
    }
    return m_transformer.embed(m_teacher, ids, int64_t(sequences.size()));
}

/// Mean KL(teacher ‖ student) over rows, and its gradient with respect to the student's rows.
double Polisher::lossGradient(const at::Tensor& teacher, const at::Tensor& student,
                              at::Tensor& gradient) const {
    const int64_t rows = teacher.size(0);
    const int64_t chunk = logitRows(m_teacher.config().vocab, m_options.compute.memoryOrDefault());
    double loss = 0;
    for (int64_t first = 0; first < rows; first += chunk) {
        const int64_t n = std::min(chunk, rows - first);
        const at::Tensor p =
            at::log_softmax(at::mm(teacher.narrow(0, first, n), m_head.head.t()), 1);
        const at::Tensor q =
            at::log_softmax(at::mm(student.narrow(0, first, n), m_head.head.t()), 1);
        const at::Tensor probability = p.exp();
        loss += (probability * (p - q)).sum(at::kDouble).item<double>();
        at::Tensor slice = gradient.narrow(0, first, n);
        at::mm_out(slice, q.exp().sub_(probability).div_(double(rows)), m_head.head);
    }
    return loss / double(rows);
}

double Polisher::step(int64_t index) {
    const std::vector<int64_t> sequences = sequencesOfStep(
        index, std::min(m_options.sequencesPerStep, m_count), m_count, m_options.seed);
    const at::Tensor start = batchHidden(sequences);
    const int64_t width = m_teacher.config().hidden;

    at::Tensor exact = start;
    for (size_t block = 0; block < m_exact.size(); ++block)
        exact = m_transformer.block(m_exact[block], exact, int64_t(block));
    exact = m_transformer.norm(exact, m_head.finalNorm).view({-1, width});

    std::vector<at::Tensor> leaves, gradients;
    at::Tensor normed;
    for (TrainedLayer& layer : m_layers)
        layer.parameters.dequantize(
            {layer.weights.data_ptr<float>(), size_t(layer.weights.numel())}, m_threads);
    {
        at::AutoGradMode grad(true);
        for (TrainedLayer& layer : m_layers) {
            at::Tensor leaf = layer.weights.detach().requires_grad_(true);
            leaves.push_back(leaf);
            m_student[size_t(layer.info->block)].weight[detail::index(layer.info->role)] = leaf.t();
        }
        for (TrainedNorm& norm : m_norms) {
            norm.weight.requires_grad_(true);
            leaves.push_back(norm.weight);
        }
        at::Tensor hidden = start;
        for (size_t block = 0; block < m_student.size(); ++block)
            hidden = m_transformer.block(m_student[block], hidden, int64_t(block));
        normed = m_transformer.norm(hidden, m_studentFinal);
    }
    at::Tensor gradient = at::empty_like(exact);
    const double loss = lossGradient(exact, normed.detach().view({-1, width}), gradient);
    gradients = torch::autograd::grad({normed}, leaves, {gradient.view(normed.sizes())});
    for (TrainedLayer& layer : m_layers)
        m_student[size_t(layer.info->block)].weight[detail::index(layer.info->role)] = at::Tensor();

    const double progress = double(index) / double(m_options.steps);
    const double decay = 0.5 * (1 + std::cos(std::numbers::pi * progress));
    const double rate = m_options.learningRate * decay;
    for (size_t i = 0; i < m_layers.size(); ++i) {
        TrainedLayer& layer = m_layers[i];
        const at::Tensor dense = gradients[i].contiguous();
        layer.parameters.reduce({dense.data_ptr<float>(), size_t(dense.numel())}, layer.gradient,
                                m_threads);
        layer.adam.update(layer.parameters.values(), layer.gradient, layer.parameters.stepSizes(),
                          rate, index + 1);
    }
    for (size_t i = 0; i < m_norms.size(); ++i) {
        TrainedNorm& norm = m_norms[i];
        const at::Tensor dense = gradients[m_layers.size() + i].contiguous();
        norm.weight.requires_grad_(false);
        norm.adam.update({norm.weight.data_ptr<float>(), size_t(norm.weight.numel())},
                         {dense.data_ptr<float>(), size_t(dense.numel())}, norm.steps,
                         m_options.normLearningRate * decay, index + 1);
    }
    return loss;
}

void Polisher::save(int64_t step) const {
    if (m_options.checkpoint.empty()) return;
    std::vector<TensorBytes> tensors;
    const auto add = [&](const std::string& name, std::span<const float> values) {
        tensors.push_back({{name, DType::F32, {int64_t(values.size())}}, std::as_bytes(values)});
    };
    for (const TrainedLayer& layer : m_layers) {
        add(layer.info->name + ".values", layer.parameters.values());
        add(layer.info->name + ".first", layer.adam.first);
        add(layer.info->name + ".second", layer.adam.second);
    }
    for (const TrainedNorm& norm : m_norms) {
        add(norm.name + ".values", {norm.weight.data_ptr<float>(), size_t(norm.weight.numel())});
        add(norm.name + ".first", norm.adam.first);
        add(norm.name + ".second", norm.adam.second);
    }
    add("losses", m_losses);
    writeSafetensors(m_options.checkpoint, tensors, {{"step", std::to_string(step)}});
}

int64_t Polisher::restore() {
    if (m_options.checkpoint.empty() || !std::filesystem::exists(m_options.checkpoint)) return 0;
    const auto file = SafetensorsFile::open(m_options.checkpoint);
    const auto take = [&](const std::string& name, std::span<float> out) {
        const std::span bytes = file->data(file->require(name));
        if (bytes.size() != out.size_bytes())
            throw Error("the polish checkpoint " + m_options.checkpoint.string() +
                            " does not fit this plan",
                        "Remove the .partial folder and start again.");
        std::memcpy(out.data(), bytes.data(), bytes.size());
    };
    for (TrainedLayer& layer : m_layers) {
        take(layer.info->name + ".values", layer.parameters.values());
        take(layer.info->name + ".first", layer.adam.first);
        take(layer.info->name + ".second", layer.adam.second);
    }
    for (TrainedNorm& norm : m_norms) {
        take(norm.name + ".values", {norm.weight.data_ptr<float>(), size_t(norm.weight.numel())});
        take(norm.name + ".first", norm.adam.first);
        take(norm.name + ".second", norm.adam.second);
    }
    m_losses.resize(size_t(file->require("losses").elements()));
    take("losses", m_losses);
    return std::stoll(file->metadata().at("step"));
}

PolishResult Polisher::run() {
    PolishResult result;
    const int64_t from = restore();
    result.stepsResumed = from;
    for (int64_t i = from; i < m_options.steps; ++i) {
        m_progress.check();
        m_losses.push_back(float(step(i)));
        ++result.stepsComputed;
        if ((i + 1) % m_options.checkpointEvery == 0 || i + 1 == m_options.steps) save(i + 1);
        char what[80];
        std::snprintf(what, sizeof what, "polish, step %lld of %d, KL %.4f", (long long)(i + 1),
                      m_options.steps, double(m_losses.back()));
        m_progress.report(double(i + 1) / double(m_options.steps), what);
    }
    const size_t tenth = std::max<size_t>(1, m_losses.size() / 10);
    if (!m_losses.empty()) {
        result.lossBefore =
            std::accumulate(m_losses.begin(), m_losses.begin() + long(tenth), 0.0) / double(tenth);
        result.lossAfter =
            std::accumulate(m_losses.end() - long(tenth), m_losses.end(), 0.0) / double(tenth);
    }
    for (TrainedLayer& layer : m_layers)
        layer.parameters.store(*layer.layer);
    for (const TrainedNorm& norm : m_norms)
        result.norms[norm.name] = {norm.weight.data_ptr<float>(),
                                   norm.weight.data_ptr<float>() + norm.weight.numel()};
    return result;
}

} // namespace

PolishResult polish(const ModelWeights& teacher,
                    std::map<std::string, ColumnWeights, std::less<>>& linears,
                    const Statistics& statistics, const PolishOptions& options,
                    Progress& progress) {
    at::NoGradGuard noGrad;
    return Polisher(teacher, linears, statistics, options, progress).run();
}

} // namespace bitloom::detail
