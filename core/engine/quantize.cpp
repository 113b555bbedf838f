// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors

// The quantizer's passes over a model (ALGORITHMS §5), block by block:
//
//   inputs of the block → H of its four inputs → factors → all its linears side by side → the
//   block's outputs with what was stored, which are the next block's inputs
//
// Methods that need no Hessian (rtn, cmpq) skip the activations. A linear that the store already
// holds is never computed again; hidden states between blocks lie in the work folder with a hash,
// so that a resumed run starts at the block where the last one stopped.

#include "core/engine/quantize.h"

#include "core/base/threads.h"
#include "core/engine/detail/batches.h"
#include "core/engine/detail/cmpq_solver.h"
#include "core/engine/detail/column_solver.h"
#include "core/engine/detail/group_solver.h"
#include "core/engine/detail/hessian.h"
#include "core/engine/detail/hidden_store.h"
#include "core/engine/detail/layer_store.h"
#include "core/engine/detail/polish.h"
#include "core/engine/detail/transformer.h"
#include "kernels/half.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <mutex>

namespace bitloom {

namespace {

using namespace detail;

/// Progress for worker threads: they may ask, but only the job's own thread may report.
class QuietProgress final : public Progress {
public:
    explicit QuietProgress(const Progress& whole) : m_whole(whole) {}
    void report(double, std::string_view) override {}
    bool cancelled() const override { return m_whole.cancelled(); }

private:
    const Progress& m_whole;
};

class QuantizeRun {
public:
    QuantizeRun(std::shared_ptr<const Checkpoint> model, const Statistics& statistics,
                const QuantizeOptions& options, LayerStore& store, Progress& progress)
        : m_model(std::move(model)), m_statistics(statistics), m_options(options), m_store(store),
          m_progress(progress), m_weights(weightsOf(m_model)),
          m_transformer(m_model->config(), m_model->catalogue()),
          m_threads(options.compute.threadsOrDefault()) {
        const int64_t length = statistics.recipe().length;
        m_shape = {int64_t(statistics.inputIds().size()) / length, length,
                   m_model->config().hidden};
        m_batch = sequencesPerBatch(m_model->config(), length, m_shape.count, /*backward=*/false,
                                    options.compute.memoryOrDefault(),
                                    2 * largestBlockBytes(m_model->catalogue(), m_model->config()));
    }

    QuantizeReport run();

private:
    bool needsHessians() const {
        return m_options.method == Method::CmpqPlus || m_options.method == Method::Gptq;
    }
    bool blockDone(int64_t block) const;
    int64_t startBoundary(int64_t done) const;
    HiddenStore makeStore(int64_t boundary) const;
    void withoutHessians();
    void runBlock(int64_t block, const HiddenStore& in, HiddenStore* out);
    void solveBlock(int64_t block, const BlockWeights& weights,
                    const std::array<FactoredHessian, inputGroups>& factors);
    QuantizedLinear solve(const LinearInfo& linear, const at::Tensor& weight,
                          const FactoredHessian& factor, const Progress& progress);
    void report(double withinBlock, int64_t block, const char* what) {
        const double blocks = double(m_model->config().layers);
        m_progress.report((double(block) + withinBlock) / blocks,
                          std::string(what) + " block " + std::to_string(block + 1) + " of " +
                              std::to_string(m_model->config().layers));
    }
    template<class Body>
    void forBatches(const Body& body) {
        forEachBatch(m_shape.count, m_batch, m_progress, body);
    }

