// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors

// Polish of models that do not fit into memory. Two streams of hidden states walk through the
// blocks: the FP16 model's, whose outputs are the targets, and the polished model's, which is what
// a block will really be given. So a block also learns to undo what the blocks before it spoilt.

#include "core/engine/detail/batches.h"
#include "core/engine/detail/hidden_store.h"
#include "core/engine/detail/layer_store.h"
#include "core/engine/detail/polish.h"
#include "core/engine/detail/polish_training.h"
#include "core/engine/detail/transformer.h"
#include "core/io/safetensors.h"

#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/variable.h>

#include <algorithm>
#include <cstdio>
#include <cstring>

namespace bitloom::detail {

namespace {

class BlockPolisher {
public:
    BlockPolisher(const ModelWeights& teacher, const Statistics& statistics,
                  const PolishOptions& options, const BlockStore& store, Progress& progress)
        : m_teacher(teacher), m_statistics(statistics), m_options(options), m_store(store),
          m_progress(progress), m_device(options.compute.device.get()),
          m_transformer(teacher.config(), teacher.catalogue(), RopePrecision::Exact, m_device),
          m_threads(options.compute.threadsOrDefault()), m_blocks(teacher.config().layers) {
        const int64_t length = statistics.recipe().length;
        m_shape = {int64_t(statistics.inputIds().size()) / length, length, teacher.config().hidden};
        // Exact weights, dequantized ones, their gradients, codes and the optimizer.
        m_batch = sequencesPerBatch(teacher.config(), length, m_options.sequencesPerStep,
                                    /*backward=*/true, options.compute.memoryOrDefault(),
                                    5 * largestBlockBytes(teacher.catalogue(), teacher.config()));
    }

    PolishResult run();

private:
    HiddenStore open(const char* stream, int64_t boundary) const {
        return m_store.scratch.empty() ? HiddenStore::inMemory(m_shape)
                                       : HiddenStore::inFile(m_shape, path(stream, boundary));
    }
    std::filesystem::path path(const char* stream, int64_t boundary) const {
        return m_store.scratch / ("polish-" + std::string(stream) + "-" + std::to_string(boundary));
    }
    bool survived(const char* stream, int64_t boundary) const;
    void drop(int64_t boundary) const;
    int64_t firstBlock() const;
    void embed(HiddenStore& out);
    void forward(const BlockWeights& weights, int64_t block, const HiddenStore& in,
                 HiddenStore& out);
    BlockWeights keptBlock(int64_t block, const BlockWeights& exact) const;
    BlockWeights train(int64_t block, const BlockWeights& exact, const HiddenStore& in,
                       const HiddenStore& wanted);
    void trainSteps(const Place& place, int64_t block, const BlockWeights& exact,
                    PolishedPart& part, const HiddenStore& in, const HiddenStore& wanted);
    double step(const Place& place, int64_t index, int64_t block, PolishedPart& part,
                BlockWeights& student, const HiddenStore& in, const HiddenStore& wanted);
    void save(int64_t block, int64_t step, const PolishedPart& part) const;
    int64_t restore(int64_t block, PolishedPart& part);
    /// How many of `count` sequences go through a block at once.
    int64_t batchOf(const Place& place, int64_t count, bool backward, int64_t held) const {
        return place.onDevice() ? sequencesPerBatch(place, m_teacher.config(), m_shape.length,
                                                    count, backward, held)
                                : m_batch;
    }
    int64_t weightBytes() const {
        return largestBlockBytes(m_teacher.catalogue(), m_teacher.config());
    }
    void report(int64_t block, double within, const std::string& what) {
        m_progress.report((double(block) + within) / double(m_blocks), what);
    }

