// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors

// The solvers of one layer against textbook GPTQ in float64, against the definition of their
// objective, and against brute force.
// Before Qt, whose `slots` is a name in torch's headers.
#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include "core/engine/detail/column_solver.h"
#include "core/engine/detail/group_solver.h"
#include "kernels/group_quantizer.h"
#include "kernels/half.h"
#include "tests/support/engine_testing.h"

using namespace bitloom;
using namespace bitloom::detail;
using namespace bitloom::engineTesting;

namespace {

at::Tensor randomTensor(at::IntArrayRef shape, uint64_t seed) {
    return at::randn(shape, at::make_generator<at::CPUGeneratorImpl>(seed),
                     at::TensorOptions(at::kDouble));
}

at::Tensor randomHessian(int64_t cols, uint64_t seed) {
    const at::Tensor mix = randomTensor({cols, cols}, seed) / std::sqrt(double(cols));
    const at::Tensor size = at::exp(0.7 * randomTensor({cols}, seed + 1));
    const at::Tensor x = at::mm(randomTensor({4 * cols, cols}, seed + 2), mix) * size;
    return at::mm(x.t(), x) / double(4 * cols);
}

struct Case {
    at::Tensor weight;  ///< [N, K] float32
    at::Tensor hessian; ///< [K, K] float64, undamped, source order
    FactoredHessian factored;
};

Case makeCase(int64_t rows, int64_t cols, uint64_t seed,
              ColumnOrder order = ColumnOrder::Descending) {
    Case out;
    out.weight = (0.05 * randomTensor({rows, cols}, seed)).to(at::kFloat);
    // A few weights far from the rest, as outliers are.
    at::Tensor far = randomTensor({rows, cols}, seed + 9);
    out.weight = at::where(far > 2.8, out.weight * 6, out.weight).contiguous();
    out.hessian = randomHessian(cols, seed + 20);
    out.factored = factorHessian(out.hessian.clone(), 0.01, order, true, "test");
    return out;
}

at::Tensor dequantized(const ColumnWeights& layer) {
    at::Tensor out = at::empty({layer.rows, layer.cols}, at::kFloat);
    layer.dequantize({out.data_ptr<float>(), size_t(out.numel())}, 1);
    return out;
}
at::Tensor dequantized(const GroupWeights& layer) {
    at::Tensor out = at::empty({layer.rows, layer.cols}, at::kFloat);
    layer.dequantize({out.data_ptr<float>(), size_t(out.numel())}, 1);
    return out;
}

at::Tensor dampedHessian(const at::Tensor& hessian) {
    return hessian +
           0.01 * hessian.diagonal().mean().item<double>() * at::eye(hessian.size(0), at::kDouble);
}

/// tr(E M Eᵀ), source order, float64.
double quadratic(const at::Tensor& weight, const at::Tensor& quantized, const at::Tensor& matrix) {
    const at::Tensor e = weight.to(at::kDouble) - quantized.to(at::kDouble);
    return (at::mm(e, matrix) * e).sum().item<double>();
}

std::vector<uint8_t> samePoint(const OperatingPoint& point, int64_t cols) {
    const Menu& menu = defaultMenu();
    const auto found = std::ranges::find(menu, point);
    return std::vector<uint8_t>(size_t(cols), uint8_t(found - menu.begin()));
}

/// Random points of the menu, raw ones among them.
std::vector<uint8_t> mixedPoints(int64_t cols, uint64_t seed) {
    std::mt19937_64 random(seed);
    std::vector<uint8_t> points;
    for (int64_t k = 0; k < cols; ++k)
        points.push_back(uint8_t(random() % defaultMenu().size()));
    return points;
}

/// GPTQ as its paper has it: U = chol_upper(H'⁻¹); column by column in the quantizer's order, the
/// error over U_kk is taken off all later columns. `quantize(column, values)` gives the values
/// that are stored; [N] both. Returns the targets that were quantized, [N, K] in source order.
template<typename Quantize>
at::Tensor textbookGptq(const Case& problem, const Quantize& quantize) {
    const int64_t cols = problem.weight.size(1);
    const at::Tensor index = at::tensor(problem.factored.order, at::kLong);
    at::Tensor w = problem.weight.to(at::kDouble).index_select(1, index).contiguous();
    const at::Tensor damped =
        dampedHessian(problem.hessian).index_select(0, index).index_select(1, index);
    const at::Tensor upper = at::linalg_cholesky(at::linalg_inv(damped), /*upper=*/true);
    at::Tensor targets = at::empty_like(w);
    for (int64_t k = 0; k < cols; ++k) {
        const int64_t source = problem.factored.order[size_t(k)];
        const at::Tensor target = w.select(1, k).clone();
        targets.select(1, source).copy_(target);
        const at::Tensor q = quantize(source, target.to(at::kFloat).contiguous()).to(at::kDouble);
        const at::Tensor e = (target - q) / upper[k][k];
        w.narrow(1, k, cols - k).sub_(at::outer(e, upper[k].narrow(0, k, cols - k)));
    }
    return targets;
}

std::span<const float> valuesOf(const at::Tensor& t) {
    return {t.data_ptr<float>(), size_t(t.numel())};
}

} // namespace

