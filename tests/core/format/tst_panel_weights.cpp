// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/format/panel_weights.h"
#include "tests/core/format/format_testing.h"

using namespace bitloom;
using namespace bitloom::formatTesting;

namespace {

ColumnWeights randomWeights(Random& random, int64_t rows, int64_t cols, DType raw,
                            const std::vector<std::pair<PointKind, int>>& kinds,
                            const std::vector<uint32_t>& outliers) {
    Menu menu;
    for (const auto& [kind, bits] : kinds)
        for (const uint32_t count : outliers) {
            OperatingPoint point;
            point.kind = kind;
            point.bits = bits;
            point.outlierFraction = double(count) / double(rows);
            menu.push_back(point);
            if (kind == PointKind::Raw) break;
        }
    std::vector<uint8_t> points;
    for (int64_t k = 0; k < cols; ++k)
        points.push_back(uint8_t(below(random, int64_t(menu.size()))));
    ColumnWeights weights = ColumnWeights::make(rows, cols, points, menu);
    weights.rawDtype = raw;
    fill(random, weights);
    return weights;
}

const std::vector<std::pair<PointKind, int>> everyKind{
    {PointKind::Table, 1}, {PointKind::Table, 2}, {PointKind::Table, 3}, {PointKind::Table, 4},
    {PointKind::Table, 5}, {PointKind::Grid, 2},  {PointKind::Grid, 3},  {PointKind::Grid, 4},
    {PointKind::Grid, 5},  {PointKind::Grid, 6},  {PointKind::Grid, 8},  {PointKind::Raw, 16}};

} // namespace

class TestPanelWeights : public QObject {
    Q_OBJECT

    /// Every version against the dequantized layer in double: no row may be off by more than what
    /// rounding the activations can do to it.
    static void check(const ColumnWeights& weights, const std::vector<float>& x) {
        PanelWeights::Input input;
        PanelWeights(weights, 2).prepare(x, input);
        // The scale of the block that each column's activation was rounded in.
        std::vector<double> step(size_t(weights.cols), 0.0);
        {
            // Largest magnitude over all columns of a block is at most that over all columns.
            double largest = 0;
            for (const float value : input.stored)
                largest = std::max(largest, std::abs(double(value)));
            for (double& s : step)
                s = largest / 32639;
        }
        std::vector<float> reference;
        for (const kernels::PanelKernels& kernels : kernels::allPanelKernels()) {
            std::vector<float> y(size_t(weights.rows), 77.f);
            const PanelWeights panels(weights, 2, kernels);
            QCOMPARE(panels.rows(), weights.rows);
            QCOMPARE(panels.cols(), weights.cols);
            panels.multiply(input, 0, panels.panels(), y);
            if (reference.empty()) {
                reference = y;
                std::vector<double> exact(y.size(), 0.0), bound(y.size(), 0.0);
                std::vector<float> column(size_t(weights.rows));
                for (int64_t k = 0; k < weights.cols; ++k) {
                    weights.dequantizeColumn(k, column);
                    const ColumnClass& of = weights.classAt(k);
                    const double s = of.kind == PointKind::Raw
                                         ? 0.0
                                         : double(halfValue(weights.scale[size_t(k)]));
                    for (size_t n = 0; n < y.size(); ++n) {
                        exact[n] += double(column[n]) * double(x[size_t(k)]);
                        bound[n] += 1e-6 * std::abs(double(column[n]) * double(x[size_t(k)]));
                        // |value of the code| in units of the scale is at most 255.
                        if (s != 0) bound[n] += 260 * 0.5 * step[size_t(k)];
                        if (of.kind == PointKind::Grid)
                            bound[n] += 1e-6 * std::abs(double(halfValue(weights.zero[size_t(k)])) *
                                                        s * double(x[size_t(k)]));
                    }
                }
                double error = 0, size = 0;
                for (size_t n = 0; n < y.size(); ++n) {
                    const double off = double(y[n]) - exact[n];
                    if (!(std::abs(off) <= bound[n]))
                        QFAIL(qPrintable(QString("row %1: %2 instead of %3, allowed %4")
                                             .arg(n)
                                             .arg(double(y[n]))
                                             .arg(exact[n])
                                             .arg(bound[n])));
                    error += off * off;
                    size += exact[n] * exact[n];
                }
                // And far less on the whole: a wrong table or column would be off by its size.
                QVERIFY2(error <= 2e-4 * 2e-4 * size,
                         qPrintable(QString("%1").arg(std::sqrt(error / size))));
            } else {
                QVERIFY2(std::memcmp(y.data(), reference.data(), y.size() * sizeof(float)) == 0,
                         kernels.name);
            }
        }
    }

