// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors

// Calibration against definitions in float64 (ALGORITHMS §1): every statistic from the reference
// model's own activations, and the Fisher factor from central differences of each sequence's loss.
// Before Qt, whose `slots` is a name in torch's headers.
#include "tests/support/reference_model.h"

#include "core/engine/calibrate.h"
#include "core/engine/evaluate.h"
#include "kernels/column_quantizer.h"
#include "tests/support/engine_testing.h"

#include <numeric>
#include <set>

using namespace bitloom;
using namespace bitloom::engineTesting;

namespace {

/// Σ_nk F_nk of one layer: for every weight, the central difference of every sequence's summed
/// NLL, squared, summed over sequences, over the number of predicted tokens. `linear` is a layer of
/// block `index`.
double fisherSum(const ReferenceModel& reference, const ModelConfig& config,
                 const std::string& linear, int64_t index, const at::Tensor& ids) {
    constexpr double h = 1e-4;
    const int64_t sequences = ids.size(0), length = ids.size(1);
    at::Tensor hidden = reference.embed(ids);
    for (int64_t i = 0; i < index; ++i)
        hidden = reference.block(hidden, i);
    ReferenceModel::Inputs inputs;
    const at::Tensor through = reference.block(hidden, index, &inputs);
    const at::Tensor x = inputs.at(linear); // [S, T, K]
    const at::Tensor& weight = reference.tensor(linear + ".weight");
    const int64_t rows = weight.size(0), cols = weight.size(1);

    // One row of the weight at a time; its K weights, both signs, are a batch. Changing W_nk by h
    // adds h·x_k to output n, at every position.
    const at::Tensor batch = hidden.repeat({2 * cols, 1, 1});
    const at::Tensor labels = ids.repeat({2 * cols, 1});
    const at::Tensor change = at::cat({x.permute({2, 0, 1}), -x.permute({2, 0, 1})}) // [2K, S, T]
                                  .reshape({2 * cols * sequences, length}) *
                              h;
    double sum = 0;
    for (int64_t n = 0; n < rows; ++n) {
        ReferenceModel::Nudge nudge{linear,
                                    at::zeros({2 * cols * sequences, length, rows}, at::kDouble)};
        nudge.output.select(2, n).copy_(change);
        // The last linear of a block is added to what comes before it: no need for that anew.
        at::Tensor y = linear.ends_with("down_proj")
                           ? through.repeat({2 * cols, 1, 1}) + nudge.output
                           : reference.block(batch, index, nullptr, &nudge);
        for (int64_t i = index + 1; i < config.layers; ++i)
            y = reference.block(y, i);
        const at::Tensor nll = ReferenceModel::summedNll(reference.head(y), labels);
        const at::Tensor both = nll.view({2, cols, sequences});
        const at::Tensor gradient = (both[0] - both[1]) / (2 * h);
        sum += (gradient * gradient).sum().item<double>();
    }
    return sum / double(sequences * (length - 1));
}

double channelEnergy(const LayerStatistics& layer) {
    double sum = 0;
    for (const float a : layer.actRms)
        sum += double(a) * double(a);
    return sum;
}

} // namespace

class TestCalibrate : public QObject {
    Q_OBJECT
private slots:
    void initTestCase() { initEngine(compute()); }

    void fisherFactor_data() {
        QTest::addColumn<std::string>("name");
        QTest::addColumn<std::string>("linear");
        QTest::addColumn<int>("block");
        QTest::addColumn<int>("sequences");
        QTest::addColumn<int>("length");
        // Shared key heads, two blocks and the head above it.
        QTest::newRow("keys") << std::string("llama2-gqa")
                              << std::string("model.layers.1.self_attn.k_proj") << 1 << 3 << 8;
        QTest::newRow("down") << std::string("qwen3-qknorm")
                              << std::string("model.layers.2.mlp.down_proj") << 2 << 2 << 8;
        QTest::newRow("values with bias")
            << std::string("qwen2-bias-tied") << std::string("model.layers.2.self_attn.v_proj") << 2
            << 3 << 10;
        QTest::newRow("sliding window")
            << std::string("mistral-sliding") << std::string("model.layers.2.self_attn.k_proj") << 2
            << 1 << 24;
    }
    void fisherFactor() {
        QFETCH(std::string, name);
        QFETCH(std::string, linear);
        QFETCH(int, block);
        QFETCH(int, sequences);
        QFETCH(int, length);
        const auto model = golden(name);
        TemporaryFolder cache;
        const TokenWindows windows = randomWindows(5, sequences, length, model->config().vocab);
        const auto statistics = calibrated(model, windows, cache.path());
        const LayerStatistics* layer = statistics->find(linear);
        QVERIFY(layer);
        const double expected = fisherSum(ReferenceModel(*model), model->config(), linear, block,
                                          ReferenceModel::idTensor(windows.ids, length));
        QVERIFY(expected > 0);
        COMPARE_CLOSE(layer->gamma * double(layer->rows) * channelEnergy(*layer), expected, 1e-4);
    }