class TestColumnSolver : public QObject {
    Q_OBJECT

    static void addShapes() {
        QTest::addColumn<int>("rows");
        QTest::addColumn<int>("cols");
        // Fewer columns than one inner step, one block and its edges, several blocks.
        QTest::newRow("tiny") << 5 << 3;
        QTest::newRow("inner edge") << 40 << 17;
        QTest::newRow("one block") << 64 << 128;
        QTest::newRow("beyond a block") << 100 << 150;
        QTest::newRow("three blocks") << 210 << 300;
    }

private slots:
    void initTestCase() { initEngine(compute()); }

    void textbook_data() {
        QTest::addColumn<OperatingPoint>("point");
        QTest::addColumn<int>("cols");
        const auto row = [](const char* name, OperatingPoint point, int cols) {
            QTest::newRow(name) << point << cols;
        };
        row("tables of 2 bits", {PointKind::Table, 2, 0}, 150);
        row("tables of 4 bits", {PointKind::Table, 4, 0}, 60);
        row("grids of 3 bits", {PointKind::Grid, 3, 0}, 150);
        row("grids of 8 bits", {PointKind::Grid, 8, 0}, 40);
    }
    void textbook() {
        QFETCH(OperatingPoint, point);
        QFETCH(int, cols);
        const int64_t rows = 24;
        const Case problem = makeCase(rows, cols, 1);
        ColumnWeights layer =
            ColumnWeights::make(rows, cols, samePoint(point, cols), defaultMenu());
        ColumnSolver solver(problem.weight, problem.factored, layer);
        solver.gptq(NoProgress());

        kernels::ColumnScratch scratch;
        int64_t differing = 0;
        textbookGptq(problem, [&](int64_t column, const at::Tensor& target) {
            const kernels::ColumnCode code =
                kernels::fitColumn(valuesOf(target), point.kind, point.bits, scratch);
            std::vector<uint8_t> codes(static_cast<size_t>(rows));
            kernels::assignColumn(valuesOf(target), code, codes);
            differing += !std::ranges::equal(codes, layer.columnCodes(column));
            at::Tensor q = at::empty({rows}, at::kFloat);
            for (int64_t n = 0; n < rows; ++n)
                q.data_ptr<float>()[n] = code.value(codes[size_t(n)]);
            return q;
        });
        QCOMPARE(differing, 0);
    }

