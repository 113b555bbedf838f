// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors

// Calibration, quantization, polish and evaluation on a device: the same results as on the
// processor, within the device's memory; without enough of it, the processor does the work. The
// device is emulated (tests/support/emulated_device.h), so its arithmetic is the processor's.
#include "tests/support/emulated_device.h"

#include "core/base/cuda_driver.h"
#include "core/engine/detail/column_solver.h"
#include "core/engine/detail/hessian.h"
#include "core/engine/detail/layer_store.h"
#include "core/engine/detail/polish.h"
#include "core/engine/detail/quantize_run.h"
#include "core/engine/device_check.h"
#include "core/engine/evaluate.h"
#include "core/engine/quantize.h"
#include "core/plan/allocator.h"
#include "tests/support/engine_testing.h"

using namespace bitloom;
using namespace bitloom::detail;
using namespace bitloom::engineTesting;

namespace {

constexpr int64_t plenty = int64_t(1) << 30;

ComputeOptions on(int64_t memoryBytes) {
    ComputeOptions options = compute();
    options.device = std::make_shared<EmulatedDevice>(memoryBytes);
    return options;
}

std::shared_ptr<const Statistics> calibrated(const std::shared_ptr<const Checkpoint>& model,
                                             const TokenWindows& windows, const fs::path& cache,
                                             const ComputeOptions& compute) {
    CalibrateOptions options;
    options.windows = windows;
    options.cache = cache;
    options.compute = compute;
    NoProgress progress;
    return Statistics::open(calibrate(model, options, progress).statistics);
}

/// Sums in another order, nothing else.
void compareStatistics(const Statistics& found, const Statistics& wanted) {
    COMPARE_CLOSE(found.nllFp(), wanted.nllFp(), 1e-6);
    COMPARE_CLOSE(found.nllFpStderr(), wanted.nllFpStderr(), 1e-4);
    for (const LayerStatistics& layer : wanted.layers()) {
        const LayerStatistics& same = *found.find(layer.name);
        COMPARE_CLOSE(same.gamma, layer.gamma, 1e-4);
        COMPARE_CLOSE(same.effectiveRank, layer.effectiveRank, 1e-4);
        for (size_t k = 0; k < layer.actRms.size(); ++k) {
            COMPARE_CLOSE(same.actRms[k], layer.actRms[k], 1e-5);
            COMPARE_CLOSE(same.actAbsmax[k], layer.actAbsmax[k], 1e-5);
            COMPARE_CLOSE(same.conditional[k], layer.conditional[k], 1e-3);
        }
        QVERIFY(std::ranges::equal(same.sse, layer.sse));
        QVERIFY(std::ranges::equal(same.weightRms, layer.weightRms));
    }
}

/// Root mean square of the difference, over that of `wanted`.
double relativeDifference(std::span<const float> found, std::span<const float> wanted) {
    if (found.size() != wanted.size()) return INFINITY;
    double difference = 0, size = 0;
    for (size_t i = 0; i < found.size(); ++i) {
        difference += std::pow(double(found[i]) - double(wanted[i]), 2);
        size += std::pow(double(wanted[i]), 2);
    }
    return std::sqrt(difference / size);
}

QuantizeOptions cmpqPlus(const Checkpoint& model, const Statistics& statistics, double bits) {
    const auto curves = curvesOf(statistics);
    const Menu& menu = statistics.menu();
    Allocator allocator(curves, menu, defaultAllowed(menu));
    QuantizeOptions options;
    options.plan =
        makePlan(allocator.allocate(int64_t(std::floor(bits * double(allocator.weights())))),
                 curves, menu, {Budget::Kind::Bits, bits}, {});
    options.plan.model = model.fingerprint();
    options.plan.statistics = statistics.recipe().fingerprint();
    options.compute = compute();
    return options;
}

/// What quantizing in memory gives, all in one row.
std::vector<float> weightsIn(const ModelWeights& model) {
    std::vector<float> all;
    for (const LinearInfo& linear : model.catalogue().linears) {
        std::vector<float> own(size_t(linear.rows * linear.cols));
        model.readLinear(linear.name, own, 1);
        all.insert(all.end(), own.begin(), own.end());
    }
    for (int64_t block = 0; block < model.config().layers; ++block) {
        std::vector<float> norm(size_t(model.config().hidden));
        model.readTensor(model.catalogue().block(block) + model.catalogue().inputNorm + ".weight",
                         norm);
        all.insert(all.end(), norm.begin(), norm.end());
    }
    return all;
}

std::vector<float> quantized(const std::shared_ptr<const Checkpoint>& model,
                             const Statistics& statistics, const QuantizeOptions& options,
                             QuantizeReport& report) {
    NoProgress progress;
    return weightsIn(*quantizeInMemory(model, statistics, options, report, progress));
}

} // namespace