    void norms_data() {
        QTest::addColumn<std::string>("name");
        for (const std::string& name : goldens())
            QTest::newRow(name.c_str()) << name;
    }
    void norms() {
        QFETCH(std::string, name);
        const auto model = golden(name);
        const int64_t length = 24;
        TemporaryFolder cache;
        const TokenWindows windows = randomWindows(6, 9, length, model->config().vocab);
        const auto statistics = calibrated(model, windows, cache.path());
        QVERIFY(statistics->complete());
        QCOMPARE(statistics->layers().size(), model->catalogue().linears.size());
        QVERIFY(std::ranges::equal(statistics->inputIds(), windows.ids));

        const ReferenceModel reference(*model);
        at::Tensor hidden = reference.embed(ReferenceModel::idTensor(windows.ids, length));
        ReferenceModel::Inputs inputs;
        for (int64_t i = 0; i < model->config().layers; ++i)
            hidden = reference.block(hidden, i, &inputs);

        kernels::ColumnScratch scratch;
        std::map<int64_t, at::Tensor> inverses; // by input group: [K] c_k
        for (const LinearInfo& linear : model->catalogue().linears) {
            const LayerStatistics& layer = *statistics->find(linear.name);
            QCOMPARE(layer.rows, linear.rows);
            QCOMPARE(layer.cols, linear.cols);
            const at::Tensor x = inputs.at(linear.name).reshape({-1, linear.cols});
            const at::Tensor hessian = at::mm(x.t(), x) / double(x.size(0));
            const at::Tensor peak = at::amax(x.abs(), {0});
            at::Tensor& conditional = inverses[linear.inputGroup];
            if (!conditional.defined()) {
                // 1/[(H'_{k:,k:})⁻¹]_{11}, columns in descending H_kk as stored: a_k decides, for
                // ties and near-ties too.
                std::vector<int64_t> order(size_t(linear.cols));
                std::iota(order.begin(), order.end(), 0);
                std::ranges::stable_sort(order, [&](int64_t a, int64_t b) {
                    return layer.actRms[size_t(a)] > layer.actRms[size_t(b)];
                });
                const at::Tensor index = at::tensor(order, at::kLong);
                const double mean = hessian.diagonal().mean().item<double>();
                const at::Tensor damped =
                    (hessian + 0.01 * mean * at::eye(linear.cols, at::kDouble))
                        .index_select(0, index)
                        .index_select(1, index);
                conditional = at::empty({linear.cols}, at::kDouble);
                for (int64_t k = 0; k < linear.cols; ++k) {
                    const int64_t rest = linear.cols - k;
                    const at::Tensor inverse =
                        at::linalg_inv(damped.narrow(0, k, rest).narrow(1, k, rest));
                    conditional[order[size_t(k)]] = 1 / inverse[0][0].item<double>();
                }
            }
            std::vector<float> weight(size_t(linear.rows * linear.cols)), column;
            model->readFloat(linear.name + ".weight", weight);
            std::vector<kernels::CurvePoint> points;
            for (const OperatingPoint& point : statistics->menu())
                points.push_back({point.kind, point.bits, int(outlierCount(point, linear.rows))});
            std::vector<float> curve(points.size());
            for (int64_t k = 0; k < linear.cols; ++k) {
                const size_t i = size_t(k);
                const double energy = hessian[k][k].item<double>();
                COMPARE_CLOSE(layer.actRms[i], std::sqrt(energy), 1e-5);
                COMPARE_CLOSE(layer.actAbsmax[i], peak[k].item<double>(), 1e-5);
                COMPARE_CLOSE(layer.conditional[i], conditional[k].item<double>(), 1e-4);
                column.clear();
                double squares = 0;
                for (int64_t n = 0; n < linear.rows; ++n) {
                    column.push_back(weight[size_t(n * linear.cols + k)]);
                    squares += double(column.back()) * double(column.back());
                }
                COMPARE_CLOSE(layer.weightRms[i], std::sqrt(squares / double(linear.rows)), 1e-6);
                kernels::columnErrorCurve(column, points, /*rawIsExact=*/true, scratch, curve);
                for (size_t p = 0; p < points.size(); ++p)
                    QCOMPARE(layer.sse[i * points.size() + p], curve[p]);
            }
            const double trace = hessian.trace().item<double>();
            COMPARE_CLOSE(layer.effectiveRank,
                          trace * trace / (hessian * hessian).sum().item<double>(), 1e-4);
            QVERIFY(layer.gamma > 0);
        }
    }

