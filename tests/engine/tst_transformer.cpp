// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors

// The forward pass against Hugging Face's logits and against a float64 model of our own, in whole
// rows and through the KV cache.
// Before Qt, whose `slots` is a name in torch's headers.
#include "tests/support/reference_model.h"

#include "core/engine/evaluate.h"
#include "core/engine/generate.h"
#include "tests/support/engine_testing.h"

using namespace bitloom;
using namespace bitloom::engineTesting;

namespace {

constexpr int64_t vocab = 512, rowLength = 48;

std::vector<float> logitsOf(const ModelWeights& model, const TokenWindows& rows,
                            RopePrecision precision, const ComputeOptions& options = compute()) {
    std::vector<float> all(size_t(rows.count * rows.length * vocab), NAN);
    NoProgress progress;
    computeLogits(
        model, rows, precision, options,
        [&](int64_t row, std::span<const float> logits) {
            std::copy(logits.begin(), logits.end(), all.begin() + row * rows.length * vocab);
        },
        progress);
    return all;
}

std::span<const float> lastLogits(const std::vector<float>& row, int64_t position) {
    return std::span(row).subspan(size_t(position * vocab), size_t(vocab));
}

} // namespace

class TestTransformer : public QObject {
    Q_OBJECT

    static void addGoldens() {
        QTest::addColumn<std::string>("name");
        for (const std::string& name : goldens())
            QTest::newRow(name.c_str()) << name;
    }

private slots:
    void initTestCase() { initEngine(compute()); }

    void logitsOfHuggingFace_data() { addGoldens(); }
    void logitsOfHuggingFace() {
        QFETCH(std::string, name);
        const auto model = weightsOf(golden(name));
        const TokenWindows rows = windowsOf(goldenTensor<int32_t>(name, "input_ids"), rowLength);
        const auto expected = goldenTensor<float>(name, "logits");
        // The goldens were made with model.to(dtype), which rounds the rotary frequencies too.
        const auto stored = logitsOf(*model, rows, RopePrecision::Stored);
        VERIFY_BELOW(largestDifference(stored, expected), 1e-4);
        const auto exact = logitsOf(*model, rows, RopePrecision::Exact);
        VERIFY_BELOW(largestDifference(exact, expected), 2e-2);
        QVERIFY(largestDifference(exact, expected) > 1e-4);
    }

    void logitsInFloat64_data() { addGoldens(); }
    void logitsInFloat64() {
        QFETCH(std::string, name);
        const auto model = golden(name);
        const auto ids = goldenTensor<int32_t>(name, "input_ids");
        const ReferenceModel reference(*model);
        const at::Tensor expected =
            reference.logits(ReferenceModel::idTensor(ids, rowLength)).to(at::kFloat).contiguous();
        const auto exact =
            logitsOf(*weightsOf(model), windowsOf(ids, rowLength), RopePrecision::Exact);
        VERIFY_BELOW(
            largestDifference(exact, {expected.data_ptr<float>(), size_t(expected.numel())}), 2e-5);
    }

    /// Blocks read again each time, and one window at a time, where memory is short.
    void littleMemory() {
        const auto model = weightsOf(golden("qwen3-qknorm"));
        const TokenWindows rows = randomWindows(1, 5, 40, vocab);
        ComputeOptions little = compute();
        little.memoryBytes = 1000;
        VERIFY_BELOW(largestDifference(logitsOf(*model, rows, RopePrecision::Exact, little),
                                       logitsOf(*model, rows, RopePrecision::Exact)),
                     1e-5);
        TextModel chat(model, little), large(model, compute());
        VERIFY_BELOW(largestDifference(chat.advance(rows.row(0)), large.advance(rows.row(0))),
                     1e-6);
    }

    void greedyContinuation_data() { addGoldens(); }
    void greedyContinuation() {
        QFETCH(std::string, name);
        const auto expected = goldenTensor<int32_t>(name, "greedy_ids");
        QCOMPARE(expected.size(), size_t(40));
        TextModel model(weightsOf(golden(name)), compute());
        GenerateOptions options;
        options.maxTokens = 24;
        options.sampling.temperature = 0;
        options.stopAtEos = false;
        NoProgress progress;
        const Generation result =
            generate(model, nullptr, std::span(expected).first(16), options, nullptr, progress);
        QCOMPARE(result.ids, std::vector<int32_t>(expected.begin() + 16, expected.end()));
        QCOMPARE(result.promptTokens, 16);
        QCOMPARE(result.end, Generation::End::MaxTokens);
    }

