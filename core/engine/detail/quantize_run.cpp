// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/engine/detail/quantize_run.h"

#include "core/base/threads.h"
#include "core/engine/detail/cmpq_solver.h"
#include "core/engine/detail/column_solver.h"
#include "core/engine/detail/group_solver.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>

namespace bitloom::detail {

namespace {

/// Progress for worker threads: they may ask, but only the job's own thread may report.
class QuietProgress final : public Progress {
public:
    explicit QuietProgress(const Progress& whole) : m_whole(whole) {}
    void report(double, std::string_view) override {}
    bool cancelled() const override { return m_whole.cancelled(); }

private:
    const Progress& m_whole;
};

} // namespace

QuantizeRun::QuantizeRun(std::shared_ptr<const Checkpoint> model, const Statistics& statistics,
                         const QuantizeOptions& options, LayerStore& store, Progress& progress)
    : m_model(std::move(model)), m_statistics(statistics), m_options(options), m_store(store),
      m_progress(progress), m_device(options.compute.device.get()), m_weights(weightsOf(m_model)),
      m_transformer(m_model->config(), m_model->catalogue(), RopePrecision::Exact, m_device),
      m_threads(options.compute.threadsOrDefault()) {
    const int64_t length = statistics.recipe().length;
    m_shape = {int64_t(statistics.inputIds().size()) / length, length, m_model->config().hidden};
    m_batch = sequencesPerBatch(m_model->config(), length, m_shape.count, /*backward=*/false,
                                options.compute.memoryOrDefault(),
                                2 * largestBlockBytes(m_model->catalogue(), m_model->config()));
}

bool QuantizeRun::blockDone(int64_t block) const {
    for (int64_t i : m_model->catalogue().linearsOfBlock(block))
        if (!m_store.has(m_model->catalogue().linears[size_t(i)])) return false;
    return true;
}

HiddenStore QuantizeRun::makeStore(int64_t boundary) const {
    if (!m_store.writer()) return HiddenStore::inMemory(m_shape);
    return HiddenStore::inFile(m_shape, m_store.writer()->workFolder() /
                                            ("hidden-" + std::to_string(boundary)));
}

/// The latest boundary, at most `done`, whose hidden states survived; 0 if none.
int64_t QuantizeRun::startBoundary(int64_t done) const {
    if (!m_store.writer()) return 0;
    for (int64_t boundary = done; boundary > 0; --boundary) {
        const std::string name = "hidden-" + std::to_string(boundary);
        const auto mark = m_store.writer()->mark(name);
        const std::filesystem::path path = m_store.writer()->workFolder() / name;
        std::error_code error;
        if (mark && std::filesystem::file_size(path, error) == uint64_t(m_shape.bytes()) &&
            !error && HiddenStore::inFile(m_shape, path).hash() == mark->get<std::string>())
            return boundary;
    }
    return 0;
}

QuantizeReport QuantizeRun::run() {
    const auto start = std::chrono::steady_clock::now();
    at::NoGradGuard noGrad;
    const Catalogue& catalogue = m_model->catalogue();
    const int64_t blocks = m_model->config().layers;
    for (const LinearInfo& linear : catalogue.linears)
        m_report.layersResumed += m_store.has(linear);
    const bool anythingLeft = m_report.layersResumed < int64_t(catalogue.linears.size());

    if (anythingLeft && !needsHessians()) {
        if (m_device)
            m_device->fallBack("the method " + std::string(methodName(m_options.method)),
                               "it needs no activations, only the columns");
        withoutHessians();
    } else if (anythingLeft) {
        int64_t done = 0;
        while (done < blocks && blockDone(done))
            ++done;
        int64_t boundary = startBoundary(done);
        auto in = std::make_unique<HiddenStore>(makeStore(boundary));
        if (boundary == 0)
            forBatches(Place(), 0, [&](int64_t first, int64_t n) {
                const auto ids = m_statistics.inputIds().subspan(size_t(first * m_shape.length),
                                                                 size_t(n * m_shape.length));
                in->write(first, m_transformer.embed(*m_weights, ids, n));
            });
        for (int64_t block = boundary; block < blocks; ++block) {
            auto out =
                block + 1 < blocks ? std::make_unique<HiddenStore>(makeStore(block + 1)) : nullptr;
            runBlock(block, *in, out.get());
            if (out && m_store.writer())
                m_store.writer()->putMark("hidden-" + std::to_string(block + 1), out->hash());
            in = std::move(out);
            if (m_store.writer()) {
                std::error_code ignored;
                std::filesystem::remove(
                    m_store.writer()->workFolder() / ("hidden-" + std::to_string(block)), ignored);
            }
        }
    }
    m_report.seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    return m_report;
}

void QuantizeRun::withoutHessians() {
    const std::vector<LinearInfo>& linears = m_model->catalogue().linears;
    for (size_t i = 0; i < linears.size(); ++i) {
        const LinearInfo& linear = linears[i];
        m_progress.report(double(i) / double(linears.size()), linear.name);
        m_progress.check();
        if (m_store.has(linear)) continue;
        const at::Tensor weight = loadLinear(*m_weights, linear, m_threads);
        if (m_options.method == Method::Cmpq) {
            m_store.put(linear, cmpqQuantize(weight, m_statistics.find(linear.name)->actRms,
                                             {m_options.bits, m_options.cmpqShare,
                                              m_options.cmpqActivationOutliers,
                                              m_options.cmpqErrorOutliers},
                                             m_threads, m_progress));
        } else {
            GroupFormat format = m_options.group;
            format.bits = int(m_options.bits);
            m_store.put(linear, roundToNearest(weight, format, m_threads, m_progress));
        }
        ++m_report.layersComputed;
    }
}

void QuantizeRun::runBlock(int64_t block, const HiddenStore& in, HiddenStore* out) {
    const Catalogue& catalogue = m_model->catalogue();
    const BlockWeights weights = loadBlock(*m_weights, block, m_threads);
    const bool parallelMode = m_options.hessians == HessianMode::Parallel;

    Accumulators accumulators;
    std::array<std::string, inputGroups> names;
    std::array<int64_t, inputGroups> columns{}; ///< 0: nothing to do
    bool missing = false;
    for (const InputGroup& group : catalogue.groups) {
        if (group.block != block) continue;
        bool complete = true;
        for (int64_t i : group.linears)
            complete &= m_store.has(catalogue.linears[size_t(i)]);
        const size_t slot = groupOf(catalogue.linears[size_t(group.linears.front())].role);
        names[slot] = group.name;
        if (!complete) columns[slot] = group.cols;
        missing |= !complete;
    }

    if (missing || (parallelMode && out)) {
        const int64_t held = blockBytes(catalogue, block) + hessianBytes(catalogue, block);
        runPlaced(m_device, "the activations of block " + std::to_string(block + 1),
                  withSequence(held), [&](const Place& place) {
                      for (size_t slot = 0; slot < inputGroups; ++slot) {
                          accumulators[slot].reset();
                          if (columns[slot] > 0)
                              accumulators[slot] =
                                  std::make_unique<HessianAccumulator>(columns[slot], place);
                      }
                      addGroups(block, placed(weights, place), place, accumulators, in,
                                parallelMode ? out : nullptr);
                  });
    }
    if (missing) {
        std::array<FactoredHessian, inputGroups> factors;
        const bool natural = m_options.method == Method::Gptq && !m_options.group.actOrder;
        for (size_t slot = 0; slot < inputGroups; ++slot) {
            m_progress.check();
            if (!accumulators[slot]) continue;
            factors[slot] =
                factorHessian(accumulators[slot]->place(), accumulators[slot]->takeHessian(),
                              m_statistics.recipe().damping,
                              natural ? ColumnOrder::Natural : ColumnOrder::Descending,
                              /*wantMatrices=*/true, names[slot],
                              /*keep=*/m_options.method == Method::CmpqPlus, &m_progress);
            accumulators[slot].reset();
            if (factors[slot].climbed)
                m_report.warnings.push_back("The Hessian of " + names[slot] + " needed damping " +
                                            std::to_string(factors[slot].damping) + ".");
        }
        report(0.35, block, "quantizing");
        solveBlock(block, weights, factors);
    }
    if (out && !parallelMode) writeOutputs(block, weights, in, *out);
}

/// Runs the block on all sequences and adds its inputs to the Hessians; `out` may be null.
void QuantizeRun::addGroups(int64_t block, const BlockWeights& weights, const Place& place,
                            Accumulators& accumulators, const HiddenStore& in, HiddenStore* out) {
    const Catalogue& catalogue = m_model->catalogue();
    const int64_t held = blockBytes(catalogue, block) + hessianBytes(catalogue, block);
    forBatches(place, held, [&](int64_t first, int64_t n) {
        BlockTrace trace;
        const at::Tensor y =
            m_transformer.block(weights, place.in(in.read(first, n)), block, &trace);
        if (out) out->write(first, place.out(y));
        for (size_t slot = 0; slot < inputGroups; ++slot)
            if (accumulators[slot]) accumulators[slot]->add(trace.groupInput[slot]);
        report(0.3 * double(first + n) / double(m_shape.count), block, "activations of");
    });
}

/// The block's outputs with the weights that were stored.
void QuantizeRun::writeOutputs(int64_t block, BlockWeights weights, const HiddenStore& in,
                               HiddenStore& out) {
    const Catalogue& catalogue = m_model->catalogue();
    for (int64_t i : catalogue.linearsOfBlock(block)) {
        const LinearInfo& linear = catalogue.linears[size_t(i)];
        weights.weight[index(linear.role)] = dequantize(m_store.read(linear), m_threads);
    }
    const int64_t held = blockBytes(catalogue, block);
    runPlaced(m_device, "the outputs of block " + std::to_string(block + 1), withSequence(held),
              [&](const Place& place) {
                  const BlockWeights there = placed(weights, place);
                  forBatches(place, held, [&](int64_t first, int64_t n) {
                      out.write(first, place.out(m_transformer.block(
                                           there, place.in(in.read(first, n)), block)));
                      report(0.8 + 0.2 * double(first + n) / double(m_shape.count), block,
                             "outputs of");
                  });
              });
}

/// All linears of the block side by side: one thread a linear, single-threaded BLAS inside, so the
/// result of a linear does not depend on what runs beside it.
void QuantizeRun::solveBlock(int64_t block, const BlockWeights& weights,
                             const std::array<FactoredHessian, inputGroups>& factors) {
    const Catalogue& catalogue = m_model->catalogue();
    std::vector<const LinearInfo*> tasks;
    for (int64_t i : catalogue.linearsOfBlock(block))
        if (!m_store.has(catalogue.linears[size_t(i)]))
            tasks.push_back(&catalogue.linears[size_t(i)]);
    // Longest first: N·K² is what it costs.
    std::stable_sort(tasks.begin(), tasks.end(), [](const LinearInfo* a, const LinearInfo* b) {
        return double(a->rows) * double(a->cols) * double(a->cols) >
               double(b->rows) * double(b->cols) * double(b->cols);
    });
    std::atomic<size_t> next{0}, finished{0};
    const QuietProgress quiet(m_progress);
    at::parallel_for(0, m_threads, 1, [&](int64_t, int64_t) {
        for (size_t i = next++; i < tasks.size(); i = next++) {
            const LinearInfo& linear = *tasks[i];
            m_store.put(linear, solve(linear, weights.weight[index(linear.role)],
                                      factors[groupOf(linear.role)], quiet));
            ++finished;
            if (at::get_thread_num() == 0)
                report(0.35 + 0.45 * double(finished) / double(tasks.size()), block, "quantizing");
        }
    });
    m_report.layersComputed += int64_t(tasks.size());
}

QuantizedLinear QuantizeRun::solve(const LinearInfo& linear, const at::Tensor& weight,
                                   const FactoredHessian& factor, const Progress& progress) {
    if (m_options.method == Method::Gptq) {
        GroupFormat format = m_options.group;
        format.bits = int(m_options.bits);
        return groupGptq(weight, factor, format, progress);
    }
    const auto layerPlan =
        std::find_if(m_options.plan.layers.begin(), m_options.plan.layers.end(),
                     [&](const Plan::Layer& l) { return l.name == linear.name; });
    ColumnWeights layer;
    double gptq = 0, objective = 0;
    // Errors, gradient, and what adding a block's products takes.
    const int64_t beside = 3 * linear.rows * linear.cols * int64_t(sizeof(float));
    runPlaced(factor.place.device(), "the products of " + linear.name, beside,
              [&](const Place& place) {
                  layer = ColumnWeights::make(linear.rows, linear.cols, layerPlan->points,
                                              m_options.plan.menu);
                  if (m_model->require(linear.name + ".weight").info.dtype == DType::BF16)
                      layer.rawDtype = DType::BF16;
                  const FactoredHessian here = place.onDevice() ? factor : onProcessor(factor);
                  ColumnSolver solver(weight, here, layer);
                  solver.gptq(progress);
                  gptq = objective = solver.trackedObjective();
                  for (int pass = 0; pass < m_options.descentPasses; ++pass)
                      objective = solver.descend(progress);
              });
    const double gamma = m_statistics.find(linear.name)->gamma;
    const std::lock_guard lock(m_reportMutex);
    m_report.objectiveGptq += 0.5 * gamma * gptq;
    m_report.objectiveDescent += 0.5 * gamma * objective;
    return layer;
}

} // namespace bitloom::detail