    void lossOfTheText() {
        const auto model = golden("qwen2-bias-tied");
        TemporaryFolder cache;
        const TokenWindows windows = randomWindows(7, 5, 20, model->config().vocab);
        NoProgress progress;
        const CalibrationReport report =
            calibrate(model, calibrateOptions(windows, cache.path()), progress);
        const Evaluation evaluation = evaluate(
            *weightsOf(model), nullptr, evaluationWindows(windows, Protocol::Gptq, model->config()),
            compute(), progress);
        COMPARE_CLOSE(report.nll, evaluation.nll, 1e-6);
        COMPARE_CLOSE(report.nllStderr, evaluation.standardError, 1e-5);
        const auto statistics = Statistics::open(report.statistics);
        QCOMPARE(statistics->nllFp(), report.nll);
        QCOMPARE(statistics->nllFpStderr(), report.nllStderr);

        const ReferenceModel reference(*model);
        const at::Tensor ids = ReferenceModel::idTensor(windows.ids, 20);
        const at::Tensor nll = ReferenceModel::summedNll(reference.logits(ids), ids) / 19;
        COMPARE_CLOSE(report.nll, nll.mean().item<double>(), 1e-6);
        COMPARE_CLOSE(report.nllStderr, nll.std(true).item<double>() / std::sqrt(5.0), 1e-4);
    }

    void cached() {
        const auto model = golden("llama2-gqa");
        TemporaryFolder cache;
        const TokenWindows windows = randomWindows(8, 3, 12, model->config().vocab);
        CalibrateOptions options = calibrateOptions(windows, cache.path());
        const int64_t linears = int64_t(model->catalogue().linears.size());
        std::vector<std::string> seen;
        bool opened = true;
        options.onLayer = [&](const fs::path& partial, const std::string& layer) {
            seen.push_back(layer);
            opened &= Statistics::open(partial, true)->find(layer)->normsDone;
        };
        Cancelling progress;
        const CalibrationReport first = calibrate(model, options, progress);
        QVERIFY(!first.cached);
        QCOMPARE(first.layersComputed, linears);
        QCOMPARE(first.gammasComputed, linears);
        QCOMPARE(first.layersResumed + first.gammasResumed, 0);
        QCOMPARE(first.tokens, 36);
        QCOMPARE(int64_t(seen.size()), linears);
        QVERIFY(opened);
        QVERIFY(progress.fractionsFine());
        QCOMPARE(progress.last(), 1.0);
        const std::string bytes = readBytes(first.statistics);
        const auto written = fs::last_write_time(first.statistics);

        const CalibrationReport second = calibrate(model, options, progress);
        QVERIFY(second.cached);
        QCOMPARE(second.statistics, first.statistics);
        QCOMPARE(second.layersComputed + second.gammasComputed, 0);
        QCOMPARE(second.nll, first.nll);
        QCOMPARE(second.nllStderr, first.nllStderr);
        QCOMPARE(second.tokens, first.tokens);
        QCOMPARE(int64_t(seen.size()), linears);
        QVERIFY(fs::last_write_time(first.statistics) == written);

        // Another text or length is another calibration; --force computes again, the same.
        QVERIFY(!calibrate(
                     model,
                     calibrateOptions(randomWindows(9, 3, 12, model->config().vocab), cache.path()),
                     progress)
                     .cached);
        options.force = true;
        const CalibrationReport third = calibrate(model, options, progress);
        QVERIFY(!third.cached);
        QCOMPARE(third.layersComputed, linears);
        QVERIFY(readBytes(third.statistics) == bytes);
        // Nothing of the scratch is left.
        for (const auto& entry : fs::directory_iterator(first.statistics.parent_path())) {
            const std::string name = entry.path().filename().string();
            QVERIFY2(!name.starts_with("hidden-") && !name.starts_with("gradient-"), name.c_str());
        }
    }