    /// tr(E H' Eᵀ) is what the solver believes, what its own definition gives, and what the stored
    /// weights give.
    void objectives_data() { addShapes(); }
    void objectives() {
        QFETCH(int, rows);
        QFETCH(int, cols);
        for (uint64_t seed = 1; seed <= 3; ++seed) {
            const Case problem = makeCase(rows, cols, 10 * seed);
            const at::Tensor damped = dampedHessian(problem.hessian);
            ColumnWeights layer =
                ColumnWeights::make(rows, cols, mixedPoints(cols, seed), defaultMenu());
            if (seed == 2) layer.rawDtype = DType::BF16;
            ColumnSolver solver(problem.weight, problem.factored, layer);
            solver.gptq(NoProgress());
            COMPARE_CLOSE(solver.trackedObjective(), solver.objective(), 1e-4);
            COMPARE_CLOSE(quadratic(problem.weight, dequantized(layer), damped), solver.objective(),
                          1e-4);
            double before = solver.objective();
            for (int pass = 0; pass < 4; ++pass) {
                const double returned = solver.descend(NoProgress());
                const double after = solver.objective();
                QCOMPARE(returned, solver.trackedObjective());
                QVERIFY2(after <= before * (1 + 1e-6),
                         qPrintable(QString("pass %1: %2 → %3").arg(pass).arg(before).arg(after)));
                COMPARE_CLOSE(returned, after, 1e-3);
                COMPARE_CLOSE(quadratic(problem.weight, dequantized(layer), damped), after, 1e-4);
                before = after;
            }
            // What is stored can be packed, and comes back the same.
            const auto packed = pack(layer);
            TensorsBySuffix tensors;
            for (const PackedTensor& tensor : packed)
                tensors[tensor.suffix] = {
                    TensorInfo{tensor.suffix, tensor.dtype, tensor.shape, 0, tensor.bytes.size()},
                    tensor.bytes};
            QVERIFY(
                at::equal(dequantized(unpackColumn("L", rows, cols, tensors)), dequantized(layer)));
        }
    }

    /// Descent gains something where GPTQ left something, and ends with the outliers it was given.
    void descentGains() {
        const int64_t rows = 200, cols = 96;
        const Case problem = makeCase(rows, cols, 3);
        ColumnWeights layer = ColumnWeights::make(
            rows, cols, samePoint({PointKind::Table, 2, 0.01}, cols), defaultMenu());
        ColumnSolver solver(problem.weight, problem.factored, layer);
        solver.gptq(NoProgress());
        const double gptq = solver.objective();
        const auto outliers = layer.outlierRow;
        for (const auto& rowsOfColumn : outliers) {
            QCOMPARE(rowsOfColumn.size(), size_t(2));
            QVERIFY(rowsOfColumn[0] < rowsOfColumn[1]);
        }
        VERIFY_BELOW(solver.descend(NoProgress()) / gptq, 0.99);
        QCOMPARE(layer.outlierRow, outliers);
    }

    /// Error feedback must beat quantizing every column by itself.
    void compensationGains() {
        const int64_t rows = 128, cols = 160;
        const Case problem = makeCase(rows, cols, 4);
        const OperatingPoint point{PointKind::Table, 3, 0};
        ColumnWeights layer =
            ColumnWeights::make(rows, cols, samePoint(point, cols), defaultMenu());
        ColumnSolver solver(problem.weight, problem.factored, layer);
        solver.gptq(NoProgress());

        ColumnWeights plain =
            ColumnWeights::make(rows, cols, samePoint(point, cols), defaultMenu());
        kernels::ColumnScratch scratch;
        for (int64_t k = 0; k < cols; ++k) {
            const at::Tensor column = problem.weight.select(1, k).contiguous();
            plain.setCode(k, kernels::fitColumn(valuesOf(column), point.kind, point.bits, scratch));
            kernels::assignColumn(valuesOf(column), plain.code(k), plain.columnCodes(k));
        }
        const at::Tensor damped = dampedHessian(problem.hessian);
        QVERIFY(quadratic(problem.weight, dequantized(layer), damped) <
                0.9 * quadratic(problem.weight, dequantized(plain), damped));
    }

    void rawColumnsAreExact() {
        const int64_t rows = 30, cols = 20;
        Case problem = makeCase(rows, cols, 5);
        problem.weight = problem.weight.to(at::kBFloat16).to(at::kFloat).contiguous();
        ColumnWeights layer = ColumnWeights::make(
            rows, cols, samePoint({PointKind::Raw, 16, 0}, cols), defaultMenu());
        layer.rawDtype = DType::BF16;
        ColumnSolver solver(problem.weight, problem.factored, layer);
        solver.gptq(NoProgress());
        QCOMPARE(solver.trackedObjective(), 0.0);
        QCOMPARE(solver.descend(NoProgress()), 0.0);
        QVERIFY(at::equal(dequantized(layer), problem.weight));
    }

