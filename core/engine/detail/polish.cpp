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
#include "core/engine/detail/polish_training.h"
#include "core/engine/detail/scoring.h"
#include "core/engine/detail/transformer.h"
#include "core/io/safetensors.h"

#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/variable.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <tuple>

namespace bitloom::detail {

namespace {

class Polisher {
public:
    Polisher(const ModelWeights& teacher, ColumnLayers& linears, const Statistics& statistics,
             const PolishOptions& options, Progress& progress)
        : m_teacher(teacher), m_statistics(statistics), m_options(options), m_progress(progress),
          m_device(options.compute.device.get()),
          m_transformer(teacher.config(), teacher.catalogue(), RopePrecision::Exact, m_device),
          m_threads(options.compute.threadsOrDefault()), m_length(statistics.recipe().length),
          m_count(int64_t(statistics.inputIds().size()) / m_length) {
        const int64_t need = polishBytes(teacher);
        if (need > options.compute.memoryOrDefault())
            throw Error(ErrorCode::NoSpace,
                        "polish keeps both models in memory and needs about " + formatBytes(need) +
                            "; the cap is " + formatBytes(options.compute.memoryOrDefault()),
                        "Raise --memory, or quantize without --polish.");
        for (const LinearInfo& info : teacher.catalogue().linears)
            if (const auto found = linears.find(info.name); found != linears.end())
                m_part.addLayer(info, found->second, loadLinear(teacher, info, m_threads));
    }

    PolishResult run();

private:
    void load();
    void begin(const Place& place);
    void train(PolishResult& result);
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
    Device* m_device; ///< or null
    Transformer m_transformer;
    int m_threads;
    int64_t m_length, m_count;
    Place m_place; ///< where the following lie
    HeadWeights m_head;
    std::vector<BlockWeights> m_exact, m_student;
    at::Tensor m_studentFinal;
    PolishedPart m_part;
    std::vector<float> m_losses; ///< of the steps that are done
};

/// Norms follow the layers in the order of the blocks, the final one last.
void Polisher::load() {
    const Catalogue& catalogue = m_teacher.catalogue();
    for (int64_t block = 0; block < m_teacher.config().layers; ++block) {
        BlockWeights weights = loadBlock(m_teacher, block, m_threads);
        const std::string prefix = catalogue.block(block);
        m_part.addNorm(prefix + catalogue.inputNorm + ".weight", weights.inputNorm);
        m_part.addNorm(prefix + catalogue.postNorm + ".weight", weights.postNorm);
    }
    HeadWeights head = loadHead(m_teacher);
    m_part.addNorm(catalogue.finalNorm + ".weight", head.finalNorm);
}

/// Puts both models where `place` computes. What is trained stays as far as it is.
void Polisher::begin(const Place& place) {
    m_part.leave();
    m_exact.clear();
    m_student.clear();
    m_head = {};
    m_place = place;
    m_head = placed(loadHead(m_teacher), place);
    for (int64_t block = 0; block < m_teacher.config().layers; ++block) {
        m_exact.push_back(placed(loadBlock(m_teacher, block, m_threads), place));
        m_student.push_back(m_exact.back());
    }
}

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
    const int64_t memory = m_place.memoryBytes(m_options.compute.memoryOrDefault());
    const int64_t chunk = logitRows(m_teacher.config().vocab, memory);
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
    const at::Tensor start = m_place.in(batchHidden(sequences));
    const int64_t width = m_teacher.config().hidden;

    at::Tensor exact = start;
    for (size_t block = 0; block < m_exact.size(); ++block)
        exact = m_transformer.block(m_exact[block], exact, int64_t(block));
    exact = m_transformer.norm(exact, m_head.finalNorm).view({-1, width});