    /// Memory decides only how many sequences go through a block at once.
    void littleMemory() {
        const auto model = golden("qwen3-qknorm");
        TemporaryFolder cache, other;
        const TokenWindows windows = randomWindows(10, 4, 16, model->config().vocab);
        CalibrateOptions options = calibrateOptions(windows, other.path());
        options.compute.memoryBytes = 1000;
        NoProgress progress;
        const auto large = calibrated(model, windows, cache.path());
        const auto little = Statistics::open(calibrate(model, options, progress).statistics);
        COMPARE_CLOSE(little->nllFp(), large->nllFp(), 1e-6);
        for (const LayerStatistics& layer : large->layers()) {
            const LayerStatistics& same = *little->find(layer.name);
            COMPARE_CLOSE(same.gamma, layer.gamma, 1e-4);
            for (size_t k = 0; k < layer.actRms.size(); ++k)
                COMPARE_CLOSE(same.actRms[k], layer.actRms[k], 1e-5);
        }
    }

    /// Broken off anywhere, a calibration goes on where it stopped and ends with the same bytes.
    void resume() {
        TemporaryFolder folder, whole;
        const auto model = shortened("llama2-gqa", 2, folder / "model");
        const int64_t linears = int64_t(model->catalogue().linears.size());
        const TokenWindows windows = randomWindows(11, 4, 12, model->config().vocab);
        Cancelling counter;
        const CalibrationReport reference =
            calibrate(model, calibrateOptions(windows, whole.path()), counter);
        const std::string bytes = readBytes(reference.statistics);
        const std::string name = reference.statistics.parent_path().filename().string();

        int interrupted = 0;
        std::set<int64_t> resumedLayers, resumedGammas;
        std::set<int64_t> limits = counter.questionsAfterReports();
        for (int point = 0; point < 6; ++point)
            limits.insert(1 + (counter.asked() - 1) * point / 6);
        for (const int64_t limit : limits) {
            TemporaryFolder cache;
            CalibrateOptions options = calibrateOptions(windows, cache.path());
            int64_t finished = 0;
            options.onLayer = [&](const fs::path&, const std::string&) { ++finished; };
            Cancelling progress(limit);
            if (!cancelledIn([&] { calibrate(model, options, progress); })) continue;
            ++interrupted;
            const fs::path partial =
                statisticsFolder(cache.path(), calibrationRecipe(*model, options)) /
                "stats.safetensors.partial";
            const auto soFar = Statistics::open(partial, /*allowPartial=*/true);
            int64_t layers = 0, gammas = 0;
            for (const LayerStatistics& layer : soFar->layers()) {
                layers += layer.normsDone;
                gammas += layer.gammaDone;
            }
            QCOMPARE(layers, finished);
            finished = 0;
            NoProgress calm;
            const CalibrationReport report = calibrate(model, options, calm);
            QVERIFY(!report.cached);
            QCOMPARE(report.layersResumed, layers);
            QCOMPARE(report.gammasResumed, gammas);
            QCOMPARE(report.layersComputed, linears - layers);
            QCOMPARE(report.gammasComputed, linears - gammas);
            QCOMPARE(finished, report.layersComputed);
            QCOMPARE(report.nll, reference.nll);
            QVERIFY2(readBytes(report.statistics) == bytes,
                     qPrintable(QString("cancelled at question %1").arg(limit)));
            QCOMPARE(report.statistics.parent_path().filename().string(), name);
            resumedLayers.insert(layers);
            resumedGammas.insert(gammas);
        }
        QVERIFY(interrupted >= 12);
        QVERIFY(resumedLayers.contains(0) && resumedLayers.contains(linears));
        QVERIFY(resumedLayers.size() >= 4 && resumedGammas.size() >= 2);
    }