    void cancelled() {
        const Case problem = makeCase(10, 20, 6);
        ColumnWeights layer =
            ColumnWeights::make(10, 20, samePoint({PointKind::Table, 3, 0}, 20), defaultMenu());
        ColumnSolver solver(problem.weight, problem.factored, layer);
        const Cancelling now(1);
        QVERIFY(cancelledIn([&] { solver.gptq(now); }));
        QVERIFY(cancelledIn([&] { solver.descend(now); }));
        QVERIFY(cancelledIn([&] { groupGptq(problem.weight, problem.factored, {}, now); }));
        QVERIFY(cancelledIn([&] { roundToNearest(problem.weight, {}, 2, now); }));
    }

    static void addGroupFormats() {
        QTest::addColumn<int>("bits");
        QTest::addColumn<int>("size");
        QTest::addColumn<bool>("symmetric");
        QTest::addColumn<bool>("actOrder");
        for (const int bits : {2, 3, 4, 8})
            for (const bool symmetric : {false, true})
                for (const bool actOrder : {false, true})
                    for (const int size : {16, 32, 150, 65536})
                        QTest::addRow("%d bits, groups of %d%s%s", bits, size,
                                      symmetric ? ", symmetric" : "", actOrder ? ", act" : "")
                            << bits << size << symmetric << actOrder;
    }

    void nearest_data() { addGroupFormats(); }
    void nearest() {
        QFETCH(int, bits);
        QFETCH(int, size);
        QFETCH(bool, symmetric);
        const Case problem = makeCase(20, 100, 7);
        const at::Tensor& weight = problem.weight;
        GroupFormat format;
        format.bits = bits;
        format.groupSize = size;
        format.symmetric = symmetric;
        const GroupWeights layer = roundToNearest(weight, format, 2, NoProgress());
        const at::Tensor found = dequantized(layer);
        const int64_t groups = (100 + size - 1) / size;
        QVERIFY(layer.groupIndex.empty());
        for (int64_t n = 0; n < 20; ++n)
            for (int64_t g = 0; g < groups; ++g) {
                const int64_t end = std::min<int64_t>((g + 1) * size, 100);
                double low = 0, high = 0;
                for (int64_t k = g * size; k < end; ++k) {
                    low = std::min(low, weight[n][k].item<double>());
                    high = std::max(high, weight[n][k].item<double>());
                }
                const double top = double((1 << bits) - 1);
                const double step = symmetric
                                        ? std::max(-low, high) / (double(1 << (bits - 1)) - 0.5)
                                        : (high - low) / top;
                const size_t at = size_t(n * groups + g);
                const double scale = double(kernels::halfToFloat(layer.scale[at]));
                COMPARE_CLOSE(scale, step, 1e-3); // half a unit of fp16
                const int zero = layer.zero[at];
                if (symmetric)
                    QCOMPARE(zero, 1 << (bits - 1));
                else
                    VERIFY_BELOW(std::fabs(double(zero) + low / scale), 0.51);
                for (int64_t k = g * size; k < end; ++k) {
                    const double w = weight[n][k].item<double>();
                    double best = INFINITY;
                    for (int code = 0; code < 1 << bits; ++code)
                        best = std::min(best, std::fabs(w - scale * (code - zero)));
                    const double error = std::fabs(w - found[n][k].item<double>());
                    VERIFY_BELOW(error, best + 1e-8);
                }
            }
    }

    void groupTextbook_data() { addGroupFormats(); }
    void groupTextbook() {
        QFETCH(int, bits);
        QFETCH(int, size);
        QFETCH(bool, symmetric);
        QFETCH(bool, actOrder);
        const int64_t rows = 16, cols = 150;
        const Case problem =
            makeCase(rows, cols, 8, actOrder ? ColumnOrder::Descending : ColumnOrder::Natural);
        GroupFormat format;
        format.bits = bits;
        format.groupSize = size;
        format.symmetric = symmetric;
        format.actOrder = actOrder;
        const GroupWeights layer =
            groupGptq(problem.weight, problem.factored, format, NoProgress());
        if (actOrder) {
            for (int64_t k = 0; k < cols; ++k)
                QCOMPARE(int64_t(layer.groupIndex[size_t(problem.factored.order[size_t(k)])]),
                         k / size);
        } else {
            QVERIFY(layer.groupIndex.empty());
        }
        const int64_t groups = (cols + size - 1) / size;
        // Given the grids, every code must be the nearest to the textbook's target, up to the
        // float32 of the solver where a target lies between two codes.
        const at::Tensor values = dequantized(layer);
        double worst = 0;
        textbookGptq(problem, [&](int64_t column, const at::Tensor& target) {
            const int64_t group =
                actOrder ? int64_t(layer.groupIndex[size_t(column)]) : column / size;
            for (int64_t n = 0; n < rows; ++n) {
                const size_t at = size_t(n * groups + group);
                const double scale = double(kernels::halfToFloat(layer.scale[at]));
                const double t = double(target.data_ptr<float>()[n]);
                double best = INFINITY;
                for (int code = 0; code < 1 << bits; ++code)
                    best = std::min(best, std::fabs(t - scale * (code - int(layer.zero[at]))));
                const double error = std::fabs(t - values[n][column].item<double>());
                worst = std::max(worst, (error - best) / std::max(scale, 1e-6));
            }
            return values.select(1, column).contiguous();
        });
        VERIFY_BELOW(worst, 1e-3);
    }

