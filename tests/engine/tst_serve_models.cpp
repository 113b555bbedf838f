// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
//
// What `bitloom serve` keeps in memory between requests, and plans that are tried without
// compensation.
#include "core/engine/serve/models.h"
#include "core/engine/serve/quick_quantize.h"
#include "kernels/column_quantizer.h"
#include "tests/support/engine_testing.h"

#include <QtTest>

using namespace bitloom;
using namespace bitloom::engineTesting;
using serve::LoadedModel;
using serve::ModelStore;

namespace {

const std::string llama = goldenFolder("llama2-gqa").string(),
                  mistral = goldenFolder("mistral-sliding").string(),
                  qwen = goldenFolder("qwen3-qknorm").string();

int64_t bytesOf(const std::string& model) {
    return TextModel::residentBytes(*openWeights(model));
}

ComputeOptions withMemory(int64_t bytes) {
    ComputeOptions options = compute();
    options.memoryBytes = bytes;
    return options;
}

/// A plan that gives the columns of every layer the points of the menu in turn.
Plan mixedPlan(const Checkpoint& model) {
    Plan plan;
    plan.menu = defaultMenu();
    for (const LinearInfo& linear : model.catalogue().linears) {
        Plan::Layer layer{linear.name, linear.rows, linear.cols, {}};
        for (int64_t k = 0; k < linear.cols; ++k)
            layer.points.push_back(uint8_t(k % int64_t(plan.menu.size())));
        plan.layers.push_back(std::move(layer));
    }
    return plan;
}

} // namespace

class TestServeModels : public QObject {
    Q_OBJECT

    NoProgress m_quiet;

private slots:
    void initTestCase() { initEngine(compute()); }

    void keepsWhatFits() {
        ModelStore store;
        const ComputeOptions roomy = withMemory(1 << 30);
        LoadedModel* first = store.load({llama}, roomy, Arithmetic::Exact, m_quiet)[0];
        QVERIFY(first->loadSeconds > 0);
        first->text->load(m_quiet);
        QVERIFY(first->text->resident());
        QCOMPARE(store.load({llama}, roomy, Arithmetic::Exact, m_quiet)[0], first);
        QCOMPARE(first->loadSeconds, 0.0);
        QVERIFY(store.bytesHeld() >= bytesOf(llama));
    }

    /// The least recently used goes first, and never one that is asked for.
    void givesBackTheLeastRecentlyUsed() {
        ModelStore store;
        const ComputeOptions two =
            withMemory((bytesOf(llama) + bytesOf(mistral) + bytesOf(qwen)) * 10 / 9 -
                       std::min(bytesOf(llama), bytesOf(mistral)) / 2);
        store.load({llama}, two, Arithmetic::Exact, m_quiet);
        store.load({mistral}, two, Arithmetic::Exact, m_quiet);
        store.load({llama}, two, Arithmetic::Exact, m_quiet); // now mistral is the oldest
        store.load({qwen}, two, Arithmetic::Exact, m_quiet);
        QCOMPARE(store.load({llama}, two, Arithmetic::Exact, m_quiet)[0]->loadSeconds, 0.0);
        QVERIFY(store.load({mistral}, two, Arithmetic::Exact, m_quiet)[0]->loadSeconds > 0);
        const auto pair = store.load({llama, qwen}, two, Arithmetic::Exact, m_quiet);
        QVERIFY(pair[0]->text->resident() && pair[1]->text->resident());
        QVERIFY(store.bytesHeld() <= two.memoryBytes);
    }

    void readsAgainWhatDoesNotFit() {
        ModelStore store;
        LoadedModel* model =
            store.load({llama}, withMemory(bytesOf(llama) / 2), Arithmetic::Exact, m_quiet)[0];
        QVERIFY(!model->text->resident());
        const std::vector<int32_t> prompt{1, 5, 9};
        ModelStore other;
        const auto expected =
            other.load({llama}, withMemory(1 << 30), Arithmetic::Exact, m_quiet)[0]->text->advance(
                prompt);
        QCOMPARE(model->text->advance(prompt), expected);
        QCOMPARE(model->reuse(prompt), 0); // prompts go through in one piece
    }

    void twoOfOneModel() {
        ModelStore store;
        const auto pair =
            store.load({llama, llama}, withMemory(1 << 30), Arithmetic::Exact, m_quiet);
        QVERIFY(pair[0] != pair[1]);
        pair[0]->text->advance(std::vector<int32_t>{1, 2, 3});
        QCOMPARE(pair[1]->text->position(), 0);
        QCOMPARE(store.forget(llama).models, 2);
        QCOMPARE(store.bytesHeld(), 0);
    }

