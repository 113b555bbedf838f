// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors

// Second moments and their factors against the definitions, in float64 with explicit inverses.
// Before Qt, whose `slots` is a name in torch's headers.
#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include "core/engine/detail/hessian.h"
#include "tests/support/engine_testing.h"

using namespace bitloom;
using namespace bitloom::detail;
using namespace bitloom::engineTesting;

namespace {

at::Tensor randomTensor(at::IntArrayRef shape, uint64_t seed) {
    return at::randn(shape, at::make_generator<at::CPUGeneratorImpl>(seed),
                     at::TensorOptions(at::kDouble));
}

/// H of inputs with correlated channels of very different size, as real ones are. [K, K]
at::Tensor randomHessian(int64_t cols, int64_t tokens, uint64_t seed) {
    const at::Tensor mix = randomTensor({cols, cols}, seed) / std::sqrt(double(cols));
    const at::Tensor size = at::exp(randomTensor({cols}, seed + 1));
    const at::Tensor x = at::mm(randomTensor({tokens, cols}, seed + 2), mix) * size;
    return at::mm(x.t(), x) / double(tokens);
}

at::Tensor indexTensor(const std::vector<int64_t>& values) {
    return at::tensor(values, at::kLong);
}

/// H + damping·mean(diag H)·I in the given order.
at::Tensor dampedAndPermuted(const at::Tensor& hessian, double damping,
                             const std::vector<int64_t>& order) {
    const at::Tensor index = indexTensor(order);
    const double mean = hessian.diagonal().mean().item<double>();
    return (hessian + damping * mean * at::eye(hessian.size(0), at::kDouble))
        .index_select(0, index)
        .index_select(1, index);
}

std::vector<double> diagonalOf(const at::Tensor& hessian) {
    const at::Tensor d = hessian.diagonal().contiguous();
    return {d.data_ptr<double>(), d.data_ptr<double>() + d.numel()};
}

double relativeError(const at::Tensor& found, const at::Tensor& expected) {
    return ((found.to(at::kDouble) - expected).abs().max() / expected.abs().max()).item<double>();
}

} // namespace

class TestHessian : public QObject {
    Q_OBJECT
private slots:
    void initTestCase() { initEngine(compute()); }

    void accumulator() {
        constexpr int64_t cols = 37;
        HessianAccumulator accumulator(cols);
        at::Tensor sum = at::zeros({cols, cols}, at::kDouble);
        at::Tensor peak = at::zeros({cols}, at::kDouble);
        int64_t tokens = 0;
        for (int64_t batch = 1; batch <= 6; ++batch) {
            const at::Tensor x =
                (randomTensor({batch, 11, cols}, uint64_t(batch)) + 0.5).to(at::kFloat);
            accumulator.add(x);
            const at::Tensor rows = x.to(at::kDouble).view({-1, cols});
            sum += at::mm(rows.t(), rows);
            peak = at::maximum(peak, at::amax(rows.abs(), {0}));
            tokens += rows.size(0);
        }
        QCOMPARE(accumulator.tokens(), tokens);
        QVERIFY(at::equal(accumulator.absmax(), peak.to(at::kFloat)));
        const at::Tensor hessian = accumulator.takeHessian();
        QCOMPARE(hessian.scalar_type(), at::kDouble);
        VERIFY_BELOW(relativeError(hessian, sum / double(tokens)), 1e-6);
    }

    /// Many batches whose sums float32 would no longer tell apart.
    void accumulatorKeepsSmallBatches() {
        HessianAccumulator accumulator(1);
        accumulator.add(at::full({1, 1}, 4096.0f)); // 2^24
        for (int i = 0; i < 64; ++i)
            accumulator.add(at::full({1, 1}, 0.5f));
        QCOMPARE(accumulator.takeHessian().item<double>(), (16777216.0 + 16) / 65);
    }