    void cacheTokenByToken_data() { addGoldens(); }
    void cacheTokenByToken() {
        QFETCH(std::string, name);
        const auto weights = weightsOf(golden(name));
        const TokenWindows rows = windowsOf(goldenTensor<int32_t>(name, "input_ids"), rowLength);
        const auto all = logitsOf(*weights, rows, RopePrecision::Exact);
        const std::vector<float> first(all.begin(), all.begin() + rowLength * vocab);
        const std::vector<float> second(all.begin() + rowLength * vocab, all.end());
        TextModel model(weights, compute());
        const auto follow = [&](int64_t row, const std::vector<float>& expected,
                                const std::vector<int64_t>& pieces) {
            double worst = 0;
            for (const int64_t piece : pieces) {
                const int64_t begin = model.position();
                const auto logits =
                    model.advance(rows.row(row).subspan(size_t(begin), size_t(piece)));
                worst = std::max(
                    worst, largestDifference(logits, lastLogits(expected, begin + piece - 1)));
            }
            return worst;
        };
        VERIFY_BELOW(follow(0, first, std::vector<int64_t>(size_t(rowLength), 1)), 1e-4);
        QCOMPARE(model.position(), rowLength);
        model.reset();
        QCOMPARE(model.position(), 0);
        // Nothing of the first row may be left, and pieces may be of any length: shorter and longer
        // than a sliding window, across its edge, and single tokens between.
        VERIFY_BELOW(follow(1, second, {5, 1, 20, 1, 1, 17, 3}), 1e-4);
        QCOMPARE(model.position(), rowLength);
        model.reset();
        VERIFY_BELOW(follow(1, second, {48}), 1e-4);
        model.reset();
        VERIFY_BELOW(follow(0, first, {15, 1, 1, 31}), 1e-4);
    }

    /// The cache grows while it is in use: beyond 256 positions, which the models here lack, only
    /// with a longer context.
    void growingCache() {
        TemporaryFolder folder;
        for (const char* file : {"config.json", "model.safetensors"})
            fs::copy(goldenFolder("mistral-sliding") / file, folder / file);
        std::string config = readBytes(folder / "config.json");
        const std::string key = "\"max_position_embeddings\": 128";
        QVERIFY(config.find(key) != std::string::npos);
        config.replace(config.find(key), key.size(), "\"max_position_embeddings\": 700");
        std::ofstream(folder / "config.json") << config;

        const auto weights = weightsOf(Checkpoint::open(folder.path().string()));
        const TokenWindows rows = randomWindows(2, 1, 600, vocab);
        const auto expected = logitsOf(*weights, rows, RopePrecision::Exact);
        TextModel model(weights, compute());
        double worst = 0;
        for (int64_t at = 0; at < 600; at += 50)
            worst = std::max(worst,
                             largestDifference(model.advance(rows.row(0).subspan(size_t(at), 50)),
                                               lastLogits(expected, at + 49)));
        VERIFY_BELOW(worst, 1e-4);
        COMPARE_ERROR(model.advance(rows.row(0).first(101)), "full");
        QCOMPARE(model.position(), 600); // a refused prompt leaves the conversation as it was
        model.advance(rows.row(0).first(100));
        QCOMPARE(model.position(), model.maxPositions());
    }

    void refusals() {
        const auto model = weightsOf(golden("llama2-gqa"));
        NoProgress progress;
        const auto sink = [](int64_t, std::span<const float>) {};
        COMPARE_ERROR(computeLogits(*model, windowsOf(std::vector<int32_t>(129, 1), 129),
                                    RopePrecision::Exact, compute(), sink, progress),
                      "exceed the model's maximum of 128");
        COMPARE_ERROR(computeLogits(*model, windowsOf({1, 2, 512}, 3), RopePrecision::Exact,
                                    compute(), sink, progress),
                      "token id 512 is outside the vocabulary");
        COMPARE_ERROR(computeLogits(*model, windowsOf({1, -1, 5}, 3), RopePrecision::Exact,
                                    compute(), sink, progress),
                      "token id -1 is outside the vocabulary");
        TextModel chat(model, compute());
        COMPARE_ERROR(chat.advance({}), "empty");
        // A refused id leaves the conversation as it was.
        const std::vector<int32_t> prompt{1, 5, 9}, wrong{7, 512}, next{7};
        chat.advance(prompt);
        COMPARE_ERROR(chat.advance(wrong), "token id 512");
        QCOMPARE(chat.position(), 3);
        TextModel other(model, compute());
        other.advance(prompt);
        QCOMPARE(chat.advance(next), other.advance(next));
    }

    void cancelled() {
        const auto model = weightsOf(golden("llama2-gqa"));
        Cancelling progress(2);
        QVERIFY(cancelledIn([&] {
            computeLogits(
                *model, randomWindows(3, 2, 16, vocab), RopePrecision::Exact, compute(),
                [](int64_t, std::span<const float>) {}, progress);
        }));
    }
};

QTEST_APPLESS_MAIN(TestTransformer)
#include "tst_transformer.moc"