    at::Tensor normed;
    {
        at::AutoGradMode grad(true);
        m_part.open(m_place, m_threads, [&](const LinearInfo& info, const at::Tensor& weight) {
            m_student[size_t(info.block)].weight[detail::index(info.role)] = weight;
        });
        for (size_t block = 0; block < m_student.size(); ++block) {
            m_student[block].inputNorm = m_part.normLeaf(2 * block);
            m_student[block].postNorm = m_part.normLeaf(2 * block + 1);
        }
        m_studentFinal = m_part.normLeaf(2 * m_student.size());
        at::Tensor hidden = start;
        for (size_t block = 0; block < m_student.size(); ++block)
            hidden = m_transformer.block(m_student[block], hidden, int64_t(block));
        normed = m_transformer.norm(hidden, m_studentFinal);
    }
    at::Tensor gradient = at::empty_like(exact);
    const double loss = lossGradient(exact, normed.detach().view({-1, width}), gradient);
    m_part.accumulate(
        m_place, torch::autograd::grad({normed}, m_part.leaves(), {gradient.view(normed.sizes())}),
        m_threads);

    const double decay = polishDecay(index, m_options.steps);
    m_part.update({m_options.learningRate * decay, m_options.normLearningRate * decay}, index);
    return loss;
}

void Polisher::save(int64_t step) const {
    if (m_options.checkpoint.empty()) return;
    std::vector<TensorBytes> tensors;
    m_part.collect(tensors);
    tensors.push_back(
        {{"losses", DType::F32, {int64_t(m_losses.size())}}, std::as_bytes(std::span(m_losses))});
    writeSafetensors(m_options.checkpoint, tensors, {{"step", std::to_string(step)}});
}

int64_t Polisher::restore() {
    if (m_options.checkpoint.empty() || !std::filesystem::exists(m_options.checkpoint)) return 0;
    const auto file = SafetensorsFile::open(m_options.checkpoint);
    m_part.restore(*file);
    const std::span bytes = file->data(file->require("losses"));
    m_losses.resize(bytes.size() / sizeof(float));
    std::memcpy(m_losses.data(), bytes.data(), m_losses.size() * sizeof(float));
    return std::stoll(file->metadata().at("step"));
}

PolishResult Polisher::run() {
    PolishResult result;
    load();
    result.stepsResumed = restore();
    runPlaced(m_device, "polish", polishDeviceBytes(m_teacher, m_statistics, m_options),
              [&](const Place& place) {
                  begin(place);
                  train(result);
              });
    std::tie(result.lossBefore, result.lossAfter) = endsOf(m_losses);
    m_part.store();
    result.norms = m_part.norms();
    return result;
}

/// The steps that are left.
void Polisher::train(PolishResult& result) {
    for (auto i = int64_t(m_losses.size()); i < m_options.steps; ++i) {
        m_progress.check();
        m_losses.push_back(float(step(i)));
        ++result.stepsComputed;
        if ((i + 1) % m_options.checkpointEvery == 0 || i + 1 == m_options.steps) save(i + 1);
        char what[80];
        std::snprintf(what, sizeof what, "polish, step %lld of %d, KL %.4f", (long long)(i + 1),
                      m_options.steps, double(m_losses.back()));
        m_progress.report(double(i + 1) / double(m_options.steps), what);
    }
}

} // namespace

int64_t polishBytes(const ModelWeights& teacher) {
    return 4 * modelBytes(teacher.catalogue(), teacher.config());
}

int64_t polishDeviceBytes(const ModelWeights& teacher, const Statistics& statistics,
                          const PolishOptions& options) {
    const ModelConfig& config = teacher.config();
    const int64_t length = statistics.recipe().length;
    const int64_t count = int64_t(statistics.inputIds().size()) / length;
    const int64_t tokens = std::min(options.sequencesPerStep, count) * length;
    // Of codes there is a byte a weight. Without gradients of what lies between: libtorch frees
    // them as it goes.
    return 13 * (modelBytes(teacher.catalogue(), config) / 4) +
           config.layers * tokens * activationBytesPerToken(config, length, /*backward=*/false);
}

PolishResult polish(const ModelWeights& teacher, ColumnLayers& linears,
                    const Statistics& statistics, const PolishOptions& options,
                    Progress& progress) {
    at::NoGradGuard noGrad;
    return Polisher(teacher, linears, statistics, options, progress).run();
}

} // namespace bitloom::detail