    const ModelWeights& m_teacher;
    const Statistics& m_statistics;
    const PolishOptions& m_options;
    const BlockStore& m_store;
    Progress& m_progress;
    Device* m_device; ///< or null
    Transformer m_transformer;
    int m_threads;
    int64_t m_blocks;
    HiddenStore::Shape m_shape;
    int64_t m_batch = 1;
    std::vector<float> m_losses; ///< of the block at hand
    PolishResult m_result;
};

bool BlockPolisher::survived(const char* stream, int64_t boundary) const {
    const std::filesystem::path file = path(stream, boundary);
    std::error_code error;
    return !m_store.scratch.empty() &&
           std::filesystem::file_size(file, error) == uint64_t(m_shape.bytes()) && !error &&
           HiddenStore::inFile(m_shape, file).hash() == m_store.mark(file.filename().string());
}

void BlockPolisher::drop(int64_t boundary) const {
    std::error_code ignored;
    if (m_store.scratch.empty()) return;
    std::filesystem::remove(path("exact", boundary), ignored);
    std::filesystem::remove(path("polished", boundary), ignored);
}

/// The latest block whose inputs, of both streams, survived and behind which nothing is kept.
int64_t BlockPolisher::firstBlock() const {
    int64_t block = 0;
    while (block < m_blocks && m_store.kept(block))
        ++block;
    while (block > 0 && !(survived("exact", block) && survived("polished", block)))
        --block;
    return block;
}

void BlockPolisher::embed(HiddenStore& out) {
    forEachBatch(m_shape.count, m_batch, m_progress, [&](int64_t first, int64_t n) {
        const auto ids = m_statistics.inputIds().subspan(size_t(first * m_shape.length),
                                                         size_t(n * m_shape.length));
        out.write(first, m_transformer.embed(m_teacher, ids, n));
    });
}

void BlockPolisher::forward(const BlockWeights& weights, int64_t block, const HiddenStore& in,
                            HiddenStore& out) {
    const int64_t need =
        weightBytes() + sequenceBytes(m_teacher.config(), m_shape.length, /*backward=*/false);
    runPlaced(m_device, "the forward pass of block " + std::to_string(block + 1), need,
              [&](const Place& place) {
                  const BlockWeights there = placed(weights, place);
                  const int64_t batch =
                      batchOf(place, m_shape.count, /*backward=*/false, weightBytes());
                  forEachBatch(m_shape.count, batch, m_progress, [&](int64_t first, int64_t n) {
                      const Stretch stretch = stretchOf(place, weightBytes(), n * m_shape.length);
                      out.write(first, place.out(m_transformer.block(
                                           there, place.in(in.read(first, n)), block)));
                  });
              });
}

/// A block as it was kept; biases and norms that polish leaves alone are the original's.
BlockWeights BlockPolisher::keptBlock(int64_t block, const BlockWeights& exact) const {
    const Catalogue& catalogue = m_teacher.catalogue();
    BlockWeights weights = exact;
    for (int64_t i : catalogue.linearsOfBlock(block)) {
        const LinearInfo& linear = catalogue.linears[size_t(i)];
        weights.weight[index(linear.role)] = dequantize(m_store.polished(linear), m_threads);
    }
    const auto norm = [&](const std::string& name) {
        std::vector<float> values = m_store.norm(catalogue.block(block) + name + ".weight");
        return at::from_blob(values.data(), {int64_t(values.size())}, at::kFloat).clone();
    };
    weights.inputNorm = norm(catalogue.inputNorm);
    weights.postNorm = norm(catalogue.postNorm);
    return weights;
}

PolishResult BlockPolisher::run() {
    const int64_t from = firstBlock();
    HiddenStore exactIn = open("exact", from), polishedIn = open("polished", from);
    if (from == 0) {
        embed(exactIn);
        embed(polishedIn);
    }
    double before = 0, after = 0;
    for (int64_t block = from; block < m_blocks; ++block) {
        const BlockWeights exact = loadBlock(m_teacher, block, m_threads);
        HiddenStore wanted = open("exact", block + 1), out = open("polished", block + 1);
        report(block, 0,
               "targets of block " + std::to_string(block + 1) + " of " + std::to_string(m_blocks));
        forward(exact, block, exactIn, wanted);
        BlockWeights polished;
        if (m_store.kept(block)) {
            polished = keptBlock(block, exact);
            m_result.stepsResumed += m_options.steps;
        } else {
            polished = train(block, exact, polishedIn, wanted);
            const auto [first, last] = endsOf(m_losses);
            before += first;
            after += last;
        }
        if (block + 1 < m_blocks) {
            forward(polished, block, polishedIn, out);
            if (!m_store.scratch.empty())
                for (const auto& [stream, store] :
                     {std::pair{"exact", &wanted}, std::pair{"polished", &out}})
                    m_store.putMark(path(stream, block + 1).filename().string(), store->hash());
        }
        exactIn = std::move(wanted);
        polishedIn = std::move(out);
        drop(block);
    }
    drop(m_blocks);
    m_result.stepsResumed += from * m_options.steps;
    m_result.lossBefore = before / double(m_blocks);
    m_result.lossAfter = after / double(m_blocks);
    return m_result;
}

BlockWeights BlockPolisher::train(int64_t block, const BlockWeights& exact, const HiddenStore& in,
                                  const HiddenStore& wanted) {
    const Catalogue& catalogue = m_teacher.catalogue();
    ColumnLayers layers;
    PolishedPart part;
    BlockWeights student = exact;
    for (int64_t i : catalogue.linearsOfBlock(block)) {
        const LinearInfo& linear = catalogue.linears[size_t(i)];
        ColumnWeights& layer = layers[linear.name] = m_store.quantized(linear);
        part.addLayer(linear, layer, exact.weight[index(linear.role)]);
    }
    const std::string prefix = catalogue.block(block);
    part.addNorm(prefix + catalogue.inputNorm + ".weight", student.inputNorm);
    part.addNorm(prefix + catalogue.postNorm + ".weight", student.postNorm);

    m_losses.clear();
    m_result.stepsResumed += restore(block, part);
    // Weights, dequantized ones and their gradients, and a byte of code for each.
    const int64_t need = 13 * (weightBytes() / 4) +
                         sequenceBytes(m_teacher.config(), m_shape.length, /*backward=*/true);
    runPlaced(m_device, "polish of block " + std::to_string(block + 1), need,
              [&](const Place& place) {
                  part.leave();
                  trainSteps(place, block, exact, part, in, wanted);
              });
    part.store();
    NormWeights norms = part.norms();
    m_store.keep(block, layers, norms);
    for (const auto& [name, layer] : layers)
        student.weight[index(catalogue.find(name)->role)] = dequantize(layer, m_threads);
    const auto tensor = [&](const std::string& name) {
        std::vector<float>& values = norms.at(prefix + name + ".weight");
        return at::from_blob(values.data(), {int64_t(values.size())}, at::kFloat).clone();
    };
    student.inputNorm = tensor(catalogue.inputNorm);
    student.postNorm = tensor(catalogue.postNorm);
    return student;
}

/// The steps of the block that are left.
void BlockPolisher::trainSteps(const Place& place, int64_t block, const BlockWeights& exact,
                               PolishedPart& part, const HiddenStore& in,
                               const HiddenStore& wanted) {
    BlockWeights student = placed(exact, place);
    for (auto i = int64_t(m_losses.size()); i < m_options.steps; ++i) {
        m_progress.check();
        m_losses.push_back(float(step(place, i, block, part, student, in, wanted)));
        ++m_result.stepsComputed;
        if ((i + 1) % m_options.checkpointEvery == 0) save(block, i + 1, part);
        char what[120];
        std::snprintf(what, sizeof what,
                      "polish of block %lld of %lld, step %lld of %d, error %.2e",
                      (long long)(block + 1), (long long)m_blocks, (long long)(i + 1),
                      m_options.steps, double(m_losses.back()));
        report(block, double(i + 1) / double(m_options.steps), what);
    }
}

double BlockPolisher::step(const Place& place, int64_t index, int64_t block, PolishedPart& part,
                           BlockWeights& student, const HiddenStore& in,
                           const HiddenStore& wanted) {
    const std::vector<int64_t> sequences = sequencesOfStep(
        index, std::min(m_options.sequencesPerStep, m_shape.count), m_shape.count, m_options.seed);
    double loss = 0;
    const double scale = 1.0 / double(int64_t(sequences.size()) * m_shape.length);
    const auto batch =
        size_t(batchOf(place, int64_t(sequences.size()), /*backward=*/true, 3 * weightBytes()));
    for (size_t first = 0; first < sequences.size(); first += batch) {
        const size_t n = std::min(batch, sequences.size() - first);
        std::vector<at::Tensor> inputs, targets;
        for (size_t i = first; i < first + n; ++i) {
            inputs.push_back(in.read(sequences[i], 1));
            targets.push_back(wanted.read(sequences[i], 1));
        }
        const at::Tensor target = place.in(at::cat(targets));
        at::Tensor y;
        {
            at::AutoGradMode grad(true);
            part.open(place, m_threads, [&](const LinearInfo& info, const at::Tensor& weight) {
                student.weight[detail::index(info.role)] = weight;
            });
            student.inputNorm = part.normLeaf(0);
            student.postNorm = part.normLeaf(1);
            y = m_transformer.block(student, place.in(at::cat(inputs)), block);
        }
        const at::Tensor difference = y.detach() - target;
        const at::Tensor length = target.square().sum(-1, /*keepdim=*/true).clamp_min_(1e-20);
        loss += scale * (difference.square() / length).sum(at::kDouble).item<double>();
        const at::Tensor gradient = difference.div(length).mul_(2 * scale);
        part.accumulate(place, torch::autograd::grad({y}, part.leaves(), {gradient}), m_threads);
    }
    const double decay = polishDecay(index, m_options.steps);
    part.update({m_options.learningRate * decay, m_options.normLearningRate * decay}, index);
    return loss;
}

void BlockPolisher::save(int64_t block, int64_t step, const PolishedPart& part) const {
    if (m_options.checkpoint.empty()) return;
    std::vector<TensorBytes> tensors;
    part.collect(tensors);
    tensors.push_back(
        {{"losses", DType::F32, {int64_t(m_losses.size())}}, std::as_bytes(std::span(m_losses))});
    writeSafetensors(m_options.checkpoint, tensors,
                     {{"block", std::to_string(block)}, {"step", std::to_string(step)}});
}

int64_t BlockPolisher::restore(int64_t block, PolishedPart& part) {
    if (m_options.checkpoint.empty() || !std::filesystem::exists(m_options.checkpoint)) return 0;
    const auto file = SafetensorsFile::open(m_options.checkpoint);
    if (file->metadata().at("block") != std::to_string(block)) return 0; // of the block before
    part.restore(*file);
    const std::span bytes = file->data(file->require("losses"));
    m_losses.resize(bytes.size() / sizeof(float));
    std::memcpy(m_losses.data(), bytes.data(), m_losses.size() * sizeof(float));
    return std::stoll(file->metadata().at("step"));
}

} // namespace

PolishResult polishBlocks(const ModelWeights& teacher, const Statistics& statistics,
                          const PolishOptions& options, const BlockStore& store,
                          Progress& progress) {
    at::NoGradGuard noGrad;
    return BlockPolisher(teacher, statistics, options, store, progress).run();
}

} // namespace bitloom::detail