    static std::vector<float> activations(Random& random, int64_t n) {
        std::normal_distribution<float> normal;
        std::vector<float> x(static_cast<size_t>(n));
        for (float& value : x)
            value = normal(random);
        return x;
    }

private slots:
    void everyKindAlone_data() {
        QTest::addColumn<int>("kind");
        for (size_t i = 0; i < everyKind.size(); ++i)
            QTest::addRow("%s%d",
                          i < 5    ? "table"
                          : i < 11 ? "grid"
                                   : "raw",
                          everyKind[i].second)
                << int(i);
    }
    void everyKindAlone() {
        QFETCH(int, kind);
        Random random(unsigned(kind + 1));
        for (const auto& [rows, cols] : {std::pair<int64_t, int64_t>{64, 9}, {300, 140}})
            check(randomWeights(random, rows, cols, DType::F16, {everyKind[size_t(kind)]}, {0}),
                  activations(random, cols));
    }
    void mixtures() {
        Random random(5);
        for (int round = 0; round < 12; ++round) {
            const int64_t rows = 40 + below(random, 700), cols = 1 + below(random, 500);
            check(randomWeights(random, rows, cols, round % 2 ? DType::F16 : DType::BF16, everyKind,
                                {0, 3, 17}),
                  activations(random, cols));
        }
    }
    /// Tokens that go through together give what each gives alone, in every version and from
    /// several threads' parts.
    void manyTokens() {
        Random random(9);
        for (const int64_t tokens : {2, 5, 64, 131}) {
            const int64_t rows = 290, cols = 150, stride = cols + 3;
            const ColumnWeights weights =
                randomWeights(random, rows, cols, DType::F16, everyKind, {0, 9});
            const std::vector<float> x = activations(random, tokens * stride);
            for (const kernels::PanelKernels& kernels : kernels::allPanelKernels())
                for (const int bytes : {1, 2}) {
                    const PanelWeights panels(weights, 2, kernels);
                    PanelWeights::Input all, one;
                    panels.begin(x.data(), tokens, stride, all, bytes);
                    const int64_t items = tokens * panels.blocks();
                    panels.prepareBlocks(items / 3, items, all);
                    panels.prepareBlocks(0, items / 3, all);
                    std::vector<float> together(static_cast<size_t>(tokens * (rows + 7)), -1.f);
                    std::vector<float> alone(static_cast<size_t>(rows));
                    const int64_t middle = std::min<int64_t>(64, tokens);
                    panels.multiply(all, 0, 1, together.data(), rows + 7);
                    panels.multiply(all, 1, 2, 0, middle, together.data(), rows + 7);
                    panels.multiply(all, 1, 2, middle, tokens, together.data(), rows + 7);
                    for (int64_t t = 0; t < tokens; ++t) {
                        panels.begin(x.data() + t * stride, 1, stride, one, bytes);
                        panels.prepareBlocks(0, panels.blocks(), one);
                        panels.multiply(one, 0, 2, alone);
                        const float* row = together.data() + t * (rows + 7);
                        QVERIFY2(std::memcmp(row, alone.data(), alone.size() * sizeof(float)) == 0,
                                 kernels.name);
                        QCOMPARE(row[rows], -1.f);
                    }
                }
        }
    }
    /// One byte an activation: coarser, but no more than its step says.
    void oneByte() {
        Random random(10);
        const ColumnWeights weights =
            randomWeights(random, 300, 256, DType::F16, {{PointKind::Table, 3}}, {0});
        const PanelWeights panels(weights, 2);
        const std::vector<float> x = activations(random, 256);
        PanelWeights::Input one, two;
        panels.begin(x.data(), 1, 256, one, 1);
        panels.prepareBlocks(0, panels.blocks(), one);
        panels.prepare(x, two);
        std::vector<float> coarse(300), fine(300);
        panels.multiply(one, 0, panels.panels(), coarse);
        panels.multiply(two, 0, panels.panels(), fine);
        double error = 0, size = 0;
        for (size_t i = 0; i < fine.size(); ++i) {
            error += double(coarse[i] - fine[i]) * double(coarse[i] - fine[i]);
            size += double(fine[i]) * double(fine[i]);
        }
        QVERIFY(error > 0 && error < 0.02 * 0.02 * size);
    }
    /// A head: 8-bit rows with a scale each.
    void rows8() {
        Random random(12);
        const int64_t rows = 330, cols = 201;
        std::vector<int8_t> codes;
        for (int64_t i = 0; i < rows * cols; ++i)
            codes.push_back(int8_t(below(random, 255) - 127));
        std::vector<float> scale;
        for (int64_t i = 0; i < rows; ++i)
            scale.push_back(halfValue(randomHalf(random)));
        const std::vector<float> x = activations(random, cols);
        std::vector<float> first;
        for (const kernels::PanelKernels& kernels : kernels::allPanelKernels()) {
            const PanelWeights panels(codes, scale, cols, 2, kernels);
            QCOMPARE(panels.rows(), rows);
            QVERIFY(panels.bytes() >= rows * cols);
            PanelWeights::Input input;
            panels.prepare(x, input);
            std::vector<float> y(static_cast<size_t>(rows));
            panels.multiply(input, 0, panels.panels(), y);
            if (first.empty()) first = y;
            QVERIFY2(y == first, kernels.name);
            double error = 0, size = 0;
            for (int64_t n = 0; n < rows; ++n) {
                double exact = 0;
                for (int64_t k = 0; k < cols; ++k)
                    exact += double(codes[size_t(n * cols + k)]) * double(x[size_t(k)]);
                exact *= double(scale[size_t(n)]);
                error += (double(y[size_t(n)]) - exact) * (double(y[size_t(n)]) - exact);
                size += exact * exact;
            }
            QVERIFY2(error <= 1e-4 * 1e-4 * size, kernels.name);
        }
    }
    void zeros() {
        Random random(6);
        const ColumnWeights weights = randomWeights(random, 100, 50, DType::F16, everyKind, {0, 2});
        const PanelWeights panels(weights, 1);
        PanelWeights::Input input;
        panels.prepare(std::vector<float>(50, 0.f), input);
        std::vector<float> y(100, 3.f);
        panels.multiply(input, 0, panels.panels(), y);
        for (const float value : y)
            QCOMPARE(value, 0.f);
    }
    void partsAreTheWhole() {
        Random random(7);
        const ColumnWeights weights =
            randomWeights(random, 700, 130, DType::F16, everyKind, {0, 5});
        const PanelWeights panels(weights, 2);
        PanelWeights::Input input;
        panels.prepare(activations(random, 130), input);
        std::vector<float> whole(700), parts(700, -1.f);
        panels.multiply(input, 0, 3, whole);
        panels.multiply(input, 1, 2, parts);
        QCOMPARE(parts[0], -1.f);
        QCOMPARE(parts[512], -1.f);
        panels.multiply(input, 2, 3, parts);
        panels.multiply(input, 0, 1, parts);
        QVERIFY(whole == parts);
    }
    void memory() {
        Random random(8);
        const ColumnWeights weights =
            randomWeights(random, 512, 256, DType::F16, {{PointKind::Table, 3}}, {0});
        const int64_t bytes = PanelWeights(weights, 1).bytes();
        QVERIFY(bytes >= 512 * 256 * 3 / 8 + 256 * 8);
        QVERIFY(bytes <= 512 * 256 * 3 / 8 + 256 * 8 + 128);
    }
};

QTEST_APPLESS_MAIN(TestPanelWeights)
#include "tst_panel_weights.moc"