    void againstInverses_data() {
        QTest::addColumn<int>("cols");
        QTest::addColumn<int>("tokens");
        QTest::addColumn<bool>("natural");
        QTest::newRow("one column") << 1 << 5 << false;
        QTest::newRow("full rank") << 40 << 200 << false;
        QTest::newRow("natural order") << 40 << 200 << true;
        QTest::newRow("fewer tokens than columns") << 70 << 30 << false;
    }
    void againstInverses() {
        QFETCH(int, cols);
        QFETCH(int, tokens);
        QFETCH(bool, natural);
        const at::Tensor hessian = randomHessian(cols, tokens, 7);
        const FactoredHessian factored =
            factorHessian(hessian.clone(), 0.01,
                          natural ? ColumnOrder::Natural : ColumnOrder::Descending, true, "test");
        QCOMPARE(factored.damping, 0.01);
        QVERIFY(!factored.climbed);

        const auto diagonal = diagonalOf(hessian);
        std::vector<int64_t> sorted = factored.order;
        std::ranges::sort(sorted);
        for (int64_t k = 0; k < cols; ++k)
            QCOMPARE(sorted[size_t(k)], k);
        if (natural) {
            QCOMPARE(factored.order, sorted);
        } else {
            for (size_t k = 1; k < size_t(cols); ++k)
                QVERIFY(diagonal[size_t(factored.order[k - 1])] >=
                        diagonal[size_t(factored.order[k])]);
        }

        const at::Tensor expected = dampedAndPermuted(hessian, 0.01, factored.order);
        VERIFY_BELOW(relativeError(factored.damped, expected), 1e-7);
        for (int64_t k = 0; k < cols; ++k) {
            const at::Tensor trailing =
                at::linalg_inv(expected.narrow(0, k, cols - k).narrow(1, k, cols - k));
            const double conditional = 1 / trailing[0][0].item<double>();
            COMPARE_CLOSE(factored.pivot[size_t(k)], conditional, 1e-6);
            QCOMPARE(factored.conditional[size_t(factored.order[size_t(k)])],
                     factored.pivot[size_t(k)]);
        }
        // F·diag(c)·Fᵀ = H', F unit upper triangular.
        const at::Tensor feedback = factored.feedback.to(at::kDouble);
        QVERIFY(at::equal(feedback, at::triu(feedback)));
        QVERIFY(at::equal(feedback.diagonal(), at::ones({cols}, at::kDouble)));
        const at::Tensor root =
            feedback * at::sqrt(at::tensor(factored.pivot, at::kFloat).to(at::kDouble));
        VERIFY_BELOW(relativeError(at::mm(root, root.t()), expected), 1e-6);
        // U = chol_upper(H'⁻¹) of the textbook: c_k = 1/U_kk², F_jk = U_jk-driven feedback.
        const at::Tensor upper = at::linalg_cholesky(at::linalg_inv(expected), true);
        VERIFY_BELOW(relativeError(at::linalg_inv(upper), root), 1e-5);
    }

    /// By panels as in one call, and with questions between them.
    void largeFactor() {
        constexpr int64_t cols = 1800, whole = 1000; // the last panel is no whole one
        const at::Tensor root = at::randn({cols, 64}, at::kDouble);
        const at::Tensor matrix = at::mm(root, root.t()).add_(at::eye(cols, at::kDouble), 8);
        Cancelling counter;
        const at::Tensor factor = choleskyFactor(matrix, &counter, whole);
        QVERIFY(counter.asked() >= 7);
        VERIFY_BELOW(relativeError(factor, at::linalg_cholesky(matrix)), 1e-12);
        QVERIFY(at::equal(factor, at::tril(factor)));
        Cancelling cancelling(counter.asked() / 2);
        COMPARE_ERROR(choleskyFactor(matrix, &cancelling, whole), "cancelled");
        at::Tensor indefinite = matrix.clone();
        indefinite[cols - 3][cols - 3] = -1;
        QVERIFY(!choleskyFactor(indefinite, nullptr, whole).defined());
        indefinite[cols - 3][cols - 3] = NAN;
        const at::Tensor odd = choleskyFactor(indefinite, nullptr, whole);
        QVERIFY(!odd.defined() || !odd.diagonal().isfinite().all().item<bool>());
    }

    void withoutMatrices() {
        const at::Tensor hessian = randomHessian(20, 50, 3);
        const auto with =
            factorHessian(hessian.clone(), 0.01, ColumnOrder::Descending, true, "test");
        const auto without =
            factorHessian(hessian.clone(), 0.01, ColumnOrder::Descending, false, "test");
        QVERIFY(!without.damped.defined() && !without.feedback.defined());
        QCOMPARE(without.conditional, with.conditional);
        QCOMPARE(without.order, with.order);
    }

    void tiesByIndex() {
        const at::Tensor hessian = at::diag(at::tensor({1.0, 2.0, 1.0, 2.0, 1.0}, at::kDouble));
        const auto factored = factorHessian(hessian, 0.01, ColumnOrder::Descending, true, "test");
        QCOMPARE(factored.order, (std::vector<int64_t>{1, 3, 0, 2, 4}));
    }

