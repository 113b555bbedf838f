// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/base/error.h"
#include "core/engine/sampler.h"

#include <QtTest>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <set>

using namespace bitloom;

namespace {

constexpr int draws = 20000;

/// Logits whose softmax at temperature 1 is `probabilities`, shifted so that nothing is near 0.
std::vector<float> logitsOf(const std::vector<double>& probabilities) {
    std::vector<float> logits;
    for (const double p : probabilities)
        logits.push_back(static_cast<float>(std::log(p) + 3));
    return logits;
}

std::map<int32_t, int> drawMany(const SamplingOptions& options, const std::vector<float>& logits,
                                const std::vector<int32_t>& history = {}) {
    Sampler sampler(options);
    std::map<int32_t, int> counts;
    for (int i = 0; i < draws; ++i)
        ++counts[sampler.sample(logits, history)];
    return counts;
}

std::set<int32_t> drawnSet(const std::map<int32_t, int>& counts) {
    std::set<int32_t> ids;
    for (const auto& [id, count] : counts)
        ids.insert(id);
    return ids;
}

/// Pearson's statistic of counts against `expected` probabilities, which sum to 1.
double chiSquare(const std::map<int32_t, int>& counts, const std::map<int32_t, double>& expected) {
    double statistic = 0;
    for (const auto& [id, p] : expected) {
        const auto found = counts.find(id);
        const double observed = found == counts.end() ? 0 : found->second, mean = p * draws;
        statistic += (observed - mean) * (observed - mean) / mean;
    }
    return statistic;
}

/// The 99.99 % point for `freedom` degrees (Wilson and Hilferty).
double chiSquareLimit(int freedom) {
    const double v = freedom, z = 3.719;
    return v * std::pow(1 - 2 / (9 * v) + z * std::sqrt(2 / (9 * v)), 3);
}

} // namespace

class TestSampler : public QObject {
    Q_OBJECT

private slots:
    void greedyTakesTheLikeliest() {
        Sampler sampler(SamplingOptions{});
        QCOMPARE(sampler.sample(std::vector<float>{-1, 3, 2, 3, -7}, {}), 1); // tie: the lower id
        QCOMPARE(sampler.sample(std::vector<float>{-1, -3, -2}, {}), 0);
    }

    void penaltyCountsEveryTokenOnce() {
        SamplingOptions options;
        options.repetitionPenalty = 2;
        Sampler sampler(options);
        // 4 becomes 2, below 2.5; were it penalised for each of three times, 0.9 would still
        // differ.
        QCOMPARE(sampler.sample(std::vector<float>{4.0f, 2.5f, 0.9f}, std::vector<int32_t>{0}), 1);
        QCOMPARE(
            sampler.sample(std::vector<float>{4.0f, 1.9f, 0.9f}, std::vector<int32_t>{0, 0, 0}), 0);
        // Negative logits become more negative.
        QCOMPARE(sampler.sample(std::vector<float>{-1.0f, -1.5f}, std::vector<int32_t>{0}), 1);
        // Ids that the logits do not have (an added token) are no reason to read elsewhere.
        QCOMPARE(sampler.sample(std::vector<float>{1.0f, 2.0f}, std::vector<int32_t>{7, -1}), 1);
    }

    void distribution_data() {
        QTest::addColumn<double>("temperature");
        QTest::newRow("0.5") << 0.5;
        QTest::newRow("1") << 1.0;
        QTest::newRow("2") << 2.0;
    }
    void distribution() {
        QFETCH(double, temperature);
        const std::vector<double> p = {0.30, 0.02, 0.25, 0.15, 0.05, 0.13, 0.10};
        SamplingOptions options;
        options.temperature = temperature;
        options.seed = 11;
        std::map<int32_t, double> expected;
        double total = 0;
        for (size_t i = 0; i < p.size(); ++i)
            total += expected[int32_t(i)] = std::pow(p[i], 1 / temperature);
        for (auto& [id, value] : expected)
            value /= total;
        const double statistic = chiSquare(drawMany(options, logitsOf(p)), expected);
        QVERIFY2(statistic < chiSquareLimit(6), qPrintable(QString::number(statistic)));
        QVERIFY(statistic > 0); // a sampler that quotes the expectation is no sampler
    }

    void filters_data() {
        QTest::addColumn<int>("topK");
        QTest::addColumn<double>("topP");
        QTest::addColumn<double>("minP");
        QTest::addColumn<std::vector<int32_t>>("kept");
        using Ids = std::vector<int32_t>;
        // probabilities: 0: .30  1: .02  2: .25  3: .15  4: .05  5: .13  6: .10
        QTest::newRow("off") << 0 << 1.0 << 0.0 << Ids{0, 1, 2, 3, 4, 5, 6};
        QTest::newRow("top-k 1") << 1 << 1.0 << 0.0 << Ids{0};
        QTest::newRow("top-k 3") << 3 << 1.0 << 0.0 << Ids{0, 2, 3};
        QTest::newRow("top-k beyond") << 70 << 1.0 << 0.0 << Ids{0, 1, 2, 3, 4, 5, 6};
        QTest::newRow("top-p tiny keeps one") << 0 << 1e-9 << 0.0 << Ids{0};
        QTest::newRow("top-p .54") << 0 << 0.54 << 0.0 << Ids{0, 2};
        QTest::newRow("top-p .56") << 0 << 0.56 << 0.0 << Ids{0, 2, 3};
        QTest::newRow("top-p .99") << 0 << 0.99 << 0.0 << Ids{0, 1, 2, 3, 4, 5, 6};
        QTest::newRow("min-p .4") << 0 << 1.0 << 0.4 << Ids{0, 2, 3, 5};
        QTest::newRow("min-p 1") << 0 << 1.0 << 1.0 << Ids{0};
        // Of the three that top-k leaves (.429, .357, .214), top-p 0.7 needs two.
        QTest::newRow("top-p after top-k") << 3 << 0.7 << 0.0 << Ids{0, 2};
        QTest::newRow("min-p after top-k") << 6 << 1.0 << 0.45 << Ids{0, 2, 3};
    }
    void filters() {
        QFETCH(int, topK);
        QFETCH(double, topP);
        QFETCH(double, minP);
        QFETCH(std::vector<int32_t>, kept);
        const std::vector<double> p = {0.30, 0.02, 0.25, 0.15, 0.05, 0.13, 0.10};
        SamplingOptions options;
        options.temperature = 1;
        options.topK = topK;
        options.topP = topP;
        options.minP = minP;
        options.seed = 5;
        const auto counts = drawMany(options, logitsOf(p));
        QCOMPARE(drawnSet(counts), std::set<int32_t>(kept.begin(), kept.end()));
        if (kept.size() < 2) return;
        std::map<int32_t, double> expected;
        double total = 0;
        for (const int32_t id : kept)
            total += p[size_t(id)];
        for (const int32_t id : kept)
            expected[id] = p[size_t(id)] / total;
        const double statistic = chiSquare(counts, expected);
        QVERIFY2(statistic < chiSquareLimit(int(kept.size()) - 1),
                 qPrintable(QString::number(statistic)));
    }

