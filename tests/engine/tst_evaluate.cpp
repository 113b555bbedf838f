// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors

// Perplexity and divergence against sums over whole logits in float64.
#include "core/engine/evaluate.h"
#include "tests/support/engine_testing.h"

#include <numeric>

using namespace bitloom;
using namespace bitloom::engineTesting;

namespace {

/// One token a byte, as id 3 + byte; id 1 is the BOS.
class ByteTokenizer final : public Tokenizer {
public:
    explicit ByteTokenizer(bool addsBos) : m_addsBos(addsBos) {}
    std::vector<int32_t> encode(std::string_view text, bool) const override {
        std::vector<int32_t> ids;
        for (const char c : text)
            ids.push_back(3 + uint8_t(c));
        return ids;
    }
    std::string decode(const std::vector<int32_t>& ids, bool) const override {
        std::string text;
        for (const int32_t id : ids)
            text += pieceBytes(id);
        return text;
    }
    std::string pieceBytes(int32_t id) const override {
        return id < 3 ? std::string() : std::string(1, char(id - 3));
    }
    int64_t vocabSize() const override { return 259; }
    std::optional<int32_t> bosId() const override { return 1; }
    std::optional<int32_t> eosId() const override { return 2; }
    bool addsBos() const override { return m_addsBos; }
    bool isSpecial(int32_t id) const override { return id < 3; }
    std::optional<int32_t> findToken(std::string_view) const override { return {}; }
    std::string description() const override { return "bytes"; }

private:
    bool m_addsBos;
};

std::string randomText(uint64_t seed, size_t length) {
    std::mt19937_64 random(seed);
    std::string text;
    for (size_t i = 0; i < length; ++i)
        text += char('a' + random() % 26);
    return text;
}

/// Log-probabilities [count][length][vocab] in float64 from whole float32 logits.
std::vector<std::vector<std::vector<double>>> logProbs(const ModelWeights& model,
                                                       const TokenWindows& windows) {
    const size_t vocab = size_t(model.config().vocab);
    std::vector<std::vector<std::vector<double>>> all(size_t(windows.count));
    NoProgress progress;
    computeLogits(
        model, windows, RopePrecision::Exact, compute(),
        [&](int64_t row, std::span<const float> logits) {
            for (size_t t = 0; t < size_t(windows.length); ++t) {
                const auto of = logits.subspan(t * vocab, vocab);
                const double top = double(*std::ranges::max_element(of));
                double sum = 0;
                for (const float logit : of)
                    sum += std::exp(double(logit) - top);
                std::vector<double> logProb;
                for (const float logit : of)
                    logProb.push_back(double(logit) - top - std::log(sum));
                all[size_t(row)].push_back(std::move(logProb));
            }
        },
        progress);
    return all;
}

double meanOf(const std::vector<double>& values) {
    return std::accumulate(values.begin(), values.end(), 0.0) / double(values.size());
}
double standardErrorOf(const std::vector<double>& values) {
    if (values.size() < 2) return 0;
    double squares = 0;
    for (const double v : values)
        squares += std::pow(v - meanOf(values), 2);
    return std::sqrt(squares / double(values.size() - 1)) / std::sqrt(double(values.size()));
}

/// `base` with its last norm's weights changed: another model of the same shape, near it.
std::shared_ptr<const ModelWeights> changed(const std::shared_ptr<const ModelWeights>& base,
                                            double size) {
    const std::string name = base->catalogue().finalNorm + ".weight";
    std::vector<float> values(size_t(base->config().hidden));
    base->readTensor(name, values);
    std::mt19937_64 random(3);
    for (float& v : values)
        v += float(size * (double(random() % 1000) / 500 - 1));
    return overlay(base, {}, {{name, values}});
}

} // namespace

class TestEvaluate : public QObject {
    Q_OBJECT
private slots:
    void initTestCase() { initEngine(compute()); }

    void protocols() {
        QCOMPARE(parseProtocol("gptq"), Protocol::Gptq);
        QCOMPARE(parseProtocol("ctx4096"), Protocol::Ctx4096);
        QCOMPARE(parseProtocol("llamacpp"), Protocol::LlamaCpp);
        COMPARE_ERROR(parseProtocol("llama"), "no protocol 'llama'");
        COMPARE_ERROR(parseProtocol(""), "no protocol ''");
        for (const auto protocol : {Protocol::Gptq, Protocol::Ctx4096, Protocol::LlamaCpp})
            QCOMPARE(parseProtocol(protocolName(protocol)), protocol);
        QCOMPARE(defaultContext(Protocol::Gptq), 2048);
        QCOMPARE(defaultContext(Protocol::Ctx4096), 4096);
        QCOMPARE(defaultContext(Protocol::LlamaCpp), 512);
    }