class TestDevice : public QObject {
    Q_OBJECT
private slots:
    void initTestCase() { initEngine(compute()); }
    void init() { EmulatedMemory::setLimit(plenty); }
    void cleanup() { QCOMPARE(EmulatedMemory::used(), 0); }

    /// The emulation itself refuses what a GPU refuses.
    void emulation() {
        EmulatedDevice device(plenty);
        const at::Tensor here = at::arange(12, at::kFloat).view({3, 4});
        {
            const at::Tensor there = device.upload(here);
            QVERIFY(!there.is_cpu());
            QVERIFY(at::equal(device.download(at::mm(there, there.t())), at::mm(here, here.t())));
            QVERIFY_THROWS_EXCEPTION(c10::Error, at::mm(there, here.t()));
            QVERIFY_THROWS_EXCEPTION(c10::Error, there + here);
            QCOMPARE(device.uploadedBytes(), 48);
            EmulatedMemory::setLimit(EmulatedMemory::used() + 512);
            QVERIFY_THROWS_EXCEPTION(c10::OutOfMemoryError, device.upload(at::zeros({4096})));
            QCOMPARE(EmulatedMemory::refused(), 1);
        }
    }

    void places() {
        EmulatedDevice device(1000);
        std::vector<std::string> ran;
        const auto body = [&](const Place& place) {
            ran.push_back(place.onDevice() ? std::to_string(place.memoryBytes(7)) : "host");
            if (place.onDevice() && ran.size() < 3)
                TORCH_CHECK_WITH(OutOfMemoryError, false, "none left");
        };
        runPlaced(nullptr, "a", 1, body);
        QCOMPARE(ran, (std::vector<std::string>{"host"}));
        ran.clear();
        runPlaced(&device, "b", 1001, body); // known beforehand
        QCOMPARE(ran, (std::vector<std::string>{"host"}));
        ran.clear();
        runPlaced(&device, "c", 1000, body); // twice out of memory, then the processor
        QCOMPARE(ran, (std::vector<std::string>{"1000", "250", "host"}));
        QCOMPARE(device.fallbacks().size(), 2u);
        QVERIFY(device.fallbacks()[0].find("b: it needs") == 0);
        QVERIFY(device.fallbacks()[1].find("c: the GPU has no memory left") == 0);
        // Anything else is an error with what was done, and no other attempt.
        int runs = 0;
        COMPARE_ERROR(runPlaced(&device, "block 3", 1,
                                [&](const Place&) {
                                    ++runs;
                                    TORCH_CHECK(false, "an illegal memory access");
                                }),
                      "block 3 failed on the GPU: an illegal memory access");
        QCOMPARE(runs, 1);
    }

    /// A factorisation that does not fit goes to the processor, with the same factors.
    void factorisation() {
        const at::Tensor x = at::randn({300, 64}, at::kDouble);
        const at::Tensor hessian = at::mm(x.t(), x).div_(300.0);
        const auto wanted =
            factorHessian(hessian.clone(), 0.01, ColumnOrder::Descending, true, "here");
        for (const int64_t limit : {plenty, int64_t(64 * 64 * 8 * 2), int64_t(64 * 64 * 8)}) {
            EmulatedMemory::setLimit(limit);
            EmulatedDevice device(plenty);
            const Place place(device);
            const auto found =
                factorHessian(place, place.in(hessian), 0.01, ColumnOrder::Descending, true, "x");
            QCOMPARE(device.fallbacks().empty(), limit == plenty);
            QCOMPARE(found.order, wanted.order);
            QCOMPARE(found.pivot, wanted.pivot);
            QVERIFY(at::equal(found.damped, wanted.damped));
            QVERIFY(at::equal(found.feedback, wanted.feedback));
        }
    }