    // More than one sorting step of top-p; the oracle sorts everything.
    void topPOverALargeVocabulary() {
        std::vector<float> logits(5000);
        uint32_t state = 1;
        for (float& logit : logits) {
            state = state * 1664525u + 1013904223u;
            logit = float(state >> 8) / float(1 << 24) * 2; // nearly flat: the set is large
        }
        std::vector<size_t> order(logits.size());
        std::iota(order.begin(), order.end(), 0);
        std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
            return logits[a] != logits[b] ? logits[a] > logits[b] : a < b;
        });
        double total = 0, reached = 0;
        for (const float logit : logits)
            total += std::exp(double(logit));
        std::set<int32_t> kept;
        for (const size_t id : order) {
            if (reached >= 0.8 * total) break;
            reached += std::exp(double(logits[id]));
            kept.insert(int32_t(id));
        }
        SamplingOptions options;
        options.temperature = 1;
        options.topP = 0.8;
        Sampler sampler(options);
        std::set<int32_t> drawn;
        for (int i = 0; i < 2000; ++i)
            drawn.insert(sampler.sample(logits, {}));
        QVERIFY(std::includes(kept.begin(), kept.end(), drawn.begin(), drawn.end()));
        QVERIFY(drawn.size() > 1000);
    }

    // Fixed for all time and machines: a seed in a bug report must mean the same text.
    void seedsAreReproducible() {
        const auto logits = logitsOf({0.2, 0.2, 0.2, 0.2, 0.1, 0.1});
        const auto sequence = [&](uint64_t seed) {
            SamplingOptions options;
            options.temperature = 0.8;
            options.seed = seed;
            Sampler sampler(options);
            std::vector<int32_t> ids;
            for (int i = 0; i < 24; ++i)
                ids.push_back(sampler.sample(logits, {}));
            return ids;
        };
        QCOMPARE(sequence(7), sequence(7));
        QVERIFY(sequence(7) != sequence(8));

        // Against an independent evaluation of the same draws: inverse of the cumulative sum.
        std::mt19937_64 random(7);
        for (const int32_t id : sequence(7)) {
            double total = 0;
            std::vector<double> cumulative;
            for (const float logit : logits)
                cumulative.push_back(total += std::exp(double(logit) / 0.8));
            const double draw = double(random() >> 11) * 0x1p-53 * total;
            const auto at = std::upper_bound(cumulative.begin(), cumulative.end(), draw);
            QCOMPARE(id, int32_t(at - cumulative.begin()));
        }
    }

    void impossibleTokensAreNeverDrawn() {
        const float never = -std::numeric_limits<float>::infinity();
        SamplingOptions options;
        options.temperature = 1e6; // as flat as can be
        QCOMPARE(drawnSet(drawMany(options, {never, 1, never, 2, never})),
                 (std::set<int32_t>{1, 3}));
        options.temperature = 1e-6; // as sharp as can be, without overflow
        QCOMPARE(drawnSet(drawMany(options, {-1e30f, 1, 1.5f, 2, 1e3f})), std::set<int32_t>{4});
    }

    void badInputIsRefused() {
        Sampler sampler(SamplingOptions{});
        const float infinity = std::numeric_limits<float>::infinity();
        QVERIFY_THROWS_EXCEPTION(Error, sampler.sample(std::vector<float>{0, NAN}, {}));
        QVERIFY_THROWS_EXCEPTION(Error, sampler.sample(std::vector<float>{0, infinity}, {}));
        QVERIFY_THROWS_EXCEPTION(Error, sampler.sample(std::vector<float>{-infinity}, {}));
        QVERIFY_THROWS_EXCEPTION(Error, sampler.sample(std::vector<float>{}, {}));
        const auto refused = [](auto change) {
            SamplingOptions options;
            change(options);
            QVERIFY_THROWS_EXCEPTION(Error, Sampler{options});
        };
        refused([](auto& options) { options.temperature = -1; });
        refused([](auto& options) { options.temperature = NAN; });
        refused([](auto& options) { options.topK = -1; });
        refused([](auto& options) { options.topP = 0; });
        refused([](auto& options) { options.topP = 1.01; });
        refused([](auto& options) { options.minP = 1.5; });
        refused([](auto& options) { options.repetitionPenalty = 0; });
    }
};

QTEST_APPLESS_MAIN(TestSampler)
#include "tst_sampler.moc"