    /// A folder that was replaced is another model.
    void seesReplacedFolders() {
        QTemporaryDir folder;
        const std::string path = folder.filePath("model").toStdString();
        const auto put = [&](const std::string& from) {
            fs::remove_all(path);
            fs::create_directories(path);
            for (const auto& entry : fs::directory_iterator(from))
                fs::copy(entry.path(), fs::path(path) / entry.path().filename());
        };
        ModelStore store;
        put(llama);
        const std::string key =
            store.load({path}, withMemory(1 << 30), Arithmetic::Exact, m_quiet)[0]->key;
        put(mistral);
        QVERIFY(store.load({path}, withMemory(1 << 30), Arithmetic::Exact, m_quiet)[0]->key != key);
    }

    void wholePiecesAreReused() {
        ModelStore store;
        LoadedModel* model =
            store.load({llama}, withMemory(1 << 30), Arithmetic::Exact, m_quiet)[0];
        std::vector<int32_t> prompt(100);
        for (size_t i = 0; i < prompt.size(); ++i)
            prompt[i] = int32_t(i * 7 % 500);
        QCOMPARE(model->reuse(prompt), 0);
        model->text->advance(prompt);
        model->remember(prompt);
        std::vector<int32_t> longer = prompt;
        longer.push_back(3);
        QCOMPARE(model->reuse(longer), 64);
        QCOMPARE(model->text->position(), 64);
        model->text->rewind(0);
        model->forget();
        model->text->advance(prompt);
        model->remember(prompt);
        longer[10] = 499;
        QCOMPARE(model->reuse(longer), 0);
        // One token at least must run, for its logits.
        const std::vector<int32_t> same(prompt.begin(), prompt.begin() + 64);
        model->text->advance(prompt);
        model->remember(prompt);
        QCOMPARE(model->reuse(same), 0);
    }

    void tries() {
        ModelStore store;
        const auto made = [] {
            ModelStore::Try entry;
            entry.weights = openWeights(llama);
            entry.bytes = 1000;
            return entry;
        };
        QCOMPARE(store.keep(made()), std::string("try:1"));
        QCOMPARE(store.keep(made()), std::string("try:2"));
        QVERIFY(store.weights("try:1") && store.findTry("try:2"));
        QCOMPARE(store.bytesHeld(), 2000);
        QCOMPARE(store.keep(made()), std::string("try:3"));
        COMPARE_ERROR(store.weights("try:1"), "no longer in memory");
        COMPARE_ERROR(store.weights("try:9"), "no longer in memory");
        QCOMPARE(store.forget("").models, 2);
    }

    void quickQuantize_data() {
        QTest::addColumn<QString>("name");
        for (const char* name : {"llama2-gqa", "qwen2-bias-tied"})
            QTest::newRow(name) << QString(name);
    }
    /// Every column has the error that its curve promised.
    void quickQuantize() {
        QFETCH(QString, name);
        const auto model = golden(name.toStdString());
        const Plan plan = mixedPlan(*model);
        const auto quantized = serve::quickQuantize(model, plan, 2, m_quiet);
        kernels::ColumnScratch scratch;
        for (const LinearInfo& linear : model->catalogue().linears) {
            if (linear.block > 0) break;
            const auto size = size_t(linear.rows * linear.cols);
            std::vector<float> exact(size), rounded(size);
            model->readFloat(linear.name + ".weight", exact);
            quantized->readLinear(linear.name, rounded, 2);
            const DType dtype = model->require(linear.name + ".weight").info.dtype;
            for (int64_t k = 0; k < linear.cols; ++k) {
                std::vector<float> column;
                double error = 0;
                for (int64_t n = 0; n < linear.rows; ++n) {
                    const size_t at = size_t(n * linear.cols + k);
                    column.push_back(exact[at]);
                    error += std::pow(double(exact[at]) - double(rounded[at]), 2);
                }
                const OperatingPoint& point = plan.menu[size_t(k) % plan.menu.size()];
                const kernels::CurvePoint wanted{point.kind, point.bits,
                                                 int(outlierCount(point, linear.rows))};
                float promised = 0;
                kernels::columnErrorCurve(column, {&wanted, 1},
                                          dtype == DType::F16 || dtype == DType::BF16, scratch,
                                          {&promised, 1});
                QVERIFY2(std::fabs(error - double(promised)) <= 1e-4 * double(promised) + 1e-9,
                         qPrintable(QString("%1 column %2 (%3): %4, not %5")
                                        .arg(QString::fromStdString(linear.name))
                                        .arg(k)
                                        .arg(QString::fromStdString(pointText(point)))
                                        .arg(error)
                                        .arg(promised)));
            }
        }
        Plan other = plan;
        other.layers.pop_back();
        COMPARE_ERROR(serve::quickQuantize(model, other, 2, m_quiet), "layers and the model");
        other = plan;
        other.layers[0].rows += 1;
        COMPARE_ERROR(serve::quickQuantize(model, other, 2, m_quiet), "does not fit");
        Cancelling progress(3);
        COMPARE_ERROR(serve::quickQuantize(model, plan, 2, progress), "cancelled");
    }
};

QTEST_APPLESS_MAIN(TestServeModels)
#include "tst_serve_models.moc"