    /// Several blocks of columns, so that the products between them are the device's.
    void columns() {
        constexpr int64_t rows = 40, cols = 300;
        const at::Tensor mix = at::randn({cols, cols}, at::kDouble) / std::sqrt(double(cols));
        const at::Tensor x = at::mm(at::randn({900, cols}, at::kDouble), mix) *
                             at::exp(at::randn({cols}, at::kDouble));
        const at::Tensor hessian = at::mm(x.t(), x).div_(900.0);
        const at::Tensor weight = at::randn({rows, cols}) * 0.05;
        const Menu menu = defaultMenu();
        std::vector<uint8_t> points(cols);
        for (int64_t k = 0; k < cols; ++k)
            points[size_t(k)] = uint8_t(size_t(k * 7) % menu.size());
        EmulatedDevice device(plenty);
        std::vector<double> objectives;
        for (const Place& place : {Place(), Place(device)}) {
            const FactoredHessian factored =
                factorHessian(place, place.in(hessian.clone()), 0.01, ColumnOrder::Descending, true,
                              "here", /*keep=*/true);
            QCOMPARE(factored.place.onDevice(), place.onDevice());
            ColumnWeights layer = ColumnWeights::make(rows, cols, points, menu);
            ColumnSolver solver(weight, factored, layer);
            solver.gptq(NoProgress());
            COMPARE_CLOSE(solver.trackedObjective(), solver.objective(), 1e-4);
            objectives.push_back(solver.trackedObjective());
            for (int pass = 0; pass < 2; ++pass) {
                const double before = objectives.back();
                objectives.push_back(solver.descend(NoProgress()));
                QVERIFY(objectives.back() <= before);
                COMPARE_CLOSE(objectives.back(), solver.objective(), 1e-4);
            }
            // What is stored is what the solver believes: E from the layer itself.
            at::Tensor stored = at::empty({cols, rows});
            for (int64_t k = 0; k < cols; ++k)
                layer.dequantizeColumn(k, {stored.data_ptr<float>() + k * rows, size_t(rows)});
            const at::Tensor e = (weight.t() - stored).to(at::kDouble);
            const double direct = at::mm(hessian, e).mul_(e).sum().item<double>();
            const double damping = 0.01 * hessian.diagonal().mean().item<double>();
            COMPARE_CLOSE(direct + damping * e.square().sum().item<double>(), objectives.back(),
                          1e-4);
        }
        for (size_t i = 0; i < 3; ++i)
            COMPARE_CLOSE(objectives[i + 3], objectives[i], 0.01);
        QVERIFY(device.fallbacks().empty());
        QVERIFY(device.downloadedBytes() > 3 * rows * cols * int64_t(sizeof(float)));
    }

    void calibration_data() {
        QTest::addColumn<QString>("name");
        for (const std::string& name : goldens())
            QTest::newRow(name.c_str()) << QString::fromStdString(name);
    }
    void calibration() {
        QFETCH(QString, name);
        const auto model = golden(name.toStdString());
        TemporaryFolder here, there;
        const TokenWindows windows = randomWindows(31, 3, 20, model->config().vocab);
        const auto wanted = calibrated(model, windows, here.path(), compute());
        const ComputeOptions device = on(plenty);
        const auto found = calibrated(model, windows, there.path(), device);
        compareStatistics(*found, *wanted);
        QVERIFY(device.device->fallbacks().empty());
        // Every block's weights went there twice, the hidden states in and out of every block.
        QVERIFY(device.device->uploadedBytes() > 2 * int64_t(model->weightBytes()));
        QVERIFY(device.device->downloadedBytes() > 0);
        QCOMPARE(dynamic_cast<EmulatedDevice&>(*device.device).curves(),
                 int(model->catalogue().linears.size()));
    }

    /// Whatever the memory: within it, and the statistics are the same but for the size of batches.
    void calibrationInLittleMemory() {
        const auto model = golden("qwen3-qknorm");
        TemporaryFolder here;
        const TokenWindows windows = randomWindows(32, 6, 32, model->config().vocab);
        const auto wanted = calibrated(model, windows, here.path(), compute());
        std::set<bool> fell;
        for (const int64_t limit : {40'000, 400'000, 1'500'000, 6'000'000}) {
            EmulatedMemory::setLimit(limit); // sooner or later refuses what was thought to fit
            for (const int64_t told : {limit, plenty}) {
                TemporaryFolder there;
                const ComputeOptions device = on(told);
                const auto found = calibrated(model, windows, there.path(), device);
                QVERIFY(EmulatedMemory::peak() <= limit);
                fell.insert(!device.device->fallbacks().empty());
                compareStatistics(*found, *wanted);
                if (QTest::currentTestFailed()) return;
            }
        }
        QCOMPARE(fell, (std::set<bool>{false, true}));
    }