    std::shared_ptr<const Checkpoint> m_model;
    const Statistics& m_statistics;
    const QuantizeOptions& m_options;
    LayerStore& m_store;
    Progress& m_progress;
    std::shared_ptr<const ModelWeights> m_weights;
    Transformer m_transformer;
    int m_threads;
    HiddenStore::Shape m_shape;
    int64_t m_batch = 1;
    QuantizeReport m_report;
    std::mutex m_reportMutex;
};

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
        withoutHessians();
    } else if (anythingLeft) {
        int64_t done = 0;
        while (done < blocks && blockDone(done))
            ++done;
        int64_t boundary = startBoundary(done);
        auto in = std::make_unique<HiddenStore>(makeStore(boundary));
        if (boundary == 0)
            forBatches([&](int64_t first, int64_t n) {
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
    BlockWeights weights = loadBlock(*m_weights, block, m_threads);
    const bool parallelMode = m_options.hessians == HessianMode::Parallel;

    std::array<std::unique_ptr<HessianAccumulator>, inputGroups> accumulators;
    std::array<std::string, inputGroups> names;
    bool missing = false;
    for (const InputGroup& group : catalogue.groups) {
        if (group.block != block) continue;
        bool complete = true;
        for (int64_t i : group.linears)
            complete &= m_store.has(catalogue.linears[size_t(i)]);
        const size_t slot = groupOf(catalogue.linears[size_t(group.linears.front())].role);
        names[slot] = group.name;
        if (!complete) accumulators[slot] = std::make_unique<HessianAccumulator>(group.cols);
        missing |= !complete;
    }

    if (missing || (parallelMode && out)) {
        forBatches([&](int64_t first, int64_t n) {
            BlockTrace trace;
            const at::Tensor y = m_transformer.block(weights, in.read(first, n), block, &trace);
            if (parallelMode && out) out->write(first, y);
            for (size_t slot = 0; slot < inputGroups; ++slot)
                if (accumulators[slot]) accumulators[slot]->add(trace.groupInput[slot]);
            report(0.3 * double(first + n) / double(m_shape.count), block, "activations of");
        });
    }
    if (missing) {
        std::array<FactoredHessian, inputGroups> factors;
        const bool natural = m_options.method == Method::Gptq && !m_options.group.actOrder;
        for (size_t slot = 0; slot < inputGroups; ++slot) {
            m_progress.check();
            if (!accumulators[slot]) continue;
            factors[slot] =
                factorHessian(accumulators[slot]->takeHessian(), m_statistics.recipe().damping,
                              natural ? ColumnOrder::Natural : ColumnOrder::Descending,
                              /*wantMatrices=*/true, names[slot]);
            accumulators[slot].reset();
            if (factors[slot].climbed)
                m_report.warnings.push_back("The Hessian of " + names[slot] + " needed damping " +
                                            std::to_string(factors[slot].damping) + ".");
        }
        report(0.35, block, "quantizing");
        solveBlock(block, weights, factors);
    }
    if (out && !parallelMode) {
        for (int64_t i : catalogue.linearsOfBlock(block)) {
            const LinearInfo& linear = catalogue.linears[size_t(i)];
            weights.weight[index(linear.role)] = dequantize(m_store.read(linear), m_threads);
        }
        forBatches([&](int64_t first, int64_t n) {
            out->write(first, m_transformer.block(weights, in.read(first, n), block));
            report(0.8 + 0.2 * double(first + n) / double(m_shape.count), block, "outputs of");
        });
    }
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
    ColumnWeights layer =
        ColumnWeights::make(linear.rows, linear.cols, layerPlan->points, m_options.plan.menu);
    if (m_model->require(linear.name + ".weight").info.dtype == DType::BF16)
        layer.rawDtype = DType::BF16;
    ColumnSolver solver(weight, factor, layer);
    solver.gptq(progress);
    const double gptq = solver.trackedObjective();
    double objective = gptq;
    for (int pass = 0; pass < m_options.descentPasses; ++pass)
        objective = solver.descend(progress);
    const double gamma = m_statistics.find(linear.name)->gamma;
    const std::lock_guard lock(m_reportMutex);
    m_report.objectiveGptq += 0.5 * gamma * gptq;
    m_report.objectiveDescent += 0.5 * gamma * objective;
    return layer;
}

void checkStatistics(const Checkpoint& model, const Statistics& statistics) {
    if (statistics.recipe().modelFingerprint != model.fingerprint())
        throw Error("the statistics in " + statistics.path().string() + " belong to another model",
                    "Calibrate this model with 'bitloom calibrate'.");
}

PolishOptions polishOptions(const QuantizeOptions& options, const LayerStore& store) {
    PolishOptions out;
    out.steps = options.polishSteps;
    out.seed = options.seed;
    out.compute = options.compute;
    if (store.writer()) out.checkpoint = store.writer()->workFolder() / "polish.safetensors";
    return out;
}

void note(const PolishResult& result, QuantizeReport& report) {
    report.polishStepsResumed = result.stepsResumed;
    report.polishStepsComputed = result.stepsComputed;
    report.polishLossBefore = result.lossBefore;
    report.polishLossAfter = result.lossAfter;
}

/// Polish of everything in `store`; gives the layers and norms back.
PolishResult polishWhole(const Checkpoint& model, const ModelWeights& teacher,
                         const Statistics& statistics, const QuantizeOptions& options,
                         const LayerStore& store, ColumnLayers& layers, QuantizeReport& report,
                         Progress& progress) {
    for (const LinearInfo& linear : model.catalogue().linears)
        layers[linear.name] = std::get<ColumnWeights>(store.read(linear));
    PolishResult result =
        polish(teacher, layers, statistics, polishOptions(options, store), progress);
    note(result, report);
    return result;
}

/// End to end where both models fit, else block by block. What a job began with it ends with,
/// whatever memory a resumed run may use.
bool polishByBlock(const ModelWeights& teacher, const QuantizeOptions& options,
                   CheckpointWriter* writer) {
    const bool tooLarge = polishBytes(teacher) > options.compute.memoryOrDefault();
    if (!writer) return tooLarge;
    if (const auto begun = writer->mark("polish")) return *begun == "blocks";
    writer->putMark("polish", tooLarge ? "blocks" : "whole");
    return tooLarge;
}

/// A float tensor in the dtype of the source's tensor of that name.
std::vector<std::byte> inSourceDtype(const Checkpoint& model, const std::string& name,
                                     const std::vector<float>& values) {
    const DType dtype = model.require(name).info.dtype;
    if (dtype == DType::F32) {
        const auto bytes = std::as_bytes(std::span(values));
        return {bytes.begin(), bytes.end()};
    }
    if (dtype == DType::F64) {
        const std::vector<double> wide(values.begin(), values.end());
        const auto bytes = std::as_bytes(std::span(wide));
        return {bytes.begin(), bytes.end()};
    }
    std::vector<uint16_t> bits(values.size());
    if (dtype == DType::BF16) {
        kernels::floatToBfloat16(values, bits);
    } else {
        kernels::floatToHalf(values, bits);
    }
    const auto bytes = std::as_bytes(std::span(bits));
    return {bytes.begin(), bytes.end()};
}

/// `values` as they will read once stored in the source's dtype.
std::vector<float> roundedToSource(const Checkpoint& model, const std::string& name,
                                   std::vector<float> values) {
    const DType dtype = model.require(name).info.dtype;
    for (float& v : values) {
        if (dtype == DType::BF16) v = kernels::bfloat16ToFloat(kernels::floatToBfloat16(v));
        if (dtype == DType::F16) v = kernels::roundToHalf(v);
    }
    return values;
}

std::vector<float> toFloat(std::span<const std::byte> bytes, DType dtype) {
    std::vector<float> values(bytes.size() / size_t(dtypeBytes(dtype)));
    for (size_t i = 0; i < values.size(); ++i) {
        const std::byte* at = bytes.data() + i * size_t(dtypeBytes(dtype));
        if (dtype == DType::F32) {
            std::memcpy(&values[i], at, sizeof(float));
        } else if (dtype == DType::F64) {
            double wide = 0;
            std::memcpy(&wide, at, sizeof wide);
            values[i] = float(wide);
        } else {
            uint16_t half = 0;
            std::memcpy(&half, at, sizeof half);
            values[i] =
                dtype == DType::BF16 ? kernels::bfloat16ToFloat(half) : kernels::halfToFloat(half);
        }
    }
    return values;
}

/// Names of the norms of a block that polish trains.
std::vector<std::string> polishedNorms(const Catalogue& catalogue, int64_t block) {
    const std::string prefix = catalogue.block(block);
    return {prefix + catalogue.inputNorm + ".weight", prefix + catalogue.postNorm + ".weight"};
}

void polishIntoCheckpoint(const Checkpoint& model, const ModelWeights& teacher,
                          const Statistics& statistics, const QuantizeOptions& options,
                          const LayerStore& store, QuantizeReport& report, Progress& progress) {
    CheckpointWriter& writer = *store.writer();
    const Catalogue& catalogue = model.catalogue();
    BlockStore blocks;
    blocks.scratch = writer.workFolder();
    blocks.putMark = [&](const std::string& name, const std::string& hash) {
        writer.putMark(name, hash);
    };
    blocks.mark = [&](const std::string& name) {
        const auto mark = writer.mark(name);
        return mark ? mark->get<std::string>() : std::string();
    };
    blocks.quantized = [&](const LinearInfo& linear) {
        return std::get<ColumnWeights>(store.read(linear));
    };
    blocks.polished = [&](const LinearInfo& linear) { return writer.readColumn(linear.name); };
    blocks.norm = [&](const std::string& name) {
        const std::vector<std::byte> bytes = writer.readTensor(name);
        return toFloat(bytes, model.require(name).info.dtype);
    };
    blocks.kept = [&](int64_t block) {
        bool all = true;
        for (int64_t i : catalogue.linearsOfBlock(block))
            all &= writer.hasLinear(catalogue.linears[size_t(i)].name);
        for (const std::string& name : polishedNorms(catalogue, block))
            all &= writer.hasTensor(name);
        return all;
    };
    blocks.keep = [&](int64_t, const ColumnLayers& layers, NormWeights& norms) {
        for (auto& [name, values] : norms) {
            if (!writer.hasTensor(name)) writer.putTensor(name, inSourceDtype(model, name, values));
            values = roundedToSource(model, name, std::move(values));
        }
        for (const auto& [name, layer] : layers)
            if (!writer.hasLinear(name)) writer.putLinear(name, pack(layer));
    };
    note(polishBlocks(teacher, statistics, polishOptions(options, store), blocks, progress),
         report);
}

/// The same in memory.
void polishInMemory(const Checkpoint& model, const ModelWeights& teacher,
                    const Statistics& statistics, const QuantizeOptions& options, LayerStore& store,
                    NormWeights& norms, QuantizeReport& report, Progress& progress) {
    BlockStore blocks;
    blocks.quantized = [&](const LinearInfo& linear) {
        return std::get<ColumnWeights>(store.read(linear));
    };
    blocks.kept = [](int64_t) { return false; };
    blocks.keep = [&](int64_t, const ColumnLayers& layers, NormWeights& trained) {
        for (const auto& [name, layer] : layers)
            store.put(*model.catalogue().find(name), layer);
        for (auto& [name, values] : trained) {
            values = roundedToSource(model, name, std::move(values));
            norms[name] = values;
        }
    };
    note(polishBlocks(teacher, statistics, polishOptions(options, store), blocks, progress),
         report);
}

} // namespace

QuantizeReport quantize(std::shared_ptr<const Checkpoint> model, const Statistics& statistics,
                        const QuantizeOptions& options, CheckpointWriter& writer,
                        Progress& progress) {
    const auto start = std::chrono::steady_clock::now();
    checkStatistics(*model, statistics);
    const bool polished = options.polishSteps > 0 && options.method == Method::CmpqPlus;
    const bool groups = options.method == Method::Rtn || options.method == Method::Gptq;
    LayerStore store =
        polished ? LayerStore::inWorkFiles(writer) : LayerStore::inCheckpoint(writer, groups);
    ProgressSlice layersPart(progress, 0, polished ? 0.5 : 0.97);
    QuantizeReport report = QuantizeRun(model, statistics, options, store, layersPart).run();
    if (polished) {
        ProgressSlice polishPart(progress, 0.5, 0.97);
        const auto teacher = weightsOf(model);
        report.polishedByBlock = polishByBlock(*teacher, options, &writer);
        if (report.polishedByBlock) {
            polishIntoCheckpoint(*model, *teacher, statistics, options, store, report, polishPart);
        } else {
            ColumnLayers layers;
            const PolishResult result = polishWhole(*model, *teacher, statistics, options, store,
                                                    layers, report, polishPart);
            for (const auto& [name, layer] : layers)
                if (!writer.hasLinear(name)) writer.putLinear(name, pack(layer));
            for (const auto& [name, values] : result.norms)
                if (!writer.hasTensor(name))
                    writer.putTensor(name, inSourceDtype(*model, name, values));
        }
    }
    ProgressSlice copyPart(progress, 0.97, 1);
    writer.copyRemaining(*model, options.compute.threadsOrDefault(), copyPart);
    report.seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    return report;
}

std::shared_ptr<const ModelWeights> quantizeInMemory(std::shared_ptr<const Checkpoint> model,
                                                     const Statistics& statistics,
                                                     const QuantizeOptions& options,
                                                     QuantizeReport& report, Progress& progress) {
    checkStatistics(*model, statistics);
    LayerStore store = LayerStore::inMemory();
    const bool polished = options.polishSteps > 0 && options.method == Method::CmpqPlus;
    ProgressSlice layersPart(progress, 0, polished ? 0.5 : 1);
    report = QuantizeRun(model, statistics, options, store, layersPart).run();
    const auto source = weightsOf(model);
    if (!polished) return overlay(source, store.takeAll());

    ProgressSlice polishPart(progress, 0.5, 1);
    NormWeights norms;
    report.polishedByBlock = polishByBlock(*source, options, nullptr);
    if (report.polishedByBlock) {
        polishInMemory(*model, *source, statistics, options, store, norms, report, polishPart);
        return overlay(source, store.takeAll(), std::move(norms));
    }
    ColumnLayers layers;
    const PolishResult result =
        polishWhole(*model, *source, statistics, options, store, layers, report, polishPart);
    std::map<std::string, QuantizedLinear, std::less<>> linears;
    for (auto& [name, layer] : layers)
        linears[name] = std::move(layer);
    for (const auto& [name, values] : result.norms)
        norms[name] = roundedToSource(*model, name, values);
    return overlay(source, std::move(linears), std::move(norms));
}

} // namespace bitloom
