// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors

// Calibration in two sweeps over the model, one block resident at a time (ALGORITHMS §1).
//
// Forward, first block to last: run all sequences through the block, collect H of its four inputs,
// factor each H for c_k, and fit the error curves of every column. The input of every block goes
// to a scratch file. Backward, last block to first: read the block's input again, recompute the
// block with autograd, take the gradient of each linear's output, and add up the squared Frobenius
// norm of dYᵀX for every *sequence*: γ_l. Squaring per token instead, as K-FAC does, halves the
// result.
//
// What costs: the forward pass once, H about as much again, the recomputed forward and two more
// for the backward. Everything finished is in the journal of the statistics file; scratch files
// carry a hash, so a run that was killed goes on at the block it died in.

#include "core/engine/calibrate.h"

#include "core/base/hash.h"
#include "core/base/threads.h"
#include "core/base/units.h"
#include "core/engine/detail/batches.h"
#include "core/engine/detail/calibration_cost.h"
#include "core/engine/detail/hessian.h"
#include "core/engine/detail/hidden_store.h"
#include "core/engine/detail/scoring.h"
#include "core/engine/detail/transformer.h"
#include "core/engine/probe_rounding.h"
#include "core/plan/allocator.h"
#include "core/plan/measured.h"

#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/variable.h>

#include <chrono>
#include <cmath>

namespace bitloom {

namespace {

using namespace detail;
using Clock = std::chrono::steady_clock;

double secondsSince(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
}

/// Everything that one calibration run carries from step to step.
class Calibration {
public:
    Calibration(std::shared_ptr<const Checkpoint> model, const CalibrateOptions& options,
                const CalibrationRecipe& recipe, const std::filesystem::path& folder,
                Progress& progress)
        : m_model(std::move(model)), m_options(options), m_recipe(recipe), m_folder(folder),
          m_progress(progress), m_device(options.compute.device.get()),
          m_weights(weightsOf(m_model)),
          m_transformer(m_model->config(), m_model->catalogue(), RopePrecision::Exact, m_device),
          m_writer(folder, recipe, m_model->catalogue(), m_model->folder().filename().string(),
                   options.windows.ids),
          m_threads(options.compute.threadsOrDefault()),
          m_cost(m_model->catalogue(), m_model->config(),
                 options.windows.count * options.windows.length) {
        const TokenWindows& windows = options.windows;
        m_shape = {windows.count, windows.length, m_model->config().hidden};
        // Beside a block's weights there are its Hessians.
        m_batch = sequencesPerBatch(m_model->config(), windows.length, windows.count,
                                    /*backward=*/true, options.compute.memoryOrDefault(),
                                    2 * largestBlockBytes(m_model->catalogue(), m_model->config()));
    }

    CalibrationReport run();

private:
    void checkDisk(int64_t present) const;
    int64_t firstMissingHidden();
    void forwardBlock(int64_t block);
    void addGroups(int64_t block, const BlockWeights& weights, const Place& place,
                   std::array<std::unique_ptr<HessianAccumulator>, inputGroups>& accumulators);
    void finishGroup(int64_t group, HessianAccumulator& accumulator, const BlockWeights& weights);
    void finishLinear(const LinearInfo& linear, const at::Tensor& weight,
                      const std::vector<float>& rms, const at::Tensor& absmax,
                      const std::vector<float>& conditional, double rank);
    void curvesHere(const at::Tensor& weight, std::span<const kernels::CurvePoint> points,
                    bool rawIsExact, std::span<float> sse, std::span<float> weightRms) const;
    void headPass();
    void scoreHead(const HeadWeights& head, const Place& place, int64_t held,
                   std::vector<double>& windowNll);
    void backwardBlock(int64_t block);
    std::array<double, linearRoles> squaredGradients(int64_t block, const BlockWeights& weights,
                                                     const Place& place);
    bool groupDone(const InputGroup& group) const;
    bool blockDone(int64_t block) const;
    void step(double cost, const std::string& what);