    /// The grid of a group comes from the weights as they are when its first column is reached.
    void groupGridsSeeCompensation() {
        const int64_t rows = 12, cols = 64, size = 16;
        const Case problem = makeCase(rows, cols, 9, ColumnOrder::Natural);
        GroupFormat format;
        format.bits = 3;
        format.groupSize = size;
        const GroupWeights layer =
            groupGptq(problem.weight, problem.factored, format, NoProgress());
        const at::Tensor values = dequantized(layer);
        const int64_t groups = cols / size;
        // H' = R Rᵀ: before group g the targets of its columns are w + Σ_{j<gs} e_j F_jk.
        const at::Tensor e = problem.weight.to(at::kDouble) - values.to(at::kDouble);
        const at::Tensor f = problem.factored.feedback.to(at::kDouble);
        for (int64_t g = 0; g < groups; ++g) {
            at::Tensor target = problem.weight.to(at::kDouble).narrow(1, g * size, size).clone();
            if (g > 0)
                target += at::mm(e.narrow(1, 0, g * size),
                                 f.narrow(0, 0, g * size).narrow(1, g * size, size));
            const at::Tensor high = at::amax(target, {1}).clamp_min(0);
            const at::Tensor low = at::amin(target, {1}).clamp_max(0);
            for (int64_t n = 0; n < rows; ++n)
                COMPARE_CLOSE(kernels::halfToFloat(layer.scale[size_t(n * groups + g)]),
                              (high[n] - low[n]).item<double>() / 7, 1e-3);
        }
    }

    void gptqBeatsRounding_data() { addGroupFormats(); }
    void gptqBeatsRounding() {
        QFETCH(int, bits);
        QFETCH(int, size);
        QFETCH(bool, symmetric);
        QFETCH(bool, actOrder);
        const Case problem =
            makeCase(64, 150, 11, actOrder ? ColumnOrder::Descending : ColumnOrder::Natural);
        GroupFormat format;
        format.bits = bits;
        format.groupSize = size;
        format.symmetric = symmetric;
        format.actOrder = actOrder;
        const double gptq = quadratic(
            problem.weight,
            dequantized(groupGptq(problem.weight, problem.factored, format, NoProgress())),
            problem.hessian);
        const double rtn = quadratic(
            problem.weight, dequantized(roundToNearest(problem.weight, format, 2, NoProgress())),
            problem.hessian);
        QVERIFY2(gptq < rtn, qPrintable(QString("%1 against %2").arg(gptq).arg(rtn)));
    }

    void deadWeights() {
        Case problem = makeCase(6, 40, 12);
        problem.weight.zero_();
        ColumnWeights layer = ColumnWeights::make(6, 40, mixedPoints(40, 2), defaultMenu());
        ColumnSolver solver(problem.weight, problem.factored, layer);
        solver.gptq(NoProgress());
        QCOMPARE(solver.trackedObjective(), 0.0);
        QVERIFY(!dequantized(layer).any().item<bool>());
        GroupFormat format;
        format.groupSize = 16;
        QVERIFY(!dequantized(groupGptq(problem.weight, problem.factored, format, NoProgress()))
                     .any()
                     .item<bool>());
        QVERIFY(!dequantized(roundToNearest(problem.weight, format, 1, NoProgress()))
                     .any()
                     .item<bool>());
    }
};

QTEST_APPLESS_MAIN(TestColumnSolver)
#include "tst_column_solver.moc"
