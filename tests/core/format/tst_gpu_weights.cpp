// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/base/error.h"
#include "core/format/gpu_weights.h"
#include "tests/core/format/format_testing.h"

#include <cmath>
#include <random>

using namespace bitloom;
using namespace bitloom::formatTesting;

namespace {

const std::vector<std::pair<PointKind, int>> everyKind{
    {PointKind::Table, 1}, {PointKind::Table, 2}, {PointKind::Table, 3}, {PointKind::Table, 4},
    {PointKind::Table, 5}, {PointKind::Grid, 2},  {PointKind::Grid, 3},  {PointKind::Grid, 4},
    {PointKind::Grid, 5},  {PointKind::Grid, 6},  {PointKind::Grid, 8},  {PointKind::Raw, 16}};

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

std::vector<float> activations(Random& random, int64_t n) {
    std::normal_distribution<float> normal;
    std::vector<float> x(static_cast<size_t>(n));
    for (float& value : x)
        value = normal(random);
    return x;
}

std::vector<float> productOf(const kernels::GpuMatrix& m, const std::vector<float>& x) {
    kernels::GpuToken token;
    kernels::roundGpuInput(m, x, token);
    std::vector<float> y(size_t(m.rows), 77.f);
    kernels::gpuProduct(m, token, x, y);
    return y;
}

} // namespace

/// Layers as the GPU multiplies them, against the dequantized layer in double.
class TestGpuWeights : public QObject {
    Q_OBJECT

    static void check(const ColumnWeights& weights, const std::vector<float>& x) {
        const std::vector<float> y = productOf(gpuMatrixOf(weights, 2), x);
        std::vector<double> exact(y.size(), 0.0);
        std::vector<float> column(size_t(weights.rows));
        for (int64_t k = 0; k < weights.cols; ++k) {
            weights.dequantizeColumn(k, column);
            for (size_t n = 0; n < y.size(); ++n)
                exact[n] += double(column[n]) * double(x[size_t(k)]);
        }
        double error = 0, size = 0;
        for (size_t n = 0; n < y.size(); ++n) {
            error += (double(y[n]) - exact[n]) * (double(y[n]) - exact[n]);
            size += exact[n] * exact[n];
        }
        QVERIFY2(error <= 2e-4 * 2e-4 * size,
                 qPrintable(QString("%1").arg(std::sqrt(error / size))));
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
        for (int round = 0; round < 8; ++round) {
            const int64_t rows = 40 + below(random, 500), cols = 1 + below(random, 400);
            check(randomWeights(random, rows, cols, round % 2 ? DType::F16 : DType::BF16, everyKind,
                                {0, 3, 17}),
                  activations(random, cols));
        }
    }
    void headRows() {
        Random random(6);
        std::vector<int8_t> codes(300 * 70);
        for (int8_t& code : codes)
            code = int8_t(below(random, 255) - 127);
        std::vector<float> scale;
        for (int n = 0; n < 300; ++n)
            scale.push_back(0.001f * float(n + 1));
        const std::vector<float> x = activations(random, 70);
        const std::vector<float> y = productOf(gpuMatrixOf(codes, scale, 70, 2), x);
        for (size_t n = 0; n < 300; ++n) {
            double exact = 0, size = 0;
            for (size_t k = 0; k < 70; ++k) {
                exact += double(codes[n * 70 + k]) * double(x[k]);
                size += std::abs(double(codes[n * 70 + k]) * double(x[k]));
            }
            QVERIFY(std::abs(double(y[n]) - exact * double(scale[n])) <=
                    1e-4 * size * double(scale[n]));
        }
    }
    void tooWide() {
        const std::vector<int8_t> codes(70000, 1);
        const std::vector<float> scale{1.f};
        QVERIFY_EXCEPTION_THROWN(gpuMatrixOf(codes, scale, 70000, 1), Error);
    }
};

QTEST_APPLESS_MAIN(TestGpuWeights)
#include "tst_gpu_weights.moc"