    void ladder_data() {
        QTest::addColumn<double>("lowest"); ///< eigenvalue, in units of the mean diagonal
        QTest::addColumn<double>("given");
        QTest::addColumn<double>("used");
        QTest::newRow("0.01 is enough") << -0.005 << 0.01 << 0.01;
        QTest::newRow("to 0.1") << -0.05 << 0.01 << 0.1;
        QTest::newRow("to 1") << -0.5 << 0.01 << 1.0;
        QTest::newRow("from 0.3 to 1") << -0.5 << 0.3 << 1.0;
        QTest::newRow("more is kept") << -0.5 << 2.0 << 2.0;
    }
    void ladder() {
        QFETCH(double, lowest);
        QFETCH(double, given);
        QFETCH(double, used);
        // One direction is pushed down to a negative eigenvalue, the others are 1.
        constexpr int64_t cols = 24;
        const at::Tensor v = randomTensor({cols, 1}, 5);
        const at::Tensor direction = v / v.norm();
        at::Tensor hessian = at::eye(cols, at::kDouble);
        double mean = 1, pushed = 0;
        for (int i = 0; i < 50; ++i) { // lowest is relative to a mean that it changes
            pushed = 1 - lowest * mean;
            mean = 1 - pushed / double(cols);
        }
        hessian -= pushed * at::mm(direction, direction.t());
        const auto factored =
            factorHessian(hessian.clone(), given, ColumnOrder::Descending, true, "test");
        QCOMPARE(factored.damping, used);
        QCOMPARE(factored.climbed, used != given);
        const at::Tensor expected = dampedAndPermuted(hessian, used, factored.order);
        VERIFY_BELOW(relativeError(factored.damped, expected), 1e-6);
        for (const float c : factored.conditional)
            QVERIFY(c > 0 && std::isfinite(c));
    }

    void rankDeficient() {
        const at::Tensor hessian = randomHessian(50, 4, 11);
        const auto damped =
            factorHessian(hessian.clone(), 0.01, ColumnOrder::Descending, true, "test");
        QVERIFY(!damped.climbed);
        // Undamped, such a matrix has no factor.
        const at::Tensor exact = at::ones({8, 8}, at::kDouble);
        const auto climbed = factorHessian(exact, 0, ColumnOrder::Descending, true, "test");
        QVERIFY(climbed.climbed);
        QCOMPARE(climbed.damping, 0.1);
    }

    void deadChannels() {
        at::Tensor hessian = randomHessian(12, 100, 13);
        for (const int64_t dead : {0, 5, 11}) {
            hessian.select(0, dead).zero_();
            hessian.select(1, dead).zero_();
        }
        const auto factored =
            factorHessian(hessian.clone(), 0.01, ColumnOrder::Descending, true, "test");
        QVERIFY(!factored.climbed);
        const double mean = hessian.diagonal().mean().item<double>();
        for (const size_t dead : {0, 5, 11})
            COMPARE_CLOSE(factored.conditional[dead], 0.01 * mean, 1e-6);
        QCOMPARE(std::vector(factored.order.end() - 3, factored.order.end()),
                 (std::vector<int64_t>{0, 5, 11}));

        const auto allDead = factorHessian(at::zeros({4, 4}, at::kDouble), 0.01,
                                           ColumnOrder::Descending, true, "test");
        for (const float c : allDead.conditional)
            QVERIFY(c > 0 && std::isfinite(c));
        QVERIFY(allDead.feedback.isfinite().all().item<bool>());
    }

    void hopeless_data() {
        QTest::addColumn<double>("value");
        QTest::newRow("not a number") << double(NAN);
        QTest::newRow("infinite") << double(INFINITY);
    }
    void hopeless() {
        QFETCH(double, value);
        at::Tensor hessian = randomHessian(6, 20, 17);
        hessian[2][3] = value;
        hessian[3][2] = value;
        COMPARE_ERROR(
            factorHessian(hessian.clone(), 0.01, ColumnOrder::Descending, true, "layer 7"),
            "layer 7");
        hessian[2][2] = value;
        COMPARE_ERROR(
            factorHessian(hessian.clone(), 0.01, ColumnOrder::Descending, true, "layer 7"),
            "not finite");
        COMPARE_ERROR(factorHessian(-3 * at::eye(4, at::kDouble), 0.01, ColumnOrder::Descending,
                                    true, "layer 7"),
                      "layer 7");
    }
};

QTEST_APPLESS_MAIN(TestHessian)
#include "tst_hessian.moc"