    HiddenStore hidden(int64_t boundary) const {
        return HiddenStore::inFile(m_shape, m_folder / ("hidden-" + std::to_string(boundary)));
    }
    HiddenStore gradient(int64_t boundary) const {
        return HiddenStore::inFile(m_shape, m_folder / ("gradient-" + std::to_string(boundary)));
    }
    bool survived(const std::string& name, int64_t boundary) const;
    void markDone(const std::string& name, int64_t boundary, const HiddenStore& store);
    void drop(const std::string& name, int64_t boundary) const {
        std::error_code ignored;
        std::filesystem::remove(m_folder / (name + "-" + std::to_string(boundary)), ignored);
    }
    template<class Body>
    void forBatches(const Body& body) {
        forEachBatch(m_shape.count, m_batch, m_progress, body);
    }
    /// The same with the batches that suit `place`, beside `held` bytes.
    template<class Body>
    void forBatches(const Place& place, int64_t held, const Body& body) {
        const int64_t batch = place.onDevice()
                                  ? sequencesPerBatch(place, m_model->config(), m_shape.length,
                                                      m_shape.count, /*backward=*/true, held)
                                  : m_batch;
        forEachBatch(m_shape.count, batch, m_progress, [&](int64_t first, int64_t n) {
            const Stretch stretch = stretchOf(place, held, n * m_shape.length, /*passes=*/3);
            body(first, n);
        });
    }
    /// Weights of a block, and the largest product that a sequence's squared gradient needs.
    int64_t backwardHeld(int64_t block) const {
        return 2 * blockBytes(m_model->catalogue(), block);
    }
    /// `held` bytes and the activations of one sequence.
    int64_t withSequence(int64_t held) const {
        return held + sequenceBytes(m_model->config(), m_shape.length, /*backward=*/true);
    }