    void windows() {
        const auto config = golden("llama2-gqa")->config();
        const ByteTokenizer tokenizer(true);
        const std::string text = randomText(1, 100);
        const auto gptq = evaluationWindows(tokenizer, text, "t", Protocol::Gptq, 32, config);
        QCOMPARE(gptq.windows.count, 3); // 101 ids with the BOS
        QCOMPARE(gptq.windows.length, 32);
        QCOMPARE(gptq.firstTarget, 1);
        QCOMPARE(gptq.name(), std::string("gptq-32"));
        QVERIFY(gptq.note.empty());
        const std::vector<int32_t> ids = tokenizer.encodeWithBos(text);
        QVERIFY(std::equal(gptq.windows.ids.begin(), gptq.windows.ids.end(), ids.begin()));

        const auto llama = evaluationWindows(tokenizer, text, "t", Protocol::LlamaCpp, 32, config);
        QCOMPARE(llama.firstTarget, 17);
        QCOMPARE(llama.windows.count, 3);
        for (int64_t w = 0; w < 3; ++w) {
            QCOMPARE(llama.windows.row(w)[0], 1);
            for (size_t i = 1; i < 32; ++i)
                QCOMPARE(llama.windows.row(w)[i], ids[size_t(w) * 32 + i]);
        }
        // A tokenizer that puts no BOS before a text has none replaced.
        const auto without =
            evaluationWindows(ByteTokenizer(false), text, "t", Protocol::LlamaCpp, 32, config);
        QCOMPARE(without.windows.row(0)[0], 3 + uint8_t(text[0]));
        QCOMPARE(without.windows.row(1)[0], 3 + uint8_t(text[32]));

        const auto capped =
            evaluationWindows(tokenizer, randomText(2, 300), "t", Protocol::Gptq, 0, config);
        QCOMPARE(capped.windows.length, 128);
        QCOMPARE(capped.windows.count, 2);
        QCOMPARE(capped.note, std::string("context capped at 128, the model's maximum"));
        QCOMPARE(capped.name(), std::string("gptq-128"));

        COMPARE_ERROR(
            evaluationWindows(windowsOf(std::vector<int32_t>(130, 1), 130), Protocol::Gptq, config),
            "exceed the model's maximum of 128");
        COMPARE_ERROR(evaluationWindows(windowsOf({1}, 1), Protocol::Gptq, config),
                      "fewer than two tokens");
        COMPARE_ERROR(evaluationWindows(tokenizer, "abc", "t", Protocol::Gptq, 32, config), "32");
    }

    void perplexity_data() {
        QTest::addColumn<std::string>("name");
        QTest::addColumn<Protocol>("protocol");
        QTest::addColumn<int>("length");
        QTest::addColumn<int>("count");
        QTest::addColumn<int64_t>("memory");
        const auto row = [](const char* label, const char* name, Protocol protocol, int length,
                            int count, int64_t memory) {
            QTest::newRow(label) << std::string(name) << protocol << length << count << memory;
        };
        row("gptq", "llama2-gqa", Protocol::Gptq, 32, 5, 0);
        row("llamacpp", "llama2-gqa", Protocol::LlamaCpp, 32, 5, 0);
        row("llamacpp, odd", "qwen2-bias-tied", Protocol::LlamaCpp, 33, 3, 0);
        row("ctx4096", "qwen3-qknorm", Protocol::Ctx4096, 48, 2, 0);
        row("sliding window", "mistral-sliding", Protocol::Gptq, 60, 4, 0);
        row("one window", "llama2-gqa", Protocol::Gptq, 20, 1, 0);
        row("little memory", "llama2-gqa", Protocol::Gptq, 100, 5, 1000);
        row("two tokens", "llama2-gqa", Protocol::Gptq, 2, 40, 0);
    }
    void perplexity() {
        QFETCH(std::string, name);
        QFETCH(Protocol, protocol);
        QFETCH(int, length);
        QFETCH(int, count);
        QFETCH(int64_t, memory);
        const auto model = weightsOf(golden(name));
        const auto windows = evaluationWindows(
            randomWindows(4, count, length, model->config().vocab), protocol, model->config());
        ComputeOptions options = compute();
        options.memoryBytes = memory;
        Cancelling progress;
        const Evaluation found = evaluate(*model, nullptr, windows, options, progress);

        // Written out anew: which tokens are predicted under each protocol.
        const int64_t first = protocol == Protocol::LlamaCpp ? length / 2 + 1 : 1;
        const auto expected = logProbs(*model, windows.windows);
        std::vector<double> means;
        for (int64_t w = 0; w < count; ++w) {
            double sum = 0;
            for (int64_t t = first; t < length; ++t)
                sum -= expected[size_t(w)][size_t(t - 1)]
                               [size_t(windows.windows.ids[size_t(w * length + t)])];
            means.push_back(sum / double(length - first));
        }
        QCOMPARE(found.tokens, count * (length - first));
        QCOMPARE(found.windowNll.size(), size_t(count));
        for (size_t w = 0; w < size_t(count); ++w)
            COMPARE_CLOSE(found.windowNll[w], means[w], 1e-6);
        COMPARE_CLOSE(found.nll, meanOf(means), 1e-6);
        COMPARE_CLOSE(found.perplexity(), std::exp(meanOf(means)), 1e-5);
        VERIFY_BELOW(std::fabs(found.standardError - standardErrorOf(means)), 1e-6);
        QCOMPARE(found.protocol,
                 std::string(protocolName(protocol)) + "-" + std::to_string(length));
        QCOMPARE(found.textHash, windows.windows.textHash);
        QVERIFY(!found.compared);
        QVERIFY(progress.fractionsFine());
    }