    /// Broken off again and again, each time a little farther.
    void resumeManyTimes() {
        TemporaryFolder folder;
        const auto model = shortened("mistral-sliding", 2, folder / "model");
        const int64_t linears = int64_t(model->catalogue().linears.size());
        const TokenWindows windows = randomWindows(12, 3, 20, model->config().vocab);
        TemporaryFolder whole, cache;
        NoProgress calm;
        const auto expected =
            calibrate(model, calibrateOptions(windows, whole.path()), calm).statistics;
        const CalibrateOptions options = calibrateOptions(windows, cache.path());
        int64_t layers = 0, attempts = 0, limit = 2;
        CalibrateOptions counting = options;
        counting.onLayer = [&](const fs::path&, const std::string&) { ++layers; };
        CalibrationReport last;
        for (;; ++attempts, limit += 5) {
            QVERIFY(attempts < 400);
            Cancelling progress(limit);
            if (!cancelledIn([&] { last = calibrate(model, counting, progress); })) break;
        }
        QVERIFY(attempts > 3);
        QCOMPARE(layers, linears); // none was computed twice
        QVERIFY(readBytes(last.statistics) == readBytes(expected));
    }

    /// A scratch file that did not survive whole is seen and made again.
    void damagedScratch() {
        TemporaryFolder folder, whole;
        const auto model = shortened("llama2-gqa", 2, folder / "model");
        const TokenWindows windows = randomWindows(13, 3, 12, model->config().vocab);
        Cancelling counter;
        const auto expected =
            calibrate(model, calibrateOptions(windows, whole.path()), counter).statistics;
        for (const char* moment : {"activations of block 2", "sensitivity of block 2"}) {
            for (const bool remove : {false, true}) {
                TemporaryFolder cache;
                const CalibrateOptions options = calibrateOptions(windows, cache.path());
                Cancelling progress(counter.questionAfter(moment));
                QVERIFY(cancelledIn([&] { calibrate(model, options, progress); }));
                const fs::path folder =
                    statisticsFolder(cache.path(), calibrationRecipe(*model, options));
                int damaged = 0;
                std::vector<fs::path> scratch;
                for (const auto& entry : fs::directory_iterator(folder)) {
                    const std::string file = entry.path().filename().string();
                    if (file.starts_with("hidden-") || file.starts_with("gradient-"))
                        scratch.push_back(entry.path());
                }
                for (const fs::path& path : scratch) {
                    ++damaged;
                    if (remove) {
                        fs::remove(path);
                        continue;
                    }
                    std::string content = readBytes(path);
                    content[content.size() / 2] ^= 4;
                    std::ofstream(path, std::ios::binary) << content;
                }
                QVERIFY(damaged > 0);
                NoProgress calm;
                const CalibrationReport report = calibrate(model, options, calm);
                QVERIFY(readBytes(report.statistics) == readBytes(expected));
            }
        }
    }

    void refusals() {
        const auto model = golden("llama2-gqa");
        TemporaryFolder cache;
        NoProgress progress;
        const auto run = [&](const TokenWindows& windows) {
            calibrate(model, calibrateOptions(windows, cache.path()), progress);
        };
        COMPARE_ERROR(run({}), "no window of at least two tokens");
        COMPARE_ERROR(run(windowsOf({1, 2, 3}, 1)), "no window of at least two tokens");
        COMPARE_ERROR(run(windowsOf(std::vector<int32_t>(129, 3), 129)),
                      "exceed the model's maximum of 128");
        COMPARE_ERROR(run(windowsOf({1, 600, 3}, 3)), "token id 600");
    }
};

QTEST_APPLESS_MAIN(TestCalibrate)
#include "tst_calibrate.moc"