    std::shared_ptr<const Checkpoint> m_model;
    const CalibrateOptions& m_options;
    const CalibrationRecipe& m_recipe;
    std::filesystem::path m_folder;
    Progress& m_progress;
    Device* m_device; ///< or null
    std::shared_ptr<const ModelWeights> m_weights;
    Transformer m_transformer;
    StatisticsWriter m_writer;
    int m_threads;
    CalibrationCost m_cost;
    HiddenStore::Shape m_shape;
    int64_t m_batch = 1;
    double m_done = 0; ///< in units of m_cost
    CalibrationReport m_report;
};

/// `present`: boundaries whose hidden states are on the disk already, from a run before.
void Calibration::checkDisk(int64_t present) const {
    const int64_t files = m_model->config().layers + 1 - present + 2; // two gradients at a time
    const uint64_t need = uint64_t(m_shape.bytes()) * uint64_t(files);
    const uint64_t have = freeBytes(m_folder);
    if (have < need)
        throw Error(
            ErrorCode::NoSpace,
            "calibration needs " + formatBytes(int64_t(need)) + " for hidden states in " +
                m_folder.string() + ", and only " + formatBytes(int64_t(have)) + " are free",
            "Use fewer or shorter sequences (--sequences, --length), or another folder with "
            "--cache.");
}

bool Calibration::survived(const std::string& name, int64_t boundary) const {
    const std::string file = name + "-" + std::to_string(boundary);
    const nlohmann::json* mark = m_writer.mark(file);
    const std::filesystem::path path = m_folder / file;
    std::error_code error;
    if (!mark || std::filesystem::file_size(path, error) != uint64_t(m_shape.bytes()) || error)
        return false;
    return HiddenStore::inFile(m_shape, path).hash() == mark->get<std::string>();
}

void Calibration::markDone(const std::string& name, int64_t boundary, const HiddenStore& store) {
    m_writer.putMark(name + "-" + std::to_string(boundary), store.hash());
}

bool Calibration::groupDone(const InputGroup& group) const {
    for (int64_t i : group.linears)
        if (!m_writer.hasLayer(m_model->catalogue().linears[size_t(i)].name)) return false;
    return true;
}

bool Calibration::blockDone(int64_t block) const {
    for (const InputGroup& group : m_model->catalogue().groups)
        if (group.block == block && !groupDone(group)) return false;
    return true;
}

void Calibration::step(double cost, const std::string& what) {
    m_done += cost;
    m_progress.report(std::min(1.0, m_done / m_cost.total()), what);
}

/// The boundary from which the forward sweep has to go on: all before it are on disk.
int64_t Calibration::firstMissingHidden() {
    const int64_t blocks = m_model->config().layers;
    int64_t boundary = 0;
    while (boundary <= blocks && survived("hidden", boundary))
        ++boundary;
    return boundary;
}

CalibrationReport Calibration::run() {
    const auto start = Clock::now();
    at::NoGradGuard noGrad;
    const Catalogue& catalogue = m_model->catalogue();
    const int64_t blocks = m_model->config().layers;
    for (const LinearInfo& linear : catalogue.linears) {
        m_report.layersResumed += m_writer.hasLayer(linear.name);
        m_report.gammasResumed += m_writer.hasGamma(linear.name);
    }

    // Where the backward sweep stands: the lowest boundary whose gradient is complete.
    int64_t gradientAt = blocks + 1;
    bool normsDone = true;
    for (int64_t i = 0; i < blocks; ++i)
        normsDone &= blockDone(i);
    if (normsDone && m_writer.hasNll())
        for (int64_t i = blocks; i >= 0; --i)
            if (survived("gradient", i)) gradientAt = i;
    // Going on backward needs the inputs of the blocks still to come.
    int64_t hiddenUpTo = firstMissingHidden();
    const bool resumeBackward = gradientAt <= blocks && hiddenUpTo >= gradientAt;
    if (!resumeBackward) {
        gradientAt = blocks + 1;
        checkDisk(hiddenUpTo);
        if (hiddenUpTo == 0) {
            HiddenStore store = hidden(0);
            forBatches([&](int64_t first, int64_t n) {
                const std::span ids(m_options.windows.ids.data() + first * m_shape.length,
                                    size_t(n * m_shape.length));
                store.write(first, m_transformer.embed(*m_weights, ids, n));
            });
            markDone("hidden", 0, store);
            hiddenUpTo = 1;
        }
        for (int64_t block = 0; block < blocks; ++block)
            if (block + 1 >= hiddenUpTo || !blockDone(block)) forwardBlock(block);
    }
    m_done = double(blocks) * (m_cost.forward + m_cost.curves);
    if (gradientAt > blocks) {
        headPass();
        gradientAt = blocks;
    }
    m_done = m_cost.total() - double(gradientAt) * m_cost.backward;
    for (int64_t block = gradientAt - 1; block >= 0; --block)
        backwardBlock(block);

    m_progress.report(1.0, "sorting the error curves");
    std::vector<std::byte> segments;
    {
        const auto statistics = Statistics::open(m_writer.partialPath(), /*allowPartial=*/true);
        segments = Allocator(curvesOf(*statistics), m_recipe.menu, defaultAllowed(m_recipe.menu))
                       .sortedSegments();
    }
    m_report.statistics = m_writer.finish(segments);
    for (int64_t i = 0; i <= blocks; ++i) {
        drop("hidden", i);
        drop("gradient", i);
    }
    const auto statistics = Statistics::open(m_report.statistics);
    m_report.nll = statistics->nllFp();
    m_report.nllStderr = statistics->nllFpStderr();
    m_report.tokens = m_shape.count * m_shape.length;
    m_report.seconds = secondsSince(start);
    return m_report;
}

void Calibration::forwardBlock(int64_t block) {
    const Catalogue& catalogue = m_model->catalogue();
    const std::string what =
        "block " + std::to_string(block + 1) + " of " + std::to_string(m_model->config().layers);
    const BlockWeights weights = loadBlock(*m_weights, block, m_threads);

    std::array<std::unique_ptr<HessianAccumulator>, inputGroups> accumulators;
    std::array<int64_t, inputGroups> groupIndex{}, columns{}; ///< columns 0: nothing to do
    for (size_t i = 0; i < catalogue.groups.size(); ++i) {
        const InputGroup& group = catalogue.groups[i];
        if (group.block != block) continue;
        const size_t slot = groupOf(catalogue.linears[size_t(group.linears.front())].role);
        groupIndex[slot] = int64_t(i);
        if (!groupDone(group)) columns[slot] = group.cols;
    }

    const int64_t held = blockBytes(catalogue, block) + hessianBytes(catalogue, block);
    const double before = m_done;
    runPlaced(m_device, "the activations of " + what, withSequence(held), [&](const Place& place) {
        m_done = before;
        for (size_t slot = 0; slot < inputGroups; ++slot) {
            accumulators[slot].reset();
            if (columns[slot] > 0)
                accumulators[slot] = std::make_unique<HessianAccumulator>(columns[slot], place);
        }
        addGroups(block, placed(weights, place), place, accumulators);
    });

    for (size_t slot = 0; slot < inputGroups; ++slot) {
        m_progress.check();
        if (accumulators[slot]) finishGroup(groupIndex[slot], *accumulators[slot], weights);
        accumulators[slot].reset();
        step(m_cost.curves / double(inputGroups), "error curves of " + what);
    }
}

/// Runs the block on all sequences and adds its inputs to the Hessians.
void Calibration::addGroups(
    int64_t block, const BlockWeights& weights, const Place& place,
    std::array<std::unique_ptr<HessianAccumulator>, inputGroups>& accumulators) {
    const std::string what = "activations of block " + std::to_string(block + 1) + " of " +
                             std::to_string(m_model->config().layers);
    const Catalogue& catalogue = m_model->catalogue();
    const int64_t held = blockBytes(catalogue, block) + hessianBytes(catalogue, block);
    const HiddenStore in = hidden(block);
    HiddenStore out = hidden(block + 1);
    forBatches(place, held, [&](int64_t first, int64_t n) {
        BlockTrace trace;
        out.write(first, place.out(m_transformer.block(weights, place.in(in.read(first, n)), block,
                                                       &trace)));
        for (size_t slot = 0; slot < inputGroups; ++slot)
            if (accumulators[slot]) accumulators[slot]->add(trace.groupInput[slot]);
        step(m_cost.forward * double(n) / double(m_shape.count), what);
    });
    markDone("hidden", block + 1, out);
}

void Calibration::finishGroup(int64_t group, HessianAccumulator& accumulator,
                              const BlockWeights& weights) {
    const InputGroup& info = m_model->catalogue().groups[size_t(group)];
    at::Tensor hessian = accumulator.takeHessian();
    const at::Tensor diagonal = hessian.diagonal().contiguous().cpu();
    const at::Tensor absmax = accumulator.absmax().cpu();
    std::vector<float> rms(size_t(info.cols));
    double trace = 0;
    for (int64_t k = 0; k < info.cols; ++k) {
        trace += diagonal.data_ptr<double>()[k];
        rms[size_t(k)] = float(std::sqrt(diagonal.data_ptr<double>()[k]));
    }
    // Participation ratio (tr H)²/tr(H²): how many directions the text has really exercised.
    const double squares = hessian.flatten().dot(hessian.flatten()).item<double>();
    const double rank = squares > 0 ? trace * trace / squares : 0;

    const FactoredHessian factored =
        factorHessian(accumulator.place(), std::move(hessian), m_recipe.damping,
                      ColumnOrder::Descending, /*wantMatrices=*/false, info.name,
                      /*keep=*/false, &m_progress);
    if (factored.climbed)
        m_report.warnings.push_back("The Hessian of " + info.name + " needed damping " +
                                    std::to_string(factored.damping) +
                                    "; its channels saw too little variety. More text helps.");
    for (int64_t i : info.linears) {
        const LinearInfo& linear = m_model->catalogue().linears[size_t(i)];
        if (m_writer.hasLayer(linear.name)) continue;
        finishLinear(linear, weights.weight[index(linear.role)], rms, absmax, factored.conditional,
                     rank);
        ++m_report.layersComputed;
        if (m_options.onLayer) m_options.onLayer(m_writer.partialPath(), linear.name);
    }
}

void Calibration::finishLinear(const LinearInfo& linear, const at::Tensor& weight,
                               const std::vector<float>& rms, const at::Tensor& absmax,
                               const std::vector<float>& conditional, double rank) {
    const int64_t rows = linear.rows, cols = linear.cols;
    const size_t points = m_recipe.menu.size();
    std::vector<kernels::CurvePoint> curvePoints;
    for (const OperatingPoint& point : m_recipe.menu)
        curvePoints.push_back({point.kind, point.bits, int(outlierCount(point, rows))});
    const DType dtype = m_model->require(linear.name + ".weight").info.dtype;
    const bool rawIsExact = dtype == DType::F16 || dtype == DType::BF16;

    std::vector<float> sse(size_t(cols) * points), weightRms(static_cast<size_t>(cols));
    bool done = false;
    if (m_device) {
        // The weights, and the same by column.
        const int64_t need = 3 * rows * cols * int64_t(sizeof(float));
        runPlaced(m_device, "the error curves of " + linear.name, need, [&](const Place& place) {
            done = place.onDevice() &&
                   place.device()->errorCurves(place.in(weight).t().contiguous(), curvePoints,
                                               rawIsExact, sse, weightRms);
        });
    }
    if (!done) curvesHere(weight, curvePoints, rawIsExact, sse, weightRms);
    const std::span<const float> peak(absmax.data_ptr<float>(), size_t(cols));
    m_writer.putLayer(linear.name, {rms, peak, weightRms, conditional, sse, rank});
}

/// Error curves and root mean squares of all columns, by the processor.
void Calibration::curvesHere(const at::Tensor& weight,
                             std::span<const kernels::CurvePoint> curvePoints, bool rawIsExact,
                             std::span<float> sse, std::span<float> weightRms) const {
    const int64_t rows = weight.size(0), cols = weight.size(1);
    const size_t points = curvePoints.size();
    const at::Tensor byColumn = weight.t().contiguous(); // [K, N]
    const float* columns = byColumn.data_ptr<float>();
    parallelFor(cols, 16, m_threads, [&](int64_t begin, int64_t end) {
        thread_local kernels::ColumnScratch scratch;
        for (int64_t k = begin; k < end; ++k) {
            const std::span column(columns + k * rows, size_t(rows));
            double squares = 0;
            for (float w : column)
                squares += double(w) * double(w);
            weightRms[size_t(k)] = float(std::sqrt(squares / double(rows)));
            kernels::columnErrorCurve(column, curvePoints, rawIsExact, scratch,
                                      {sse.data() + size_t(k) * points, points});
            if ((k & 15) == 0) m_progress.check();
        }
    });
}

void Calibration::headPass() {
    const int64_t blocks = m_model->config().layers;
    const HeadWeights head = loadHead(*m_weights);
    std::vector<double> windowNll;
    const double before = m_done;
    const int64_t held = int64_t(head.head.nbytes());
    runPlaced(m_device, "the loss on the calibration text", withSequence(held),
              [&](const Place& place) {
                  m_done = before;
                  windowNll.clear();
                  scoreHead(placed(head, place), place, held, windowNll);
              });
    const MeanWithError nll = meanWithError(windowNll);
    m_writer.putNll(nll.mean, nll.standardError);
    markDone("gradient", blocks, gradient(blocks));
}

/// Mean NLL of every window, and the gradient of the sum at the last block's outputs.
void Calibration::scoreHead(const HeadWeights& head, const Place& place, int64_t held,
                            std::vector<double>& windowNll) {
    const int64_t blocks = m_model->config().layers, length = m_shape.length;
    const HiddenStore in = hidden(blocks);
    HiddenStore out = gradient(blocks);
    const int64_t memory = place.memoryBytes(m_options.compute.memoryOrDefault());
    const int64_t chunk = logitRows(m_model->config().vocab, memory);
    forBatches(place, held, [&](int64_t first, int64_t n) {
        const at::Tensor x = place.in(in.read(first, n));
        at::Tensor ids = at::empty({n, length}, at::kLong);
        for (int64_t i = 0; i < n * length; ++i)
            ids.data_ptr<int64_t>()[i] = m_options.windows.ids[size_t(first * length + i)];
        at::Tensor normed, target;
        {
            at::AutoGradMode grad(true);
            x.requires_grad_(true);
            normed = m_transformer.norm(x, head.finalNorm);
        }
        // Each position but the last predicts the next token.
        const at::Tensor rows =
            normed.detach().narrow(1, 0, length - 1).reshape({-1, m_shape.width});
        const at::Tensor labels = place.in(ids.narrow(1, 1, length - 1).reshape({-1}));
        at::Tensor rowGradient = at::empty_like(rows);
        const at::Tensor nll = scoreRows(rows, head.head, labels, chunk, rowGradient);
        at::Tensor full = at::zeros_like(normed);
        full.narrow(1, 0, length - 1).copy_(rowGradient.view({n, length - 1, m_shape.width}));
        out.write(first, place.out(torch::autograd::grad({normed}, {x}, {full})[0]));
        const at::Tensor perWindow = nll.view({n, length - 1}).to(at::kDouble).mean(1).cpu();
        for (int64_t i = 0; i < n; ++i)
            windowNll.push_back(perWindow.data_ptr<double>()[i]);
        step(m_cost.head * double(n) / double(m_shape.count), "loss on the calibration text");
    });
}

/// ‖dYᵀX‖_F² of one sequence. Two ways with the same result: the N×K product itself, or the
/// elementwise product of the T×T Gram matrices; the cheaper one is taken.
static double squaredGradient(const at::Tensor& dy, const at::Tensor& x) {
    const int64_t length = x.size(0), rows = dy.size(1), cols = x.size(1);
    if (length * (rows + cols) < rows * cols)
        return at::mm(dy, dy.t()).mul_(at::mm(x, x.t())).sum(at::kDouble).item<double>();
    const at::Tensor product = at::mm(dy.t(), x);
    return product.square_().sum(at::kDouble).item<double>();
}

/// Σ over sequences of ‖dYᵀX‖_F² for every linear of the block; the gradient at its inputs goes to
/// the scratch files.
std::array<double, linearRoles>
Calibration::squaredGradients(int64_t block, const BlockWeights& weights, const Place& place) {
    const HiddenStore in = hidden(block), above = gradient(block + 1);
    HiddenStore below = gradient(block);
    std::array<double, linearRoles> squares{};
    const std::string what = "sensitivity of block " + std::to_string(block + 1) + " of " +
                             std::to_string(m_model->config().layers);
    const int64_t held = backwardHeld(block);
    forBatches(place, held, [&](int64_t first, int64_t n) {
        const at::Tensor x = place.in(in.read(first, n));
        BlockTrace trace;
        at::Tensor y;
        {
            at::AutoGradMode grad(true);
            x.requires_grad_(true);
            y = m_transformer.block(weights, x, block, &trace);
        }
        std::vector<at::Tensor> inputs{x};
        inputs.insert(inputs.end(), trace.linearOut.begin(), trace.linearOut.end());
        const auto gradients = torch::autograd::grad({y}, inputs, {place.in(above.read(first, n))});
        below.write(first, place.out(gradients[0]));
        for (size_t role = 0; role < linearRoles; ++role) {
            const at::Tensor& dy = gradients[role + 1];
            const at::Tensor input = trace.groupInput[groupOf(LinearRole(role))].detach();
            for (int64_t i = 0; i < n; ++i)
                squares[role] += squaredGradient(dy[i], input[i]);
        }
        step(m_cost.backward * double(n) / double(m_shape.count), what);
    });
    return squares;
}

void Calibration::backwardBlock(int64_t block) {
    const Catalogue& catalogue = m_model->catalogue();
    const BlockWeights weights = loadBlock(*m_weights, block, m_threads);
    std::array<double, linearRoles> squares{};
    const double before = m_done;
    runPlaced(m_device, "the sensitivity of block " + std::to_string(block + 1),
              withSequence(backwardHeld(block)), [&](const Place& place) {
                  m_done = before;
                  squares = squaredGradients(block, placed(weights, place), place);
              });

    const double predicted = double(m_shape.count * (m_shape.length - 1));
    const auto partial = Statistics::open(m_writer.partialPath(), /*allowPartial=*/true);
    for (int64_t i : catalogue.linearsOfBlock(block)) {
        const LinearInfo& linear = catalogue.linears[size_t(i)];
        if (m_writer.hasGamma(linear.name)) continue;
        double trace = 0;
        for (float a : partial->find(linear.name)->actRms)
            trace += double(a) * double(a);
        const double fisher = squares[index(linear.role)] / predicted;
        m_writer.putGamma(linear.name, trace > 0 ? fisher / (double(linear.rows) * trace) : 0);
        ++m_report.gammasComputed;
        if (m_options.onGamma) m_options.onGamma(m_writer.partialPath(), linear.name);
    }
    markDone("gradient", block, gradient(block));
    drop("gradient", block + 1);
    drop("hidden", block + 1);
}

} // namespace

CalibrationRecipe calibrationRecipe(const Checkpoint& model, const CalibrateOptions& options) {
    CalibrationRecipe recipe;
    recipe.modelFingerprint = model.fingerprint();
    recipe.textHash = options.windows.textHash;
    recipe.source = options.windows.source;
    recipe.sequences = options.windows.count;
    recipe.length = options.windows.length;
    recipe.damping = options.damping;
    recipe.menu = defaultMenu();
    return recipe;
}

namespace {

CalibrationReport cachedReport(const std::filesystem::path& done, const CalibrationRecipe& recipe) {
    const auto statistics = Statistics::open(done);
    CalibrationReport report;
    report.statistics = done;
    report.cached = true;
    report.nll = statistics->nllFp();
    report.nllStderr = statistics->nllFpStderr();
    report.tokens = recipe.sequences * recipe.length;
    return report;
}

void prepareFolder(const std::filesystem::path& folder, bool force) {
    std::filesystem::create_directories(folder);
    if (!force) return;
    // Not under the feet of a calibration that is running; the writer takes the lock next.
    const FolderLock lock(folder);
    for (const auto& entry : std::filesystem::directory_iterator(folder))
        if (entry.path().extension() != ".lock") std::filesystem::remove_all(entry.path());
}

void probeModel(std::shared_ptr<const Checkpoint> model, const CalibrateOptions& options,
                CalibrationReport& report, Progress& progress) {
    report.probe = loadProbe(report.statistics);
    if (report.probe) return;
    const auto start = Clock::now();
    const auto without = [&](const std::string& why) {
        report.warnings.push_back("predictions use the general scale, for what rounding costs this "
                                  "model could not be measured: " +
                                  why);
    };
    try {
        report.probe = probeRounding(std::move(model), *Statistics::open(report.statistics),
                                     options.windows, options.compute, progress);
        if (report.probe) keepProbe(report.statistics, *report.probe);
    } catch (const Error& error) {
        if (error.code() == ErrorCode::Cancelled) throw;
        without(error.what());
    } catch (const c10::Error& error) {
        const std::string text = error.what_without_backtrace();
        without(text.substr(0, text.find('\n')));
    }
    report.seconds += std::chrono::duration<double>(Clock::now() - start).count();
}

} // namespace

CalibrationReport calibrate(std::shared_ptr<const Checkpoint> model,
                            const CalibrateOptions& options, Progress& progress) {
    if (options.windows.count < 1 || options.windows.length < 2)
        throw Error("the calibration text gives no window of at least two tokens",
                    "Give a longer text, or a shorter --length.");
    if (options.windows.length > model->config().maxPositions)
        throw Error(ErrorCode::Usage,
                    "windows of " + std::to_string(options.windows.length) +
                        " tokens exceed the model's maximum of " +
                        std::to_string(model->config().maxPositions) + " positions",
                    "Use --length " + std::to_string(model->config().maxPositions) + " or less.");
    const CalibrationRecipe recipe = calibrationRecipe(*model, options);
    const std::filesystem::path folder = statisticsFolder(options.cache, recipe);
    const double share = options.probe ? probeShare(options.windows) : 0;
    ProgressSlice main(progress, 0, 1 - share), rest(progress, 1 - share, 1);
    CalibrationReport report;
    if (!options.force && std::filesystem::exists(folder / "stats.safetensors")) {
        report = cachedReport(folder / "stats.safetensors", recipe);
    } else {
        prepareFolder(folder, options.force);
        report = Calibration(model, options, recipe, folder, main).run();
    }
    if (options.probe) probeModel(std::move(model), options, report, rest);
    return report;
}

} // namespace bitloom