    /// 255 of 512 tokens, as llama.cpp counts them.
    void llamacppTargets() {
        ModelConfig config = golden("llama2-gqa")->config();
        config.maxPositions = 512;
        const auto windows =
            evaluationWindows(randomWindows(1, 1, 512, 512), Protocol::LlamaCpp, config);
        QCOMPARE(windows.windows.length - windows.firstTarget, 255);
    }

    void divergence_data() {
        QTest::addColumn<double>("size");
        QTest::addColumn<Protocol>("protocol");
        QTest::addColumn<int64_t>("memory");
        QTest::newRow("near") << 0.02 << Protocol::Gptq << int64_t(0);
        QTest::newRow("far") << 0.8 << Protocol::Gptq << int64_t(0);
        QTest::newRow("second half") << 0.3 << Protocol::LlamaCpp << int64_t(0);
        QTest::newRow("little memory") << 0.3 << Protocol::Gptq << int64_t(1000);
    }
    void divergence() {
        QFETCH(double, size);
        QFETCH(Protocol, protocol);
        QFETCH(int64_t, memory);
        const int64_t count = 6, length = 40;
        const auto reference = weightsOf(golden("qwen3-qknorm"));
        const auto model = changed(reference, size);
        const auto windows =
            evaluationWindows(randomWindows(5, count, length, reference->config().vocab), protocol,
                              reference->config());
        ComputeOptions options = compute();
        options.memoryBytes = memory;
        Cancelling progress;
        const Evaluation found = evaluate(*model, reference.get(), windows, options, progress);
        QVERIFY(found.compared);

        const auto p = logProbs(*reference, windows.windows), q = logProbs(*model, windows.windows);
        std::vector<double> all, byWindow, difference, referenceNll;
        int64_t agreed = 0;
        for (size_t w = 0; w < size_t(count); ++w) {
            double klSum = 0, gap = 0, nll = 0;
            for (size_t t = size_t(windows.firstTarget); t < size_t(length); ++t) {
                const auto &pt = p[w][t - 1], &qt = q[w][t - 1];
                double kl = 0;
                for (size_t v = 0; v < pt.size(); ++v)
                    kl += std::exp(pt[v]) * (pt[v] - qt[v]);
                all.push_back(kl);
                klSum += kl;
                agreed += std::ranges::max_element(pt) - pt.begin() ==
                          std::ranges::max_element(qt) - qt.begin();
                const size_t label = size_t(windows.windows.ids[w * size_t(length) + t]);
                gap += pt[label] - qt[label];
                nll -= pt[label];
            }
            const double targets = double(length - windows.firstTarget);
            byWindow.push_back(klSum / targets);
            difference.push_back(gap / targets);
            referenceNll.push_back(nll / targets);
        }
        QCOMPARE(found.tokens, int64_t(all.size()));
        COMPARE_CLOSE(found.referenceNll, meanOf(referenceNll), 1e-6);
        VERIFY_BELOW(std::fabs(found.deltaNll - meanOf(difference)), 1e-6);
        VERIFY_BELOW(std::fabs(found.deltaStderr - standardErrorOf(difference)), 1e-6);
        VERIFY_BELOW(std::fabs(found.klMean - meanOf(byWindow)), 1e-6);
        VERIFY_BELOW(std::fabs(found.klStderr - standardErrorOf(byWindow)), 1e-6);
        std::ranges::sort(all);
        // Between the values on both sides of the quantile, whichever way it is interpolated.
        const auto within = [&](double value, double quantile) {
            const double at = quantile * double(all.size());
            const size_t low = size_t(std::max(0.0, std::floor(at) - 1));
            const size_t high = std::min(all.size() - 1, size_t(std::ceil(at)));
            return value >= all[low] - 1e-6 && value <= all[high] + 1e-6;
        };
        QVERIFY(within(found.klMedian, 0.5));
        QVERIFY(within(found.klP99, 0.99));
        QCOMPARE(found.top1Agreement, double(agreed) / double(all.size()));
        QVERIFY(progress.fractionsFine());
    }