    void quantization_data() {
        QTest::addColumn<QString>("name");
        QTest::addColumn<QString>("method");
        QTest::addColumn<qlonglong>("memory");
        QTest::newRow("cmpq+") << "llama2-gqa"
                               << "cmpq+" << qlonglong(plenty);
        QTest::newRow("windows, parallel") << "mistral-sliding"
                                           << "parallel" << qlonglong(plenty);
        QTest::newRow("gptq") << "qwen2-bias-tied"
                              << "gptq" << qlonglong(plenty);
        QTest::newRow("polish") << "qwen3-qknorm"
                                << "polish" << qlonglong(plenty);
        QTest::newRow("polish in little memory") << "qwen3-qknorm"
                                                 << "polish" << qlonglong(1);
        QTest::newRow("polish by block") << "llama2-gqa"
                                         << "blocks" << qlonglong(plenty);
        QTest::newRow("no memory") << "llama2-gqa"
                                   << "cmpq+" << qlonglong(1);
        QTest::newRow("rtn") << "llama2-gqa"
                             << "rtn" << qlonglong(plenty);
    }
    void quantization() {
        QFETCH(QString, name);
        QFETCH(QString, method);
        QFETCH(qlonglong, memory);
        TemporaryFolder cache;
        const auto model = shortened(name.toStdString(), 2, cache / "model");
        const TokenWindows windows = randomWindows(33, 4, 24, model->config().vocab);
        const auto statistics = calibrated(model, windows, cache.path(), compute());
        QuantizeOptions options = cmpqPlus(*model, *statistics, 5);
        if (method == "gptq" || method == "rtn") {
            options.method = parseMethod(method.toStdString());
            options.group.groupSize = 16;
        }
        if (method == "parallel") options.hessians = HessianMode::Parallel;
        if (method == "polish" || method == "blocks") options.polishSteps = 5;
        // Block by block, here and there.
        if (method == "blocks" || (method == "polish" && memory < plenty))
            options.compute.memoryBytes = polishBytes(*weightsOf(model)) - 1;
        QuantizeReport wantedReport, report;
        const auto wanted = quantized(model, *statistics, options, wantedReport);
        options.compute.device = std::make_shared<EmulatedDevice>(memory);
        const auto found = quantized(model, *statistics, options, report);
        if (memory < plenty || method == "rtn") QVERIFY(found == wanted);
        // Sums in another order make another code of a few weights in the middle between two.
        VERIFY_BELOW(relativeDifference(found, wanted), 0.01);
        COMPARE_CLOSE(report.objectiveDescent, wantedReport.objectiveDescent, 1e-3);
        QCOMPARE(report.polishedByBlock, wantedReport.polishedByBlock);
        COMPARE_CLOSE(report.polishLossAfter, wantedReport.polishLossAfter, 1e-3);
        QCOMPARE(options.compute.device->fallbacks().empty(), memory == plenty && method != "rtn");
    }

    /// Memory that ends before or in the middle of polish: nothing of a step is counted twice.
    void polishRunsOut() {
        TemporaryFolder cache;
        const auto model = shortened("qwen3-qknorm", 2, cache / "model");
        const auto teacher = weightsOf(model);
        const TokenWindows windows = randomWindows(34, 4, 16, model->config().vocab);
        const auto statistics = calibrated(model, windows, cache.path(), compute());
        NoProgress progress;
        const QuantizeOptions options = cmpqPlus(*model, *statistics, 5);
        LayerStore store = LayerStore::inMemory();
        QuantizeRun(model, *statistics, options, store, progress).run();
        const auto begun = store.takeAll();
        const auto polished = [&](bool byBlock, const ComputeOptions& compute) {
            PolishOptions how;
            how.steps = 3;
            how.compute = compute;
            ColumnLayers layers;
            for (const auto& [name, layer] : begun)
                layers[name] = std::get<ColumnWeights>(layer);
            PolishResult result;
            if (byBlock) {
                BlockStore blocks;
                blocks.quantized = [&](const LinearInfo& info) { return layers[info.name]; };
                blocks.kept = [](int64_t) { return false; };
                blocks.keep = [&](int64_t, const ColumnLayers& done, const NormWeights&) {
                    for (const auto& [name, layer] : done)
                        layers[name] = layer;
                };
                result = polishBlocks(*teacher, *statistics, how, blocks, progress);
            } else {
                result = polish(*teacher, layers, *statistics, how, progress);
            }
            std::vector<float> all{float(result.stepsComputed), float(result.lossAfter)};
            for (const auto& [name, layer] : layers) {
                const at::Tensor values = dequantize(layer, 1);
                all.insert(all.end(), values.data_ptr<float>(),
                           values.data_ptr<float>() + values.numel());
            }
            return all;
        };
        for (const bool byBlock : {false, true}) {
            const auto wanted = polished(byBlock, compute());
            std::set<bool> fell;
            for (int64_t limit = 200'000; limit < 12'000'000; limit *= 3) {
                EmulatedMemory::setLimit(limit);
                const ComputeOptions device = on(plenty);
                VERIFY_BELOW(relativeDifference(polished(byBlock, device), wanted), 2e-3);
                fell.insert(!device.device->fallbacks().empty());
            }
            QCOMPARE(fell, (std::set<bool>{false, true}));
        }
    }