    void againstItself() {
        const auto model = weightsOf(golden("mistral-sliding"));
        const auto windows = evaluationWindows(randomWindows(6, 3, 30, model->config().vocab),
                                               Protocol::Gptq, model->config());
        NoProgress progress;
        const Evaluation found = evaluate(*model, model.get(), windows, compute(), progress);
        QCOMPARE(found.deltaNll, 0.0);
        QCOMPARE(found.deltaStderr, 0.0);
        QCOMPARE(found.klMean, 0.0);
        QCOMPARE(found.klP99, 0.0);
        QCOMPARE(found.top1Agreement, 1.0);
        QCOMPARE(found.referenceNll, found.nll);
    }

    void pairs() {
        const std::vector<double> a{3, 5, 4, 8}, b{1, 4, 4, 5};
        const auto [mean, error] = pairedDifference(a, b); // 2, 1, 0, 3
        QCOMPARE(mean, 1.5);
        COMPARE_CLOSE(error, std::sqrt(5.0 / 3 / 4), 1e-12);
        const auto [one, none] = pairedDifference(std::span(a).first(1), std::span(b).first(1));
        QCOMPARE(one, 2.0);
        QCOMPARE(none, 0.0);
        COMPARE_ERROR(pairedDifference(a, std::span(b).first(3)), "4 and 3 windows");
    }

    void otherVocabulary() {
        TemporaryFolder folder;
        const auto small = golden("llama2-gqa");
        const auto windows =
            evaluationWindows(randomWindows(7, 2, 8, 100), Protocol::Gptq, small->config());
        // A model with another vocabulary is refused before anything is computed.
        class Other final : public ModelWeights {
        public:
            explicit Other(std::shared_ptr<const ModelWeights> base)
                : m_base(std::move(base)), m_config(m_base->config()) {
                ++m_config.vocab;
            }
            const ModelConfig& config() const override { return m_config; }
            const Catalogue& catalogue() const override { return m_base->catalogue(); }
            const fs::path& folder() const override { return m_base->folder(); }
            void readLinear(std::string_view, std::span<float>, int) const override {}
            bool hasTensor(std::string_view) const override { return true; }
            void readTensor(std::string_view, std::span<float>) const override {}
            void readRows(std::string_view, int64_t, std::span<float>) const override {}
            std::string fingerprint() const override { return {}; }
            int64_t storedBytes() const override { return 0; }

        private:
            std::shared_ptr<const ModelWeights> m_base;
            ModelConfig m_config;
        };
        const Other other(weightsOf(small));
        NoProgress progress;
        COMPARE_ERROR(evaluate(*weightsOf(small), &other, windows, compute(), progress),
                      "vocabularies of 512 and 513");
    }

    void cancelled() {
        const auto model = weightsOf(golden("llama2-gqa"));
        const auto windows = evaluationWindows(randomWindows(8, 4, 16, model->config().vocab),
                                               Protocol::Gptq, model->config());
        Cancelling counter;
        (void)evaluate(*model, model.get(), windows, compute(), counter);
        QVERIFY(counter.asked() > 6);
        for (int64_t limit = 1; limit <= counter.asked(); ++limit) {
            Cancelling progress(limit);
            QVERIFY(cancelledIn(
                [&] { (void)evaluate(*model, model.get(), windows, compute(), progress); }));
        }
    }
};

QTEST_APPLESS_MAIN(TestEvaluate)
#include "tst_evaluate.moc"