    void evaluation() {
        const auto model = golden("llama3-rope-tied-sharded");
        const auto weights = weightsOf(model);
        const auto windows = evaluationWindows(randomWindows(35, 5, 30, model->config().vocab),
                                               Protocol::Gptq, model->config());
        const auto other = golden("llama3-rope-tied-sharded");
        NoProgress progress;
        const Evaluation wanted =
            evaluate(*weights, weightsOf(other).get(), windows, compute(), progress);
        for (const int64_t memory : {plenty, int64_t(300'000), int64_t(1)}) {
            const ComputeOptions device = on(memory);
            const Evaluation found =
                evaluate(*weights, weightsOf(other).get(), windows, device, progress);
            COMPARE_CLOSE(found.nll, wanted.nll, 1e-6);
            QCOMPARE(found.top1Agreement, 1.0);
            VERIFY_BELOW(std::fabs(found.klMean), 1e-9);
            QCOMPARE(found.windowNll.size(), wanted.windowNll.size());
            QCOMPARE(device.device->fallbacks().empty(), memory == plenty);
            QCOMPARE(deviceName(device), std::string("emulated"));
        }
    }

    /// The self-test's comparison holds for a device that is right, and not for one that is not.
    void selfTest() {
        class WrongDevice final : public EmulatedDevice {
        public:
            WrongDevice() : EmulatedDevice(plenty) {}
            bool errorCurves(const at::Tensor& byColumn,
                             std::span<const kernels::CurvePoint> points, bool rawIsExact,
                             std::span<float> sse, std::span<float> rms) override {
                EmulatedDevice::errorCurves(byColumn, points, rawIsExact, sse, rms);
                sse[3] = std::nextafter(sse[3], 1.f);
                return true;
            }
        };
        TemporaryFolder folder;
        const auto model = shortened("llama2-gqa", 2, folder / "model");
        const TokenWindows windows = randomWindows(36, 3, 24, model->config().vocab);
        for (const bool right : {true, false}) {
            ComputeOptions options = on(plenty);
            if (!right) options.device = std::make_shared<WrongDevice>();
            std::set<std::string> names, wrong;
            const fs::path scratch = folder / (right ? "right" : "wrong");
            fs::create_directories(scratch);
            NoProgress progress;
            checkDevice(model, windows, scratch, options, progress, [&](const DeviceCheck& check) {
                QVERIFY2(!check.detail.empty(), check.name.c_str());
                names.insert(check.name);
                if (!check.ok) wrong.insert(check.name + ": " + check.detail);
            });
            QCOMPARE(names.size(), 8u);
            for (const std::string& what : wrong)
                qInfo("%s", what.c_str());
            QCOMPARE(wrong.size(), right ? 0u : 1u);
        }
    }

    /// What is asked for and not there is an error; what may be there or not is a reason.
    void noGpu() {
        std::string why;
        if (CudaDriver::open(why)) QSKIP("this machine has a GPU");
        ComputeOptions options = compute();
        options.choice = DeviceChoice::Cuda;
        try {
            openDevice(options);
            QFAIL("nothing was thrown");
        } catch (const Error& error) {
            QCOMPARE(error.code(), ErrorCode::NoDevice);
            QCOMPARE(std::string(error.what()), "no GPU can be used: " + why);
            QVERIFY(error.hint().find("--device cpu") != std::string::npos);
        }
        options.choice = DeviceChoice::Auto;
        openDevice(options);
        QVERIFY(!options.device);
        QCOMPARE(options.deviceReason, why);
        QCOMPARE(deviceName(options), std::string("cpu"));
        QCOMPARE(deviceText(options), "cpu, because " + why);
        QCOMPARE(deviceProblem(), why);
        COMPARE_ERROR(parseDevice("gpu"), "there is no device 'gpu'");
    }
};

QTEST_APPLESS_MAIN(TestDevice)
#include "tst_device.moc"
